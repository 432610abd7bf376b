/** `tritkit fits` and what it stands on: sizes, speeds, energy and advice, each held to something that was counted another way. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Board } from "../../boards/board.ts";
import { listBoards, loadBoard, modelPath } from "../assets.ts";
import { buildImageFile, type EmbedPacking, randomModel } from "../convert/index.ts";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { arenaParts } from "../engine/arena.ts";
import { boardFit, fitText } from "../fits/fit.ts";
import { fits } from "../fits/fits.ts";
import { boardSpeed, partitionWith } from "../fits/speed.ts";
import { activityBetween, activityOfBoard, Drive, energyProfile, meteredBoard } from "../transports/sim.ts";
import { openDriven } from "../transports/sim_driven.ts";
import { json, run } from "./command.ts";
import { checkWords } from "./failure.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-fit-"));
after(() => rm(folder, { recursive: true }));
const board = await loadBoard("rp2040-pico");

test("the context that is named is the longest that fits", async () => {
  const path = join(folder, "long.trit");
  const { bytes } = await buildImageFile(randomModel({ seqLen: 4096 }), path);
  const long = await boardFit(() => readFile(path), bytes, board, 4096);
  assert.ok(!long.fits);
  const named = Number(/--context (\d+)/.exec(long.why)?.[1]);
  assert.ok((await boardFit(() => readFile(path), bytes, board, named)).fits, `${named} positions`);
  assert.ok(!(await boardFit(() => readFile(path), bytes, board, named + 1)).fits, `${named + 1} positions`);
  assert.match(
    fitText(await boardFit(() => readFile(path), bytes, board)),
    /^fits rp2040-pico: flash \d+ %, SRAM \d+ % with \d+ positions$/,
  );
});

test("an image larger than the board's flash is named as that", async () => {
  const path = join(folder, "large.trit");
  const { bytes } = await buildImageFile(randomModel({ vocabSize: 16000, dim: 128, nHeads: 4 }), path, {
    embedPacking: "int8",
  });
  assert.ok(bytes > board.flash.partition.bytes, `${bytes} bytes`);
  const fit = await boardFit(() => readFile(path), bytes, board);
  assert.deepEqual([fit.fits, fit.flash_bytes], [false, bytes]);
  assert.match(fitText(fit), /^does not fit rp2040-pico: the image has .*, the board's flash for models 1\.8 MiB$/);
});

/** What the last token of an answer takes, by the longer of two. */
async function lastToken(image: Uint8Array, board: Board, prompt: string) {
  const sim = await meteredBoard(board, partitionWith(image, board));
  const drive = new Drive(sim);
  sim.powerOn();
  const never = () => new Error("the board does not answer");
  const device = await drive.settle(Device.connect(openDriven(drive, 115200)), 1e15, never);
  const answer = async (maxTokens: number) => {
    const from = { ns: sim.busyNs, activity: activityOfBoard(sim, sim.busyNs) ?? {} };
    const { promptTokens } = await generateOnDevice(device, prompt, { maxTokens, temperature: 0, seed: 1 });
    const activity = activityBetween(from.activity, activityOfBoard(sim, sim.busyNs) ?? {});
    return { ns: sim.busyNs - from.ns, activity, position: promptTokens };
  };
  const measured = async () => {
    await answer(1);
    const short = await answer(1);
    const long = await answer(2);
    return {
      ...{ ns: long.ns - short.ns, position: long.position },
      activity: activityBetween(short.activity, long.activity),
    };
  };
  return drive.settle(measured(), 1e15, never);
}

const boardsOf = (...names: string[]): Promise<Board[]> => Promise.all(names.map(loadBoard));
const bundled = async (name: string): Promise<Uint8Array> => new Uint8Array(await readFile(await modelPath(name)));

test("fits: sizes are those of inspect, keys and values are counted by hand", async () => {
  const image = await bundled("stories-1m");
  const [fit] = await fits(image, { boards: await boardsOf("rp2040-pico"), speed: false });
  const { total, available, context } = await arenaParts(image, board);
  assert.deepEqual(
    [fit.fits, fit.sram_bytes, fit.sram_available, fit.context, fit.flash_bytes],
    [true, total, available, context, image.length],
  );
  // 5 layers of 2 heads: 32 int8 keys and values a position, each with one scale of 2 bytes.
  assert.equal(fit.kv_bytes, 256 * 5 * 2 * 2 * (32 + 2));
  assert.deepEqual([fit.tok_s, fit.mj_per_token, fit.advice.length], [null, null, 0]);
});

