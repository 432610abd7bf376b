/** Reads the instructions of a WebAssembly module byte by byte (core specification 2.0, 5.4): for tests of what the compiler made. */

export interface Instruction {
  /** Index of the function among those with a body. */
  func: number;
  /** One byte; of prefixed ones 0xfc00 + n, 0xfd00 + n, 0xfe00 + n. */
  opcode: number;
  /** The loops around it, outermost first, each by a number of its own. */
  loops: readonly number[];
}

export interface WasmCode {
  instructions: Instruction[];
  /** Every value type of signatures, locals and globals. */
  types: Set<number>;
}

export const I32 = 0x7f;
export const I64 = 0x7e;
export const I32_MUL = 0x6c;
export const I64_MUL = 0x7e;
export const I32_LOAD8_U = 0x2d;
export const I32_LOAD16_U = 0x2f;

const BLOCK = 0x02;
const LOOP = 0x03;
const IF = 0x04;
const END = 0x0b;
const TYPE_SECTION = 1;
const GLOBAL_SECTION = 6;
const CODE_SECTION = 10;
const FUNCTION_TYPE = 0x60;

/** Instructions that compute with, load, store or make floating-point numbers. */
export function isFloat(opcode: number): boolean {
  const within = (first: number, last: number) => opcode >= first && opcode <= last;
  return (
    within(0x2a, 0x2b) || // f32.load, f64.load
    within(0x38, 0x39) || // stores
    within(0x43, 0x44) || // constants
    within(0x5b, 0x66) || // comparisons
    within(0x8b, 0xa6) || // arithmetic
    within(0xa8, 0xab) || // i32.trunc
    within(0xae, 0xbf) || // i64.trunc, conversions, reinterpretations
    within(0xfc00, 0xfc07) // i32.trunc_sat, i64.trunc_sat
  );
}

/** memory.init, data.drop, memory.copy, memory.fill and the same of tables. */
export function isBulk(opcode: number): boolean {
  return opcode >= 0xfc08 && opcode <= 0xfcff;
}

export function isSimd(opcode: number): boolean {
  return opcode >= 0xfd00 && opcode < 0xfe00;
}

/** @throws Error at an opcode it does not know */
export function wasmCode(wasm: Uint8Array): WasmCode {
  const reader = new CodeReader(wasm);
  reader.module();
  return reader;
}

class CodeReader implements WasmCode {
  readonly instructions: Instruction[] = [];
  readonly types = new Set<number>();
  private at = 8; // after magic and version
  private loops = 0;
  private readonly wasm: Uint8Array;

  constructor(wasm: Uint8Array) {
    this.wasm = wasm;
  }

  module(): void {
    while (this.at < this.wasm.length) {
      const section = this.wasm[this.at++];
      const length = this.leb();
      const next = this.at + length;
      if (section === TYPE_SECTION) this.each(() => this.signature());
      if (section === GLOBAL_SECTION) this.globals(next);
      if (section === CODE_SECTION) this.each((func) => this.body(func));
      this.at = next;
    }
  }

  private each(read: (i: number) => void): void {
    const count = this.leb();
    for (let i = 0; i < count; i++) read(i);
  }

