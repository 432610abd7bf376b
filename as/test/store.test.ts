import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import {
  CHECKPOINTS_MAX,
  MODE_SINGLE,
  REC_ACTIVE,
  REC_BEGIN,
  REC_EMPTY,
  REC_TEST,
  REC_VERIFIED,
  RECORD_BYTES,
} from "../../spec/store.ts";
import { IMG_RC_BAD_STATE, IMG_RC_FLASH, IMG_RC_TOO_LARGE, SLOT_UPLOADING, SLOT_VERIFIED } from "../../spec/wire.ts";
import { seeded } from "./as_module.ts";
import { type Cut, FakeBoard, type FlashGeometry, halModule, PowerCut, SCRATCH } from "./fake_board.ts";

const module = await halModule({
  "store/recover.ts": ["store_boot"],
  "store/upload.ts": ["upload_begin", "upload_write", "upload_step", "upload_phase", "upload_off", "upload_slot"],
  "store/slots.ts": [
    "slots_running",
    "slots_active",
    "slots_single",
    "slot_state",
    "slot_len",
    "slot_sha",
    "slot_usable",
    "slots_apply",
    "slots_clear",
  ],
  "store/journal.ts": ["journal_append", "journal_replay"],
  "store/geometry.ts": ["slot_offset", "slot_bytes"],
});

/** Boards in small: the same shapes as the real ones with sectors that a test can afford to cut at every operation. */
const GEOMETRIES: Record<string, FlashGeometry> = {
  "NOR flash, 4 KiB sectors": { runs: [[12, 4096]], unit: 1, page: 256, writeOnce: false },
  "STM32F4-like, uneven sectors": {
    runs: [
      [2, 1024],
      [1, 4096],
      [3, 8192],
    ],
    unit: 4,
    page: 256,
    writeOnce: false,
  },
  "STM32H7-like, 32-byte units once": { runs: [[7, 8192]], unit: 32, page: 256, writeOnce: true },
  "small records, 16 cells": {
    runs: [
      [2, 1024],
      [16, 2048],
    ],
    unit: 32,
    page: 128,
    writeOnce: true,
  },
};
const NO_SLOT = -1;
const MATCH = 3;
const CUTS: Cut[] = ["before", "torn", "after"];

interface Model {
  file: Buffer;
  sha: Buffer;
}

function model(bytes: number, seed: number): Model {
  const random = seeded(seed);
  const file = Buffer.from(Array.from({ length: bytes }, () => random() & 0xff));
  return { file, sha: createHash("sha256").update(file).digest() };
}

/** A store on a board that is switched on. */
class Store {
  readonly board: FakeBoard;
  readonly call: ReturnType<FakeBoard["start"]>;

  constructor(board: FakeBoard) {
    this.board = board;
    this.call = board.start(module);
    this.call.store_boot();
  }

  private put(bytes: Uint8Array): number {
    this.board.bytes.set(bytes, SCRATCH);
    return SCRATCH;
  }

  begin({ file, sha }: Model, single = 0): number {
    return this.call.upload_begin(file.length, this.put(sha), single);
  }

  /** Sends what is wanted until the end; returns whether the sha matched. */
  finish({ file }: Model, chunk = 300): boolean {
    for (let last = -1; this.call.upload_phase() === 1; ) {
      const off = this.call.upload_off();
      assert.notEqual(off, last, "the upload moves on");
      last = off;
      const bytes = file.subarray(off, off + chunk);
      assert.equal(this.call.upload_write(off, this.put(bytes), bytes.length), 0);
    }
    while (this.call.upload_step());
    return this.call.upload_phase() === MATCH;
  }

  activate(kind = REC_ACTIVE): void {
    const slot = this.call.upload_slot();
    assert.equal(this.call.journal_append(kind, slot, this.call.slot_len(slot), 0, 0), 1);
  }

  install(image: Model): void {
    assert.equal(this.begin(image), 0);
    assert.ok(this.finish(image));
    this.activate();
  }

  /** The bytes of the model that runs, null without one. */
  running(): Buffer | null {
    const slot = this.call.slots_running();
    if (slot === NO_SLOT) return null;
    const at = this.call.slot_offset(slot, this.call.slots_single());
    return Buffer.from(this.board.flash.subarray(at, at + this.call.slot_len(slot)));
  }
}

