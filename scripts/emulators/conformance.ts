/**
 * npm run conformance [ENGINE...]: the golden transcripts on everything that runs tritkit: 4 models, 200 greedy and 200 sampled tokens each, made by an
 * implementation that shares no line with any of them (spec/vectors). And a dialogue with the assistant that ships: ids and calls are the same everywhere.
 *
 *     engines in Node        reference, scalar, SIMD
 *     the device in V8       simulated board, with and without coprocessor; WASI under node:wasi
 *     real machine code      rp2040js and QEMU, with the firmware that ships in boards/<name>/release (--build: built now), the models in its
 *                            flash as an upload leaves them, prompts and tokens over its UART
 *
 * Nothing is skipped: what is missing is a failure that says what to install. `--json` prints a line for each engine:
 * {"event":"conformance","engine":s,"cases":n,"identical":n,"version":s}. Any part of an engine's name selects it.
 */
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadBoard, modelPath } from "../../host/assets.ts";
import { generateOnDevice } from "../../host/device/chat.ts";
import { Device } from "../../host/device/device.ts";
import { readFirmwareFolder } from "../../host/device/firmware/release.ts";
import { flashModel } from "../../host/device/flasher.ts";
import { setDryRun } from "../../host/device/tools.ts";
import { Engine, type EngineKind } from "../../host/engine/engine.ts";
import type { Answer, GenerateOptions } from "../../host/generation.ts";
import { readModel, readTranscript, VECTOR_MODELS } from "../../host/test/transcripts.ts";
import { startWasiBoard } from "../../host/test/wasi_board.ts";
import { openPort } from "../../host/transports/open.ts";
import { openSim } from "../../host/transports/sim.ts";
import { buildFirmware } from "../firmware/build.mjs";
import { ROOT } from "../lib/root.mjs";
import { flashFileWith } from "./flash_file.ts";
import { qemuVersion, startQemu } from "./qemu/qemu.ts";
import { FLASH_BYTES, startRp2040 } from "./rp2040/chip.ts";
import { picoTransport } from "./rp2040/live.ts";

const TOKENS = 200;
/** Of the assistant: two calls in a sentence, words that go on from there, something that no tool can do. */
const TURNS = [
  "please switch the lamp on and set the fan to 40 percent",
  "turn it down by 15 percent",
  "book a table for two at the italian restaurant",
];
const folder = await mkdtemp(join(tmpdir(), "tritkit-conformance-"));

type Speaker = (prompt: string, options: GenerateOptions) => Promise<Answer>;

/** A model loaded somewhere, ready to answer. */
interface Loaded {
  readonly answer: Speaker;
  /** An assistant's calls drive nothing from now on. */
  rehearse(): Promise<void>;
  close(): Promise<void>;
}

interface EngineUnderTest {
  readonly name: string;
  version(): Promise<string>;
  load(image: Uint8Array, context: number): Promise<Loaded>;
}

function inNode(kind: EngineKind): EngineUnderTest {
  return {
    name: `V8, ${kind} engine`,
    version: async () => `Node ${process.versions.node}, V8 ${process.versions.v8}`,
    async load(image, context) {
      const engine = await Engine.open(image, { engine: kind, context });
      // Its calls drive nothing anyway.
      const nothing = async () => {};
      return { answer: (prompt, options) => engine.generate(prompt, options), rehearse: nothing, close: nothing };
    },
  };
}

function simulated(board: string): EngineUnderTest {
  return {
    name: `simulated ${board}`,
    version: async () => `V8 ${process.versions.v8}`,
    async load(image, context) {
      const device = await Device.connect(await openSim(board, { seed: 1 }));
      try {
        await flashModel(device, image, { context });
        const { copro } = await device.refresh();
        if (board.includes("+") && (copro?.state !== "used" || copro.errors > 0))
          throw new Error(`the coprocessor is ${copro?.state ?? "not there"} and failed ${copro?.errors ?? 0} times`);
        return speaking(device);
      } catch (error) {
        await device.close();
        throw error;
      }
    },
  };
}

const wasi: EngineUnderTest = {
  name: "WASI",
  version: async () => `node:wasi of Node ${process.versions.node}`,
  async load(image, context) {
    const file = join(folder, "wasi.bin");
    await rm(file, { force: true });
    const board = startWasiBoard(file);
    const device = await Device.connect(board.transport);
    await flashModel(device, image, { context });
    return speaking(device, () => board.kill());
  },
};