  /** Unsigned; of a signed one only the length is right. */
  private leb(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.wasm[this.at++];
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  private signature(): void {
    if (this.wasm[this.at++] !== FUNCTION_TYPE) throw new Error("a type that is no function's");
    for (let list = 0; list < 2; list++) this.each(() => this.types.add(this.wasm[this.at++]));
  }

  private globals(end: number): void {
    this.each(() => {
      this.types.add(this.wasm[this.at]);
      this.at += 2;
      this.expression(-1);
    });
    if (this.at !== end) throw new Error("globals that were not understood");
  }

  private body(func: number): void {
    const length = this.leb();
    const end = this.at + length;
    this.each(() => {
      this.leb();
      this.types.add(this.wasm[this.at++]);
    });
    this.expression(func);
    if (this.at !== end) throw new Error(`function ${func} was not understood`);
  }

  /** Instructions up to the `end` of the outermost block. */
  private expression(func: number): void {
    /** The loops around each open block. */
    const open: number[][] = [[]];
    while (open.length > 0) {
      const loops = open[open.length - 1];
      const opcode = this.opcode();
      if (func >= 0) this.instructions.push({ func, opcode, loops });
      if (opcode === END) open.pop();
      else if (opcode === LOOP) open.push([...loops, this.loops++]);
      else if (opcode === BLOCK || opcode === IF) open.push(loops);
      this.immediates(opcode);
    }
  }

  private opcode(): number {
    const byte = this.wasm[this.at++];
    return byte >= 0xfc && byte <= 0xfe ? byte * 256 + this.leb() : byte;
  }

  private immediates(opcode: number): void {
    for (let lebs = lebsAfter(opcode); lebs > 0; lebs--) this.leb();
    if (opcode === 0x0e) for (let targets = this.leb() + 1; targets > 0; targets--) this.leb(); // br_table
    if (opcode === 0x1c) this.at += this.leb(); // select with types
    if (opcode === 0x43) this.at += 4; // f32.const
    if (opcode === 0x44) this.at += 8; // f64.const
    if (opcode === 0xfd0c || opcode === 0xfd0d) this.at += 16; // v128.const, i8x16.shuffle
    if (opcode >= 0xfd15 && opcode <= 0xfd22) this.at++; // a lane
    if (opcode >= 0xfd54 && opcode <= 0xfd5b) this.at++; // a lane loaded or stored
  }
}

/** LEB128 numbers behind an opcode. */
function lebsAfter(opcode: number): number {
  const within = (first: number, last: number) => opcode >= first && opcode <= last;
  if (within(BLOCK, IF)) return 1; // block type
  if (within(0x0c, 0x0d) || opcode === 0x10) return 1; // br, br_if, call
  if (opcode === 0x11) return 2; // call_indirect
  if (within(0x20, 0x26)) return 1; // locals, globals, tables
  if (within(0x28, 0x3e)) return 2; // loads and stores: alignment, offset
  if (within(0x3f, 0x42)) return 1; // memory.size, memory.grow, i32.const, i64.const
  if (opcode === 0xd0 || opcode === 0xd2) return 1; // ref.null, ref.func
  if (within(0xfc00, 0xfc07)) return 0; // saturating truncations
  if (opcode === 0xfc09 || opcode === 0xfc0b || opcode === 0xfc0d) return 1; // data.drop, memory.fill, elem.drop
  if (within(0xfc08, 0xfc0e)) return 2;
  if (within(0xfc0f, 0xfc11)) return 1; // table.grow, table.size, table.fill
  if (within(0xfd00, 0xfd0b) || within(0xfd54, 0xfd5d)) return 2; // loads and stores
  if (within(0xfd0c, 0xfdff)) return 0;
  const plain = within(0x00, 0x01) || opcode === 0x05 || opcode === END || within(0x0e, 0x0f) || within(0x1a, 0x1c);
  if (plain || within(0x43, 0xc4) || opcode === 0xd1) return 0;
  throw new Error(`opcode 0x${opcode.toString(16)} is not known here`);
}

/** The instructions of each loop that has no loop inside, one list a loop. */
export function innermostLoops({ instructions }: WasmCode): Instruction[][] {
  const outer = new Set<number>();
  for (const { loops } of instructions) for (const loop of loops.slice(0, -1)) outer.add(loop);
  const found = new Map<number, Instruction[]>();
  for (const instruction of instructions) {
    const loop = instruction.loops.at(-1);
    if (loop === undefined || outer.has(loop)) continue;
    const list = found.get(loop);
    if (list === undefined) found.set(loop, [instruction]);
    else list.push(instruction);
  }
  return [...found.values()];
}
