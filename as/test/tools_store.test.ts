/** Tables of tools in flash (STORE.md): power is cut in every flash operation, the table found is the old one or the new one. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { TRAILER_BYTES, TRL_SHA256 } from "../../spec/image.ts";
import { REC_ACTIVE, REC_BEGIN, REC_VERIFIED } from "../../spec/store.ts";
import { TOOLS_MAX_BYTES } from "../../spec/tools.ts";
import { seeded } from "./as_module.ts";
import { type Cut, FakeBoard, type FlashGeometry, halModule, PowerCut, SCRATCH } from "./fake_board.ts";

const module = await halModule({
  "store/recover.ts": ["store_boot"],
  "store/slots.ts": ["slots_single"],
  "store/journal.ts": ["journal_append"],
  "store/geometry.ts": ["slot_offset", "slot_bytes"],
  "store/tools_store.ts": ["tools_room", "tools_kept", "tools_kept_bytes", "tools_keep"],
});

const GEOMETRIES: Record<string, FlashGeometry> = {
  "NOR flash, 4 KiB sectors": { runs: [[14, 4096]], unit: 1, page: 256, writeOnce: false },
  "STM32F4-like, uneven sectors": {
    runs: [
      [2, 1024],
      [1, 4096],
      [9, 8192],
    ],
    unit: 4,
    page: 256,
    writeOnce: false,
  },
  "STM32H7-like, 32-byte units once": { runs: [[12, 8192]], unit: 32, page: 256, writeOnce: true },
  "pages of one unit": {
    runs: [
      [2, 1024],
      [14, 4096],
    ],
    unit: 32,
    page: 32,
    writeOnce: true,
  },
};
const CUTS: Cut[] = ["before", "torn", "after"];
const IMAGE_BYTES = 7000;

function noise(bytes: number, seed: number): Buffer {
  const random = seeded(seed);
  return Buffer.from(Array.from({ length: bytes }, () => random() & 0xff));
}

/** A board that is switched on. The images are noise: the store looks only at the digest in their trailer. */
class Store {
  readonly board: FakeBoard;
  readonly call: ReturnType<FakeBoard["start"]>;

  constructor(board: FakeBoard) {
    this.board = board;
    this.call = board.start(module);
    this.call.store_boot();
  }

  /** Puts an image into a slot, past the upload: its bytes, and the records that say so. */
  install(slot: number, image: Buffer): void {
    const at = this.at(slot);
    this.board.flash.set(image, at);
    this.board.bytes.set(image, this.board.arenaEnd + at);
    this.board.bytes.set(createHash("sha256").update(image).digest(), SCRATCH);
    for (const kind of [REC_BEGIN, REC_VERIFIED, REC_ACTIVE])
      assert.equal(this.call.journal_append(kind, slot, image.length, 0, SCRATCH), 1);
  }

  at(slot: number): number {
    return this.call.slot_offset(slot, this.call.slots_single());
  }

  end(slot: number): number {
    return this.at(slot) + this.call.slot_bytes(slot, this.call.slots_single());
  }

  keep(slot: number, table: Buffer): number {
    this.board.bytes.set(table, SCRATCH);
    return this.call.tools_keep(slot, SCRATCH, table.length);
  }

  kept(slot = 0): Buffer | null {
    const at = this.call.tools_kept(slot);
    return at === 0 ? null : Buffer.from(this.board.bytes.slice(at, at + this.call.tools_kept_bytes()));
  }
}

function powerFails(work: () => void): boolean {
  try {
    work();
    return false;
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
    return true;
  }
}

const OLD = noise(333, 11);
const NEW = noise(TOOLS_MAX_BYTES, 12);

