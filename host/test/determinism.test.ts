/** The same board, seed and requests: the same bytes on the line at the same simulated times; and a snapshot taken in mid-answer goes on alike. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SimBoard } from "../../firmware-sim/index.ts";
import {
  FRAMING_COBS,
  GEN_DECODE,
  GEN_DONE,
  GROUP_IMAGE,
  GROUP_TRITKIT,
  IMAGE_NUMBER_MODEL,
  IMG_STATE,
  IMG_UPLOAD,
  OP_READ,
  OP_WRITE,
  TK_GEN,
  TK_HELLO,
  TK_LINK,
  TK_NEXT,
} from "../../spec/wire.ts";
import { loadBoard, loadDeviceWasm } from "../assets.ts";
import { sha256 } from "../image/digest.ts";
import { cobsFraming } from "../wire/cobs_framing.ts";
import { consoleFraming } from "../wire/console_framing.ts";
import type { Framing } from "../wire/framing.ts";
import { type CborMap, decodeMessage, encodeMessage, type SmpMessage } from "../wire/smp.ts";
import { readModel, readTranscript } from "./transcripts.ts";

const board = await loadBoard("rp2040-pico");
// One array for all boards: a snapshot belongs to one compiled module.
const wasm = await loadDeviceWasm(board);
const model = readModel("relu2");
const { prompt, greedy } = readTranscript("relu2");
const CHUNK = 1024;
const ANSWER_US = 10_000_000;
const FAST = 921600;

/** A board whose host is this function call: a request, then simulated time until its answer is there. */
class Bench {
  readonly sim: SimBoard;
  /** "time: bytes" of all that the host heard. */
  trace: string[] = [];
  private framing: Framing = consoleFraming;
  private seq = 0;

  constructor(seed: number, flash?: Uint8Array) {
    this.sim = SimBoard.create({ board, wasm, seed, flash });
    this.sim.uart.onHostData((bytes, at) => void this.trace.push(`${at}: ${Buffer.from(bytes).toString("hex")}`));
    this.sim.powerOn();
  }

  ask(op: number, group: number, command: number, body: CborMap = {}): CborMap {
    this.seq = (this.seq + 1) & 255;
    const answers: SmpMessage[] = [];
    const decoder = this.framing.decoder({
      frame: (bytes) => {
        const message = decodeMessage(bytes);
        if (message?.seq === this.seq) answers.push(message);
      },
      text: () => {},
    });
    const stop = this.sim.uart.onHostData((bytes) => decoder.push(bytes));
    this.sim.uart.hostWrite(this.framing.encode(encodeMessage({ op, group, seq: this.seq, command, body })));
    for (let us = 0; answers.length === 0 && us < ANSWER_US; us += 1000) this.sim.run({ maxUs: 1000 });
    stop();
    assert.equal(answers.length, 1, "one answer");
    assert.equal(answers[0].body.err, undefined);
    return answers[0].body;
  }

  /** COBS at 921600 baud. */
  hurry(): void {
    this.ask(OP_WRITE, GROUP_TRITKIT, TK_LINK, { f: FRAMING_COBS, b: FAST });
    this.sim.run({ maxUs: 1000 });
    this.framing = cobsFraming;
    this.sim.uart.setHostBaud(FAST);
  }

  upload(): void {
    const sha = sha256(model);
    for (let off = 0; off < model.length; off += CHUNK) {
      const head = off === 0 ? { image: IMAGE_NUMBER_MODEL, len: model.length, sha } : {};
      const data = model.subarray(off, off + CHUNK);
      const reply = this.ask(OP_WRITE, GROUP_IMAGE, IMG_UPLOAD, { ...head, off, data });
      assert.equal(reply.off, off + data.length);
    }
    this.ask(OP_WRITE, GROUP_IMAGE, IMG_STATE, { hash: sha, confirm: true });
  }

  begin(options: CborMap): void {
    const p = Buffer.from(prompt);
    this.ask(OP_WRITE, GROUP_TRITKIT, TK_GEN, { id: 1, off: 0, len: p.length, p, ...options });
  }

  /** Tokens behind those that the host has, until the answer is done or there are `limit` in all. */
  tokens(ids: number[] = [], limit = Number.POSITIVE_INFINITY): number[] {
    for (;;) {
      const reply = this.ask(OP_READ, GROUP_TRITKIT, TK_NEXT, { id: 1, ack: ids.length });
      ids.push(...(reply.ids as number[]));
      if (reply.st === GEN_DONE) return ids;
      if (ids.length >= limit) {
        assert.equal(reply.st, GEN_DECODE, "in the middle of an answer");
        return ids;
      }
    }
  }

  /** This host goes on where another one was. */
  follow(other: { requests: number; framing: Framing }): void {
    this.seq = other.requests;
    this.framing = other.framing;
    if (other.framing === cobsFraming) this.sim.uart.setHostBaud(FAST);
  }

  get state(): { requests: number; framing: Framing } {
    return { requests: this.seq, framing: this.framing };
  }
}

/** Without a seed the board draws one. */
const DRAWN = { temp: 1000, max: 60 };

/** Uploads, activates, answers with a seed of the board's own. */
function session(seed: number): { trace: string[]; ids: number[]; flash: Uint8Array } {
  const bench = new Bench(seed);
  bench.ask(OP_READ, GROUP_TRITKIT, TK_HELLO);
  bench.hurry();
  bench.upload();
  bench.begin(DRAWN);
  const ids = bench.tokens();
  assert.equal(ids.length, DRAWN.max);
  return { trace: bench.trace, ids, flash: bench.sim.flash.image() };
}

const first = session(1);

describe("a board with a model", () => {
  test("the same seed and requests give the same bytes at the same times", () => {
    const second = session(1);
    assert.ok(first.trace.length > 100);
    assert.deepEqual(second.trace, first.trace);
    assert.deepEqual(second.flash, first.flash);
  });

  test("another seed of the board draws another answer", () => {
    const other = session(2);
    assert.notDeepEqual(other.ids, first.ids);
    assert.deepEqual(other.flash, first.flash);
  });

  for (const [framing, hurry] of [
    ["console", false],
    ["COBS", true],
  ] as const) {
    test(`a snapshot in mid-answer goes on alike, on another board too (${framing})`, () => {
      const bench = new Bench(1, first.flash);
      if (hurry) bench.hurry();
      bench.begin({ temp: 0, max: 120 });
      const had = bench.tokens([], 40);
      const snapshot = bench.sim.snapshot();
      const { state } = bench;

      bench.trace = [];
      assert.deepEqual(bench.tokens([...had]), greedy.ids.slice(0, 120));
      const wanted = bench.trace;
      assert.ok(wanted.length > 2);

      const twin = new Bench(3, first.flash);
      for (const other of [bench, twin]) {
        other.sim.restore(snapshot);
        other.follow(state);
        other.trace = [];
        assert.deepEqual(other.tokens([...had]), greedy.ids.slice(0, 120));
        assert.deepEqual(other.trace, wanted);
      }
    });
  }
});
