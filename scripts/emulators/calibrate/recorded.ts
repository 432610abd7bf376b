/**
 * What the emulators counted for one run, kept beside the tables: npm test compares what the tables say with it, without any emulator, so that
 * a change of the kernels that the tables do not follow is noticed.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CostTable, OpCounts } from "../../../firmware-sim/index.ts";
import { costOf } from "../../../firmware-sim/meter/cost_table.ts";
import { ROOT } from "../../lib/root.mjs";
import type { Unit } from "./emulated.ts";
import { symbolOf } from "./groups.ts";
import type { Judged } from "./judge.ts";
import { partOf, WIRE } from "./parts.ts";

/** Its decode phase is the one that is recorded: of a model that ships, by a prompt that was held out. */
export const RECORDED_RUN = "stories-1m, held-out prompt";

export interface Recorded {
  readonly unit: Unit;
  readonly tokens: number;
  /** Without the wire. */
  readonly counted: number;
}

/** By board. */
export type Records = Readonly<Record<string, Recorded>>;

const FILE = "firmware-sim/meter/cpus/recorded.json";

export async function readRecords(): Promise<Records> {
  return JSON.parse(await readFile(join(ROOT, FILE), "utf8"));
}

export async function writeRecords(records: Records): Promise<string> {
  const sorted = Object.fromEntries(Object.entries(records).sort());
  await writeFile(join(ROOT, FILE), `${JSON.stringify(sorted, null, 2)}\n`);
  return FILE;
}

export function recordOf(judged: readonly Judged[], unit: Unit): Recorded {
  const found = judged.find(({ of }) => of.run.name === RECORDED_RUN && of.phase === "decode");
  if (found === undefined) throw new Error(`"${RECORDED_RUN}" was not measured`);
  return { unit, tokens: found.of.tokens, counted: Math.round(found.total.counted) };
}

/** What a table says that functions cost which are no work for the wire. */
export function costWithoutWire(table: CostTable, ops: ReadonlyMap<string, OpCounts>, unit: Unit): number {
  let sum = 0;
  for (const [name, of] of ops) if (partOf(symbolOf(name)) !== WIRE) sum += costOf(table, name, of)[unit];
  return sum;
}
