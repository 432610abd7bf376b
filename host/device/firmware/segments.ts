// Pieces of firmware and the places they go to: what a board's release consists of and what every flasher writes.

/** Bytes for consecutive addresses of a chip's address space. */
export interface FirmwareSegment {
  readonly address: number;
  readonly bytes: Uint8Array;
}

export function totalBytes(segments: readonly FirmwareSegment[]): number {
  return segments.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
