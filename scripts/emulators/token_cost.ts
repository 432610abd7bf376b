/**
 * What one token costs on emulated chips: instructions on QEMU, cycles on rp2040js.
 *
 * The token at position 64: two greedy answers to a prompt whose keys and values are cached already, one of them a token longer; what the longer one
 * executed beyond the other is that token, whole: forward pass, head, sampler. Work for the wire and waiting is left out, by function.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { modelPath } from "../../host/assets.ts";
import { buildImage, randomModel } from "../../host/convert/index.ts";
import { generateOnDevice } from "../../host/device/chat.ts";
import { Device } from "../../host/device/device.ts";
import { readImage } from "../../host/image/reader.ts";
import { openPort } from "../../host/transports/open.ts";
import { buildFirmware } from "../firmware/build.mjs";
import { TOOLCHAINS } from "../firmware/toolchains.mjs";
import { patient } from "./calibrate/answers.ts";
import { flashFileWith } from "./flash_file.ts";
import { between, beyond, byPart, type Profile, readQemuProfile, readSymbols } from "./profile.ts";
import { startQemu } from "./qemu/qemu.ts";
import { FLASH_BYTES, startRp2040 } from "./rp2040/chip.ts";
import { picoTransport } from "./rp2040/live.ts";

export const POSITION = 64;

export interface Shape {
  readonly name: string;
  /** Ternary weights of all layers; embedding and head are not among them. */
  readonly weights: number;
  readonly image: Uint8Array;
}

/** The bundled model, and one of 4M random weights; both with a head of three trit planes. */
export async function shapes(): Promise<Shape[]> {
  const bundled = new Uint8Array(await readFile(await modelPath("stories-1m")));
  const random = randomModel({
    ...{ dim: 256, hiddenDim: 704, nLayers: 6, nHeads: 8, nKvHeads: 4, headDim: 32, vocabSize: 1024, seqLen: 256 },
    name: "random-4m",
  });
  const { bytes } = await buildImage(random, { embedPacking: "t3" });
  return [shape("stories-1m", bundled), shape("random-4m", bytes)];
}

function shape(name: string, image: Uint8Array): Shape {
  const { dim, hiddenDim, nLayers, nHeads, nKvHeads, headDim } = readImage(image).config;
  const weights = nLayers * (2 * dim * nHeads * headDim + 2 * dim * nKvHeads * headDim + 3 * dim * hiddenDim);
  return { name, weights, image };
}

export interface TokenCost {
  readonly unit: "instructions" | "cycles";
  readonly total: number;
  readonly parts: ReadonlyMap<string, number>;
  readonly functions: Profile;
}

/** Boards whose cycles rp2040js counts; QEMU counts instructions of the others. */
export const CYCLE_BOARDS = ["rp2040-pico"];

/** @param flags more for the compiler, e.g. to build without an extension */
export async function tokenCost(board: string, { image }: Shape, flags: string[] = []): Promise<TokenCost> {
  const folder = await mkdtemp(join(tmpdir(), "tritkit-cost-"));
  try {
    const { elf, board: data, segments } = await buildFirmware(board, { flags, variant: flags.join("") });
    const symbols = await readSymbols(elf, TOOLCHAINS[data.cpu.core].prefix);
    const partition = join(folder, "flash.bin");
    await flashFileWith(board, image, partition);
    if (!CYCLE_BOARDS.includes(board)) {
      const profile = join(folder, "profile");
      const qemu = await startQemu({ board, elf, flash: partition, profile });
      try {
        const device = await Device.connect(await openPort(qemu.port));
        const functions = await lastToken(device, () => readQemuProfile(profile, symbols));
        return summary("instructions", functions);
      } finally {
        await qemu.kill();
      }
    }
    const flash = new Uint8Array(FLASH_BYTES).fill(0xff);
    for (const { address, bytes } of segments) flash.set(bytes, address - data.flash.base);
    flash.set(await readFile(partition), data.flash.partition.offset);
    const pico = startRp2040({ flash });
    const device = await Device.connect(picoTransport(pico));
    try {
      const counts = pico.startProfile();
      return summary("cycles", await lastToken(device, async () => counts.cyclesByFunction(symbols)));
    } finally {
      // A Pico whose transport stays open runs for ever, and this process with it.
      await device.close().catch(() => {});
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

function summary(unit: TokenCost["unit"], functions: Profile): TokenCost {
  const parts = byPart(functions);
  return { unit, functions, parts, total: [...parts.values()].reduce((a, b) => a + b, 0) };
}

/** What the token at POSITION costs, by function; closes the device. */
async function lastToken(device: Device, read: () => Promise<Profile>): Promise<Profile> {
  patient(device);
  const answer = async (maxTokens: number) => {
    const before = await read();
    const { position } = await generateOnDevice(device, "Once upon a time", { temperature: 0, maxTokens });
    return { position, profile: between(before, await read()) };
  };
  const { position } = await answer(1);
  // `position` counts the computed ones: the last had index position - 1.
  const tokens = POSITION + 1 - position + 1;
  const shorter = await answer(tokens - 1);
  const longer = await answer(tokens);
  await device.close();
  if (longer.position !== POSITION + 1) throw new Error(`the answer ended at ${longer.position}, not ${POSITION + 1}`);
  return beyond(shorter.profile, longer.profile);
}
