import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MTU } from "../../spec/wire.ts";
import { cobsDecode, cobsEncode, cobsFraming } from "../wire/cobs_framing.ts";
import { consoleFraming } from "../wire/console_framing.ts";
import { crc16 } from "../wire/crc16.ts";
import type { Framing } from "../wire/framing.ts";
import { decodeMessage, encodeMessage } from "../wire/smp.ts";

/** xorshift32, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

function bytes(length: number, next: () => number, zeros = 0): Uint8Array {
  return Uint8Array.from({ length }, () => (next() < zeros ? 0 : Math.floor(next() * 256)));
}

/** Random bytes with the one field of the header that framing looks at. */
function message(length: number, next: () => number, zeros = 0): Uint8Array {
  const out = bytes(length, next, zeros);
  out[2] = (length - 8) >> 8;
  out[3] = (length - 8) & 255;
  return out;
}

function collect(framing: Framing) {
  const frames: Uint8Array[] = [];
  const text: number[] = [];
  const decoder = framing.decoder({ frame: (f) => void frames.push(f), text: (t) => void text.push(...t) });
  return { frames, text, decoder };
}

describe("known vectors", () => {
  it("CRC16-XMODEM of 123456789 is 31C3", () => {
    assert.equal(crc16(Buffer.from("123456789")), 0x31c3);
  });

  it('echo "hello" is the message of the SMP documentation', () => {
    const message = encodeMessage({ op: 2, group: 0, seq: 1, command: 0, body: { d: "hello" } });
    assert.equal(Buffer.from(message).toString("hex"), "0a00000900000100a1616465".concat("68656c6c6f"));
  });

  it("COBS examples of Cheshire and Baker's paper and its well-known tables", () => {
    const cases: [string, string][] = [
      ["00", "0101"],
      ["0000", "010101"],
      ["11220033", "0311220233"],
      ["11223344", "0511223344"],
      ["11000000", "0211010101"],
    ];
    for (const [raw, coded] of cases) {
      assert.equal(Buffer.from(cobsEncode(Buffer.from(raw, "hex"))).toString("hex"), coded);
      assert.equal(Buffer.from(cobsDecode(Buffer.from(coded, "hex")) ?? []).toString("hex"), raw);
    }
    const run = Uint8Array.from({ length: 254 }, (_, i) => i + 1);
    assert.equal(cobsEncode(run)[0], 255);
    assert.equal(cobsEncode(run).length, 255);
  });

  it("an indefinite-length map, as Zephyr answers, is read", () => {
    const body = Buffer.from("bf617265hello".replace("hello", "68656c6c6fff"), "hex");
    const head = Buffer.from([0x0b, 0, 0, body.length, 0, 0, 7, 0]);
    assert.deepEqual(decodeMessage(Buffer.concat([head, body]))?.body, { r: "hello" });
  });
});

for (const framing of [consoleFraming, cobsFraming]) {
  describe(`${framing.name} framing`, () => {
    it("carries messages of every length up to the MTU", () => {
      const next = random(1);
      const { frames, decoder } = collect(framing);
      const sent: Uint8Array[] = [];
      for (let length = 8; length <= MTU; length += 13) sent.push(message(length, next, 0.3));
      for (const each of sent) decoder.push(framing.encode(each));
      assert.deepEqual(frames, sent);
      assert.equal(decoder.damaged, 0);
    });

    it("does not care where a chunk ends", () => {
      const next = random(2);
      const sent = message(200, next, 0.2);
      const line = framing.encode(sent);
      for (let cut = 0; cut <= line.length; cut++) {
        const { frames, decoder } = collect(framing);
        decoder.push(line.subarray(0, cut));
        decoder.push(line.subarray(cut));
        assert.deepEqual(frames, [sent], `cut at ${cut}`);
      }
    });

    it("never accepts a frame with one to three flipped bits, and recovers on the next", () => {
      const next = random(3);
      const good = message(60, next);
      let lost = 0;
      for (let round = 0; round < 3000; round++) {
        const sent = message(40, next);
        const line = Uint8Array.from(framing.encode(sent));
        const flips = 1 + Math.floor(next() * 3);
        for (let i = 0; i < flips; i++) line[Math.floor(next() * line.length)] ^= 1 << Math.floor(next() * 8);
        const { frames, decoder } = collect(framing);
        decoder.push(line);
        decoder.push(framing.encode(good));
        decoder.push(framing.encode(good));
        const wrong = frames.filter((f) => !equal(f, sent) && !equal(f, good));
        assert.equal(wrong.length, 0, `round ${round}: a damaged frame was accepted`);
        assert.ok(
          frames.some((f) => equal(f, good)),
          `round ${round}: no recovery`,
        );
        if (!frames.some((f) => equal(f, sent))) lost++;
      }
      assert.ok(lost > 2000, "most damage is detected, so this test does see damage");
    });

    it("survives noise", () => {
      const next = random(4);
      const { frames, decoder } = collect(framing);
      for (let round = 0; round < 300; round++) decoder.push(bytes(Math.floor(next() * 400), next, 0.05));
      assert.equal(frames.length, 0);
    });
  });
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

describe("console framing and log text", () => {
  it("lets text before, after and between frames through", () => {
    const sent = Uint8Array.from({ length: 300 }, (_, i) => i & 255);
    const line = framingLine(sent);
    const { frames, text, decoder } = collect(consoleFraming);
    decoder.push(Buffer.concat([Buffer.from("boot ok\n"), line, Buffer.from("half a line"), line, Buffer.from("\n")]));
    assert.deepEqual(frames, [sent, sent]);
    assert.equal(Buffer.from(text).toString(), "boot ok\nhalf a line\n");
  });

  it("keeps every line within 127 bytes and decodable by itself", () => {
    for (const piece of framingLine(new Uint8Array(MTU)).toString("latin1").split("\n").slice(0, -1)) {
      assert.ok(piece.length + 1 <= 127);
      assert.equal((piece.length - 2) % 4, 0);
    }
  });

  it("a frame whose first line is lost costs only itself", () => {
    const sent = new Uint8Array(300).fill(7);
    const line = framingLine(sent);
    const { frames, decoder } = collect(consoleFraming);
    decoder.push(line.subarray(line.indexOf(10) + 1));
    decoder.push(line);
    assert.deepEqual(frames, [sent]);
  });
});

function framingLine(sent: Uint8Array): Buffer {
  return Buffer.from(consoleFraming.encode(sent));
}
