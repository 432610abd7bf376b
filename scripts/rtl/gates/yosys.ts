/**
 * Counts the gates of Verilog: yosys and ABC map a design to inverters, NANDs, NORs and flip-flops, in the smallest way they find; a gate equivalent (GE)
 * is a NAND of two inputs, four transistors of static CMOS. Chips are built from richer cells (a full adder is 9 GE here, 6 to 7 in a library): the
 * figures are for comparison with each other, all made by this one flow.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TritkitError } from "../../../host/errors.ts";
import { ROOT } from "../../lib/root.mjs";
import { tool } from "./tool.ts";

export const RTL = join(ROOT, "firmware-sim/rtl");

/** Transistors of static CMOS / 4; a flip-flop of a standard cell library has about 24. Enables and synchronous resets are gates before it. */
const GE: Readonly<Record<string, number>> = { $_NAND_: 1, $_NOR_: 1, $_NOT_: 0.5, $_DFF_P_: 6 };
const FLIP_FLOP = "$_DFF_P_";
const MEMORY = "$mem_v2";

/** ABC for area. Yosys' own script prefers depth and is a quarter larger. */
const ABC = "+strash;&get,-n;&fraig,-x;&put;scorr;dc2;dc2;dch,-f;map,-a";

export interface Design {
  /** Below firmware-sim/rtl. */
  readonly files: readonly string[];
  readonly top: string;
  readonly parameters?: Readonly<Record<string, number>>;
  /** As one, so that gates can be shared between modules; otherwise each module by itself. */
  readonly flatten: boolean;
}

export interface Memory {
  readonly module: string;
  readonly count: number;
  readonly words: number;
  readonly bits: number;
}

export interface ModuleCount {
  readonly name: string;
  readonly instances: number;
  /** Of one instance, without the modules inside it. */
  readonly ge: number;
  readonly flipFlops: number;
}

export interface Count {
  readonly ge: number;
  readonly flipFlops: number;
  readonly modules: readonly ModuleCount[];
  /** Arrays named `mem` are counted as memories, in bits, and not as flip-flops. */
  readonly memories: readonly Memory[];
  /** Gates on the longest path between flip-flops, memories and ports. */
  readonly depth: number;
  /** The gates as Verilog. */
  readonly netlist: string;
}

export async function synthesise(design: Design): Promise<Count> {
  const folder = await mkdtemp(join(tmpdir(), "tritkit-gates-"));
  try {
    await writeFile(join(folder, "count.ys"), script(design));
    await tool("yosys", ["-q", "-s", "count.ys"], folder);
    const text = (name: string) => readFile(join(folder, name), "utf8");
    const { top } = design;
    const cells = parseStat(await text("stat.txt"));
    const instances = instancesOf(cells, top);
    const modules = [...instances].map(([name, count]) => moduleCount(name, count, cells.get(name) ?? new Map()));
    const total = (value: (module: ModuleCount) => number) =>
      modules.reduce((sum, module) => sum + module.instances * value(module), 0);
    return {
      ge: total((module) => module.ge),
      flipFlops: total((module) => module.flipFlops),
      modules,
      memories: parseMemories(await text("memories.txt"), instances),
      depth: parseDepth(await text("path.txt")),
      netlist: await text("netlist.v"),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function script({ files, top, parameters = {}, flatten }: Design): string {
  return [
    ...files.map((file) => `read_verilog "${join(RTL, file)}"`),
    ...Object.entries(parameters).map(([name, value]) => `chparam -set ${name} ${value} ${top}`),
    `synth -noabc ${flatten ? "-flatten " : ""}-top ${top} -run begin:fine`,
    "opt -fast -full",
    `memory_map t:${MEMORY} c:*mem %d`,
    "opt -full",
    `techmap -map "${join(RTL, "compare/ripple.v")}" -map +/techmap.v`,
    "opt -fast",
    `dfflegalize -cell ${FLIP_FLOP} x`,
    `abc -g cmos2 -script ${ABC}`,
    "opt_clean",
    `tee -o stat.txt stat -top ${top}`,
    `tee -o memories.txt dump t:${MEMORY}`,
    // A simulator starts flip-flops as unknown, which gates pass on where a reset could not.
    "setundef -init -zero",
    "write_verilog -noattr netlist.v",
    "setattr -mod -unset keep_hierarchy",
    "flatten",
    "opt_clean",
    "tee -o path.txt ltp -noff",
    "",
  ].join("\n");
}

/** Cells by type of each module. */
export function parseStat(text: string): Map<string, Map<string, number>> {
  const sections = text.split(/^=== (.+) ===$/m).slice(1);
  const modules = new Map<string, Map<string, number>>();
  for (let i = 0; i + 1 < sections.length; i += 2) {
    if (sections[i] === "design hierarchy") continue;
    const [, list = ""] = sections[i + 1].split(/Number of cells:.*\n/);
    const counts = [...list.matchAll(/^ +(\S.*?) +(\d+)$/gm)].map(([, type, n]) => [type, Number(n)] as const);
    modules.set(sections[i], new Map(counts));
  }
  return modules;
}

/** How often each module occurs below `top`. */
export function instancesOf(cells: ReadonlyMap<string, ReadonlyMap<string, number>>, top: string): Map<string, number> {
  const found = new Map<string, number>();
  const visit = (name: string, count: number): void => {
    const inside = cells.get(name);
    if (inside === undefined) throw new TritkitError("E_GATES_UNKNOWN", `yosys left a cell "${name}" that is no gate.`);
    found.set(name, (found.get(name) ?? 0) + count);
    for (const [type, times] of inside) if (!(type in GE) && type !== MEMORY) visit(type, count * times);
  };
  visit(cells.has(top) ? top : `\\${top}`, 1);
  return found;
}

function moduleCount(name: string, instances: number, cells: ReadonlyMap<string, number>): ModuleCount {
  const ge = [...cells].reduce((sum, [type, count]) => sum + (GE[type] ?? 0) * count, 0);
  return { name: plainName(name), instances, ge, flipFlops: cells.get(FLIP_FLOP) ?? 0 };
}

/** "tgemv_bank" of "$paramod\tgemv_bank\ENTRIES=...", or of "$paramod$<hash>\tgemv_bank". */
function plainName(name: string): string {
  return /\\(\w+)/.exec(name)?.[1] ?? name;
}

/** What `dump` tells of memory cells. */
export function parseMemories(text: string, instances: ReadonlyMap<string, number>): Memory[] {
  const found: Memory[] = [];
  let module = "";
  let size: Record<string, number> = {};
  for (const line of text.split("\n")) {
    const [, name] = /^\s*module (\S+)/.exec(line) ?? [];
    if (name !== undefined) module = name;
    if (/^\s*cell \$mem_v2 /.test(line)) size = {};
    const [, key, value] = /^\s*parameter \\(SIZE|WIDTH) (\d+)/.exec(line) ?? [];
    if (key === undefined) continue;
    size[key] = Number(value);
    if (size.SIZE === undefined || size.WIDTH === undefined) continue;
    const count = instances.get(module) ?? instances.get(module.replace(/^\\/, "")) ?? 0;
    found.push({ module: plainName(module), count, words: size.SIZE, bits: count * size.SIZE * size.WIDTH });
    size = {};
  }
  return found;
}

export function parseDepth(text: string): number {
  const length = /Longest topological path in .* \(length=(\d+)\)/.exec(text)?.[1];
  if (length === undefined) throw new TritkitError("E_GATES_UNKNOWN", "yosys named no longest path.");
  return Number(length);
}
