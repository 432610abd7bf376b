/** What was counted, as it is kept in firmware-sim/rtl/gates.json, and how far a new count is from it. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TritkitError } from "../../../host/errors.ts";
import { type Count, RTL } from "./yosys.ts";

/** Counts may differ by so much between versions of yosys and ABC, or after a small change. */
export const TOLERANCE = 0.05;
const FILE = join(RTL, "gates.json");

export interface Recorded {
  readonly ge: number;
  readonly flip_flops: number;
  /** Gates on the longest path. */
  readonly depth: number;
  readonly memory_bits: number;
  /** GE of all instances of a module, when there are several modules. */
  readonly modules?: Readonly<Record<string, number>>;
}

export interface GateRecord {
  readonly yosys: string;
  readonly designs: Readonly<Record<string, Recorded>>;
}

export function recorded({ ge, flipFlops, depth, memories, modules }: Count): Recorded {
  const memory_bits = memories.reduce((sum, memory) => sum + memory.bits, 0);
  const counts = modules.map(({ name, instances, ge }) => [name, Math.round(instances * ge)] as const);
  const round = { ge: Math.round(ge), flip_flops: flipFlops, depth, memory_bits };
  return counts.length > 1
    ? { ...round, modules: Object.fromEntries(counts.sort(([a], [b]) => (a < b ? -1 : 1))) }
    : round;
}

/** What is further away than TOLERANCE, in words; depth is no area, but a path that grew is a clock that slowed. */
export function differences(name: string, was: Recorded | undefined, is: Recorded): string[] {
  if (was === undefined) return [`${name} was never recorded`];
  const pairs = [
    ["GE", was.ge, is.ge],
    ["flip-flops", was.flip_flops, is.flip_flops],
    ["memory bits", was.memory_bits, is.memory_bits],
  ] as const;
  return pairs
    .filter(([, old, now]) => Math.abs(now - old) > TOLERANCE * old)
    .map(([unit, old, now]) => `${name}: ${now} ${unit}, recorded are ${old}`);
}

export async function readRecord(): Promise<GateRecord> {
  let text: string;
  try {
    text = await readFile(FILE, "utf8");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    return { yosys: "", designs: {} };
  }
  try {
    return JSON.parse(text) as GateRecord;
  } catch (cause) {
    throw new TritkitError(
      "E_GATES_RECORD",
      "firmware-sim/rtl/gates.json is no JSON.",
      "`npm run gates -- --write` makes it anew.",
      1,
      { cause },
    );
  }
}

export async function writeRecord(record: GateRecord): Promise<void> {
  await writeFile(FILE, `${JSON.stringify(record, null, 2)}\n`);
}