const pico: EngineUnderTest = {
  name: "rp2040js, rp2040-pico (Cortex-M0+)",
  version: async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, "node_modules/rp2040js/package.json"), "utf8"));
    return `rp2040js ${version}`;
  },
  async load(image, context) {
    const { flash: geometry } = await loadBoard("rp2040-pico");
    const { segments } = await firmware("rp2040-pico");
    const flash = new Uint8Array(FLASH_BYTES).fill(0xff);
    for (const { address, bytes } of segments) flash.set(bytes, address - geometry.base);
    flash.set(await partitionWith("rp2040-pico", image, context), geometry.partition.offset);
    return speaking(await Device.connect(picoTransport(startRp2040({ flash }))));
  },
};

/**
 * @param flags for the compiler: a variant, built now
 * @param native whether the board must be using kernels of its own
 */
function onQemu(
  core: string,
  board: string,
  variant = "",
  flags: string[] = [],
  native: boolean | null = null,
): EngineUnderTest {
  return {
    name: `QEMU, ${board} (${core})${variant === "" ? "" : `, ${variant}`}`,
    version: async () => `QEMU ${await qemuVersion(board)}`,
    async load(image, context) {
      const { elf } = await firmware(board, variant, flags);
      const flash = join(folder, "qemu.bin");
      await flashFileWith(board, image, flash, context);
      const qemu = await startQemu({ board, elf, flash });
      try {
        const device = await Device.connect(await openPort(qemu.port));
        if (device.hello.native !== native)
          throw new Error(`the board's own kernels: ${device.hello.native}, not ${native} as they should be`);
        return speaking(device, () => qemu.kill());
      } catch (error) {
        await qemu.kill();
        throw error;
      }
    },
  };
}

const ENGINES: EngineUnderTest[] = [
  inNode("ref"),
  inNode("scalar"),
  inNode("simd"),
  simulated("rp2040-pico"),
  simulated("rp2040-pico+tgemv"),
  simulated("rp2350-pico2+tgemv"),
  wasi,
  pico,
  onQemu("Cortex-M3", "mps2-an385"),
  onQemu("Cortex-M7", "mps2-an500"),
  onQemu("Cortex-M33", "mps2-an505"),
  onQemu("Cortex-M55 with MVE", "mps3-an547", "", [], true),
  onQemu("Cortex-M55", "mps3-an547", "without MVE", ["-mcpu=cortex-m55+nomve"]),
  onQemu("Cortex-M4", "stm32f405"),
  onQemu("RV32IMAC", "riscv-virt"),
  onQemu("Cortex-M3", "mps2-an385", "alignment asserted", ["-DTRITKIT_CHECK_ALIGNMENT"]),
];

function speaking(device: Device, after: () => Promise<void> = async () => {}): Loaded {
  return {
    answer: (prompt, options) => generateOnDevice(device, prompt, options),
    rehearse: () => setDryRun(device, true),
    async close() {
      await device.close();
      await after();
    },
  };
}

async function partitionWith(board: string, image: Uint8Array, context: number): Promise<Uint8Array> {
  const file = join(folder, "partition.bin");
  await flashFileWith(board, image, file, context);
  return new Uint8Array(await readFile(file));
}

interface Firmware {
  readonly elf: string;
  readonly segments: readonly { readonly address: number; readonly bytes: Uint8Array }[];
}

const built = new Map<string, Promise<Firmware>>();

function firmware(board: string, variant = "", flags: string[] = []): Promise<Firmware> {
  const key = `${board} ${variant}`;
  const made = built.get(key) ?? findFirmware(board, variant, flags);
  built.set(key, made);
  return made;
}

async function findFirmware(board: string, variant: string, flags: string[]): Promise<Firmware> {
  if (variant !== "" || argv.includes("--build"))
    return buildFirmware(board, { flags, variant: variant === "" ? "" : `-${variant.replaceAll(" ", "-")}` });
  const shipped = await readFirmwareFolder(join(ROOT, "boards", board, "release"));
  if (shipped === null || shipped.elf === null || !(await stat(shipped.elf).catch(() => null)))
    throw new Error(`boards/${board}/release holds no firmware: npm run firmware -- --release`);
  return { elf: shipped.elf, segments: shipped.segments };
}

interface Turn {
  readonly ids: readonly number[];
  readonly calls: readonly unknown[];
}

const dialogues = new Map<EngineUnderTest, Promise<Turn[]>>();

function dialogueOn(engine: EngineUnderTest): Promise<Turn[]> {
  const held = dialogues.get(engine) ?? holdDialogue(engine);
  dialogues.set(engine, held);
  return held;
}