test("speed: the line through two positions meets a token that was not measured, and a clock twice as fast is twice as fast", async () => {
  const image = await bundled("llama-300k");
  const pico = await boardSpeed(image, board, { context: 256 });
  assert.ok(pico.tok_s_first > pico.tok_s && pico.tok_s > pico.tok_s_last);
  const ns = (position: number): number =>
    1e9 / pico.tok_s_first + ((1e9 / pico.tok_s_last - 1e9 / pico.tok_s_first) * position) / 255;
  const far = await lastToken(image, board, "The cat sat on the mat and looked at the moon. ".repeat(9));
  assert.ok(far.position > 2 * pico.measured_at[1], `${far.position}`);
  assert.ok(Math.abs(ns(far.position) / far.ns - 1) < 0.015, `${ns(far.position)} against ${far.ns} ns`);

  const fast = { ...board, cpu: { ...board.cpu, hz: 2 * board.cpu.hz } };
  const twice = await boardSpeed(image, fast, { context: 256 });
  assert.ok(Math.abs(twice.tok_s / pico.tok_s - 2) < 0.02, `${twice.tok_s} and ${pico.tok_s}`);
});

test("energy of a token: cycles, waiting and flash bytes times the profile's figures, by hand", async () => {
  const image = await bundled("llama-300k");
  const { tok_s, mj_per_token, mj_kind, wait_share } = await boardSpeed(image, board, { context: 64 });
  const { core_cycle, wait_cycle, leakage, flash_byte } = energyProfile("rp2040").constants;
  assert.ok(core_cycle && wait_cycle && leakage && flash_byte && mj_per_token);
  const pjOfCycle = (1 - wait_share) * core_cycle.value + wait_share * wait_cycle.value;
  const rest = mj_per_token * 1e9 - (board.cpu.hz * pjOfCycle + leakage.value * 1e9) / tok_s;
  // What is left is flash: the weights at least once, and no more than twice the image.
  const read = rest / flash_byte.value;
  assert.ok(read > 60_000 && read < 2 * image.length, `${read} bytes of flash`);
  assert.equal(mj_kind, "assumed");
});

test("what fits comes first, the fastest first; the same figures in every run", async () => {
  const image = await bundled("llama-300k");
  const options = { boards: await boardsOf("rp2040-pico", "stm32h743"), context: 64 };
  const [first, second] = await fits(image, options);
  assert.deepEqual([first.board, second.board], ["stm32h743", "rp2040-pico"]);
  assert.ok((first.tok_s ?? 0) > (second.tok_s ?? 0));
  assert.deepEqual(await fits(image, options), [first, second]);
});

test("what would make it fit, does", async () => {
  const path = join(folder, "head.trit");
  const model = randomModel({ dim: 128, hiddenDim: 256, nHeads: 4, vocabSize: 9000 });
  const { bytes } = await buildImageFile(model, path, { embedPacking: "int8" });
  const stm = await boardsOf("stm32f405");
  const image = new Uint8Array(await readFile(path));
  assert.ok(bytes > stm[0].flash.partition.bytes);
  const [fit] = await fits(image, { boards: stm, others: await listBoards(), speed: false });
  const [packing, other] = fit.advice;
  const wanted = /--embed (t\d|int4)$/.exec(packing)?.[1] as EmbedPacking | undefined;
  assert.ok(wanted, fit.advice.join("; "));
  const again = await buildImageFile(model, join(folder, "smaller.trit"), { embedPacking: wanted });
  assert.ok(again.bytes <= stm[0].flash.partition.bytes, `${again.bytes} bytes`);
  const told = 1024 * Number(/: about (\d+) KiB/.exec(packing)?.[1]);
  assert.ok(Math.abs(told / again.bytes - 1) < 0.01, `${told} and ${again.bytes} bytes`);
  for (const name of other.replace("another board: ", "").split(", "))
    assert.ok((await fits(image, { boards: await boardsOf(name), speed: false }))[0].fits, name);

  const long = join(folder, "context.trit");
  await buildImageFile(randomModel({ seqLen: 4096 }), long);
  const options = { boards: [board], speed: false };
  const [tooLong] = await fits(new Uint8Array(await readFile(long)), { ...options, context: 4096 });
  const most = Number(/--context (\d+)/.exec(tooLong.advice[0])?.[1]);
  assert.ok((await fits(new Uint8Array(await readFile(long)), { ...options, context: most }))[0].fits, `${most}`);
});

