/**
 * Power is cut, torn, in every flash operation of an upload and activation over an active model: on the whole simulated
 * board with the shipped device build and the host's own flasher, on three kinds of flash. Afterwards the board must answer, with the
 * old model or the new one, complete; and the same upload again must end with the new one.
 *
 *     npm run test:power    more seeds, a second cut in each recovery, every place where the journal can become full (minutes)
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Snapshot } from "../../firmware-sim/index.ts";
import { SimBoard } from "../../firmware-sim/index.ts";
import { RECORD_BYTES } from "../../spec/store.ts";
import { flashModel } from "../device/flasher.ts";
import { activateModel, listModels } from "../device/models.ts";
import {
  deviceWasm,
  greedy,
  image,
  look,
  newBoard,
  type Scale,
  scaledBoard,
  sha256,
  withBench,
} from "./bench_board.ts";
import { seeded } from "./seeded.ts";

/** Set by npm to the name of the script that it runs. */
const FULL = process.env.npm_lifecycle_event === "test:power";
/** Each leaves torn operations in another way. */
const TEARS = FULL ? [1, 2, 3, 4] : [1];
/** Of the first cuts, one in so many gets a second one while it recovers. */
const SECOND_EVERY = FULL ? 1 : 5;

const GEOMETRIES: [what: string, board: string, scale: Scale][] = [
  ["4 KiB sectors, units of 1, pages of 256", "rp2040-pico", { sectors: 26 }],
  ["sectors of three sizes, units of 4", "stm32f405", { divide: 8 }],
  ["large equal sectors, write-once units of 32", "stm32h743", { divide: 16 }],
];

const OLD = image("relu2");
const NEW = image("llama");
const OLD_SHA = sha256(OLD);
const NEW_SHA = sha256(NEW);

interface Frame {
  bytes: Uint8Array;
  /** The board just before, and how many flash operations it had done. */
  before: Snapshot;
  operations: number;
}

interface Recording {
  sim: SimBoard;
  /** Every request of the upload and activation. */
  frames: Frame[];
  /** Flash operations before and after. */
  first: number;
  last: number;
  /** Operations on the two sectors of records. */
  journal: Set<number>;
  old: number[];
  new: number[];
}

interface Tally {
  cuts: number;
  second: number;
  foundOld: number;
  foundNew: number;
  violations: string[];
}

/** Cells of the first sector of records, and how many of them are blank. */
function cells(sim: SimBoard): { all: number; blank: number } {
  const { sectors, partition } = sim.board.flash;
  let end = 0;
  const { bytes } =
    sectors.find((run) => {
      end += run.count * run.bytes;
      return end > partition.offset;
    }) ?? sectors[0];
  const content = Buffer.from(sim.flash.image().subarray(0, bytes));
  const all = bytes / RECORD_BYTES;
  const isBlank = (i: number) => content.subarray(i * RECORD_BYTES, (i + 1) * RECORD_BYTES).every((b) => b === 0xff);
  return { all, blank: Array.from({ length: all }, (_, i) => i).filter(isBlank).length };
}

/**
 * One undisturbed upload of the new model over the active old one, kept frame by frame.
 * @param room records that the journal takes before it has to move to its other sector; null: as it comes
 */
async function record(name: string, scale: Scale, room: number | null = null): Promise<Recording> {
  const board = scaledBoard(name, scale);
  const sim = newBoard(board, deviceWasm(board), 1);
  let answer: number[] = [];
  let area = 0;
  await withBench(sim, async (device) => {
    await flashModel(device, OLD);
    // Another context length writes one record.
    const more = room === null ? 0 : cells(sim).blank - room;
    assert.ok(more >= 0);
    for (let i = more; i > 0; i--) await activateModel(device, Buffer.from(OLD_SHA, "hex"), true, 16 + (i % 2));
    assert.ok(room === null || cells(sim).blank === room);
    answer = await greedy(device);
    area = board.flash.partition.bytes - device.hello.slots.reduce((sum, { bytes }) => sum + bytes, 0);
  });
  const frames: Frame[] = [];
  const journal = new Set<number>();
  const first = sim.flash.operations;
  const stop = sim.flash.onChange((offset) => {
    if (offset < area) journal.add(sim.flash.operations);
  });
  const onWrite = (bytes: Uint8Array) => {
    frames.push({ bytes, before: sim.snapshot(), operations: sim.flash.operations });
  };
  await withBench(sim, (device) => flashModel(device, NEW), { onWrite });
  stop();
  const after = await withBench(sim, (device) => look(sim, device));
  assert.deepEqual([after.active, after.inFlash], [NEW_SHA, NEW_SHA]);
  assert.notDeepEqual(after.answer, answer, "the two models must answer differently");
  return { sim, frames, first, last: sim.flash.operations, journal, old: answer, new: after.answer };
}

/** Brings the board to the middle of operation `n` of the recording; it is off then. */
function cut({ sim, frames }: Recording, n: number, tear: number): void {
  const frame = frames.findLast(({ operations }) => operations < n);
  assert.ok(frame !== undefined);
  const { flash } = frame.before;
  const random = flash.random.map((word, i) => word ^ Math.imul(tear * 31 + n, 0x9e3779b1 + i));
  sim.restore({ ...frame.before, flash: { ...flash, random } });
  sim.flash.cutAt(n - frame.operations);
  sim.uart.hostWrite(frame.bytes);
  sim.run({ untilIdle: true });
  assert.equal(sim.state, "off", `operation ${n} was not reached`);
}

