/** A peer's C, for a chip (the same compilers, flags and start-up as the firmware's) or for this machine, where it is compared with reference.ts. */
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Board } from "../../../boards/types.ts";
import { boardConfig } from "../../firmware/config.mjs";
import { TOOLCHAINS } from "../../firmware/toolchains.mjs";
import { ROOT } from "../../lib/root.mjs";
import { makeWeights, type PeerShape, type PeerWeights } from "./weights.ts";

const HERE = join(ROOT, "scripts/emulators/peers");
const COMMON = join(ROOT, "boards/common");
const MIB = 1 << 20;

export type Peer = "float32" | "int8";
export const PEERS: readonly Peer[] = ["float32", "int8"];
/** What is computed: the position of npm run cost, over a cache that has the positions before. */
export const POSITION = 64;
export const TOKEN = 42;

interface Region {
  readonly at: number;
  readonly bytes: number;
}

interface Memory {
  readonly code: Region;
  readonly ram: Region;
  /** Flash, or, where a machine has none of this size, RAM that is loaded before the start. */
  readonly weights: Region;
  /** Whether the program may end by semihosting; else it sleeps at its end. */
  readonly semihosting: boolean;
}

const MPS2: Memory = {
  code: { at: 0, bytes: 4 * MIB },
  ram: { at: 0x20000000, bytes: 4 * MIB },
  weights: { at: 0x21000000, bytes: 16 * MIB },
  semihosting: true,
};

/** By board. QEMU 7.2 hw/arm/mps2.c, mps2-tz.c (secure aliases), hw/riscv/virt.c; RP2040 Datasheet 2.6 (boot2 and the vector table at 0x100). */
const MEMORY: Readonly<Record<string, Memory>> = {
  "mps2-an385": MPS2,
  "mps2-an500": { ...MPS2, weights: { at: 0x60000000, bytes: 16 * MIB } },
  "mps2-an505": {
    code: { at: 0x10000000, bytes: 4 * MIB },
    ram: { at: 0x38000000, bytes: 4 * MIB },
    weights: { at: 0x80000000, bytes: 16 * MIB },
    semihosting: true,
  },
  "mps3-an547": {
    code: { at: 0x10000000, bytes: MIB / 2 },
    ram: { at: 0x31000000, bytes: 4 * MIB },
    weights: { at: 0x60000000, bytes: 64 * MIB },
    semihosting: true,
  },
  "riscv-virt": {
    code: { at: 0x80000000, bytes: 2 * MIB },
    ram: { at: 0x80200000, bytes: 6 * MIB },
    weights: { at: 0x81000000, bytes: 64 * MIB },
    semihosting: true,
  },
  "rp2040-pico": {
    code: { at: 0x10000100, bytes: 0xff00 },
    ram: { at: 0x20000000, bytes: 264 * 1024 },
    weights: { at: 0x10010000, bytes: 2 * MIB - 0x10000 },
    semihosting: false,
  },
};

export const PEER_BOARDS = Object.keys(MEMORY);

/** How a peer was made to fit, and with it what it computes. */
export interface Fit {
  readonly sharedWeights: boolean;
  readonly sharedCache: boolean;
  /** Positions that the cache has room for. */
  readonly context: number;
}

/** Everything its own, 256 positions. */
export const ROOMY: Fit = { sharedWeights: false, sharedCache: false, context: 256 };

export interface BuiltPeer {
  /** Computes no token, and one. */
  readonly elfs: readonly [none: string, one: string];
  readonly board: Board;
  readonly fit: Fit;
  readonly prefix: string;
}

/**
 * @param flags of the compiler; the last word on a matter is theirs
 * @param wanted another fit than the roomiest, to compare them
 */
export async function buildPeer(
  name: string,
  peer: Peer,
  shape: PeerShape,
  flags: readonly string[],
  wanted?: Fit,
): Promise<BuiltPeer> {
  const memory = MEMORY[name];
  if (memory === undefined) throw new Error(`no peer is built for ${name}. Known: ${PEER_BOARDS.join(", ")}`);
  const board: Board = JSON.parse(await readFile(join(ROOT, "boards", `${name}.json`), "utf8"));
  const toolchain = TOOLCHAINS[board.cpu.core];
  const folder = join(ROOT, "build/peers", name, `${shape.name}-${peer}${flags.join("")}`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "board_config.h"), boardConfig(board, [], "0"));

  const fit = wanted ?? fitted(peer, shape, memory);
  const weights = makeWeights(shape, fit.sharedWeights);
  // The firmware forbids what nobody should forbid a float program: fused multiply-adds where the chip has them.
  // With two words on the float ABI gcc finds no library at all.
  const abi = flags.some((flag) => flag.startsWith("-mfloat-abi="));
  const base = toolchain.flags.filter((flag: string) => !(abi && flag.startsWith("-mfloat-abi=")));
  const own = [...base, "-ffp-contract=fast", "-fstrict-aliasing", `-I${COMMON}`, `-I${folder}`, `-I${HERE}`];
  own.push(...flags);
  const cc = compiler(`${toolchain.prefix}gcc`, toolchain.packages);
  const defines = [
    ...(await weightFiles(folder, peer, weights)),
    ...macros(shape, fit),
    `-DSEMIHOSTING=${Number(memory.semihosting)}`,
  ];

  const objects: string[] = [];
  const start = toolchain.start.filter((file: string) => file.startsWith("start_"));
  for (const source of [
    join(HERE, `${peer}.c`),
    join(HERE, "weights.S"),
    ...start.map((file: string) => join(COMMON, file)),
  ]) {
    const object = join(folder, `${source.slice(source.lastIndexOf("/") + 1)}.o`);
    await cc([...own, ...defines, "-c", source, "-o", object]);
    objects.push(object);
  }
  const script = join(folder, "link.ld");
  await cc([...own, ...regions(memory), "-E", "-P", "-x", "c", join(HERE, "link.ld"), "-o", script]);
  const link = async (tokens: number): Promise<string> => {
    const elf = join(folder, `tokens${tokens}.elf`);
    const main = join(folder, `main${tokens}.o`);
    await cc([...own, ...defines, `-DTOKENS=${tokens}`, "-c", join(HERE, "main.c"), "-o", main]);
    const options = ["-T", script, "-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments"];
    await cc([...own, ...toolchain.link, ...options, main, ...objects, "-lm", "-o", elf]);
    return elf;
  };
  return { elfs: [await link(0), await link(1)], board, fit, prefix: toolchain.prefix };
}

