/** A board's own kernels behind the HAL: used when they agree with the module's, refused when they differ anywhere, not missed where there are none. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import { LUT_BIAS, PACK_ILLEGAL_REMAINDER, PACK_STRIDE } from "../../spec/packing.ts";
import * as W from "../../spec/wire.ts";
import { type Body, Client } from "./client.ts";
import { deviceWasm, FakeBoard, type Kernel } from "./fake_board.ts";

const module = new WebAssembly.Module(await deviceWasm("as/device.ts", {}, 16));
const image = readFileSync(join(ROOT, "spec/vectors/relu2.trit"));
const transcript = JSON.parse(readFileSync(join(ROOT, "spec/vectors/relu2.transcript.json"), "utf8"));
const HEADS = ["attend_keys", "attend_values"];
const ALL = ["gemv_tables", "gemv_rows", ...HEADS];

/** Kernels as HAL.md and PACKING.md define them, with a change that a test wants. */
function kernels(
  calls: string[],
  change: Record<string, (view: DataView, args: number[]) => void> = {},
): Record<string, Kernel> {
  const honest: Record<string, (view: DataView, ...args: number[]) => void> = {
    gemv_tables(view, x, count, table) {
      for (let group = 0; 5 * group < count; group++) {
        const at = (i: number) => (5 * group + i < count ? view.getInt16(x + 2 * (5 * group + i), true) : 0);
        for (let entry = 0; entry < 252; entry++) {
          const hi = Math.floor(entry / PACK_STRIDE);
          const lo = entry % PACK_STRIDE;
          const [t0, t1] = [Math.floor(hi / 3), hi % 3];
          // The unused entry of a row: the first row's is the bias, the others are made from it.
          const sum =
            lo === PACK_ILLEGAL_REMAINDER
              ? t0 * at(0) + t1 * at(1)
              : (t0 - 1) * at(0) +
                (t1 - 1) * at(1) +
                (Math.floor(lo / 9) - 1) * at(2) +
                ((Math.floor(lo / 3) % 3) - 1) * at(3) +
                ((lo % 3) - 1) * at(4);
          view.setUint16(table + 504 * group + 2 * entry, sum + LUT_BIAS, true);
        }
      }
    },
    gemv_rows(view, w, trits, rows, groups, from, tables, table, acc) {
      for (let row = 0; row < Math.ceil(rows / 4) * 4; row++) {
        let sum = 0;
        for (let plane = 0; plane < trits; plane++) {
          sum *= 3;
          for (let g = 0; g < tables; g++) {
            const code = view.getUint8(w + (((row >> 2) * trits + plane) * groups + from + g) * 4 + (row & 3));
            sum += view.getUint16(table + 504 * g + 2 * code, true) - LUT_BIAS;
          }
        }
        view.setInt32(acc + 4 * row, sum + (from === 0 ? 0 : view.getInt32(acc + 4 * row, true)), true);
      }
    },
    attend_keys(view, w, rows, cols, x0, x1, acc) {
      for (let row = 0; row < rows; row++)
        for (const [head, x] of [x0, x1].entries()) {
          let sum = 0;
          for (let col = 0; col < cols; col++)
            sum += view.getInt8(w + row * cols + col) * view.getInt16(x + 2 * col, true);
          view.setInt32(acc + 8 * row + 4 * head, sum, true);
        }
    },
    attend_values(view, w, rows, cols, y, sums) {
      for (const head of [0, 1])
        for (let col = 0; col < cols; col++) {
          let sum = 0;
          for (let row = 0; row < rows; row++)
            sum += view.getInt8(w + row * cols + col) * view.getInt32(y + 8 * row + 4 * head, true);
          view.setBigInt64(sums + 8 * (head * cols + col), BigInt(sum), true);
        }
    },
  };
  const kernel = ([name, compute]: [string, (view: DataView, ...args: number[]) => void]): [string, Kernel] => [
    name,
    (memory, ...args) => {
      const view = new DataView(memory.buffer);
      calls.push(name);
      compute(view, ...args);
      change[name]?.(view, args);
      return 0;
    },
  ];
  return Object.fromEntries(Object.entries(honest).map(kernel));
}

