/**
 * Fetching the firmware's own code from flash, through the cache that its data come through: every block of a function that runs from flash calls `probe`
 * (flash_probe.ts) for the bytes that it takes there. Streamed weights throw code out, so it is fetched again for every matrix.
 *
 * DERIVED, not known: where a block lies and how long it is. The bytes that the module's code has in the firmware are shared out among its blocks, in their
 * order, by the instructions that the cost table expects of them. What wasm2c's library adds (division, 64-bit products) is left out, as is the shim.
 */

import { OP } from "./decode.ts";
import type { Insertion } from "./flash_probe.ts";
import type { Flow } from "./flow.ts";
import type { OpCounts } from "./op_class.ts";
import { leb, sleb } from "./wasm_binary.ts";

export interface CodeInFlash {
  /** Of all functions that run from flash. */
  readonly bytes: number;
  /** Whether a function does. */
  readonly isFetched: (name: string) => boolean;
  /** Instructions of a block, in any unit. */
  readonly size: (ops: OpCounts) => number;
}

/**
 * Calls for each function.
 * @param slots address of the first function's slot
 * @param probe index of `probe`
 */
export function codeFetches(
  { bytes, isFetched, size }: CodeInFlash,
  functions: readonly string[],
  flows: readonly Flow[],
  slots: (fn: number) => number,
  probe: number,
): Insertion[][] {
  const blocksOf = (fn: number) => (isFetched(functions[fn]) ? flows[fn].blocks.filter(({ at }) => at !== null) : []);
  let all = 0;
  functions.forEach((_, fn) => {
    for (const { ops } of blocksOf(fn)) all += size(ops);
  });
  let place = 0;
  return functions.map((_, fn) => {
    const found: Insertion[] = [];
    for (const { at, ops } of blocksOf(fn)) {
      const from = Math.floor(place);
      place += (size(ops) * bytes) / all;
      const span = Math.floor(place) - from - 1;
      if (span < 0) continue;
      const numbers = [from, span, 0, 0, slots(fn)].flatMap((value) => [OP.i32_const, ...sleb(value)]);
      found.push({ behind: at as number, code: [...numbers, OP.call, ...leb(probe)] });
    }
    return found;
  });
}
