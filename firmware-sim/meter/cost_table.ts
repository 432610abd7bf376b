/**
 * What the instructions of the device module cost on a CPU: cpus/<core>.json. The module is WebAssembly, the chip runs what wasm2c and gcc
 * made of it (scripts/firmware), so a table is a model: a number for each class of WebAssembly instruction, and for each hot function a factor for what
 * gcc does there better or worse than on average. How good it is, `npm run calibrate` says (docs/simulator.md).
 *
 * NOT IMPLEMENTED: pipelines, dual issue and caches of SRAM other than in these averages; interrupts, but in `shim.byte`; a second core.
 */
import type { Core } from "../../boards/board.ts";
import { SimError } from "../sim_error.ts";
import cortexM0plus from "./cpus/cortex-m0plus.json" with { type: "json" };
import cortexM3 from "./cpus/cortex-m3.json" with { type: "json" };
import cortexM4 from "./cpus/cortex-m4.json" with { type: "json" };
import cortexM7 from "./cpus/cortex-m7.json" with { type: "json" };
import cortexM33 from "./cpus/cortex-m33.json" with { type: "json" };
import cortexM55 from "./cpus/cortex-m55.json" with { type: "json" };
import riscv32 from "./cpus/riscv32.json" with { type: "json" };
import xtensaLx7 from "./cpus/xtensa-lx7.json" with { type: "json" };
import { OP_CLASSES, type OpClass, type OpCounts } from "./op_class.ts";

/**
 * calibrated: fitted to what an emulated chip counted. derived: from another table and the core's manual. estimated: nobody has compared it
 * with anything.
 */
export const COST_ORIGINS = ["calibrated", "derived", "estimated"] as const;
export type CostOrigin = (typeof COST_ORIGINS)[number];

/** Both can be fractions: averages of what a compiler makes of one instruction. */
export interface Cost {
  readonly instructions: number;
  readonly cycles: number;
}

/**
 * What gcc made of one function: its instructions cost this many times what their classes do, and a branch that was not taken, which is mostly a loop that
 * ended, `exit` on top: unrolled loops have cheap steps and dear ends.
 */
export interface FunctionCost extends Cost {
  readonly exit?: Cost;
}

export interface CostTable {
  readonly core: string;
  /** Where the numbers come from: "origin: text". */
  readonly provenance: { readonly instructions: string; readonly cycles: string };
  /** For each instruction of a class. Memory without wait states: what waiting for flash costs is counted apart (Board.flash.xip). */
  readonly instructions: Readonly<Record<OpClass, number>>;
  readonly cycles: Readonly<Record<OpClass, number>>;
  /** For functions of the module, by name ("as/kernels/ternary_lut/lut_plane"). One that is missing costs what its classes cost. */
  readonly functions: Readonly<Record<string, FunctionCost>>;
  /** Of boards/common: every call of the HAL, and every byte that it copies between the module and the UART, its interrupt included. */
  readonly shim: { readonly call: Cost; readonly byte: Cost };
}

const TABLES: Record<Core, unknown> = {
  "cortex-m0plus": cortexM0plus,
  "cortex-m3": cortexM3,
  "cortex-m4": cortexM4,
  "cortex-m7": cortexM7,
  "cortex-m33": cortexM33,
  "cortex-m55": cortexM55,
  riscv32imc: riscv32,
  riscv32imac: riscv32,
  "xtensa-lx7": xtensaLx7,
};

/** The table that ships for a core. */
export function costTable(core: Core): CostTable {
  return checkedTable(TABLES[core], core);
}

/**
 * A table out of JSON.
 * @throws SimError E_SIM_COST naming what is wrong
 */
export function checkedTable(json: unknown, name: string): CostTable {
  const table = json as CostTable;
  const fail = (what: string): never => {
    throw new SimError("E_SIM_COST", `cost table of ${name}: ${what}`);
  };
  for (const of of ["instructions", "cycles"] as const) {
    if (!/^(calibrated|derived|estimated): ./.test(table?.provenance?.[of] ?? ""))
      fail(`provenance.${of} must begin with one of ${COST_ORIGINS.join(", ")}, and a colon`);
    for (const each of OP_CLASSES)
      if (!isCost(table[of]?.[each])) fail(`${of}.${each} is no number that is at least 0`);
    const stranger = Object.keys(table[of]).find((each) => !(OP_CLASSES as readonly string[]).includes(each));
    if (stranger !== undefined) fail(`${of}.${stranger} is no class of instructions`);
    for (const part of ["call", "byte"] as const)
      if (!isCost(table.shim?.[part]?.[of])) fail(`shim.${part}.${of} is no number that is at least 0`);
    for (const [fn, factor] of Object.entries(table.functions ?? fail("functions is missing"))) {
      if (!isCost(factor?.[of])) fail(`functions["${fn}"].${of} is no number that is at least 0`);
      if (!isCost((factor.exit ?? NOTHING)[of])) fail(`functions["${fn}"].exit.${of} is no number that is at least 0`);
    }
  }
  return table;
}

function isCost(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

/** How the cycles of a table are known. */
export function cyclesOrigin({ provenance }: CostTable): CostOrigin {
  return provenance.cycles.split(":")[0] as CostOrigin;
}

const ONE: FunctionCost = { instructions: 1, cycles: 1 };
const NOTHING: Cost = { instructions: 0, cycles: 0 };

/** Branches that were not taken. */
export function exitsOf({ branch = 0, taken = 0 }: OpCounts): number {
  return branch - taken;
}

/** What instructions of one function cost. */
export function costOf(table: CostTable, functionName: string, ops: OpCounts): Cost {
  const factor = table.functions[functionName] ?? ONE;
  let instructions = 0;
  let cycles = 0;
  for (const of of OP_CLASSES) {
    const count = ops[of] ?? 0;
    instructions += count * table.instructions[of];
    cycles += count * table.cycles[of];
  }
  const exits = exitsOf(ops);
  const { exit = NOTHING } = factor;
  return {
    instructions: instructions * factor.instructions + exits * exit.instructions,
    cycles: cycles * factor.cycles + exits * exit.cycles,
  };
}
