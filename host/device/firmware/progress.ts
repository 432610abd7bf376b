// How far the writing of firmware is. Every flasher reports in these words, whatever its chip's boot ROM speaks.

export type FirmwarePhase = "connect" | "erase" | "write" | "verify" | "reset" | "done";

export interface FirmwareProgress {
  phase: FirmwarePhase;
  /** Bytes of the segments that are in flash now, skipped ones included. While verifying: bytes that were compared. */
  bytes: number;
  total: number;
  /** Bytes that were there already. */
  skipped: number;
  /** Since the start, at the device: simulated seconds when it is simulated. */
  seconds: number;
}
