/** The tables of docs/gates.md, from what is recorded. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TritkitError } from "../../../host/errors.ts";
import { ROOT } from "../../lib/root.mjs";
import { SLOTS } from "./designs.ts";
import { LANES } from "./lanes.ts";
import type { GateRecord, Recorded } from "./record.ts";

export const DOCUMENT = join(ROOT, "docs/gates.md");
const BEGIN = "<!-- npm run gates -- --markdown -->";
const END = "<!-- end of what npm run gates writes -->";

const whole = (x: number): string => Math.round(x).toLocaleString("en-US");
const grid = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((_, i) => (i === 0 ? "---" : "---:")), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

export function markdown(record: GateRecord): string {
  return [
    `Yosys ${record.yosys}.`,
    "",
    "### Twenty lanes",
    "",
    lanes(record),
    "",
    "### The unit, by module",
    "",
    unit(record),
    "",
    "### Two orders of weights",
    "",
    orders(record),
  ].join("\n");
}

function find({ designs }: GateRecord, name: string): Recorded {
  const found = designs[name];
  if (found !== undefined) return found;
  throw new TritkitError(
    "E_GATES_RECORD",
    `firmware-sim/rtl/gates.json has no "${name}".`,
    `\`npm run gates -- --write ${name}\` records it.`,
  );
}

/** The smallest of those that compute the same is set in bold. */
function lanes(record: GateRecord): string {
  const block = find(record, "packed-block").ge;
  const smallest = new Map<string, number>();
  for (const { name, kind } of LANES)
    smallest.set(kind, Math.min(smallest.get(kind) ?? Number.POSITIVE_INFINITY, find(record, name).ge));
  const rows = LANES.map(({ name, what, kind, w }) => {
    const { ge, depth } = find(record, name);
    const best = ge === smallest.get(kind);
    const strong = (cell: string) => (best ? `**${cell}**` : cell);
    const bits = w.count * w.bits;
    return [
      strong(what),
      whole(bits),
      strong(whole(ge)),
      whole(ge / 20),
      strong((ge / block).toFixed(2)),
      whole(depth),
    ];
  });
  return grid(["", "bits of weights", "GE", "GE a lane", "of the unit's kind", "depth"], rows);
}

const MODULES = [
  ["tgemv_core", "core: beat register, accumulators, shadow registers"],
  ["tgemv_tree", "four trees of five activations"],
  ["tgemv_decode", "four decoders"],
  ["tgemv_weights", "weight reader and FIFO control"],
  ["tgemv_load", "activation loader"],
  ["tgemv_writer", "output writer"],
  ["tgemv_control", "descriptors, checks, errors"],
  ["tgemv_regs", "register file"],
  ["tgemv_counters", "performance counters"],
] as const;
const CORE = ["tgemv_core", "tgemv_tree", "tgemv_decode"];

function unit(record: GateRecord): string {
  const points = SLOTS.map((slots) => find(record, `tgemv-v${slots}`));
  const of = ({ modules = {} }: Recorded, names: readonly string[]) =>
    names.reduce((sum, name) => sum + (modules[name] ?? 0), 0);
  const each = (value: (point: Recorded) => number) => points.map((point) => whole(value(point)));
  const named = MODULES.map(([name]) => name as string);
  return grid(
    ["GE", ...SLOTS.map((slots) => `V = ${slots}`)],
    [
      ...MODULES.map(([name, what]) => [what, ...each((point) => of(point, [name]))]),
      ["between them", ...each((point) => point.ge - of(point, named))],
      ["**the lanes alone** (core, trees, decoders)", ...each((point) => of(point, CORE)).map((cell) => `**${cell}**`)],
      ["**with DMA, descriptors, registers, counters**", ...each(({ ge }) => ge).map((cell) => `**${cell}**`)],
      ["of it flip-flops, 6 GE each", ...each((point) => point.flip_flops)],
      ["bits of memory: activation buffer and FIFO", ...each((point) => point.memory_bits)],
      ["gates on the longest path", ...each((point) => point.depth)],
    ],
  );
}

function orders(record: GateRecord): string {
  const head = ["", ...SLOTS.flatMap((slots) => [`V = ${slots}: 4 x 5`, "1 x 20"])];
  const pairs = SLOTS.map((slots) => [find(record, `tgemv-v${slots}`), find(record, `rows-v${slots}`)] as const);
  const core = ({ modules = {}, ge }: Recorded) =>
    "tgemv_core" in modules ? CORE.reduce((sum, name) => sum + modules[name], 0) : ge;
  const row = (what: string, value: (point: Recorded, slots: number, rowOrder: boolean) => string) => [
    what,
    ...pairs.flatMap(([block, rows], i) => [value(block, SLOTS[i], false), value(rows, SLOTS[i], true)]),
  ];
  return grid(head, [
    row("GE of the lanes", (point) => whole(core(point))),
    row("accumulators", (_, slots, rows) => String((rows ? 8 : 4) * slots)),
    row("other words that wait: shadow of outputs; chunks of 20 activations", (_, slots, rows) =>
      rows ? `${2 * slots} x 160 bit` : `${4 * slots} x 29 bit`,
    ),
    row("bytes read from the buffer for a beat", (_, slots, rows) => String((rows ? 2.5 : 5) * slots)),
    row("bits of the buffer", (_, __, ___) => "81,920"),
    row("columns are padded to", (_, __, rows) => (rows ? "20" : "5")),
    row("rows are padded to", (_, __, rows) => (rows ? "8" : "4")),
    row("a second copy of the weights for the CPU", (_, __, rows) => (rows ? "yes, or another kernel" : "no")),
  ]);
}

/** Puts the tables between the marks of docs/gates.md. */
export async function updateDocument(record: GateRecord): Promise<void> {
  const page = await readFile(DOCUMENT, "utf8");
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END, begin);
  if (begin < 0 || end < 0)
    throw new TritkitError("E_GATES_DOCUMENT", `docs/gates.md has lost the marks between which its tables stand.`);
  await writeFile(DOCUMENT, `${page.slice(0, begin)}${BEGIN}\n${markdown(record)}\n${page.slice(end)}`);
}
