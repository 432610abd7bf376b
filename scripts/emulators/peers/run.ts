/**
 * What a peer's token costs on an emulated chip, counted as that of our firmware is (../token_cost.ts): instructions on QEMU by its plugin,
 * cycles and instructions on rp2040js. Two programs that differ by the token: what the second executes beyond the first.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { loadSegments } from "../../firmware/elf.mjs";
import { beyond, type Profile, readQemuProfile, readSymbols } from "../profile.ts";
import { runProgram } from "../qemu/qemu.ts";
import { FLASH_BYTES, startRp2040 } from "../rp2040/chip.ts";
import { CYCLE_BOARDS } from "../token_cost.ts";
import { type BuiltPeer, buildPeer, type Fit, type Peer, POSITION, TOKEN } from "./build.ts";
import { distance, referenceLogits } from "./reference.ts";
import { dequantised, makeWeights, type PeerShape } from "./weights.ts";

/** Wall clock for one program on QEMU. */
const LONGEST_S = 900;
/** Simulated: a float token of 4M weights takes about 1.2e9 cycles on a core without a multiplier for floats. */
const LONGEST_CYCLES = 1e10;

/** What computes something else than reference.ts is not measured. For int8 a number that is rounded the other way is allowed for. */
const TOLERANCE: Readonly<Record<Peer, number>> = { float32: 1e-4, int8: 0.03 };

/** Of int8.c and float32.c; the rest is the compiler's and the library's: float arithmetic, expf, memset. */
const OWN = /^(peer_token|matvec|rmsnorm|rope|softmax|attend|add|quantise|remember)$/;

export interface PeerRun {
  readonly instructions: number;
  /** null where only instructions are counted. */
  readonly cycles: number | null;
  /** By function: cycles where they are known, else instructions. */
  readonly functions: Profile;
  /** Of the count, what library routines took: float arithmetic where the core has none, expf, sinf, memset. */
  readonly library: number;
  readonly fit: Fit;
}

/** @param wanted see buildPeer */
export async function runPeer(
  name: string,
  peer: Peer,
  shape: PeerShape,
  flags: readonly string[],
  wanted?: Fit,
): Promise<PeerRun> {
  const built = await buildPeer(name, peer, shape, flags, wanted);
  const run = CYCLE_BOARDS.includes(name) ? onRp2040 : onQemu;
  const [none, one] = [await run(built, built.elfs[0]), await run(built, built.elfs[1])];
  const wrong = distance(one.logits, expectedLogits(peer, shape, built.fit));
  // Not the other way round: a distance may be no number.
  if (!(wrong < TOLERANCE[peer]))
    throw new Error(`${built.elfs[1]}: logits are ${wrong} away from what they should be`);
  const instructions = beyond(none.instructions, one.instructions);
  const cycles = none.cycles === null || one.cycles === null ? null : beyond(none.cycles, one.cycles);
  const functions = cycles ?? instructions;
  const own = new Map([...functions].filter(([name]) => OWN.test(name)));
  return {
    instructions: sum(instructions),
    cycles: cycles === null ? null : sum(cycles),
    functions,
    library: sum(functions) - sum(own),
    fit: built.fit,
  };
}

const expected = new Map<string, number[]>();

function expectedLogits(peer: Peer, shape: PeerShape, fit: Fit): number[] {
  const { sharedWeights, sharedCache } = fit;
  const key = JSON.stringify([peer, shape, sharedWeights, sharedCache]);
  let logits = expected.get(key);
  if (logits === undefined) {
    const weights = makeWeights(shape, sharedWeights);
    const matrices = peer === "int8" ? dequantised(shape, weights) : weights.matrices;
    const rounded = peer === "int8";
    const { vectors } = weights;
    logits = referenceLogits({
      shape,
      matrices,
      vectors,
      sharedWeights,
      sharedCache,
      rounded,
      token: TOKEN,
      position: POSITION,
    });
    expected.set(key, logits);
  }
  return logits;
}

interface Counted {
  readonly instructions: Profile;
  readonly cycles: Profile | null;
  readonly logits: Float32Array;
}

async function onQemu({ board, prefix }: BuiltPeer, elf: string): Promise<Counted> {
  const folder = await mkdtemp(join(tmpdir(), "tritkit-peer-"));
  try {
    const profile = join(folder, "profile");
    await runProgram({ board: board.name, elf, folder, profile, seconds: LONGEST_S });
    const logits = new Uint8Array(await readFile(join(folder, "logits")));
    const instructions = await readQemuProfile(profile, await readSymbols(elf, prefix));
    return { instructions, cycles: null, logits: new Float32Array(logits.buffer) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function onRp2040({ board, prefix }: BuiltPeer, elf: string): Promise<Counted> {
  const flash = new Uint8Array(FLASH_BYTES).fill(0xff);
  for (const { address, bytes } of loadSegments(await readFile(elf))) flash.set(bytes, address - board.flash.base);
  // Its vector table is where the boot ROM would look; the second half of flash is not set up by a boot2.
  const pico = startRp2040({ flash, boot2: false });
  const counts = pico.startProfile();
  const end = pico.run({ cycles: LONGEST_CYCLES, until: () => pico.idle });
  if (end !== "until") throw new Error(`${elf} on rp2040js did not end within ${LONGEST_CYCLES} cycles`);
  const symbols = await readSymbols(elf, prefix);
  const { at, bytes } = await variable(elf, prefix, "peer_logits");
  const offset = at - board.memory.base;
  const logits = new Float32Array(pico.mcu.sram.slice(offset, offset + bytes).buffer);
  return { instructions: counts.instructionsByFunction(symbols), cycles: counts.cyclesByFunction(symbols), logits };
}

async function variable(elf: string, prefix: string, name: string): Promise<{ at: number; bytes: number }> {
  const { stdout } = await promisify(execFile)(`${prefix}nm`, ["-S", elf]);
  const [, at, bytes] = new RegExp(`^([0-9a-f]+) ([0-9a-f]+) [bBdD] ${name}$`, "m").exec(stdout) ?? [];
  if (at === undefined) throw new Error(`${elf} has no ${name}`);
  return { at: Number.parseInt(at, 16), bytes: Number.parseInt(bytes, 16) };
}

function sum(profile: Profile): number {
  return [...profile.values()].reduce((a, b) => a + b, 0);
}