async function holdDialogue(engine: EngineUnderTest): Promise<Turn[]> {
  const image = new Uint8Array(await readFile(await modelPath("assistant")));
  const { answer, rehearse, close } = await engine.load(image, 0);
  const turns: Turn[] = [];
  try {
    // What becomes of a call is compared, too, and not every board has the pins.
    await rehearse();
    for (const [i, words] of TURNS.entries()) {
      const { tokenIds, calls = [] } = await answer(words, { temperature: 0, maxTokens: TOKENS, keep: i > 0 });
      // Without the amount, which Node's engine alone tells.
      const told = calls.map((call) => [call.tool, call.verb, call.value, call.seconds, call.result, call.margin]);
      turns.push({ ids: tokenIds, calls: told });
    }
  } finally {
    await close();
  }
  return turns;
}

/**
 * What differs in the assistant's answers. No other implementation holds dialogues, so the yardstick is the first engine; for that one, which would be
 * compared with itself, the second.
 */
async function differences(engine: EngineUnderTest): Promise<string[]> {
  const yardstick = engine === ENGINES[0] ? ENGINES[1] : ENGINES[0];
  const [turns, expected] = [await dialogueOn(engine), await dialogueOn(yardstick)];
  const why: string[] = [];
  for (const [i, { ids, calls }] of turns.entries()) {
    if (ids.length === 0) why.push(`"${TURNS[i]}" has no answer`);
    else if (ids.join() !== expected[i].ids.join())
      why.push(`"${TURNS[i]}": ids ${ids}, not ${expected[i].ids} as on ${yardstick.name}`);
    const [here, there] = [JSON.stringify(calls), JSON.stringify(expected[i].calls)];
    if (here !== there) why.push(`"${TURNS[i]}": calls ${here}, not ${there} as on ${yardstick.name}`);
  }
  // Equal calls prove nothing where there are none.
  if (turns.every(({ calls }) => calls.length === 0)) why.push("no call in the whole dialogue");
  return why;
}

/** How many of the transcripts an engine repeats, and what it said instead of the others. */
async function conform(engine: EngineUnderTest): Promise<{ cases: number; identical: number; why: string[] }> {
  let cases = 0;
  let identical = 0;
  const why: string[] = [];
  const compare = (what: string, answer: Answer, ids: readonly number[], text: string) => {
    cases++;
    const differs = answer.tokenIds.findIndex((id, i) => id !== ids[i]);
    const same = differs < 0 && answer.tokenIds.length === TOKENS;
    if (same && answer.text === Buffer.from(text, "base64").toString("utf8")) identical++;
    else why.push(`${what}: token ${differs < 0 ? answer.tokenIds.length : differs} is not the transcript's`);
  };
  for (const model of VECTOR_MODELS) {
    const { prompt, context, greedy, sampled, sampling } = readTranscript(model);
    try {
      const { answer, close } = await engine.load(readModel(model), context);
      try {
        compare(
          `${model}, greedy`,
          await answer(prompt, { temperature: 0, maxTokens: TOKENS }),
          greedy.ids,
          greedy.text,
        );
        compare(
          `${model}, sampled`,
          await answer(prompt, { ...sampling, maxTokens: TOKENS }),
          sampled.ids,
          sampled.text,
        );
      } finally {
        await close();
      }
    } catch (error) {
      why.push(`${model}: ${error instanceof Error ? error.message : error}`);
    }
  }
  const differing = await differences(engine).catch((error) => [error instanceof Error ? error.message : error]);
  if (differing.length === 0) identical++;
  why.push(...differing.map((line) => `assistant: ${line}`));
  return { cases: Math.max(cases, 2 * VECTOR_MODELS.length) + 1, identical, why };
}

const argv = process.argv.slice(2);
const wanted = argv.filter((arg) => !arg.startsWith("-"));
const selected = ENGINES.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
if (selected.length === 0)
  throw new Error(`no engine is called ${wanted.join(", ")}: ${ENGINES.map(({ name }) => name).join("; ")}`);

let failed = 0;
for (const engine of selected) {
  const started = performance.now();
  const version = await engine.version().catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return `missing: apt-get install qemu-system-arm qemu-system-misc`;
    throw error;
  });
  const { cases, identical, why } = await conform(engine);
  if (identical < cases) failed++;
  if (argv.includes("--json"))
    console.log(JSON.stringify({ event: "conformance", engine: engine.name, cases, identical, version }));
  else {
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${engine.name.padEnd(52)} ${identical} of ${cases} transcripts identical   ${version}   ${seconds} s`);
  }
  for (const line of why) console.error(`  ${line}`);
}
await rm(folder, { recursive: true });
if (failed > 0) {
  console.error(`${failed} of ${selected.length} engines differ`);
  process.exitCode = 1;
}
