/**
 * A snapshot must hold all of the module's state, and part of that lies in globals (a `let` of the source, the allocator's
 * offset) which only the module can see. `exposeGlobals` rewrites the binary so that every mutable global is
 * exported as `sim.global.<index>`; nothing else of the module changes.
 *
 * NOT IMPLEMENTED: imported globals (the HAL has none), v128 and reference globals, state in tables.
 */
import { SimError } from "./sim_error.ts";

export const GLOBAL_PREFIX = "sim.global.";

const IMPORT_SECTION = 2;
const GLOBAL_SECTION = 6;
const EXPORT_SECTION = 7;
const KIND_GLOBAL = 3;
const NUMBER_TYPES = [0x7f, 0x7e, 0x7d, 0x7c]; // i32, i64, f32, f64

/** WebAssembly core specification 1.0, chapter 5: reads a binary from `at` on. */
class Reader {
  at: number;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  byte(): number {
    return this.bytes[this.at++];
  }

  /** LEB128; for a signed number only its length matters here. */
  leb(): number {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
    }
  }

  /** Skips a constant expression. */
  expression(): void {
    for (;;) {
      const opcode = this.byte();
      if (opcode === 0x0b) return; // end
      if (opcode === 0x41 || opcode === 0x42 || opcode === 0x23 || opcode === 0xd2)
        this.leb(); // i32, i64, global, func
      else if (opcode === 0x43)
        this.at += 4; // f32
      else if (opcode === 0x44)
        this.at += 8; // f64
      else if (opcode === 0xd0)
        this.at += 1; // null
      else if (opcode < 0x6a || opcode > 0x7e)
        // extended constant arithmetic has no operands
        throw new SimError("E_SIM_LINK", `a global's initial value uses opcode ${opcode}, which is not known here`);
    }
  }
}

/**
 * @param wasm a module in the binary format, with an export section
 * @throws SimError E_SIM_LINK for a module that cannot be read
 */
export function exposeGlobals(wasm: Uint8Array): Uint8Array<ArrayBuffer> {
  const names: [name: string, index: number][] = [];
  const parts: Uint8Array[] = [wasm.subarray(0, 8)]; // magic and version
  const reader = new Reader(wasm, 8);
  while (reader.at < wasm.length) {
    const start = reader.at;
    const id = reader.byte();
    const end = reader.leb() + reader.at;
    const body = reader.at;
    if (id === IMPORT_SECTION) refuseImportedGlobals(wasm);
    if (id === GLOBAL_SECTION) names.push(...mutableGlobals(reader));
    if (id === EXPORT_SECTION) {
      reader.at = body;
      const count = reader.leb();
      const added = names.flatMap(([name, index]) => [...text(name), KIND_GLOBAL, ...leb(index)]);
      const content = [...leb(count + names.length), ...wasm.subarray(reader.at, end), ...added];
      parts.push(Uint8Array.from([EXPORT_SECTION, ...leb(content.length), ...content]));
    } else parts.push(wasm.subarray(start, end));
    reader.at = end;
  }
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Index and type of imported globals would shift all others. */
function refuseImportedGlobals(wasm: Uint8Array): void {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(wasm as BufferSource));
  const found = imports.find(({ kind }) => kind === "global");
  if (found !== undefined)
    throw new SimError("E_SIM_LINK", `the module imports the global ${found.module}.${found.name}`);
}

function mutableGlobals(reader: Reader): [name: string, index: number][] {
  const found: [string, number][] = [];
  const count = reader.leb();
  for (let index = 0; index < count; index++) {
    const type = reader.byte();
    const mutable = reader.byte() === 1;
    if (mutable && !NUMBER_TYPES.includes(type))
      throw new SimError("E_SIM_LINK", `global ${index} is mutable and no number: a snapshot could not hold it`);
    reader.expression();
    if (mutable) found.push([`${GLOBAL_PREFIX}${index}`, index]);
  }
  return found;
}

function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}

function text(name: string): number[] {
  return [...leb(name.length), ...new TextEncoder().encode(name)];
}
