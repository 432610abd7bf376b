/** Which chip has which boot ROM. NOT IMPLEMENTED: those of RP2040 and RP2350, which are no serial lines (USB mass storage). */
import type { Board } from "../../boards/board.ts";
import { SimError } from "../sim_error.ts";
import { Esp32BootRom } from "./esp32/boot_rom.ts";
import { isEsp32 } from "./esp32/chips.ts";
import type { BootRom, RomOptions, RomPins } from "./rom.ts";
import { isStm32, Stm32Rom } from "./stm32.ts";

type MakeRom = (pins: RomPins, options: RomOptions) => BootRom;

const ROMS: readonly [isFor: (board: Board) => boolean, make: MakeRom][] = [
  [({ chip }) => isStm32(chip), (pins, options) => new Stm32Rom(pins, options)],
  [({ chip }) => isEsp32(chip), (pins, options) => new Esp32BootRom(pins, options)],
];

/** @throws SimError E_SIM_ROM when the simulator knows no boot ROM for the board's chip */
export function bootRomOf(board: Board): MakeRom {
  const found = ROMS.find(([isFor]) => isFor(board));
  if (found !== undefined) return found[1];
  throw new SimError("E_SIM_ROM", `the simulator does not know the boot ROM of ${board.name} (${board.chip})`);
}