for (const [name, geometry] of Object.entries(GEOMETRIES)) {
  /** A board with an image in a slot. */
  const installed = (slot = 0, image = noise(IMAGE_BYTES, 1)) => {
    const board = new FakeBoard(geometry);
    new Store(board).install(slot, image);
    return board;
  };

  test(`${name}: a table survives a reset, another one takes its place, none at all too`, () => {
    for (const slot of [0, 1]) {
      const board = installed(slot);
      assert.equal(new Store(board).kept(slot), null);
      for (const table of [OLD, NEW, noise(1, 3), Buffer.alloc(0), NEW, OLD, Buffer.alloc(0), Buffer.alloc(0)]) {
        assert.equal(new Store(board).keep(slot, table), 1);
        const expected = table.length === 0 ? null : table;
        assert.deepEqual(new Store(board).kept(slot), expected);
      }
      assert.equal(new Store(board).kept(1 - slot), null, "the other slot has an image or none, and no table");
    }
  });

  test(`${name}: a cell is what STORE.md says, in the last two sectors`, () => {
    const image = noise(IMAGE_BYTES, 1);
    const board = installed(0, image);
    const store = new Store(board);
    const sector = geometry.runs[geometry.runs.length - 1][1];
    for (const [i, table] of [OLD, NEW].entries()) {
      assert.equal(store.keep(0, table), 1);
      const at = store.end(0) - (2 - i) * sector;
      const cell = Buffer.from(board.flash.subarray(at, at + 64));
      assert.equal(cell.toString("latin1", 0, 4), "TTBL");
      assert.equal(cell.readUInt32LE(4), i + 1);
      assert.equal(cell.readUInt32LE(8), table.length);
      assert.deepEqual(cell.subarray(12, 20), image.subarray(image.length - TRAILER_BYTES + TRL_SHA256).subarray(0, 8));
      assert.deepEqual(cell.subarray(20, 60), Buffer.alloc(40));
      assert.equal(cell.readUInt32LE(60), crc32(cell.subarray(0, 60)));
      assert.deepEqual(Buffer.from(board.flash.subarray(at + 64, at + 64 + table.length)), table);
    }
  });

  test(`${name}: whatever flash operation power fails in, the old or the new table counts, and setting it again works`, () => {
    // Nothing before it; one table; two, of which the older one's sector is written; an old one that was taken back.
    const histories = [[], [OLD], [NEW, OLD], [OLD, Buffer.alloc(0)]];
    const found = { old: 0, fresh: 0 };
    let states = 0;
    for (const history of histories) {
      const start = installed();
      for (const table of history) assert.equal(new Store(start).keep(0, table), 1);
      const before = new Store(start.clone()).kept();
      for (const next of [noise(700, 21), Buffer.alloc(0)]) {
        const after = next.length === 0 ? null : next;
        for (const cut of CUTS) {
          for (let at = 0, cutting = true; cutting; at++) {
            const board = start.clone(at);
            const store = new Store(board);
            board.operations = 0;
            board.cutAt = at;
            board.cut = cut;
            cutting = powerFails(() => store.keep(0, next));
            board.cutAt = Number.POSITIVE_INFINITY;
            states++;
            const seen = new Store(board).kept();
            const isNew = String(seen) === String(after);
            assert.ok(isNew || String(seen) === String(before), `operation ${at} ${cut}`);
            found[isNew ? "fresh" : "old"]++;
            assert.equal(new Store(board).keep(0, next), 1);
            assert.deepEqual(new Store(board).kept(), after);
          }
        }
      }
    }
    assert.ok(states > 60 && found.old > 20 && found.fresh > 20, `${states} states ${JSON.stringify(found)}`);
  });

  test(`${name}: the tables of another image count for nothing, those of the same one are found again`, () => {
    const board = installed();
    new Store(board).keep(0, NEW);
    new Store(board).keep(0, OLD);
    const other = noise(IMAGE_BYTES - 100, 2);
    new Store(board).install(0, other);
    assert.equal(new Store(board).kept(), null);
    assert.equal(new Store(board).keep(0, noise(50, 5)), 1);
    assert.deepEqual(new Store(board).kept(), noise(50, 5));
    new Store(board).install(0, noise(IMAGE_BYTES, 1));
    assert.deepEqual(new Store(board).kept(), OLD, "the newest of its own: the other image wrote over the older one");
  });

  test(`${name}: an image that leaves less than two sectors behind it has no room, and nothing is erased for a table`, () => {
    const sizes = new Store(new FakeBoard(geometry));
    const last = geometry.runs[geometry.runs.length - 1][1];
    const room = sizes.end(0) - sizes.at(0);
    assert.equal(new Store(installed(0, noise(room - 2 * last, 1))).call.tools_room(0), 1);
    const board = installed(0, noise(room - 2 * last + 1, 1));
    const store = new Store(board);
    assert.equal(store.call.tools_room(0), 0);
    const operations = board.operations;
    assert.equal(store.keep(0, OLD), 0);
    assert.equal(board.operations, operations);
    assert.equal(store.kept(), null);
    assert.equal(store.call.tools_room(1), 0, "an empty slot has no image to keep a table for");
  });

  test(`${name}: flash that fails leaves the table that was there`, () => {
    const board = installed();
    new Store(board).keep(0, OLD);
    board.flashFails = true;
    const store = new Store(board);
    assert.equal(store.keep(0, NEW), 0);
    assert.deepEqual(store.kept(), OLD);
  });
}

test("sectors that are too small for the largest table have no room", () => {
  const board = new FakeBoard({ runs: [[40, 2048]], unit: 1, page: 256, writeOnce: false });
  const store = new Store(board);
  store.install(0, noise(IMAGE_BYTES, 1));
  assert.equal(store.call.tools_room(0), 0);
});
