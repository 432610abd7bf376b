/**
 * Power is cut, torn, in every flash operation of an update of the firmware: on the whole simulated board, with the selector, the shipped
 * device module and the host's own client. Afterwards the board must start one of the two firmwares, whole, its model must answer as before,
 * and the same update again must end with the new one, confirmed.
 *
 *     npm run test:power    every operation, more seeds, a second cut in each recovery; else a seeded sample
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Board } from "../../boards/board.ts";
import type { SimBoard, Snapshot } from "../../firmware-sim/index.ts";
import { FREC_BYTES } from "../../spec/firmware.ts";
import { listFirmware, updateFirmware } from "../device/firmware/over_smp.ts";
import { greedy, withBench } from "./bench_board.ts";
import { board, delivered, firmware, newBoard, record, region, withModel, writeOnce } from "./firmware_bench.ts";
import { seeded } from "./seeded.ts";

const FULL = process.env.npm_lifecycle_event === "test:power";
const TEARS = FULL ? [1, 2, 3] : [1];
/** Of the operations in the middle of a slot, one in so many. */
const SAMPLE = FULL ? 1 : 4;

const OLD = firmware(1, "0.1.0");
const NEW = firmware(11, "0.2.0");
const CELLS = region.sectorBytes / FREC_BYTES;

/** What the board is before the update. */
interface Start {
  readonly what: string;
  /** The slot that the records confirm, and the one that runs. */
  readonly confirmed: number;
  readonly runs: number;
  readonly flash: (flash: Uint8Array) => void;
}

const ANCIENT = firmware(41, "0.0.9");
const STARTS: readonly Start[] = [
  { what: "slot 0 runs", confirmed: 0, runs: 0, flash: () => {} },
  {
    // Were the records lost, slot 0 would start.
    what: "slot 1 runs, an older firmware lies in slot 0",
    confirmed: 1,
    runs: 1,
    flash(flash) {
      flash.set(ANCIENT[0].bytes, region.slots[0]);
      flash.set(OLD[1].bytes, region.slots[1]);
    },
  },
  {
    // Until a record says otherwise, whatever is whole in slot 1 would start.
    what: "slot 0 stands in for slot 1, which is damaged",
    confirmed: 1,
    runs: 0,
    flash(flash) {
      flash.set(OLD[1].bytes, region.slots[1]);
      flash[region.slots[1] + 4000] ^= 1;
    },
  },
];

interface Recording {
  sim: SimBoard;
  frames: { bytes: Uint8Array; before: Snapshot; operations: number }[];
  first: number;
  last: number;
  /** Operations on the records: all of them are tried. */
  records: number[];
  answer: number[];
  /** The slot of the old firmware; the new one goes to the other. */
  runs: number;
}

/** @param room cells that are blank in the first record sector; the others hold old records or what power cuts left of them */
async function recordUpdate(room: number, start = STARTS[0], which = board): Promise<Recording> {
  const sim = newBoard(
    delivered(OLD, (flash) => {
      start.flash(flash);
      for (let i = 0; i < CELLS - room || i < start.confirmed; i++) {
        const cell = i % 3 === 2 ? new Uint8Array(FREC_BYTES) : record(i + 1, start.confirmed);
        flash.set(cell, region.offset + i * FREC_BYTES);
      }
    }),
    {},
    which,
  );
  assert.equal(sim.slot, start.runs);
  const answer = await withModel(sim);
  const frames: Recording["frames"] = [];
  const records: number[] = [];
  const first = sim.firmwareFlash.operations;
  const stop = sim.firmwareFlash.onChange((offset) => {
    if (offset < region.slots[0]) records.push(sim.firmwareFlash.operations);
  });
  const onWrite = (bytes: Uint8Array) => {
    frames.push({ bytes, before: sim.snapshot(), operations: sim.firmwareFlash.operations });
  };
  await withBench(sim, (device) => updateFirmware(device, board, NEW), { onWrite });
  stop();
  return { sim, frames, first, last: sim.firmwareFlash.operations, records, answer, runs: start.runs };
}

function cut({ sim, frames }: Recording, n: number, tear: number): void {
  const frame = frames.findLast(({ operations }) => operations < n);
  assert.ok(frame !== undefined);
  const { firmwareFlash } = frame.before;
  const random = firmwareFlash.random.map((word, i) => word ^ Math.imul(tear * 31 + n, 0x9e3779b1 + i));
  sim.restore({ ...frame.before, firmwareFlash: { ...firmwareFlash, random } });
  sim.firmwareFlash.cutAt(n - frame.operations);
  sim.uart.hostWrite(frame.bytes);
  sim.run({ untilIdle: true });
  assert.equal(sim.state, "off", `operation ${n} was not reached`);
}

