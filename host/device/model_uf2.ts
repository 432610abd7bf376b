/**
 * A model as a UF2 file: copied to the drive of a Pico in its boot ROM, it is in the flash partition together with the records
 * that make it active (spec/STORE.md). Nobody but the device writes records, so a board is simulated, flashed as over a line,
 * and what stands in its partition then goes into the file.
 *
 * The file holds the two record sectors and every sector of the model, blank ones too: whatever the board had there is
 * replaced. A second model that it had stays in flash but is forgotten.
 */
import { type Board, partitionRuns } from "../../boards/board.ts";
import { RECORD_SECTORS } from "../../spec/store.ts";
import { openSimLine, startSim } from "../transports/sim.ts";
import { Device } from "./device.ts";
import { uf2Chip, writeUf2 } from "./firmware/uf2.ts";
import { type FlashOptions, flashModel } from "./flasher.ts";
import { listModels } from "./models.ts";

export interface ModelUf2 {
  readonly uf2: Uint8Array;
  /** SHA-256 of the image, hex. */
  readonly sha256: string;
  /** Bytes of flash that the file programs. */
  readonly bytes: number;
  /** Positions that the model will run with. */
  readonly context: number;
}

/**
 * @param board one that ships with tritkit and whose boot ROM takes UF2
 * @throws TritkitError E_UNSUPPORTED, and as flashModel
 */
export async function modelUf2(
  image: Uint8Array,
  board: Board,
  options: Omit<FlashOptions, "confirm"> = {},
): Promise<ModelUf2> {
  const { family } = uf2Chip(board.chip);
  const running = await startSim(board.name);
  try {
    const device = await Device.connect(await openSimLine(running), { signal: options.signal });
    try {
      const { sha256 } = await flashModel(device, image, options);
      const active = (await listModels(device, options.signal)).find(({ state }) => state === "active");
      if (active === undefined) throw new Error("the simulated board has no active model after flashing");
      const records = recordBytes(board);
      const start = records + device.hello.slots[active.slot].offset;
      const end = sectorEnd(board, start + image.length);
      const partition = running.sim.flash.image();
      const base = board.flash.base + board.flash.partition.offset;
      const segments = [
        { address: base, bytes: partition.subarray(0, records) },
        { address: base + start, bytes: partition.subarray(start, end) },
      ];
      return { uf2: writeUf2(segments, family), sha256, bytes: records + end - start, context: device.hello.context };
    } finally {
      await device.close();
    }
  } finally {
    running.close();
  }
}

/** Ends of the partition's sectors, counted from its start. */
function sectorEnds(board: Board): number[] {
  const ends: number[] = [];
  let end = 0;
  for (const { count, bytes } of partitionRuns(board)) {
    for (let i = 0; i < count; i++) {
      end += bytes;
      ends.push(end);
    }
  }
  return ends;
}

function recordBytes(board: Board): number {
  return sectorEnds(board)[RECORD_SECTORS - 1];
}

/** Where the sector ends that holds the byte before `offset`. */
function sectorEnd(board: Board, offset: number): number {
  return sectorEnds(board).find((end) => end >= offset) ?? board.flash.partition.bytes;
}
