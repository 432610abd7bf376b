/**
 * Walks of faults: a board that is flashed, asked, reset, switched and meanwhile suffers whatever firmware-sim/faults knows, in an order that a seed
 * chooses. Whatever happens: every request ends, in simulated time, with an answer or an error that has a name; a model that was verified is
 * there afterwards, or is known to be damaged; and an answer has the right tokens, unless the fault is one of those that docs/scenarios.md
 * says nobody can notice.
 *
 *     npm run test:faults    some hundred walks more
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { loadBoard, loadDeviceWasm } from "../assets.ts";
import { flashModel } from "../device/flasher.ts";
import { listModels } from "../device/models.ts";
import { checkFlash } from "../device/verify.ts";
import { TritkitError } from "../errors.ts";
import { sameBytes } from "../image/digest.ts";
import { Bench } from "../scenario/bench.ts";
import { parseFault, SimBoard } from "../transports/sim.ts";
import { image, sha256 } from "./bench_board.ts";
import { seeded } from "./seeded.ts";

const FULL = process.env.npm_lifecycle_event === "test:faults";
/** TRITKIT_WALKS: another number of them. */
const WALKS = Number(process.env.TRITKIT_WALKS ?? (FULL ? 150 : 6));
const STEPS = 12;
/** Longer than the host is patient with anything, simulated. */
const PATIENCE_MS = 900_000;
const BOARDS = ["rp2040-pico", "stm32f405", "rp2040-pico+tgemv"];
const MODELS = [image("relu2"), image("llama")];
const PROMPT = "ab";
const TOKENS = 6;
const GREEDY = { maxTokens: TOKENS, temperature: 0, seed: 0 };

interface World {
  readonly bench: Bench;
  readonly copro: boolean;
  /** Index of the model that was activated last, -1: none. */
  active: number;
  /** A fault that nobody can notice may be in what the device computes: until it is activated or booted anew. */
  tainted: boolean;
  /** Cells of flash lost a bit, or read wrong while a model was written: it may not be there afterwards, whatever anybody does. */
  damaged: boolean;
  /** Simulated time until which a cell reads wrong, ns. */
  misread: number;
  readonly log: string[];
}

async function newWorld(name: string, seed: number): Promise<World> {
  const board = await loadBoard(name);
  const sim = SimBoard.create({ board, wasm: await loadDeviceWasm(board), seed });
  sim.powerOn();
  const bench = new Bench(sim, seed, "max");
  return { bench, copro: board.copro !== null, active: -1, tainted: false, damaged: false, misread: 0, log: [] };
}

const until = ({ bench }: World): number => bench.after(PATIENCE_MS);

async function flash(world: World, model: number): Promise<void> {
  const { bench } = world;
  if (bench.sim.now < world.misread) world.damaged = true;
  const device = await bench.device(until(world));
  await bench.settle(flashModel(device, MODELS[model]), until(world), "");
  world.active = model;
}

async function ask(world: World): Promise<number[]> {
  const { bench } = world;
  const chat = await bench.begin(PROMPT, GREEDY, until(world));
  return (await bench.settle(chat.work, until(world), "")).tokenIds;
}

/** Ends with what it returns, or with an error that has a name; anything else, and no end, fails the walk. */
async function named<T>(world: World, what: string, work: () => Promise<T>): Promise<T | TritkitError> {
  try {
    const result = await work();
    world.log.push(`${what}: done at ${world.bench.sim.now} ns`);
    return result;
  } catch (error) {
    const where = world.log.join("\n");
    assert.ok(error instanceof TritkitError, `${what}: ${(error as Error).stack}\n${where}`);
    assert.ok(
      !["E_STEP_TIMEOUT", "E_INTERNAL", "E_PROTOCOL"].includes(error.code),
      `${what}: ${error.message}\n${where}`,
    );
    world.log.push(`${what}: ${error.code}`);
    return error;
  }
}

const FAULTS: ((n: (below: number) => number, world: World) => string)[] = [
  (n) => `weight-flip:seed=${n(1e6)}`,
  (n) => `illegal-code:seed=${n(1e6)}`,
  (n) => `misread:seed=${n(1e6)},ms=${1 + n(500)},code=${n(2) === 0 ? "legal" : "illegal"}`,
  (n) => `brown-out:in_us=${n(50_000)},dip_us=${1 + n(50_000)}`,
  (n) => `brown-out:flash_op=${1 + n(40)},dip_us=${1 + n(50_000)}`,
  (n) => `uart-noise:per=${300 + n(3000)},seed=${n(1e6)},ms=${1 + n(3000)}`,
  (n) => `bus-error:beat=${n(500)},beats=${1 + n(3)}`,
  (n) => `stall:beat=${n(500)},cycles=${1 + n(5_000_000)}`,
  (n) => `stuck-busy:beat=${n(500)}`,
  () => "lost-irq",
  () => "copro-gone",
];
const NEEDS_COPRO = 6;
/** Nobody notices these while the device runs: a code that means other weights, or one that the table kernel does not look at. */
const SILENT = ["weight-flip", "illegal-code", "misread"];

