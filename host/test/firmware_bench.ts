/** A simulated Pico with two slots for firmware on the test bench: delivered with one, and with a model on it. */

import { crc32 } from "node:zlib";
import { type Board, updateRegion } from "../../boards/board.ts";
import { SimBoard, type SlotsOptions } from "../../firmware-sim/index.ts";
import { firmwareFile } from "../../scripts/firmware/image.mjs";
import { FREC_BYTES, FREC_CONFIRMED, FREC_CRC, FREC_MAGIC, FREC_SEQ } from "../../spec/firmware.ts";
import { readUpdateFile, type UpdateFile } from "../device/firmware/update_file.ts";
import { flashModel } from "../device/flasher.ts";
import { deviceWasm, greedy, image, scaledBoard, withBench } from "./bench_board.ts";
import { noise } from "./firmware_fixture.ts";

export const board = scaledBoard("rp2040-pico", { sectors: 26 });
const found = updateRegion(board);
if (found === null) throw new Error("the Pico has two slots");
export const region = found;
export const wasm = deviceWasm(board);
export const MODEL = image("relu2");

/** Some bytes that the breadboard takes for the device module: two sectors and a half. */
const PAYLOAD_BYTES = 9500;

/** The same firmware for both slots. */
export function firmware(seed: number, version: string, name = board.name, bytes = PAYLOAD_BYTES): UpdateFile[] {
  return region.slots.map((slot, i) => {
    const made = { board: name, version, address: board.flash.base + slot };
    return readUpdateFile(firmwareFile(made, noise(seed + i, bytes)));
  });
}

/** A record of the selector. */
export function record(seq: number, confirmed: number): Uint8Array {
  const cell = Buffer.alloc(FREC_BYTES);
  cell.writeUInt32LE(FREC_MAGIC, 0);
  cell.writeUInt32LE(seq, FREC_SEQ);
  cell.writeUInt32LE(confirmed, FREC_CONFIRMED);
  cell.writeUInt32LE(crc32(cell.subarray(0, FREC_CRC)), FREC_CRC);
  return cell;
}

/** All of flash as a programmer delivers it: a firmware in slot 0, and what `more` puts there. */
export function delivered(files: readonly UpdateFile[], more: (flash: Uint8Array) => void = () => {}): Uint8Array {
  const flash = new Uint8Array(board.flash.bytes).fill(0xff);
  flash.set(files[0].bytes, region.slots[0]);
  more(flash);
  return flash;
}

/** The same board with flash as an STM32H7 has it: units of 32 bytes that take one program, and one of them a call. */
export const writeOnce: Board = {
  ...board,
  flash: {
    ...board.flash,
    program_unit: 32,
    page: 32,
    write_once: true,
    timing: { ...board.flash.timing, program_us_per: 32 },
  },
};

export function newBoard(flash: Uint8Array, slots: SlotsOptions = {}, which = board): SimBoard {
  const sim = SimBoard.create({ board: which, wasm, flash, slots, seed: 1 });
  sim.powerOn();
  return sim;
}

/** Puts the model on; what it answers from then on. */
export async function withModel(sim: SimBoard): Promise<number[]> {
  return withBench(sim, async (device) => {
    await flashModel(device, MODEL);
    return greedy(device);
  });
}
