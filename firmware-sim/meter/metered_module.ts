/**
 * The device module of one board with the counters of its cycles, and the meter that reads them. A module is instrumented once for each kind of flash and
 * each array of bytes, so that boards made one after another share V8's code.
 */
import type { Board } from "../../boards/board.ts";
import type { MemoryMap } from "../bus/memory_map.ts";
import { SimError } from "../sim_error.ts";
import type { CodeInFlash } from "./code_fetch.ts";
import { type CostTable, costTable } from "./cost_table.ts";
import { type Instrumented, instrument } from "./instrument.ts";
import { Meter } from "./meter.ts";
import { isInPlace, modelRange, modelXip } from "./model_reads.ts";
import { OP_CLASSES } from "./op_class.ts";

const instrumented = new WeakMap<Uint8Array, Map<string, Instrumented>>();

/** @throws SimError E_SIM_COST, E_SIM_LINK, E_SIM_MEMORY */
export function meteredModule(
  board: Board,
  wasm: Uint8Array | WebAssembly.Module,
  map: MemoryMap,
  spans: readonly RegExp[] = [],
): { wasm: Uint8Array; meter: Meter } {
  if (wasm instanceof WebAssembly.Module)
    throw new SimError("E_SIM_COST", "a module that is compiled already cannot be metered: its bytes are needed");
  const xip = modelXip(board);
  const flash = modelRange(board, map);
  const made = instrumented.get(wasm) ?? new Map<string, Instrumented>();
  instrumented.set(wasm, made);
  const table = costTable(board.cpu.core);
  const code =
    xip === null || xip.code_bytes === 0 || !isInPlace(board, map) ? undefined : codeOf(xip.code_bytes, table);
  const key = JSON.stringify([flash, xip, table.core, spans.map(({ source }) => source)]);
  let module = made.get(key);
  if (module === undefined) {
    module = instrument(wasm, { flash, xip, code, spans });
    made.set(key, module);
  }
  return { wasm: module.wasm, meter: new Meter(board, module, table) };
}

/** What every board with an XIP cache runs from SRAM: the first three translation units of scripts/firmware/translate.mjs that are kernels (boards/common/*.ld). */
const FROM_SRAM = /^as\/kernels\/(?!ternary_ref|unpack|rows_int4)/;
/** A call of a library routine, which division and such are, has its instructions elsewhere. */
const LONGEST = 8;

function codeOf(bytes: number, table: CostTable): CodeInFlash {
  return {
    bytes,
    isFetched: (name) => !FROM_SRAM.test(name),
    size: (ops) => OP_CLASSES.reduce((sum, of) => sum + (ops[of] ?? 0) * Math.min(table.instructions[of], LONGEST), 0),
  };
}