function inject(world: World, n: (below: number) => number): void {
  const { bench } = world;
  const make = FAULTS[n(world.copro ? FAULTS.length : NEEDS_COPRO)];
  const text = make(n, world);
  try {
    bench.faults.inject(parseFault(text));
  } catch (error) {
    // No model to hit, or no power.
    assert.equal((error as { code?: string }).code, "E_SIM_FAULT", String(error));
    return;
  }
  world.log.push(`fault ${text}`);
  const { kind, numbers } = parseFault(text);
  if (!SILENT.includes(kind)) return;
  world.tainted = true;
  if (kind === "misread") world.misread = bench.sim.now + numbers.ms * 1e6;
  else world.damaged = true;
}

async function walk(name: string, seed: number, right: readonly number[][]): Promise<void> {
  const next = seeded(seed);
  const n = (below: number): number => Math.floor(next() * below);
  const world = await newWorld(name, seed);
  const { bench } = world;
  await flash(world, n(2));
  for (let i = 0; i < STEPS; i++) {
    const dice = n(10);
    if (dice < 4) inject(world, n);
    else if (dice < 7) {
      const tokens = await named(world, "ask", () => ask(world));
      if (tokens instanceof TritkitError) continue;
      // What the device runs, it says itself: after an upload that was cut it may be either.
      const running = await named(world, "who", () => runningModel(world));
      if (running instanceof TritkitError || world.tainted) continue;
      assert.deepEqual(tokens, right[running], `other tokens, silently, of model ${running}\n${world.log.join("\n")}`);
    } else if (dice < 8) {
      const model = n(2);
      await named(world, `flash ${model}`, () => flash(world, model));
    } else if (dice < 9) {
      bench.sim.reset();
      bench.switched();
      world.log.push("reset");
    } else {
      bench.sim.powerOff();
      bench.sim.powerOn();
      bench.switched();
      world.log.push("power");
    }
  }
  await recovers(world, right);
}

/** Index of the model that runs, -1: none. */
async function runningModel(world: World): Promise<number> {
  const { bench } = world;
  const device = await bench.device(until(world));
  const infos = await bench.settle(listModels(device), until(world), "");
  const active = infos.find(({ state }) => state === "active" || state === "test");
  return MODELS.findIndex((each) => active !== undefined && sha256(each) === Buffer.from(active.sha).toString("hex"));
}

/** Faults end, the board boots: it answers, has what was verified, and takes a model, with which it is as new. */
async function recovers(world: World, right: readonly number[][]): Promise<void> {
  const { bench, log } = world;
  bench.faults.clear();
  if (bench.sim.state === "on") bench.sim.powerOff();
  bench.sim.powerOn();
  bench.switched();
  const running = await runningModel(world);
  const trace = log.join("\n");
  if (running < 0) assert.ok(world.damaged, `the verified model is gone, and nothing damaged it\n${trace}`);
  else {
    // What boots was verified at boot: in flash are its bytes, and the tokens are right whatever happened before.
    const device = await bench.device(until(world));
    const { damaged } = await bench.settle(checkFlash(device, MODELS[running]), until(world), "");
    assert.deepEqual(damaged, [], trace);
    assert.deepEqual(await ask(world), right[running], trace);
  }
  for (const model of [0, 1]) {
    await flash(world, model);
    assert.equal(await runningModel(world), model, trace);
    assert.deepEqual(await ask(world), right[model], trace);
    const device = await bench.device(until(world));
    const { damaged } = await bench.settle(checkFlash(device, MODELS[model]), until(world), "");
    assert.deepEqual(damaged, [], trace);
  }
}

describe("walks of faults", async () => {
  /** The tokens of each model on a board that nothing ever happened to. */
  const right: number[][] = [];
  for (const model of [0, 1]) {
    const world = await newWorld("rp2040-pico", 0);
    await flash(world, model);
    right.push(await ask(world));
  }

  test("the two models say different things", () => {
    assert.equal(right[0].length, TOKENS);
    assert.ok(!sameBytes(Uint8Array.from(right[0]), Uint8Array.from(right[1])));
  });

  for (const name of BOARDS)
    test(`${WALKS} on ${name}`, async () => {
      for (let seed = 1; seed <= WALKS; seed++) await walk(name, seed, right);
    });
});
