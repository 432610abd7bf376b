/**
 * What an instruction of WebAssembly may cost before anything was counted, from reading what gcc makes of them: a fit starts here and stays here where
 * the runs say nothing. Not from the table before, so that the same counts give the same table.
 */
import type { Core } from "../../../boards/board.ts";
import type { OpClass } from "../../../firmware-sim/index.ts";
import type { Unit } from "./emulated.ts";
import { speedOf } from "./machine_cycles.ts";

export interface Priors {
  readonly classes: Readonly<Record<OpClass, number>>;
  /** Of a call of the HAL and of a byte on the wire. */
  readonly shim: { readonly call: number; readonly byte: number };
}

const ARMV6M: Record<OpClass, number> = {
  ...{ alu: 1, shift: 1, compare: 1, mul: 1, div: 30, bits: 20, convert: 0.5 },
  ...{ alu64: 3, shift64: 12, compare64: 4, mul64: 20, div64: 300 },
  ...{ load: 1, load64: 2, store: 1, store64: 2 },
  ...{ branch: 1, taken: 0, jump: 0.5, switch: 6, call: 12, hal: 6, return: 1, select: 3 },
  ...{ const: 0.4, wide: 0.8, local: 0.15, global: 2, memory: 2, float: 100 },
};

/** Thumb-2: shifted operands, IT blocks, long products and quotients, pairs of registers. */
const ARMV7M: Record<OpClass, number> = {
  ...{ alu: 0.8, shift: 0.6, compare: 1, mul: 0.9, div: 1, bits: 2, convert: 0.3 },
  ...{ alu64: 2, shift64: 4, compare64: 3, mul64: 4, div64: 100 },
  ...{ load: 1, load64: 1.2, store: 1, store64: 1.2 },
  ...{ branch: 1, taken: 0, jump: 0.4, switch: 3, call: 8, hal: 5, return: 1, select: 2 },
  ...{ const: 0.3, wide: 0.6, local: 0.08, global: 2, memory: 2, float: 100 },
};

const RV32: Record<OpClass, number> = {
  ...{ alu: 1, shift: 1, compare: 0.7, mul: 1, div: 1, bits: 20, convert: 0.5 },
  ...{ alu64: 3.5, shift64: 8, compare64: 3.5, mul64: 7, div64: 150 },
  ...{ load: 1, load64: 2, store: 1, store64: 2 },
  ...{ branch: 1, taken: 0, jump: 0.5, switch: 4, call: 12, hal: 6, return: 1, select: 3 },
  ...{ const: 0.4, wide: 1, local: 0.1, global: 2, memory: 2, float: 100 },
};

const ARMV7M_CYCLES: Partial<Record<OpClass, number>> = {
  ...{ div: 6, load: 1.6, load64: 2, store: 1.2, store64: 1.5, taken: 1.5, jump: 1, call: 13, hal: 8, return: 2.5 },
};

/** Cycles where they are not the instructions. */
const CYCLES: Partial<Record<Core, Partial<Record<OpClass, number>>>> = {
  "cortex-m0plus": {
    ...{ div: 40, load: 2, load64: 4, store: 2, store64: 4, taken: 1, jump: 1, call: 20, hal: 10, return: 2 },
  },
  riscv32imac: {
    ...{ div: 15, load: 1.5, load64: 3, store: 1, store64: 2, taken: 1.5, jump: 1, call: 18, hal: 9, return: 2.5 },
  },
};

/** Of a core that is calibrated. */
export function priorsOf(core: Core, unit: Unit): Priors {
  const instructions = core === "cortex-m0plus" ? ARMV6M : core.startsWith("riscv") ? RV32 : ARMV7M;
  const shim = { call: 30, byte: 25 };
  if (unit === "instructions") return { classes: instructions, shim };
  const speed = speedOf(core);
  const cycles = { ...instructions, ...(CYCLES[core] ?? ARMV7M_CYCLES) };
  const classes = Object.fromEntries(Object.entries(cycles).map(([of, cost]) => [of, cost / speed]));
  return { classes: classes as Record<OpClass, number>, shim: { call: 50 / speed, byte: 40 / speed } };
}
