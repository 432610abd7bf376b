/**
 * npm run test:mve [SEED]: Cortex-M55's own kernels (boards/common/mve.c) on QEMU. First against the module's on random cases, in a firmware of
 * its own (qemu/native_kernels.c); then whole answers: the product's firmware with and without MVE, and the engine in Node, byte for byte.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { modelPath } from "../../host/assets.ts";
import { generateOnDevice } from "../../host/device/chat.ts";
import { Device } from "../../host/device/device.ts";
import { Engine } from "../../host/engine/engine.ts";
import { openPort } from "../../host/transports/open.ts";
import { buildFirmware } from "../firmware/build.mjs";
import { flashFileWith } from "./flash_file.ts";
import { qemuVersion, startQemu } from "./qemu/qemu.ts";

const BOARD = "mps3-an547";
const DEADLINE_MS = 240_000;
/** Firmware for the same board as if its core had no MVE. */
const PLAIN = { flags: ["-DTRITKIT_NO_MVE"], variant: "-plain" };

const PROMPT = "Once upon a time";
const SAMPLINGS = [
  { temperature: 0, maxTokens: 120 },
  { temperature: 0.9, topP: 0.95, seed: 7, maxTokens: 120 },
];

const seed = Number(process.argv[2] ?? 1);
if (!Number.isInteger(seed) || seed < 0) throw new Error(`"${process.argv[2]}" is no seed: a whole number`);
const folder = await mkdtemp(join(tmpdir(), "tritkit-mve-"));
try {
  console.log(`QEMU ${await qemuVersion(BOARD)}, ${BOARD}`);
  const said = await randomCases(join(folder, "blank.bin"));
  console.log(`random cases, seed ${seed}: ${said}`);
  if (!/^same \d+$/.test(said)) throw new Error("the board's kernels are not the module's");
  await answers(join(folder, "model.bin"));
} finally {
  await rm(folder, { recursive: true });
}

/** The line that the firmware says when it is done. */
async function randomCases(flash: string): Promise<string> {
  const flags = [`-DSEED=${seed}u`];
  const { elf } = await buildFirmware(BOARD, {
    flags,
    variant: "-native",
    main: "scripts/emulators/qemu/native_kernels.c",
  });
  const qemu = await startQemu({ board: BOARD, elf, flash });
  try {
    const port = await openPort(qemu.port);
    const line = new Promise<string>((resolve, reject) => {
      let text = "";
      const timer = setTimeout(
        () => reject(new Error(`no answer within ${DEADLINE_MS / 1000} s, only "${text}"`)),
        DEADLINE_MS,
      );
      port.onClose(() => clearTimeout(timer));
      port.onData((bytes) => {
        text += String.fromCharCode(...bytes);
        if (text.includes("\n")) resolve(text.replace(/\s+/g, " ").trim());
      });
    });
    await port.write(Uint8Array.of(0x0a)); // any byte starts it
    const said = await line;
    await port.close();
    return said;
  } finally {
    await qemu.kill();
  }
}

/** Answers of 120 tokens, greedy and sampled, of models with a head of three planes, of int8, and of another activation. */
async function answers(flash: string): Promise<void> {
  for (const model of ["stories-1m", "llama-300k", "swiglu-300k"]) {
    const image = new Uint8Array(await readFile(await modelPath(model)));
    const wanted = await inNode(image);
    for (const { kernels, options } of [
      { kernels: true, options: {} },
      { kernels: null, options: PLAIN },
    ]) {
      await flashFileWith(BOARD, image, flash);
      const { elf } = await buildFirmware(BOARD, options);
      const qemu = await startQemu({ board: BOARD, elf, flash });
      try {
        const device = await Device.connect(await openPort(qemu.port));
        const { native } = device.hello;
        if (native !== kernels) throw new Error(`hello says native: ${native}, not ${kernels}`);
        const got: string[] = [];
        for (const sampling of SAMPLINGS)
          got.push((await generateOnDevice(device, PROMPT, sampling)).tokenIds.join(" "));
        await device.close();
        const same = got.filter((ids, i) => ids === wanted[i]).length;
        console.log(`${model}, ${kernels ? "MVE" : "plain"}: ${same} of ${wanted.length} answers are the engine's`);
        if (same !== wanted.length) throw new Error("the answers differ");
      } finally {
        await qemu.kill();
      }
    }
  }
}

async function inNode(image: Uint8Array): Promise<string[]> {
  const engine = await Engine.open(image, { context: 0 });
  const found: string[] = [];
  for (const sampling of SAMPLINGS) found.push((await engine.generate(PROMPT, sampling)).tokenIds.join(" "));
  return found;
}
