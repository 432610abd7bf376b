/** A serial NOR flash for the ROM of an ESP32 on its own: 4 KiB sectors, pages of 256 bytes, and a count of what it did. */
import type { RomFlash } from "../rom/esp32/flash_writer.ts";

const SECTOR = 4096;
const PAGE = 256;

export class NorFlash implements RomFlash {
  readonly cells: Uint8Array;
  erases = 0;
  /** The next programs fail. */
  worn = false;

  constructor(bytes: number) {
    this.cells = new Uint8Array(bytes).fill(0xff);
  }

  get bytes(): number {
    return this.cells.length;
  }

  read(address: number, length: number): Uint8Array {
    return this.cells.slice(address, address + length);
  }

  erase(address: number, length: number): boolean {
    if (address % SECTOR !== 0 || length !== SECTOR) throw new RangeError(`erase of ${length} at ${address}`);
    this.cells.fill(0xff, address, address + length);
    this.erases++;
    return true;
  }

  program(address: number, bytes: Uint8Array): boolean {
    if ((address % PAGE) + bytes.length > PAGE) throw new RangeError(`program of ${bytes.length} at ${address}`);
    if (this.worn) return false;
    for (let i = 0; i < bytes.length; i++) this.cells[address + i] &= bytes[i];
    return true;
  }
}
