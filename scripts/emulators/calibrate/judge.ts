/** What a cost table says about the phases of a board, beside what its emulator counted, by part of a token. */
import type { CostTable } from "../../../firmware-sim/index.ts";
import { costOf } from "../../../firmware-sim/meter/cost_table.ts";
import { CLASSES } from "./classes.ts";
import type { Unit } from "./emulated.ts";
import type { Measured } from "./measure.ts";
import { firmwareBeside, normalised, ownCounts, partOf, WIRE } from "./parts.ts";

export interface Pair {
  readonly predicted: number;
  readonly counted: number;
}

export interface Judged {
  readonly of: Measured;
  /** Without the wire: its work depends on how often the host asked. */
  readonly total: Pair;
  readonly parts: ReadonlyMap<string, Pair>;
}

/** Relative: 0.01 is 1 % too much. */
export function errorOf({ predicted, counted }: Pair): number {
  return predicted / counted - 1;
}

export function judge(
  phases: readonly Measured[],
  names: ReadonlyMap<string, string>,
  table: CostTable,
  unit: Unit,
): Judged[] {
  const counts = ownCounts(
    phases,
    unit,
    CLASSES.map((of) => table[unit][of]),
  );
  return phases.map((of, i) => {
    const parts = new Map<string, { predicted: number; counted: number }>();
    const add = (part: string, predicted: number, counted: number): void => {
      const pair = parts.get(part) ?? { predicted: 0, counted: 0 };
      parts.set(part, { predicted: pair.predicted + predicted, counted: pair.counted + counted });
    };
    for (const [symbol, ops] of of.ops) {
      const { [unit]: predicted } = costOf(table, names.get(symbol) ?? symbol, normalised(of, symbol, ops));
      add(partOf(symbol), predicted, counts[i].get(symbol) ?? 0);
    }
    const { calls, bytes, counted } = firmwareBeside(of, unit);
    add(WIRE, calls * table.shim.call[unit] + bytes * table.shim.byte[unit], counted);
    const total = sum([...parts].filter(([part]) => part !== WIRE).map(([, pair]) => pair));
    return { of, total, parts };
  });
}

/** All phases together. */
export function sum(pairs: readonly Pair[]): Pair {
  return pairs.reduce((a, b) => ({ predicted: a.predicted + b.predicted, counted: a.counted + b.counted }), {
    predicted: 0,
    counted: 0,
  });
}