test("an image for one board fits no other, and says what to do", async () => {
  const path = join(folder, "one.trit");
  await buildImageFile(randomModel(), path, { board: "stm32h743" });
  const [fit] = await fits(new Uint8Array(await readFile(path)), { boards: [board], speed: false });
  assert.equal(fit.fits, false);
  assert.equal(fit.why, "the image was made for stm32h743");
  assert.match(fit.advice[0], /converted anew without --board/);
});

test("tritkit fits: a table, --json events, and hints for what it cannot read", async () => {
  const table = await run(["fits", "llama-300k", "--board", "rp2040-pico"]);
  assert.equal(table.status, 0, table.stderr);
  assert.match(table.stdout, /^board\s+flash\s+SRAM\s+context\s+KV cache\s+tokens\/s/);
  assert.match(table.stdout, /rp2040-pico.*cycles (calibrated|derived|estimated), energy assumed/);
  const lines = await json(["fits", "llama-300k", "--sizes"]);
  assert.equal(lines.length, (await listBoards()).length);
  for (const line of lines) {
    assert.equal(line.event, "fits");
    for (const field of ["flash_bytes", "sram_bytes", "kv_bytes"]) assert.equal(typeof line[field], "number", field);
    assert.equal(typeof line.fits, "boolean");
    assert.equal(typeof line.why, "string");
    assert.equal(line.tok_s, null);
  }
  const sizes = await run(["fits", "llama-300k", "--sizes"]);
  assert.doesNotMatch(sizes.stdout, /tokens\/s|undefined|NaN/);
  const source = await run(["fits", "examples/models/llama-300k/hf"]);
  checkWords(source, "E_NOT_CONVERTED", 1);
  assert.match(source.stderr, /tritkit convert/);
  checkWords(await run(["fits", "nothing-there"]), "E_UNKNOWN_MODEL", 2);
  checkWords(await run(["fits", "llama-300k", "--board", "z80"]), "E_UNKNOWN_BOARD", 2);
  checkWords(await run(["fits", "llama-300k", "--context", "100000"]), "E_USAGE", 2);
});

test("chat says what a token takes, as fits does", async () => {
  const answer = (await json(["demo", "-n", "12", "--temp", "0"])).find(({ event }) => event === "answer");
  const told = answer?.board as Record<string, unknown>;
  assert.deepEqual([told.energy_kind, told.energy_profile], ["assumed", "rp2040"]);
  // Positions up to 17.
  const { mj_per_token } = await boardSpeed(await bundled("stories-1m"), board, { context: 24 });
  assert.ok(mj_per_token !== null);
  assert.ok(Math.abs(Number(told.mj_per_token) / mj_per_token - 1) < 0.15, `${told.mj_per_token}, ${mj_per_token}`);
  const none = (await json(["demo", "-b", "mps2-an385", "-n", "4"])).find(({ event }) => event === "answer");
  assert.equal((none?.board as Record<string, unknown> | undefined)?.mj_per_token, null);
});

test("convert --board says what would make it fit", async () => {
  const out = join(folder, "converted.trit");
  const lines = await json(["convert", "examples/models/llama-300k/hf", "-o", out, "--board", "rp2040-pico"]);
  const { fit } = lines.at(-1) as unknown as { fit: Record<string, unknown> };
  assert.deepEqual([fit.board, fit.fits, fit.advice, fit.tok_s], ["rp2040-pico", true, [], null]);
});

test("a coprocessor's work is counted: every trit a lane, every weight a byte", async () => {
  const image = await bundled("stories-1m");
  const [tgemv] = await boardsOf("rp2040-pico+tgemv");
  const { activity } = await lastToken(image, tgemv, "Once upon a time");
  // 983,040 ternary weights; 3 planes of 1,024 x 128 trits in the head, whose wide activations take two lanes each. Rows are padded to 130 columns.
  const lanes = activity.ternary_lane ?? 0;
  const exact = 983_040 + 2 * 3 * 1024 * 128;
  assert.ok(lanes >= exact && lanes < 1.03 * exact, `${lanes} lanes, ${exact} trits`);
  const bytes = activity.flash_byte ?? 0;
  const packed = (983_040 + 3 * 1024 * 128) / 5;
  assert.ok(bytes >= packed && bytes < 1.25 * packed, `${bytes} bytes of flash, ${packed} of weights`);
  assert.equal(activity.psram_byte, undefined);
  const [plain, unit] = [
    await boardSpeed(image, board, { context: 64 }),
    await boardSpeed(image, tgemv, { context: 64 }),
  ];
  assert.ok(unit.tok_s > 1.5 * plain.tok_s && (unit.mj_per_token ?? 9) < (plain.mj_per_token ?? 0));
});
