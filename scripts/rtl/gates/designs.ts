/** Everything whose gates are counted: reference lanes, the whole unit with 1, 2 and 4 vector slots, and the core of the other order of weights. */
import { readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LANES, type Lane } from "./lanes.ts";
import { ROW_ORDER, runRows } from "./orders.ts";
import { runUnit } from "./unit.ts";
import { verify } from "./verify.ts";
import { type Design, RTL } from "./yosys.ts";

export interface Counted extends Design {
  readonly name: string;
  /** Counted by `--check` without names: seconds, not minutes. */
  readonly sample: boolean;
  /** Throws when the Verilog does not compute what it should. The unit itself is held to its model by `npm run rtl`. */
  verify(): Promise<void>;
  /** The same of the netlist that was counted. */
  verifyNetlist(netlist: string): Promise<void>;
}

export const SLOTS = [1, 2, 4] as const;
/** Random operands for a lane. */
const VECTORS = 1000;
/** And for its netlist. */
const NETLIST_VECTORS = 150;
/** Random jobs for the netlist of a unit. */
const JOBS = 12;
const SAMPLE = ["ternary-2bit", "packed-block", "int8-booth", "fp16", "tgemv-v1"];

const lanes = LANES.map((lane) => ({
  name: lane.name,
  files: lane.files,
  top: lane.module,
  flatten: true,
  verify: () =>
    verify(
      lane,
      lane.files.map((file) => join(RTL, file)),
      VECTORS,
    ),
  verifyNetlist: async (netlist: string) => (lane.netlistRuns ? verifyText(lane, netlist) : undefined),
}));

const parameters = (slots: number) => ({ SLOTS: slots, SLOT_BITS: Math.max(1, Math.ceil(Math.log2(slots))) });

const units = SLOTS.map((slots) => ({
  name: `tgemv-v${slots}`,
  files: readdirSync(RTL).filter((file) => /^tgemv.*\.v$/.test(file)),
  top: "tgemv",
  parameters: parameters(slots),
  flatten: false,
  verify: async () => {},
  verifyNetlist: async (netlist: string) => void runUnit(netlist, slots, JOBS),
}));

const rows = SLOTS.map((slots) => ({
  name: `rows-v${slots}`,
  ...ROW_ORDER,
  parameters: parameters(slots),
  flatten: false,
  verify: () => verifyRows(slots),
  verifyNetlist: async () => {},
}));

export const DESIGNS: readonly Counted[] = [...lanes, ...units, ...rows].map((design) => ({
  ...design,
  sample: SAMPLE.includes(design.name),
}));

/** Each gate takes a unit of time: without delays a change can run through a tree of adders exponentially often. */
async function verifyText(lane: Lane, netlist: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "tritkit-netlist-"));
  try {
    await writeFile(join(folder, "netlist.v"), netlist.replace(/^( *)assign /gm, "$1assign #1 "));
    await verify(lane, [join(folder, "netlist.v")], NETLIST_VECTORS);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const SHAPES = [
  [5, 15, 1],
  [16, 60, 3],
  [24, 130, 2],
] as const;

async function verifyRows(slots: number): Promise<void> {
  for (const seed of [0, 1, 2])
    for (const [rows, cols, planes] of SHAPES)
      for (const used of new Set([1, slots])) await runRows({ rows, cols, planes, slots: used, seed });
}
