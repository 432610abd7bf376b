/**
 * Which ternary kernel the SIMD engine runs: the one that is asked for, or the fastest of those that the build has. They are measured once on a machine,
 * for a tenth of a second, and the answer is kept in the user's cache folder; without it nothing is lost but that tenth.
 */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { cpus, homedir } from "node:os";
import { dirname, join } from "node:path";
import { PACK_STRIDE, TRITS_PER_BYTE } from "../../spec/packing.ts";
import { EXIT_USAGE, TritkitError } from "../errors.ts";
import { type EngineInstance, instantiate } from "./module.ts";
import { xorshift } from "./xorshift.ts";

/** Kernels by the numbers of as/kernels/simd.ts. */
export const KERNEL_NAMES = ["a3", "b4", "br"] as const;
export type KernelName = (typeof KERNEL_NAMES)[number];

export function kernelNumber(name: KernelName): number {
  return KERNEL_NAMES.indexOf(name);
}

/** Kernels of this build, in the order of their numbers. */
export function kernelsOf({ exports }: EngineInstance): KernelName[] {
  const bits = exports.kernels();
  return KERNEL_NAMES.filter((_, number) => ((bits >> number) & 1) !== 0);
}

/**
 * @param measured whether the model is large enough for a choice to matter; else the first kernel is taken
 * @param asked a kernel; default the environment's TRITKIT_KERNEL
 * @throws TritkitError E_USAGE
 */
export async function chooseKernel(instance: EngineInstance, measured: boolean, asked?: string): Promise<KernelName> {
  const known = kernelsOf(instance);
  const wanted = (asked ?? process.env.TRITKIT_KERNEL ?? "").toLowerCase();
  if (wanted !== "") {
    const found = known.find((name) => name === wanted);
    if (found !== undefined) return found;
    const message = `There is no kernel "${wanted}" here.`;
    throw new TritkitError("E_USAGE", message, `Kernels of this build: ${known.join(", ")}.`, EXIT_USAGE);
  }
  if (!measured || known.length === 1) return known[0];
  const machine = `${cpus()[0]?.model.trim()}, V8 ${process.versions.v8}, ${instance.build.digest.slice(0, 16)}, ${known.join(" ")}`;
  const file = join(cacheFolder(), "kernels.json");
  const kept = await readChoices(file);
  const before = known.find((name) => name === kept[machine]);
  if (before !== undefined) return before;
  const fastest = await measureKernels(known);
  await writeChoices(file, { ...kept, [machine]: fastest });
  return fastest;
}

/** Where programs of this user keep what they can make again. */
function cacheFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  return join(XDG_CACHE_HOME || LOCALAPPDATA || join(homedir(), ".cache"), "tritkit");
}

async function readChoices(file: string): Promise<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(await readFile(file, "utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** A folder that cannot be written is no error: the next start measures again. */
async function writeChoices(file: string, choices: Record<string, unknown>): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    const temporary = `${file}.${process.pid}`;
    await writeFile(temporary, `${JSON.stringify(choices, null, 2)}\n`);
    await rename(temporary, file);
  } catch {
    // said above
  }
}

/** A matrix of this size lies in a second-level cache; a slice is a few products. */
const ROWS = 768;
const COLS = 2560;
const SLICE_MS = 2;
const ROUNDS = 20;

/**
 * The kernel with the shortest of its alternating slices, in an instance of its own, which is thrown away: other programs only make slices longer. A kernel whose result is not that of the
 * first is left out: BR is compiled by a part of V8 that is an experiment.
 */
async function measureKernels(known: readonly KernelName[]): Promise<KernelName> {
  const { exports } = await instantiate();
  const room = (bytes: number) => exports.reserve(bytes) >>> 0;
  const [x, packed, scratch] = [room(COLS * 2), room(ROWS * (COLS / TRITS_PER_BYTE)), room(2 ** 20)];
  const { buffer } = exports.memory;
  const next = xorshift();
  const trits = new Uint8Array(buffer, packed, ROWS * (COLS / TRITS_PER_BYTE));
  for (let i = 0; i < trits.length; i++) trits[i] = PACK_STRIDE * (next() % 9) + (next() % 27);
  const activations = new Int16Array(buffer, x, COLS);
  for (let i = 0; i < COLS; i++) activations[i] = (next() % 255) - 127;
  const ready = known.map((name) => {
    const kernel = kernelNumber(name);
    const [w, prepared] = [
      room(exports.repacked_bytes(kernel, ROWS, COLS)),
      room(exports.prepared_bytes(kernel, COLS)),
    ];
    exports.repack_rows(kernel, packed, ROWS, COLS, w, scratch);
    exports.prepare(kernel, x, COLS, COLS, 1, prepared);
    const acc = room(ROWS * 4);
    const run = () => exports.product_rows(kernel, w, COLS, 0, ROWS, prepared, 1, acc, ROWS, scratch);
    return { name, run, acc, times: [] as number[] };
  });
  for (let round = 0; round < ROUNDS; round++) {
    for (const { run, times } of ready) {
      const started = performance.now();
      let count = 0;
      do {
        run();
        count++;
      } while (performance.now() - started < SLICE_MS);
      times.push((performance.now() - started) / count);
    }
    // A turn of the event loop: optimised code arrives.
    await new Promise(setImmediate);
  }
  const resultOf = (acc: number) => Buffer.from(new Uint8Array(exports.memory.buffer, acc, ROWS * 4).slice());
  const wanted = resultOf(ready[0].acc);
  const right = ready.filter(({ acc }) => resultOf(acc).equals(wanted));
  const shortest = ({ times }: { times: number[] }) => Math.min(...times);
  return right.reduce((best, candidate) => (shortest(candidate) < shortest(best) ? candidate : best)).name;
}
