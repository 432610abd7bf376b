/**
 * Classes of WebAssembly instructions whose cost on a chip differs. A cost table (cost_table.ts) has a number for each.
 *
 * Source: WebAssembly core specification 2.0, chapter 5.4; opcodes without SIMD, threads, tables and exceptions, which the device build does
 * not have (as/test/device_wasm.test.ts).
 */
import { SimError } from "../sim_error.ts";

/**
 *     alu         i32 addition, subtraction, and, or, xor, sign extension
 *     shift       i32 shifts and rotations
 *     compare     i32 comparisons, eqz; what a branch or a select tests is one, too
 *     mul, div    i32 products; quotients and remainders
 *     bits        clz, ctz, popcnt of either width
 *     *64         the same of i64, which is two registers on all these chips
 *     convert     between i32 and i64
 *     load, store at most 32 bits of memory, load64 and store64: 64
 *     branch      br_if and if: a decision
 *     taken       of those, the ones that jumped: br_if whose condition held, if whose condition did not
 *     jump        br; the end of a then-part that has an else behind it
 *     switch      br_table
 *     call, hal   calls inside the module, and of its imports; one for each call, the way back included
 *     return      an explicit one; falling off the end is part of the call
 *     const       i32.const of 0 to 255; `wide` are the others and i64.const
 *     local       local.get, set and tee, of which a register allocator leaves little
 *     global      globals
 *     memory      memory.size, memory.grow
 *     float       whatever touches f32 or f64: the device build has none of it
 */
export const OP_CLASSES = [
  "alu",
  "shift",
  "compare",
  "mul",
  "div",
  "bits",
  "alu64",
  "shift64",
  "compare64",
  "mul64",
  "div64",
  "convert",
  "load",
  "load64",
  "store",
  "store64",
  "branch",
  "taken",
  "jump",
  "switch",
  "call",
  "hal",
  "return",
  "select",
  "const",
  "wide",
  "local",
  "global",
  "memory",
  "float",
] as const;
export type OpClass = (typeof OP_CLASSES)[number];

/** Numbers by class; one that is missing is 0. */
export type OpCounts = Partial<Record<OpClass, number>>;

/** Classes by first and last opcode. What is not here costs nothing (block, loop, end, drop ...) or is control that instrument.ts knows. */
const RANGES: [first: number, last: number, of: OpClass][] = [
  [0x1b, 0x1c, "select"],
  [0x20, 0x22, "local"],
  [0x23, 0x24, "global"],
  [0x28, 0x28, "load"],
  [0x29, 0x29, "load64"],
  [0x2a, 0x2b, "float"],
  [0x2c, 0x35, "load"],
  [0x36, 0x36, "store"],
  [0x37, 0x37, "store64"],
  [0x38, 0x39, "float"],
  [0x3a, 0x3e, "store"],
  [0x3f, 0x40, "memory"],
  [0x42, 0x42, "wide"],
  [0x43, 0x44, "float"],
  [0x45, 0x4f, "compare"],
  [0x50, 0x5a, "compare64"],
  [0x5b, 0x66, "float"],
  [0x67, 0x69, "bits"],
  [0x6a, 0x6b, "alu"],
  [0x6c, 0x6c, "mul"],
  [0x6d, 0x70, "div"],
  [0x71, 0x73, "alu"],
  [0x74, 0x78, "shift"],
  [0x79, 0x7b, "bits"],
  [0x7c, 0x7d, "alu64"],
  [0x7e, 0x7e, "mul64"],
  [0x7f, 0x82, "div64"],
  [0x83, 0x85, "alu64"],
  [0x86, 0x8a, "shift64"],
  [0x8b, 0xa6, "float"],
  [0xa7, 0xa7, "convert"],
  [0xa8, 0xab, "float"],
  [0xac, 0xad, "convert"],
  [0xae, 0xbf, "float"],
  [0xc0, 0xc1, "alu"],
  [0xc2, 0xc4, "convert"],
];

const CLASS_OF: (OpClass | null)[] = Array.from({ length: 256 }, (_, opcode) => {
  return RANGES.find(([first, last]) => opcode >= first && opcode <= last)?.[2] ?? null;
});

const I32_CONST = 0x41;
const SMALL = 255;

/**
 * Class of an instruction that is no control, null when it costs nothing.
 * @param value of a constant
 */
export function classOf(opcode: number, value: number): OpClass | null {
  if (opcode === I32_CONST) return value >= 0 && value <= SMALL ? "const" : "wide";
  if (opcode > 255) {
    if (opcode >= 0xfc00 && opcode <= 0xfc07) return "float"; // saturating truncations
    throw new SimError("E_SIM_LINK", `instruction 0x${opcode.toString(16)} has no cost class`);
  }
  return CLASS_OF[opcode];
}

export function addOps(to: OpCounts, of: OpClass, count = 1): void {
  to[of] = (to[of] ?? 0) + count;
}
