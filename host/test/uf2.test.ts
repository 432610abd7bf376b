/** UF2 files: what the boot ROM of a Pico would program, and what it must never be given. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readUf2, writeUf2 } from "../device/firmware/uf2.ts";
import { seeded } from "./seeded.ts";
import { PICO_FAMILY, uf2Block, uf2Blocks, uf2File } from "./uf2_blocks.ts";

const PICO2_FAMILY = 0xe48bff59;
const FLASH = 0x10000000;

const random = seeded(7);
const noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(random() * 256));
const page = (fill: number): Uint8Array => new Uint8Array(256).fill(fill);

/** The file that the other tests damage: three pages, two of them neighbours. */
const good = (): Uint8Array =>
  uf2File([
    [FLASH, page(1)],
    [FLASH + 256, page(2)],
    [FLASH + 4096, page(3)],
  ]);

/** `good` with a word of one block replaced. */
function broken(block: number, offset: number, word: number): Uint8Array {
  const file = good();
  new DataView(file.buffer).setUint32(512 * block + offset, word, true);
  return file;
}

const refused = (file: Uint8Array, message: RegExp, code = "E_FIRMWARE_FILE"): void =>
  assert.throws(() => readUf2(file, PICO_FAMILY), { code, message });

describe("writing a UF2 file", () => {
  it("makes the blocks of the specification: 256 bytes each, numbered, with the chip's family", () => {
    const blocks = uf2Blocks(writeUf2([{ address: FLASH, bytes: page(7) }], PICO_FAMILY));
    assert.deepEqual(blocks[0], {
      flags: 0x2000,
      address: FLASH,
      bytes: page(7),
      number: 0,
      total: 16,
      family: PICO_FAMILY,
    });
    assert.deepEqual(
      blocks.map(({ number, total, bytes, family }) => [number, total, bytes.length, family]),
      Array.from({ length: 16 }, (_, i) => [i, 16, 256, PICO_FAMILY]),
    );
  });

  it("fills every sector that it touches to the end, for the RP2040 loses sectors that come in parts (E14)", () => {
    const segments = [
      { address: FLASH + 4096 * 5 + 100, bytes: noise(3) },
      { address: FLASH + 300, bytes: noise(5000) },
      { address: FLASH + 5400, bytes: noise(1) },
    ];
    const blocks = uf2Blocks(writeUf2(segments, PICO_FAMILY));
    const sectors = [...new Set(blocks.map(({ address }) => address - (address % 4096)))];
    assert.deepEqual(sectors, [FLASH, FLASH + 4096, FLASH + 4096 * 5]);
    assert.deepEqual(
      blocks.map(({ address }) => address),
      sectors.flatMap((start) => Array.from({ length: 16 }, (_, i) => start + 256 * i)),
    );
    const flash = new Map(blocks.flatMap(({ address, bytes }) => [...bytes].map((byte, i) => [address + i, byte])));
    const said = new Map(segments.flatMap(({ address, bytes }) => [...bytes].map((byte, i) => [address + i, byte])));
    for (const [at, byte] of flash) assert.equal(byte, said.get(at) ?? 0xff, at.toString(16));
    for (const at of said.keys()) assert.ok(flash.has(at));
  });

  it("two contents for one address are refused", () => {
    const segments = [
      { address: FLASH, bytes: page(1) },
      { address: FLASH + 255, bytes: page(1) },
    ];
    assert.throws(() => writeUf2(segments, PICO_FAMILY), {
      code: "E_FIRMWARE_FILE",
      message: /0x100000ff\.\.0x10000100/,
    });
  });
});

describe("reading a UF2 file", () => {
  it("joins neighbouring pages, in whatever order they come", () => {
    const expected = [
      { address: FLASH, bytes: new Uint8Array([...page(1), ...page(2)]) },
      { address: FLASH + 4096, bytes: page(3) },
    ];
    assert.deepEqual(readUf2(good(), PICO_FAMILY), expected);
    const blocks = [2, 0, 1].map((i) => good().subarray(512 * i, 512 * (i + 1)));
    assert.deepEqual(readUf2(new Uint8Array(Buffer.concat(blocks)), PICO_FAMILY), expected);
  });

  it("gives back what was written", () => {
    const bytes = noise(3 * 4096);
    assert.deepEqual(readUf2(writeUf2([{ address: FLASH, bytes }], PICO2_FAMILY), PICO2_FAMILY), [
      { address: FLASH, bytes },
    ]);
  });

  it("passes over blocks of other chips and comments, as the ROM does", () => {
    const other = uf2File([[FLASH, page(9)]], 0x1234);
    const comment = uf2Block({ flags: 0x2001, address: 0, bytes: page(8), number: 1, total: 2, family: PICO_FAMILY });
    const own = uf2Block({ flags: 0x2000, address: FLASH, bytes: page(1), number: 0, total: 2, family: PICO_FAMILY });
    const file = new Uint8Array(Buffer.concat([other, own, comment]));
    assert.deepEqual(readUf2(file, PICO_FAMILY), [{ address: FLASH, bytes: page(1) }]);
  });

  it("an RP2350 programs absolute blocks too; picotool's marker for erratum E10 is none", () => {
    const block = (address: number, fill: number): Uint8Array =>
      uf2Block({ flags: 0x2000, address, bytes: page(fill), number: 0, total: 2, family: 0xe48bff57 });
    const own = uf2File([[FLASH, page(1)]], PICO2_FAMILY);
    const marker = new Uint8Array(Buffer.concat([block(0x10ffff00, 0xef), own]));
    assert.deepEqual(readUf2(marker, PICO2_FAMILY), [{ address: FLASH, bytes: page(1) }]);
    const real = new Uint8Array(Buffer.concat([block(FLASH + 8192, 5), own]));
    assert.deepEqual(readUf2(real, PICO2_FAMILY)[1], { address: FLASH + 8192, bytes: page(5) });
  });

  it("nothing, half a block, and any bytes are refused", () => {
    refused(new Uint8Array(0), /no whole number of blocks/);
    refused(good().subarray(0, 700), /700 bytes/);
    refused(noise(1024), /block 0 has no UF2 marks/);
    for (const offset of [0, 4, 508]) refused(broken(1, offset, 0), /block 1 has no UF2 marks/);
  });

  it("a file that is not whole is refused: the ROM would wait for ever", () => {
    refused(good().subarray(0, 1024), /2 of 3 blocks/);
    refused(broken(2, 20, 1), /block number 1 comes out of turn/);
    refused(broken(2, 20, 3), /block number 3 comes out of turn/);
  });

  it("blocks that the ROM cannot place are refused", () => {
    refused(broken(0, 16, 477), /claims 477 bytes/);
    refused(broken(0, 16, 255), /255 bytes for 0x10000000/);
    refused(broken(0, 12, FLASH + 1), /no page of 256/);
    refused(broken(0, 8, 0x3000), /holds files/);
    refused(broken(1, 12, FLASH), /two contents/);
  });

  it("a file for other chips is refused and says for which", () => {
    refused(
      uf2File([[FLASH, page(1)]], PICO2_FAMILY),
      /family is 0xe48bff59, the board's is 0xe48bff56/,
      "E_FIRMWARE_BOARD",
    );
    const nameless = uf2Block({ flags: 0, address: FLASH, bytes: page(1), number: 0, total: 1, family: 0 });
    refused(nameless, /family is none/, "E_FIRMWARE_BOARD");
  });
});