/** Compiles a peer for this machine and runs it. @returns its logits */
export async function runPeerHere(peer: Peer, shape: PeerShape, fit: Fit, folder: string): Promise<Float32Array> {
  const program = join(folder, peer);
  const files = await weightFiles(folder, peer, makeWeights(shape, fit.sharedWeights));
  const sources = [`${peer}.c`, "main.c", "weights.S"].map((file) => join(HERE, file));
  const flags = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-DTOKENS=1", "-DSEMIHOSTING=0"];
  await compiler("gcc", ["gcc"])([...flags, ...files, ...macros(shape, fit), ...sources, "-lm", "-o", program]);
  const { stdout } = await promisify(execFile)(program, [], { encoding: "buffer", timeout: 60_000, maxBuffer: MIB });
  return new Float32Array(new Uint8Array(stdout).buffer);
}

/** Own weights for each matrix and 256 positions where there is room; else as much as there is. */
function fitted(peer: Peer, shape: PeerShape, { ram, weights }: Memory): Fit {
  const bytes = peer === "float32" ? 4 : 1;
  const { dim, layers, kvHeads, headDim, heads, ffn, vocab } = shape;
  const all = layers * dim * (2 * heads * headDim + 2 * kvHeads * headDim + 3 * ffn) + vocab * dim;
  const norms = 4 * (layers * (2 * dim + heads * headDim + ffn + 7) + dim + 1);
  const cache = (context: number): number => 2 * context * kvHeads * headDim * bytes;
  // Beside the cache: logits, vectors, stack, about 16 KiB for the smaller shape.
  const room = ram.bytes - 4 * (vocab + 4 * ffn + 8 * dim) - 8192;
  const sharedWeights = all * bytes + norms + 64 > weights.bytes;
  const context = layers * cache(256) <= room ? 256 : POSITION + 1;
  return { sharedWeights, context, sharedCache: layers * cache(context) > room };
}

async function weightFiles(folder: string, peer: Peer, made: PeerWeights): Promise<string[]> {
  const [matrices, vectors] = [join(folder, "matrices.bin"), join(folder, "vectors.bin")];
  await writeFile(matrices, peer === "float32" ? made.matrices : made.int8);
  await writeFile(vectors, Buffer.concat([Buffer.from(made.vectors.buffer), Buffer.from(made.scales.buffer)]));
  return [`-DMATRICES_FILE="${matrices}"`, `-DVECTORS_FILE="${vectors}"`];
}

function macros(shape: PeerShape, { sharedWeights, sharedCache, context }: Fit): string[] {
  const numbers = {
    ...{ DIM: shape.dim, LAYERS: shape.layers, HEADS: shape.heads, KV_HEADS: shape.kvHeads, HEAD_DIM: shape.headDim },
    ...{ FFN: shape.ffn, VOCAB: shape.vocab, CONTEXT: context, POSITION, TOKEN },
    ...{ SHARED_WEIGHTS: Number(sharedWeights), SHARED_CACHE: Number(sharedCache) },
  };
  return Object.entries(numbers).map(([name, value]) => `-D${name}=${value}`);
}

function regions({ code, ram, weights }: Memory): string[] {
  return Object.entries({ CODE: code, RAM: ram, WEIGHTS: weights }).flatMap(([name, { at, bytes }]) => [
    `-DPEER_${name}=${at}`,
    `-DPEER_${name}_BYTES=${bytes}`,
  ]);
}

function compiler(program: string, packages: readonly string[]): (args: readonly string[]) => Promise<void> {
  return async (args) => {
    await promisify(execFile)(program, args).catch((error) => {
      const missing = `${program} is not installed: apt-get install ${packages.join(" ")}`;
      throw new Error(error.code === "ENOENT" ? missing : error.stderr.trim());
    });
  };
}
