import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { constants, deflateSync } from "node:zlib";
import { Random } from "../random.ts";
import { InflateError, type InflateState, inflate, inflateState } from "../rom/esp32/inflate.ts";
import { md5 } from "../rom/esp32/md5.ts";
import { SlipReader, slipFrame } from "../rom/esp32/slip.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** Bytes with the repetitions of code or text, so that every kind of symbol appears. */
function compressible(length: number, seed: number): Uint8Array {
  const random = new Random(seed);
  const out: number[] = [];
  while (out.length < length) {
    if (out.length > 300 && random.below(3) === 0) {
      const from = random.below(out.length - 200);
      out.push(...out.slice(from, from + 3 + random.below(180)));
    } else out.push(random.below(4) === 0 ? random.byte() : 0x40 + random.below(9));
  }
  return Uint8Array.from(out.slice(0, length));
}

function inflateInPieces(stream: Uint8Array, piece: number, copyState = false): Uint8Array {
  let state: InflateState = inflateState();
  const out: number[] = [];
  for (let at = 0; at < stream.length; at += piece) {
    out.push(...inflate(state, stream.subarray(at, at + piece)));
    if (copyState) state = structuredClone(state);
  }
  assert.equal(state.phase, "done");
  return Uint8Array.from(out);
}

describe("SLIP", () => {
  it("begins and ends a frame with C0 and replaces C0 and DB inside", () => {
    assert.deepEqual(slipFrame(bytes(1, 0xc0, 2, 0xdb, 3)), bytes(0xc0, 1, 0xdb, 0xdc, 2, 0xdb, 0xdd, 3, 0xc0));
  });

  it("reads what it wrote, whatever the pieces", () => {
    const payload = Uint8Array.from({ length: 600 }, (_, i) => i % 256);
    const line = slipFrame(payload);
    for (const piece of [1, 2, 7, line.length]) {
      const reader = new SlipReader(1000);
      const frames: Uint8Array[] = [];
      for (let at = 0; at < line.length; at += piece) frames.push(...reader.push(line.subarray(at, at + piece)));
      assert.deepEqual(frames, [payload]);
    }
  });

  it("drops noise before a frame, and a frame with an escape that is none", () => {
    const reader = new SlipReader(16);
    assert.deepEqual(reader.push(bytes(7, 7, 0xc0, 1, 2, 0xc0)), [bytes(1, 2)]);
    assert.deepEqual(reader.push(bytes(0xc0, 1, 0xdb, 5, 2, 0xc0)), []);
    assert.deepEqual(reader.push(bytes(0xc0, 3, 0xc0)), [bytes(3)]);
  });

  it("takes the second of two C0 for a beginning", () => {
    const reader = new SlipReader(16);
    assert.deepEqual(reader.push(bytes(0xc0, 0xc0, 4, 0xc0, 0xc0, 5, 0xc0)), [bytes(4), bytes(5)]);
  });

  it("drops a frame that is longer than its room", () => {
    const reader = new SlipReader(4);
    assert.deepEqual(reader.push(slipFrame(bytes(1, 2, 3, 4, 5))), []);
    assert.deepEqual(reader.push(slipFrame(bytes(1, 2, 3, 4))), [bytes(1, 2, 3, 4)]);
  });
});

describe("inflate", () => {
  const plain = compressible(40_000, 1);
  const kinds: [string, Uint8Array][] = [
    ["dynamic codes", deflateSync(plain, { level: 9 })],
    ["fixed codes", deflateSync(plain, { strategy: constants.Z_FIXED })],
    ["stored blocks", deflateSync(plain, { level: 0 })],
    ["runs", deflateSync(plain, { strategy: constants.Z_RLE })],
  ];
  for (const [kind, stream] of kinds) {
    it(`agrees with zlib on ${kind}, in pieces of any size`, () => {
      for (const piece of [1, 3, 1000, stream.length]) assert.deepEqual(inflateInPieces(stream, piece), plain);
    });
  }

  it("goes on from a copy of its state", () => {
    assert.deepEqual(inflateInPieces(deflateSync(plain), 5000, true), plain);
  });

  it("gives nothing for nothing", () => {
    assert.deepEqual(inflateInPieces(deflateSync(new Uint8Array()), 1), new Uint8Array());
  });

  it("never gives other bytes for a stream with a flipped bit without saying so", () => {
    const random = new Random(7);
    const short = compressible(3000, 2);
    const stream = deflateSync(short);
    let told = 0;
    for (let i = 0; i < 400; i++) {
      const damaged = Uint8Array.from(stream);
      damaged[random.below(stream.length)] ^= 1 << random.below(8);
      const state = inflateState();
      try {
        const out = inflate(state, damaged);
        // Nothing was said: then the stream goes on, or the bytes are right.
        if (state.phase === "done") assert.deepEqual(out, short);
      } catch (error) {
        assert.ok(error instanceof InflateError);
        told++;
      }
    }
    assert.ok(told > 200, `${told} of 400`);
  });
});

describe("MD5", () => {
  it("agrees with the test suite of RFC 1321", () => {
    const digest = (text: string): string => Buffer.from(md5(new TextEncoder().encode(text))).toString("hex");
    assert.equal(digest(""), "d41d8cd98f00b204e9800998ecf8427e");
    assert.equal(digest("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
  });

  it("agrees with Node's for every length around a block", () => {
    const message = compressible(200, 3);
    for (let length = 0; length <= message.length; length++) {
      const part = message.subarray(0, length);
      assert.deepEqual(Buffer.from(md5(part)), createHash("md5").update(part).digest());
    }
  });
});
