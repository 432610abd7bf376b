/** The metered simulated board that a firmware belongs to, a model in its flash: what an answer executes, by function and class of WebAssembly instruction. */
import { join } from "node:path";
import type { Board } from "../../../boards/board.ts";
import type { Meter, OpCounts } from "../../../firmware-sim/index.ts";
import { Device } from "../../../host/device/device.ts";
import { openSimLine, startSim } from "../../../host/transports/sim.ts";
import { flashFileWith } from "../flash_file.ts";
import { patient } from "./answers.ts";

/** Bytes read from flash, and cycles of waiting, by the board's own figures: for those and for the code that runs from there. */
export interface FlashUse {
  readonly bytes: number;
  readonly dataWait: number;
  readonly codeWait: number;
}

/** Since the board was made. */
export interface SimCounts {
  /** By function. */
  readonly ops: ReadonlyMap<string, OpCounts>;
  readonly calls: ReadonlyMap<string, number>;
  /** Calls of the HAL, and bytes that it copied. */
  readonly hal: { readonly calls: number; readonly bytes: number };
  readonly flash: FlashUse;
}

export interface Simulated {
  readonly device: Device;
  counts(): SimCounts;
  close(): Promise<void>;
}

/** @param folder for files while it runs */
export async function startSimulated(
  board: Board,
  image: Uint8Array,
  context: number,
  folder: string,
): Promise<Simulated> {
  const flashFile = join(folder, `${board.name}.sim.bin`);
  await flashFileWith(board.name, image, flashFile, context);
  const running = await startSim(board.name, { flashFile });
  const meter = running.sim.meter as Meter;
  const device = patient(await Device.connect(await openSimLine(running, () => running.close())));
  return {
    device,
    counts() {
      const { hal, flash, wait } = meter.totals();
      const calls = new Map(meter.byFunction().map((of) => [of.name, of.calls]));
      return {
        ops: meter.opsByFunction(),
        calls,
        hal,
        flash: { bytes: flash.bytes, dataWait: wait.flash, codeWait: wait.code },
      };
    },
    close: () => device.close(),
  };
}
