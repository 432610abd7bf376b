/**
 * What stops the emulated RP2040. `code`:
 *
 *   E_RP2040_FAULT   the firmware did what a real chip would not survive, or what it could only survive by luck
 *   E_RP2040_BOOT    the boot ROM finds nothing to start
 *   E_RP2040_FILE    firmware or flash content of the wrong form or size
 */
export class Rp2040Error extends Error {
  readonly code: string;

  /** @param message one sentence without the code */
  constructor(code: "E_RP2040_FAULT" | "E_RP2040_BOOT" | "E_RP2040_FILE", message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "Rp2040Error";
    this.code = code;
  }
}

export function hex(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, "0")}`;
}
