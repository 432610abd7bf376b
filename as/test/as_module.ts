/** Small AssemblyScript modules for tests: rooms of as/ compiled alone, with raw pointers as on the device. */
import { compile } from "../../scripts/lib/asc.mjs";

type Numbers = (...args: number[]) => number;

export interface AsModule {
  /** The module's functions; a u32 result is made unsigned by the caller (`>>> 0`). */
  call: Record<string, Numbers>;
  /** Address of an exported struct. */
  address(name: string): number;
  /** Linear memory; tests use addresses from FREE upwards. */
  bytes: Uint8Array;
  u16: Uint16Array;
  u32: Uint32Array;
  i32: Int32Array;
  u64: BigUint64Array;
}

/** First address above everything a test module keeps for itself. */
export const FREE = 65536;

/**
 * Compiled without SIMD and bulk memory, as for the device; the memory does not grow.
 * @param functions what to export: a file of as/ -> names of its functions and structs
 * @param pages of linear memory, 64 KiB each
 */
export async function asModule(functions: Record<string, string[]>, pages: number): Promise<AsModule> {
  const source = Object.entries(functions)
    .map(([file, names]) => `import { ${names} } from "./as/${file}";\nexport { ${names} };\n`)
    .join("");
  const flags = ["--runtime", "stub", "-O2", "--noAssert", "--use", "abort=", "--disable", "bulk-memory"];
  const memory = ["--initialMemory", String(pages), "--maximumMemory", String(pages)];
  const { wasm } = await compile(["test_entry.ts", ...flags, ...memory], { "test_entry.ts": source });
  // No imports: nothing of the device is at hand.
  const { instance } = await WebAssembly.instantiate(wasm, {});
  const { buffer } = instance.exports.memory as WebAssembly.Memory;
  return {
    call: instance.exports as Record<string, Numbers>,
    address: (name) => (instance.exports[name] as WebAssembly.Global).value,
    bytes: new Uint8Array(buffer),
    u16: new Uint16Array(buffer),
    u32: new Uint32Array(buffer),
    i32: new Int32Array(buffer),
    u64: new BigUint64Array(buffer),
  };
}

/** A small seeded generator (mulberry32), uniform in [0, 2^32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}