/** What is wrong with the board, "" when nothing is. */
async function wrong({ sim, answer, runs }: Recording, wanted?: string): Promise<string> {
  try {
    return await withBench(sim, async (device) => {
      const active = (await listFirmware(device)).find((state) => state.active);
      if (active === undefined || active.slot !== sim.slot) return "no firmware is active";
      const known = (active.slot === runs ? OLD : NEW)[active.slot];
      if (Buffer.compare(active.hash, known.hash) !== 0) return "an unknown firmware runs";
      if (!active.confirmed) return "the firmware that starts is not confirmed";
      if (wanted !== undefined && active.version !== wanted) return `runs ${active.version}`;
      const now = await greedy(device);
      return String(now) === String(answer) ? "" : `answers ${now} instead of ${answer}`;
    });
  } catch (error) {
    return String(error);
  }
}

async function again(recording: Recording): Promise<string> {
  const { sim } = recording;
  try {
    await withBench(sim, (device) => updateFirmware(device, board, NEW));
    sim.powerOff();
    sim.powerOn();
    return await wrong(recording, "0.2.0");
  } catch (error) {
    return String(error);
  }
}

interface Tally {
  cuts: number;
  second: number;
  old: number;
  new: number;
  violations: string[];
}

async function afterCut(recording: Recording, n: number, tear: number, tally: Tally, second: number): Promise<void> {
  const { sim } = recording;
  const note = (what: string, problem: string) => {
    if (problem !== "") tally.violations.push(`operation ${n}, tear ${tear}, ${what}: ${problem}`);
  };
  cut(recording, n, tear);
  tally.cuts++;
  assert.equal(sim.powerOn(), "on");
  // Only the last record of the update may change what starts.
  const mayBeNew = n === recording.last;
  note("after the cut", await wrong(recording, mayBeNew ? undefined : "0.1.0"));
  tally[sim.slot === recording.runs ? "old" : "new"]++;
  const recovering = sim.snapshot();
  note("again", await again(recording));
  const operations = sim.firmwareFlash.operations - recovering.firmwareFlash.operations;
  if (operations === 0 || (!FULL && n % 5 !== 0)) return;
  sim.restore(recovering);
  sim.firmwareFlash.cutAt(1 + Math.floor(second * operations));
  await withBench(sim, (device) => updateFirmware(device, board, NEW)).catch(() => {});
  assert.equal(sim.state, "off");
  tally.second++;
  assert.equal(sim.powerOn(), "on");
  note("after the second cut", await wrong(recording));
  note("again after the second cut", await again(recording));
}

describe("power cuts in an update of the firmware", () => {
  // Records fill the first sector before the first of this update, and before each one after it; or never.
  const cases: [what: string, start: Start, which: Board, room: number][] = STARTS.flatMap((start) => [
    ...[CELLS - 1, 0, 1, 2, 3, 4].map((room): [string, Start, Board, number] => ["", start, board, room]),
    ...[CELLS - 1, 0, 1, 4].map((room): [string, Start, Board, number] => [
      ", write-once units of 32",
      start,
      writeOnce,
      room,
    ]),
  ]);
  for (const [what, start, which, room] of cases) {
    it(`${start.what}, with room for ${room} records${what}`, async (t) => {
      const tally: Tally = { cuts: 0, second: 0, old: 0, new: 0, violations: [] };
      const recording = await recordUpdate(room, start, which);
      const random = seeded(room + 1);
      assert.ok(recording.records.length >= 4 && recording.last - recording.first > 40);
      for (const tear of TEARS) {
        for (let n = recording.first + 1; n <= recording.last; n++) {
          const sampled = room === CELLS - 1 && random() * SAMPLE * (which.flash.write_once ? 6 : 1) < 1;
          if (!sampled && !FULL && !recording.records.includes(n)) continue;
          await afterCut(recording, n, tear, tally, random());
        }
      }
      t.diagnostic(`${tally.cuts} cuts, ${tally.second} with a second one: old ${tally.old}, new ${tally.new}`);
      assert.deepEqual(tally.violations, []);
    });
  }

  it("in the record that confirms: the old firmware before it, the new one after it", async (t) => {
    const tally: Tally = { cuts: 0, second: 0, old: 0, new: 0, violations: [] };
    const recording = await recordUpdate(CELLS);
    for (let tear = 1; tear <= 16; tear++) await afterCut(recording, recording.last, tear, tally, 0);
    t.diagnostic(`old ${tally.old}, new ${tally.new}`);
    assert.deepEqual(tally.violations, []);
    assert.ok(tally.old > 0 && tally.new > 0);
  });
});