function boardWith(own: FakeBoard["kernels"]): FakeBoard {
  const board = new FakeBoard({ runs: [[64, 4096]], unit: 1, page: 256, writeOnce: false });
  board.kernels = own;
  return board;
}

/** The transcript's greedy answer, from a board that has just taken the model. */
function answer(client: Client): number[] {
  const sha = createHash("sha256").update(image).digest();
  for (let off = 0; off < image.length; ) {
    const head = off === 0 ? { image: 1, len: image.length, sha } : {};
    off = client.image(W.IMG_UPLOAD, { ...head, off, data: image.subarray(off, off + 1000) }).off as number;
  }
  client.image(W.IMG_STATE, { hash: sha, confirm: true, ctx: transcript.context });
  const p = Buffer.from(transcript.prompt);
  client.write(W.TK_GEN, { id: 1, off: 0, len: p.length, p, temp: 0, max: 20 });
  const ids: number[] = [];
  for (;;) {
    const reply: Body = client.read(W.TK_NEXT, { id: 1, ack: ids.length });
    ids.push(...(reply.ids as number[]));
    if (reply.st === W.GEN_DONE) return ids;
  }
}

const hello = (client: Client) => client.read(W.TK_HELLO).native;

test("a board without kernels of its own says nothing of them", () => {
  assert.equal(hello(new Client(boardWith(null), module)), undefined);
});

test("kernels that agree are used, and the answer is the transcript's", () => {
  const calls: string[] = [];
  const client = new Client(boardWith(kernels(calls)), module);
  assert.equal(hello(client), 1);
  assert.deepEqual([...new Set(calls)].sort(), [...ALL].sort(), "all are compared at boot");
  calls.length = 0;
  const ids = answer(client);
  assert.deepEqual(ids, transcript.greedy.ids.slice(0, ids.length));
  assert.ok(ids.length > 5);
  for (const name of ALL) assert.ok(calls.includes(name), `${name} was not used`);
});

/** One wrong bit somewhere in what a kernel writes. */
const WRONG: [what: string, name: string, change: (view: DataView, args: number[]) => void][] = [
  ["an entry of a table", "gemv_tables", (view, [, count, table]) => flip(view, count > 0 ? table + 2 * 100 : 0)],
  ["the unused entry of a row", "gemv_tables", (view, [, count, table]) => flip(view, count > 0 ? table + 54 : 0)],
  [
    "a sum of single planes",
    "gemv_rows",
    (view, [, trits, , , from, , , acc]) => flip(view, trits === 1 && from === 0 ? acc + 4 : 0),
  ],
  [
    "a sum of three planes",
    "gemv_rows",
    (view, [, trits, , , from, , , acc]) => flip(view, trits === 3 && from === 0 ? acc + 36 : 0),
  ],
  [
    "sums of the largest activations",
    "gemv_rows",
    (view, args) => flip(view, args[8] === 4095 && args[4] === 0 ? args[7] : 0),
  ],
  ["sums of the second part", "gemv_rows", (view, args) => flip(view, args[4] > 0 ? args[7] : 0)],
  ["a score", "attend_keys", (view, args) => flip(view, args[5] + 8)],
  ["a value", "attend_values", (view, [, , cols, , sums]) => flip(view, sums + 16 * cols - 8)],
];

/** @param at 0: nowhere */
function flip(view: DataView, at: number): void {
  if (at !== 0) view.setUint8(at, view.getUint8(at) ^ 1);
}

for (const [what, name, change] of WRONG)
  test(`kernels that get ${what} wrong are refused, and the answer is right all the same`, () => {
    const calls: string[] = [];
    const client = new Client(boardWith(kernels(calls, { [name]: change })), module);
    assert.equal(hello(client), 0);
    calls.length = 0;
    const ids = answer(client);
    assert.deepEqual(ids, transcript.greedy.ids.slice(0, ids.length));
    assert.deepEqual(calls, []);
  });

test("a board that lacks one of the four is as one that refuses", () => {
  for (const missing of ["gemv_rows", ...HEADS]) {
    const own: Record<string, Kernel> = { ...kernels([]), [missing]: () => -1 };
    assert.equal(hello(new Client(boardWith(own), module)), 0, missing);
  }
});
