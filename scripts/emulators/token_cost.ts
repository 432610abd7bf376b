/**
 * npm run cost [BOARD...]: what one token costs, counted on emulated chips: instructions on QEMU.
 *
 * The token at position 64: two greedy answers to a prompt whose keys and values are cached already, one of them a token longer; what the longer one
 * executed beyond the other is that token, whole: forward pass, head, sampler. Work for the wire and waiting is left out, by function.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage, randomModel } from "../../host/convert/index.ts";
import { Device } from "../../host/device/device.ts";
import { generateOnDevice } from "../../host/device/chat.ts";
import { openPort } from "../../host/transports/open.ts";
import { buildFirmware } from "../firmware/build.mjs";
import { TOOLCHAINS } from "../firmware/toolchains.mjs";
import { flashFileWith } from "./flash_file.ts";
import { beyond, between, byPart, type Profile, readQemuProfile, readSymbols } from "./profile.ts";
import { startQemu } from "./qemu/qemu.ts";

const POSITION = 64;

interface Shape {
  name: string;
  weights: number;
  image: Uint8Array;
}

export async function shapes(): Promise<Shape[]> {
  const one = { dim: 128, hiddenDim: 384, nLayers: 5, nHeads: 4, nKvHeads: 2, vocabSize: 1024 };
  const four = { dim: 256, hiddenDim: 704, nLayers: 6, nHeads: 8, nKvHeads: 4, vocabSize: 1024 };
  return [await shape("1M", one), await shape("4M", four)];
}

async function shape(name: string, s: { dim: number; hiddenDim: number; nLayers: number; nHeads: number; nKvHeads: number; vocabSize: number }): Promise<Shape> {
  const kv = s.nKvHeads * (s.dim / s.nHeads);
  const weights = s.nLayers * (2 * s.dim * s.dim + 2 * s.dim * kv + 3 * s.dim * s.hiddenDim);
  const { bytes } = await buildImage(randomModel({ ...s, headDim: s.dim / s.nHeads, seqLen: 256 }), { embed: "t3" });
  return { name, weights, image: bytes };
}

async function onQemu(board: string, shape: Shape, flags: string[]): Promise<Profile> {
  const folder = await mkdtemp(join(tmpdir(), "tritkit-cost-"));
  const firmware = await buildFirmware(board, { flags });
  const symbols = await readSymbols(firmware.elf, TOOLCHAINS[firmware.board.cpu.core].prefix);
  const flash = join(folder, "flash.bin");
  const profile = join(folder, "profile");
  await flashFileWith(board, shape.image, flash);
  const qemu = await startQemu({ board, elf: firmware.elf, flash, profile });
  try {
    const device = await Device.connect(await openPort(qemu.port));
    const answer = async (maxTokens: number) => {
      const before = await readQemuProfile(profile, symbols);
      const { position } = await generateOnDevice(device, "ab", { temperature: 0, maxTokens });
      return { position, profile: between(before, await readQemuProfile(profile, symbols)) };
    };
    const { position } = await answer(1);
    // `position` counts the computed ones: the last had index position - 1.
    const tokens = POSITION + 1 - position + 1;
    const shorter = await answer(tokens - 1);
    const longer = await answer(tokens);
    if (longer.position !== POSITION + 1) throw new Error(`the answer ended at ${longer.position}, not ${POSITION + 1}`);
    await device.close();
    return beyond(shorter.profile, longer.profile);
  } finally {
    await qemu.kill();
    await rm(folder, { recursive: true });
  }
}

const boards = process.argv.slice(2).filter((arg) => !arg.startsWith("-"));
for (const shape of await shapes()) {
  for (const board of boards) {
    const profile = await onQemu(board, shape, []);
    const parts = byPart(profile);
    const total = [...parts.values()].reduce((a, b) => a + b, 0);
    console.log(`${shape.name} ${board}  ${total} = ${(total / shape.weights).toFixed(3)} per ternary weight (${shape.weights})`);
    for (const [part, count] of parts) console.log(`  ${part.padEnd(32)} ${String(count).padStart(9)} ${(count / shape.weights).toFixed(3)}`);
    if (process.argv.includes("--functions"))
      for (const [name, count] of [...profile].sort((a, b) => b[1] - a[1]).slice(0, 45))
        console.log(`    ${String(count).padStart(9)} ${name}`);
  }
}
