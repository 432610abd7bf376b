/**
 * The device module of one board with the counters of its cycles, and the meter that reads them. A module is instrumented once for each kind of flash and
 * each array of bytes, so that boards made one after another share V8's code.
 */
import type { Board } from "../../boards/board.ts";
import type { MemoryMap } from "../bus/memory_map.ts";
import { SimError } from "../sim_error.ts";
import { costTable } from "./cost_table.ts";
import { type Instrumented, instrument } from "./instrument.ts";
import { Meter } from "./meter.ts";
import { modelRange, modelXip } from "./model_reads.ts";

const instrumented = new WeakMap<Uint8Array, Map<string, Instrumented>>();

/** @throws SimError E_SIM_COST, E_SIM_LINK, E_SIM_MEMORY */
export function meteredModule(
  board: Board,
  wasm: Uint8Array | WebAssembly.Module,
  map: MemoryMap,
): { wasm: Uint8Array; meter: Meter } {
  if (wasm instanceof WebAssembly.Module)
    throw new SimError("E_SIM_COST", "a module that is compiled already cannot be metered: its bytes are needed");
  const xip = modelXip(board);
  const flash = modelRange(board, map);
  const made = instrumented.get(wasm) ?? new Map<string, Instrumented>();
  instrumented.set(wasm, made);
  const key = JSON.stringify([flash, xip]);
  let module = made.get(key);
  if (module === undefined) {
    module = instrument(wasm, { flash, xip });
    made.set(key, module);
  }
  return { wasm: module.wasm, meter: new Meter(board, module, costTable(board.cpu.core)) };
}
