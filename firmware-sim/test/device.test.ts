import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Board, deviceWasmName } from "../../boards/board.ts";
import { ROOT } from "../../scripts/lib/root.mjs";
import { SimBoard } from "../sim_board.ts";
import { BOARDS, Ear } from "./toy.ts";

/** An SMP echo request in console framing (WIRE.md): write, version 2, group 0, command 0, {"d": text}. */
function echoRequest(seq: number, text: string): Uint8Array {
  const map = [0xa1, 0x61, 0x64, 0x60 + text.length, ...Buffer.from(text)];
  const message = [0x0a, 0, 0, map.length, 0, 0, seq, 0, ...map];
  let crc = 0;
  for (const byte of message) {
    crc ^= byte << 8;
    for (let i = 0; i < 8; i++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1;
  }
  const packet = Buffer.from([0, message.length + 2, ...message, crc >> 8, crc & 255]);
  return Buffer.concat([Buffer.of(6, 9), Buffer.from(packet.toString("base64")), Buffer.of(10)]);
}

/** The CBOR maps of the one-line answers among what was heard. */
function answers(bytes: number[]): string[] {
  const lines = Buffer.from(bytes).toString("latin1").split("\n");
  return lines
    .filter((line) => line.startsWith("\x06\x09"))
    .map((line) => Buffer.from(line.slice(2), "base64").subarray(10, -2).toString("latin1"));
}

function deviceOn(board: Board, wasm: Uint8Array, seed: number): { sim: SimBoard; ear: Ear } {
  const sim = SimBoard.create({ board, wasm, seed });
  const ear = new Ear(sim);
  assert.equal(sim.powerOn(), "on");
  return { sim, ear };
}

const chat = (sim: SimBoard): void => {
  for (let seq = 1; seq <= 6; seq++) {
    sim.uart.hostWrite(echoRequest(seq, `hello ${seq}`));
    sim.run({ maxUs: 2500 * seq }); // the first requests are still under way when the next one comes
  }
  sim.run({ untilIdle: true });
};

for (const board of BOARDS) {
  const path = join(ROOT, "dist/wasm", deviceWasmName(board));
  describe(`the shipped device build on ${board.name}`, { skip: !existsSync(path) && "not built" }, () => {
    const wasm = existsSync(path) ? new Uint8Array(readFileSync(path)) : new Uint8Array();

    it("boots on blank flash and answers over the line", () => {
      const { sim, ear } = deviceOn(board, wasm, 1);
      chat(sim);
      const wanted = [1, 2, 3, 4, 5, 6].map((seq) => `\xa1\x61r\x67hello ${seq}`);
      assert.deepEqual(answers(ear.bytes), wanted);
      assert.equal(sim.flash.strayWrite(), null);
      assert.deepEqual(
        { ...sim.uart.counters, received: 0, sent: 0 },
        { received: 0, sent: 0, overruns: 0, framingErrors: 0, parityErrors: 0, deaf: 0 },
      );
    });

    it("does the same twice, and from a snapshot on", () => {
      const first = deviceOn(board, wasm, 1);
      chat(first.sim);
      const second = deviceOn(board, wasm, 1);
      chat(second.sim);
      assert.deepEqual(second.ear.trace, first.ear.trace);

      second.sim.uart.hostWrite(echoRequest(9, "half"));
      second.sim.run({ maxUs: 1500 });
      const snapshot = second.sim.snapshot();
      const rest = (sim: SimBoard, ear: Ear): string[] => {
        ear.trace = [];
        chat(sim);
        return ear.trace;
      };
      const wanted = rest(second.sim, second.ear);
      assert.ok(wanted.length > 6);
      second.sim.restore(snapshot);
      assert.deepEqual(rest(second.sim, second.ear), wanted);
      first.sim.restore(snapshot);
      assert.deepEqual(rest(first.sim, first.ear), wanted);
    });
  });
}
