/** Which chip has which boot ROM. NOT IMPLEMENTED: those of RP2040 and RP2350, which are no serial lines (USB mass storage). */
import type { BootRom, RomOptions, RomPins } from "./rom.ts";
import { isStm32, Stm32Rom } from "./stm32.ts";

/** null: the simulator knows no boot ROM for this chip. */
export function bootRom(pins: RomPins, options: RomOptions): BootRom | null {
  if (isStm32(pins.board.chip)) return new Stm32Rom(pins, options);
  return null;
}
