/**
 * Instructions of a function, and what else of a module instrument.ts has to know: how many functions are imported, and what they are called.
 */
import { SimError } from "../sim_error.ts";
import { Reader, SECTION, type Section } from "./wasm_binary.ts";

export const OP = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  br_if: 0x0d,
  br_table: 0x0e,
  return: 0x0f,
  call: 0x10,
  call_indirect: 0x11,
  local_get: 0x20,
  local_set: 0x21,
  local_tee: 0x22,
  i32_load: 0x28,
  i64_load32_u: 0x35,
  i32_store: 0x36,
  i32_const: 0x41,
  i32_eq: 0x46,
  i32_ne: 0x47,
  i32_lt_u: 0x49,
  i32_gt_u: 0x4b,
  i32_add: 0x6a,
  i32_sub: 0x6b,
  i32_mul: 0x6c,
  i32_and: 0x71,
  i32_shl: 0x74,
  i32_shr_u: 0x76,
} as const;

export interface Instruction {
  readonly opcode: number;
  /** In the module: first byte, and one past the last. */
  readonly from: number;
  readonly to: number;
  /** The number behind the opcode: a constant, an index, a label's depth; of loads and stores the offset. */
  readonly value: number;
  /** Depths of br_table. */
  readonly labels: readonly number[] | null;
}

export interface Body {
  /** Number of parameters and locals. */
  readonly locals: number;
  /** Where the declarations of locals begin and end. */
  readonly declared: { readonly from: number; readonly to: number; readonly groups: number };
  readonly code: readonly Instruction[];
}

/** @param reader stands at the length of a function's body, and behind it afterwards */
export function decodeBody(reader: Reader, params: number): Body {
  const length = reader.leb();
  const end = reader.at + length;
  const from = reader.at;
  const groups = reader.leb();
  const first = reader.at;
  let locals = params;
  for (let i = 0; i < groups; i++) {
    locals += reader.leb();
    reader.byte();
  }
  const declared = { from: first, to: reader.at, groups };
  const code: Instruction[] = [];
  while (reader.at < end) code.push(instruction(reader));
  if (reader.at !== end || code.at(-1)?.opcode !== OP.end)
    throw new SimError("E_SIM_LINK", `the function at byte ${from} of the device build was not understood`);
  return { locals, declared, code };
}

function instruction(reader: Reader): Instruction {
  const from = reader.at;
  let opcode = reader.byte();
  if (opcode === 0xfc) opcode = 0xfc00 + reader.leb();
  let value = 0;
  let labels: number[] | null = null;
  const within = (first: number, last: number) => opcode >= first && opcode <= last;
  if (within(OP.block, OP.if)) value = reader.signed();
  else if (within(OP.br, OP.br_if) || opcode === OP.call || within(0x20, 0x24)) value = reader.leb();
  else if (opcode === OP.br_table) {
    labels = [];
    for (let count = reader.leb() + 1; count > 0; count--) labels.push(reader.leb());
  } else if (opcode === OP.call_indirect) {
    value = reader.leb();
    reader.leb();
  } else if (opcode === 0x1c) reader.each(() => reader.byte());
  else if (within(OP.i32_load, 0x3e)) {
    reader.leb();
    value = reader.leb();
  } else if (within(0x3f, 0x40)) reader.leb();
  else if (within(OP.i32_const, 0x42)) value = reader.signed();
  else if (opcode === 0x43) reader.at += 4;
  else if (opcode === 0x44) reader.at += 8;
  else if (!isPlain(opcode))
    throw new SimError(
      "E_SIM_LINK",
      `the device build has an instruction 0x${opcode.toString(16)}, which is not known here`,
    );
  return { opcode, from, to: reader.at, value, labels };
}

/** Has nothing behind it. */
function isPlain(opcode: number): boolean {
  const within = (first: number, last: number) => opcode >= first && opcode <= last;
  return (
    within(0x00, 0x01) ||
    within(OP.else, OP.else) ||
    within(OP.end, OP.end) ||
    opcode === OP.return ||
    within(0x1a, 0x1b) ||
    within(0x45, 0xc4) ||
    within(0xfc00, 0xfc07)
  );
}

/** Bytes that an instruction loads, 0 when it is no load. */
export function loadedBytes(opcode: number): number {
  if (opcode < OP.i32_load || opcode > OP.i64_load32_u) return 0;
  //      i32 i64 f32 f64 i32.8s 8u 16s 16u i64.8s 8u 16s 16u 32s 32u
  return [4, 8, 4, 8, 1, 1, 2, 2, 1, 1, 2, 2, 4, 4][opcode - OP.i32_load];
}

export interface ModuleFacts {
  /** Parameters of each type of function. */
  readonly params: readonly number[];
  /** Imported functions come first in the index space; their types. */
  readonly imported: readonly number[];
  /** Types of the functions with a body. */
  readonly own: readonly number[];
  /** By index, imported ones included; "" where the name section says nothing. */
  readonly names: readonly string[];
}

export function moduleFacts(wasm: Uint8Array, sections: readonly Section[]): ModuleFacts {
  const params: number[] = [];
  const imported: number[] = [];
  const own: number[] = [];
  const names: string[] = [];
  for (const { id, from, to } of sections) {
    const reader = new Reader(wasm, from);
    if (id === SECTION.type) reader.each(() => params.push(signature(reader)));
    if (id === SECTION.import) reader.each(() => importedThing(reader, imported));
    if (id === SECTION.function) reader.each(() => own.push(reader.leb()));
    if (id === SECTION.custom && reader.text() === "name") readNames(reader, to, names);
  }
  const count = imported.length + own.length;
  return { params, imported, own, names: Array.from({ length: count }, (_, i) => names[i] ?? "") };
}

/** @returns the number of parameters */
function signature(reader: Reader): number {
  if (reader.byte() !== 0x60) throw new SimError("E_SIM_LINK", "the device build has a type that is no function's");
  let params = 0;
  reader.each(() => {
    reader.byte();
    params++;
  });
  reader.each(() => reader.byte());
  return params;
}

function importedThing(reader: Reader, functions: number[]): void {
  const name = `${reader.text()}.${reader.text()}`;
  if (reader.byte() !== 0) throw new SimError("E_SIM_LINK", `the module imports ${name}, which is no function`);
  functions.push(reader.leb());
}

/** Subsection 1 of the custom section "name": names of functions. */
function readNames(reader: Reader, end: number, names: string[]): void {
  while (reader.at < end) {
    const id = reader.byte();
    const length = reader.leb();
    const next = reader.at + length;
    if (id === 1)
      reader.each(() => {
        const index = reader.leb();
        names[index] = reader.text();
      });
    reader.at = next;
  }
}
