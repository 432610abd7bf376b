/** Instructions or cycles by function: a profile's counters, the symbols of the firmware they belong to, and the parts of a token. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

export interface Symbols {
  /** Starts of functions, ascending, and their names. */
  readonly starts: readonly number[];
  readonly names: readonly string[];
}

/** @param prefix of the cross tools, e.g. "arm-none-eabi-" */
export async function readSymbols(elf: string, prefix: string): Promise<Symbols> {
  const { stdout } = await promisify(execFile)(`${prefix}nm`, ["-n", elf], { maxBuffer: 1 << 26 });
  const starts: number[] = [];
  const names: string[] = [];
  for (const line of stdout.split("\n")) {
    const [, address, name] = /^([0-9a-f]+) [tTwW] (\S+)$/.exec(line) ?? [];
    // A linker script's marks of where something begins and ends are no functions, though one may begin there.
    if (address === undefined || name.startsWith("$") || /^(irq_handlers|data|ramcode)_(start|end)$/.test(name))
      continue;
    starts.push((Number.parseInt(address, 16) & ~1) >>> 0);
    // Copies that gcc specialises count with the function they were made from.
    names.push(name.replace(/\.(isra|constprop|part|cold)\b.*/, ""));
  }
  return { starts, names };
}

/** Name of the function that holds an address. */
export function functionAt({ starts, names }: Symbols, address: number): string {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= address) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? "?" : names[low - 1];
}

/** Counters by function. */
export type Profile = ReadonlyMap<string, number>;

/** A block of instructions that QEMU translated as one, and what was executed of it. */
export interface Block {
  readonly address: number;
  /** Behind its last instruction. */
  readonly end: number;
  readonly instructions: number;
  /** Times that something else than `end` followed; 0 unless the plugin was asked to look. */
  readonly taken: number;
}

const ENTRY_BYTES = 32;

/** What the QEMU plugin has counted up to now (qemu/profile.c). */
export async function readQemuBlocks(file: string): Promise<Block[]> {
  const bytes = await readFile(file);
  return Array.from({ length: Number(bytes.readBigUInt64LE(0)) }, (_, i) => {
    const field = (of: number) => Number(bytes.readBigUInt64LE(8 + ENTRY_BYTES * i + 8 * of));
    return { address: (field(0) & ~1) >>> 0, end: (field(1) & ~1) >>> 0, instructions: field(2), taken: field(3) };
  });
}

/** The same by function. */
export async function readQemuProfile(file: string, symbols: Symbols): Promise<Profile> {
  const found = new Map<string, number>();
  for (const { address, instructions } of await readQemuBlocks(file)) {
    const name = functionAt(symbols, address);
    found.set(name, (found.get(name) ?? 0) + instructions);
  }
  return found;
}

/** What was counted between two readings. */
export function between(before: Profile, after: Profile): Profile {
  const found = new Map<string, number>();
  for (const [name, count] of after) {
    const more = count - (before.get(name) ?? 0);
    if (more > 0) found.set(name, more);
  }
  return found;
}

/** What `more` has beyond `less`, which is part of it. */
export function beyond(less: Profile, more: Profile): Profile {
  const found = new Map<string, number>();
  for (const name of new Set([...less.keys(), ...more.keys()])) {
    const difference = (more.get(name) ?? 0) - (less.get(name) ?? 0);
    if (difference !== 0) found.set(name, difference);
  }
  return found;
}

/**
 * Parts of a token, by the beginnings of function names; null: work for the wire and waiting, which a token does not cost.
 * Helpers (division, 64-bit shifts, copies) are called from the model, the sampler and, a few hundred times, from the wire.
 */
const PARTS: [part: string | null, name: RegExp][] = [
  [
    "ternary products, head planes among them",
    /^as_(kernels_ternary_lut_lut_(rows|plane)|model_head_)|^(w2c_hal_)?gemv_rows/,
  ],
  ["their tables", /^as_kernels_ternary_lut_|^w2c_hal_gemv_tables/],
  ["attention", /^as_(model_(attention|attention_head|rope|kv)|kernels_(rows|columns|pair)_int8)_|^w2c_hal_attend/],
  [
    "norms, quantisation, rescaling, logits",
    /^as_model_(quantise|norms|forward|bitlinear|numeric|ffn|feed_forward|experts|embed|lut_engine)_|^norm/,
  ],
  ["sampler", /^as_(sampler|generate)_/],
  ["division, 64-bit and memory helpers", /^(__|_div|u?div|lmul|clz|lib_memory|lib_util)/],
  [null, /./],
];

/** Adds a profile up by part, in the order of the list above. */
export function byPart(profile: Profile): Map<string, number> {
  const parts = new Map<string, number>();
  for (const [part] of PARTS) if (part !== null) parts.set(part, 0);
  for (const [name, count] of profile) {
    const part = PARTS.find(([, pattern]) => pattern.test(name))?.[0] ?? null;
    if (part !== null) parts.set(part, (parts.get(part) ?? 0) + count);
  }
  return parts;
}