/** What is wrong with the board now, "" when nothing is. */
async function wrong(recording: Recording, tally?: Tally, sim = recording.sim): Promise<string> {
  try {
    const seen = await withBench(sim, (device) => look(sim, device));
    if (seen.active !== OLD_SHA && seen.active !== NEW_SHA) return `active is "${seen.active}"`;
    if (seen.inFlash !== seen.active) return "the active model is not complete in flash";
    const isNew = seen.active === NEW_SHA;
    const wanted = isNew ? recording.new : recording.old;
    if (String(seen.answer) !== String(wanted)) return `answers ${seen.answer} instead of ${wanted}`;
    if (sim.flash.strayWrite() !== null) return "the device wrote through a flash pointer";
    if (tally !== undefined) tally[isNew ? "foundNew" : "foundOld"]++;
    return "";
  } catch (error) {
    return String(error);
  }
}

/** Uploads again, on the line that is left, and looks. */
async function finish(recording: Recording): Promise<string> {
  const { sim } = recording;
  try {
    await withBench(sim, (device) => flashModel(device, NEW));
    const both = await withBench(sim, async (device) => (await listModels(device)).map(({ state }) => state).sort());
    if (String(both) !== "active,verified") return `the slots are ${both}`;
    const seen = await withBench(sim, (device) => look(sim, device));
    const good = seen.active === NEW_SHA && seen.inFlash === NEW_SHA && String(seen.answer) === String(recording.new);
    if (!good) return `after the upload: ${JSON.stringify(seen)}`;
    sim.powerOff();
    sim.powerOn();
    return await wrong(recording);
  } catch (error) {
    return String(error);
  }
}

/** @param second in which part of the recovery power fails again, 0..1; null: it does not */
async function afterCut(
  recording: Recording,
  n: number,
  tear: number,
  tally: Tally,
  second: number | null,
): Promise<void> {
  const { sim } = recording;
  const note = (what: string, problem: string) => {
    if (problem !== "") tally.violations.push(`operation ${n}, tear ${tear}, ${what}: ${problem}`);
  };
  cut(recording, n, tear);
  tally.cuts++;
  assert.equal(sim.powerOn(), "on");
  note("after the cut", await wrong(recording, tally));
  const recovering = sim.snapshot();
  note("again", await finish(recording));
  if (second === null) return;
  const operations = sim.flash.operations - recovering.flash.operations;
  if (operations === 0) return;
  sim.restore(recovering);
  const m = 1 + Math.floor(second * operations);
  sim.flash.cutAt(m);
  await withBench(sim, (device) => flashModel(device, NEW)).catch(() => {});
  if (sim.state === "on") return note(`second cut ${m}`, "was not reached");
  tally.second++;
  assert.equal(sim.powerOn(), "on");
  note(`after the second cut ${m}`, await wrong(recording, tally));
  note(`again after the second cut ${m}`, await finish(recording));
}

const newTally = (): Tally => ({ cuts: 0, second: 0, foundOld: 0, foundNew: 0, violations: [] });

const told = ({ cuts, second, foundOld, foundNew, violations }: Tally): string =>
  `${cuts} cuts, ${second} of them with a second one: old model ${foundOld}, new model ${foundNew}, ${violations.length} violations`;

for (const [what, name, scale] of GEOMETRIES) {
  describe(`power cuts on ${name}: ${what}`, () => {
    it("every operation of upload and activation", async (t) => {
      const tally = newTally();
      const recording = await record(name, scale);
      const random = seeded(1);
      for (const tear of TEARS) {
        for (let n = recording.first + 1; n <= recording.last; n++) {
          const dice = random();
          await afterCut(recording, n, tear, tally, n % SECOND_EVERY === 0 ? dice : null);
        }
      }
      t.diagnostic(told(tally));
      assert.deepEqual(tally.violations, []);
      assert.ok(recording.last - recording.first > 100);
    });

    it("every operation on the records, wherever the journal becomes full", async (t) => {
      const tally = newTally();
      const { journal } = await record(name, scale);
      const records = journal.size;
      const rooms = Array.from({ length: records }, (_, room) => room);
      const tried = FULL ? rooms : [0, 1, records - 2, records - 1];
      for (const room of tried) {
        const recording = await record(name, scale, room);
        assert.ok(recording.journal.size > records, "the journal had to move");
        for (const tear of TEARS) for (const n of recording.journal) await afterCut(recording, n, tear, tally, null);
      }
      t.diagnostic(`${told(tally)}; the journal moved before record ${tried.map((room) => room + 1)} of ${records}`);
      assert.deepEqual(tally.violations, []);
    });

    it("the record that activates: the old model before it, the new one after it", async (t) => {
      const tally = newTally();
      const recording = await record(name, scale);
      for (let tear = 1; tear <= 16; tear++) await afterCut(recording, recording.last, tear, tally, null);
      t.diagnostic(told(tally));
      assert.deepEqual(tally.violations, []);
      assert.ok(tally.foundOld > 0 && tally.foundNew > 0);
    });
  });
}

it("these checks find a model that is damaged", async () => {
  const recording = await record("rp2040-pico", { sectors: 26 });
  const { board } = recording.sim;
  const content = recording.sim.flash.image();
  const damage = (model: Uint8Array): SimBoard => {
    content[Buffer.from(content).indexOf(model.subarray(0, 64)) + 9000] ^= 1;
    const sim = SimBoard.create({ board, wasm: deviceWasm(board), flash: content });
    sim.powerOn();
    return sim;
  };
  // The device itself finds the first damage and goes back to the old model; then none is left.
  const tally = newTally();
  assert.equal(await wrong(recording, tally, damage(NEW)), "");
  assert.equal(tally.foundOld, 1);
  assert.match(await wrong(recording, tally, damage(OLD)), /active is ""/);
});