test("CRC-32 and SHA-256 agree with the published vectors and with Node's", async () => {
  const hashes = await halModule({
    "store/crc32.ts": ["crc32"],
    "store/sha256.ts": ["sha256_init", "sha256_update", "sha256_final"],
  });
  const board = new FakeBoard(GEOMETRIES["NOR flash, 4 KiB sectors"]);
  const call = board.start(hashes);
  const put = (bytes: Uint8Array, at = SCRATCH) => board.bytes.set(bytes, at);
  const sha = (message: Buffer, pieces: number): string => {
    call.sha256_init(0x4000);
    for (let at = 0; at < message.length; at += pieces) {
      const piece = message.subarray(at, at + pieces);
      put(piece, SCRATCH + 1); // an odd address
      call.sha256_update(0x4000, SCRATCH + 1, piece.length);
    }
    call.sha256_final(0x4000, 0x5000);
    return Buffer.from(board.bytes.slice(0x5000, 0x5020)).toString("hex");
  };
  put(Buffer.from("123456789"));
  assert.equal(call.crc32(SCRATCH, 9) >>> 0, 0xcbf43926);
  // FIPS 180-4, examples of SHA-256
  const abc = Buffer.from("abc");
  assert.equal(sha(abc, 64), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const two = Buffer.from("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");
  assert.equal(sha(two, 64), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  assert.equal(sha(Buffer.alloc(0), 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const million = Buffer.alloc(1000000, "a");
  assert.equal(sha(million, 4099), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  for (let length = 0; length < 200; length++) {
    const { file, sha: expected } = model(length, length);
    assert.equal(sha(file, 1 + (length % 67)), expected.toString("hex"), `${length} bytes`);
    put(file);
    assert.equal(call.crc32(SCRATCH, length) >>> 0, crc32(file));
  }
});

test("the slot area is cut where the smaller slot is as large as possible", () => {
  const cuts = Object.values(GEOMETRIES).map((geometry) => {
    const { call } = new Store(new FakeBoard(geometry));
    return [0, 1].map((slot) => [call.slot_offset(slot, 0), call.slot_bytes(slot, 0)]);
  });
  assert.deepEqual(cuts, [
    [
      [8192, 20480],
      [28672, 20480],
    ],
    [
      [2048, 12288],
      [14336, 16384],
    ], // 4 + 8 | 8 + 8 KiB
    [
      [16384, 16384],
      [32768, 24576],
    ], // two of five sectors: the lower of two equal cuts
    [
      [2048, 16384],
      [18432, 16384],
    ],
  ]);
});

for (const [name, geometry] of Object.entries(GEOMETRIES)) {
  const old = model(7000, 1);
  const next = model(9001, 2);

  test(`${name}: a model survives a reset, a second one goes to the other slot`, () => {
    const board = new FakeBoard(geometry);
    new Store(board).install(old);
    const again = new Store(board);
    assert.deepEqual(again.running(), old.file);
    again.install(next);
    assert.equal(again.call.upload_slot(), 1);
    assert.deepEqual(new Store(board).running(), next.file);
  });

  test(`${name}: whatever flash operation power fails in, the old or the new model runs, and the upload resumes`, () => {
    const before = new FakeBoard(geometry);
    new Store(before).install(old);
    // Journals of several fills, so that each operation of a roll-over is cut too.
    const prefilled = [0, 6, 9].map((extra) => {
      const board = before.clone();
      const store = new Store(board);
      const cells = geometry.runs[0][1] / RECORD_BYTES;
      const most = Math.max(0, cells - 15 + extra);
      for (let i = 0; i < most; i++) store.call.journal_append(REC_TEST, 0, old.file.length, 0, 0);
      return board;
    });
    let states = 0;
    for (const start of prefilled) {
      for (const cut of CUTS) {
        for (let at = 0, cutting = true; cutting; at++) {
          const board = start.clone(at);
          board.cutAt = at;
          board.cut = cut;
          cutting = powerFails(() => new Store(board).install(next));
          states++;
          checkAfterCut(board, old, next);
        }
      }
    }
    assert.ok(states > 300, `${states} states`);
  });

  test(`${name}: a second power failure during the recovery loses nothing either`, () => {
    const before = new FakeBoard(geometry);
    new Store(before).install(old);
    let states = 0;
    for (let first = 0, cutting = true; cutting; first++) {
      const once = before.clone(first);
      once.cutAt = first;
      once.cut = CUTS[first % 3];
      cutting = powerFails(() => new Store(once).install(next));
      for (let second = 0, again = true; again; second++) {
        const twice = once.clone(second);
        twice.cutAt = second;
        twice.cut = CUTS[(first + second) % 3];
        again = powerFails(() => new Store(twice).install(next));
        states++;
        checkAfterCut(twice, old, next);
      }
    }
    assert.ok(states > 1000, `${states} states`);
  });
}

/** Runs `work`; true when the power failed meanwhile. */
function powerFails(work: () => void): boolean {
  try {
    work();
    return false;
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
    return true;
  }
}

function checkAfterCut(cut: FakeBoard, old: Model, next: Model): void {
  const board = cut.clone();
  const store = new Store(board);
  const where = `cut at ${cut.cutAt} ${cut.cut}`;
  const running = store.running();
  assert.ok(running !== null, `${where}: a model runs`);
  const isNew = running.equals(next.file);
  assert.ok(isNew || running.equals(old.file), `${where}: it is the old or the new one`);
  if (!isNew) {
    const resumes = [0, 1].find(
      (slot) => store.call.slot_state(slot) === SLOT_UPLOADING && store.call.slot_len(slot) === next.file.length,
    );
    assert.equal(store.begin(next), 0, where);
    if (resumes !== undefined) assert.equal(store.call.upload_slot(), resumes, where);
    assert.ok(store.finish(next), `${where}: the upload can be finished`);
    store.activate();
  }
  assert.deepEqual(new Store(board).running(), next.file, where);
}

test("an interrupted upload resumes at its last checkpoint, an eighth of the image behind at most", () => {
  const geometry: FlashGeometry = {
    runs: [
      [2, 4096],
      [64, 1024],
    ],
    unit: 1,
    page: 256,
    writeOnce: false,
  };
  const image = model(30000, 3);
  const eighth = Math.ceil(image.file.length / CHECKPOINTS_MAX);
  for (let sent = 0; sent < image.file.length; sent += 500) {
    const board = new FakeBoard(geometry);
    const store = new Store(board);
    store.begin(image);
    for (let off = 0; off < sent; off += 500) {
      board.bytes.set(image.file.subarray(off, off + 500), SCRATCH);
      assert.equal(store.call.upload_write(off, SCRATCH, 500), 0);
    }
    const after = new Store(board);
    assert.equal(after.begin(image), 0);
    const off = after.call.upload_off();
    assert.equal(off % 1024, 0);
    assert.ok(off <= sent && sent - off < eighth + 1024 + 256, `${sent} sent, resumed at ${off}`);
    assert.ok(after.finish(image));
  }
});

test("chunks may be repeated, come too early, or jump from one sector boundary to another", () => {
  const board = new FakeBoard(GEOMETRIES["NOR flash, 4 KiB sectors"]);
  const image = model(12000, 4);
  new Store(board).install(image);
  const store = new Store(board);
  // The next version differs in its first and last sector only; its middle is already in the free slot.
  const changed = Buffer.from(image.file);
  changed[10] ^= 1;
  changed[11000] ^= 1;
  const next = { file: changed, sha: createHash("sha256").update(changed).digest() };
  const at = store.call.slot_offset(1, 0);
  board.flash.set(image.file, at); // as an upload before left it
  board.bytes.set(image.file, board.arenaEnd + at);
  const write = (off: number, bytes: Uint8Array): number => {
    board.bytes.set(bytes, SCRATCH);
    assert.equal(store.call.upload_write(off, SCRATCH, bytes.length), 0);
    return store.call.upload_off();
  };
  store.begin(next);
  assert.equal(write(0, changed.subarray(0, 100)), 100);
  assert.equal(write(0, changed.subarray(0, 100)), 100, "a repeated chunk changes nothing");
  assert.equal(write(8192, changed.subarray(8192, 8200)), 100, "no jump from the middle of a sector");
  assert.equal(write(101, changed.subarray(101, 110)), 100, "no gap");
  assert.equal(write(100, changed.subarray(100, 4096)), 4096);
  assert.equal(write(8192 + 256, changed.subarray(8448, 8500)), 4096, "no jump into the middle of a sector");
  assert.equal(write(8192, changed.subarray(8192, 8300)), 8300, "a jump");
  assert.equal(write(4096, changed.subarray(4096, 4100)), 8300, "never back");
  assert.ok(store.finish(next));
  assert.equal(board.flash[at + 11000], changed[11000]);
});

test("a wrong byte on the way ends as a mismatch and an empty slot", () => {
  const board = new FakeBoard(GEOMETRIES["STM32H7-like, 32-byte units once"]);
  const image = model(5000, 5);
  const store = new Store(board);
  store.begin(image);
  const wrong = Buffer.from(image.file);
  wrong[4999] ^= 0x10;
  assert.equal(store.finish({ file: wrong, sha: image.sha }), false);
  assert.equal(store.call.slot_state(0), 0);
  assert.equal(new Store(board).call.slot_state(0), 0);
});

test("an image that fits only both slots together takes both, when that was asked for", () => {
  const board = new FakeBoard(GEOMETRIES["STM32F4-like, uneven sectors"]);
  const small = model(5000, 6);
  const large = model(28000, 7);
  new Store(board).install(small);
  const store = new Store(board);
  assert.equal(store.begin(large), IMG_RC_TOO_LARGE);
  assert.equal(store.begin(model(40000, 8), 1), IMG_RC_TOO_LARGE);
  assert.equal(store.call.slots_active(), 0, "asking costs nothing");
  assert.equal(store.begin(large, 1), 0);
  assert.equal(store.call.slots_active(), NO_SLOT);
  assert.ok(store.finish(large));
  store.activate();
  const after = new Store(board);
  assert.deepEqual([after.running(), after.call.slots_single()], [large.file, 1]);
  assert.equal(after.begin(small), IMG_RC_TOO_LARGE, "slot 1 has no length");
  assert.equal(after.begin(small, 1), 0);
  assert.ok(after.finish(small));
  after.activate();
  const last = new Store(board);
  assert.deepEqual([last.running(), last.call.slots_single(), last.call.slot_bytes(1, 0)], [small.file, 0, 16384]);
});

test("a model under test is given up at the next reset, and its slot is not overwritten meanwhile", () => {
  const board = new FakeBoard(GEOMETRIES["NOR flash, 4 KiB sectors"]);
  const [old, tried] = [model(5000, 9), model(6000, 10)];
  new Store(board).install(old);
  const store = new Store(board);
  store.begin(tried);
  assert.ok(store.finish(tried));
  store.activate(REC_TEST);
  assert.deepEqual(store.running(), tried.file);
  assert.equal(store.begin(model(100, 11)), IMG_RC_BAD_STATE);
  const after = new Store(board);
  assert.deepEqual(after.running(), old.file);
  assert.equal(after.call.slot_state(1), SLOT_VERIFIED);
});

test("a confirmed model that rotted gives way to the other verified one, and comes back when it reads right again", () => {
  const board = new FakeBoard(GEOMETRIES["NOR flash, 4 KiB sectors"]);
  const [first, second] = [model(5000, 12), model(6000, 13)];
  new Store(board).install(first);
  new Store(board).install(second);
  const at = new Store(board).call.slot_offset(1, 0) + 77;
  board.flash[at] ^= 4;
  assert.deepEqual(new Store(board).running(), first.file);
  board.flash[at] ^= 4;
  assert.deepEqual(new Store(board).running(), second.file);
  board.flash[at] ^= 4;
  board.flash[new Store(board).call.slot_offset(0, 0)] ^= 1;
  assert.equal(new Store(board).running(), null);
});

test("the model that stands in for a rotted one is recorded before an upload overwrites that", () => {
  const board = new FakeBoard(GEOMETRIES["NOR flash, 4 KiB sectors"]);
  const [first, second, third] = [model(5000, 12), model(6000, 13), model(7000, 14)];
  new Store(board).install(first);
  new Store(board).install(second);
  board.flash[new Store(board).call.slot_offset(1, 0) + 77] ^= 4;
  const store = new Store(board);
  assert.deepEqual(store.running(), first.file);
  assert.equal(store.begin(third), 0);
  // The upload gets no further.
  assert.deepEqual(new Store(board).running(), first.file);
});

test("without a journal the first whole image in a slot is adopted", () => {
  for (const slot of [0, 1]) {
    const board = new FakeBoard(GEOMETRIES["NOR flash, 4 KiB sectors"]);
    const at = new Store(board).call.slot_offset(slot, 0);
    const image = bareImage(slot === 0 ? 24576 : 12288); // the first one reaches into slot 1
    board.flash.set(image, at);
    const store = new Store(board);
    assert.deepEqual(store.running(), image);
    assert.equal(store.call.slots_single(), slot === 0 ? 1 : 0);
    assert.equal(board.operations > 0, true);
    const written = board.operations;
    assert.deepEqual(new Store(board).running(), image);
    assert.equal(board.operations, written, "the journal is written once");
    const damaged = new FakeBoard(board.geometry);
    damaged.flash.set(image, at);
    damaged.flash[at + 9000] ^= 1;
    assert.equal(new Store(damaged).running(), null);
  }
});

/** A file with the header fields and the trailer that IMAGE.md asks for, and noise between. */
function bareImage(bytes: number): Buffer {
  const image = model(bytes, bytes).file;
  image.writeUInt32LE(0x54495254, 0);
  image.writeUInt16LE(1, 4);
  image.writeUInt32LE(bytes, 8);
  image.write("TEND", bytes - 128);
  createHash("sha256")
    .update(image.subarray(0, bytes - 128))
    .digest()
    .copy(image, bytes - 128 + 16);
  return image;
}

test("flash that fails is an error, and the sector is sent again", () => {
  const board = new FakeBoard(GEOMETRIES["NOR flash, 4 KiB sectors"]);
  const image = model(10000, 14);
  const store = new Store(board);
  board.flashFails = true;
  assert.equal(store.begin(image), IMG_RC_FLASH);
  board.flashFails = false;
  assert.equal(store.begin(image), 0);
  board.bytes.set(image.file, SCRATCH);
  assert.equal(store.call.upload_write(0, SCRATCH, 5000), 0);
  board.flashFails = true;
  assert.equal(store.call.upload_write(5000, SCRATCH + 5000, 1000), IMG_RC_FLASH);
  assert.equal(store.call.upload_off(), 4096);
  board.flashFails = false;
  assert.ok(store.finish(image));
});

test("records of the journal are 64-byte cells with a CRC, and a torn one is skipped", () => {
  const board = new FakeBoard(GEOMETRIES["NOR flash, 4 KiB sectors"]);
  new Store(board).install(model(5000, 15));
  const cell = (i: number) => Buffer.from(board.flash.subarray(i * RECORD_BYTES, (i + 1) * RECORD_BYTES));
  const kinds = [];
  for (let i = 0; cell(i).some((byte) => byte !== 0xff); i++) {
    assert.equal(cell(i).toString("latin1", 0, 4), "TREC");
    assert.equal(cell(i).readUInt32LE(60), crc32(cell(i).subarray(0, 60)));
    kinds.push(cell(i).readUInt16LE(4));
  }
  // One checkpoint: 4096 is the only sector boundary inside.
  assert.deepEqual(kinds, [1, REC_BEGIN, 3, REC_VERIFIED, REC_ACTIVE]);
  board.flash[4 * RECORD_BYTES + 20] ^= 0x80; // ACTIVE is torn
  const store = new Store(board);
  assert.equal(store.running(), null);
  assert.equal(store.call.journal_append(REC_ACTIVE, 0, 5000, 0, 0), 1);
  assert.equal(cell(5).readUInt16LE(4), REC_ACTIVE, "the next record goes behind the torn one");
  assert.notEqual(new Store(board).running(), null);
});

test("records that make no sense are ignored, whatever they hold", () => {
  const board = new FakeBoard(GEOMETRIES["STM32F4-like, uneven sectors"]);
  const { call } = new Store(board);
  const random = seeded(99);
  const pick = (...values: number[]) => values[random() % values.length];
  for (let run = 0; run < 2000; run++) {
    call.slots_clear();
    for (let i = 0; i < 12; i++) {
      const kind = random() % 9;
      call.slots_apply(
        kind,
        pick(0, 1, 2, 65535),
        pick(0, 1, 5000, 16000, 28672, 30000, -1),
        pick(0, 1, 4096, -1),
        SCRATCH,
      );
      for (const slot of [0, 1]) {
        assert.ok(call.slot_len(slot) >>> 0 <= call.slot_bytes(slot, call.slots_single()), "an image lies in its slot");
        if (call.slots_active() === slot) assert.equal(call.slot_state(slot), SLOT_VERIFIED);
      }
    }
  }
  assert.equal(REC_EMPTY + MODE_SINGLE, 8);
});
