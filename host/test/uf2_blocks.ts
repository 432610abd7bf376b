/** UF2 read and written as its specification says it, without the code under test. */
import assert from "node:assert/strict";

export interface Uf2Block {
  flags: number;
  address: number;
  bytes: Uint8Array;
  number: number;
  total: number;
  family: number;
}

export const PICO_FAMILY = 0xe48bff56;

export function uf2Block({ flags, address, bytes, number, total, family }: Uf2Block): Uint8Array {
  const block = Buffer.alloc(512);
  block.write("UF2\n", 0, "latin1");
  [0x9e5d5157, flags, address, bytes.length, number, total, family].forEach((word, i) => {
    block.writeUInt32LE(word, 4 + 4 * i);
  });
  block.set(bytes, 32);
  block.writeUInt32LE(0x0ab16f30, 508);
  return new Uint8Array(block);
}

/** A file of 256-byte pages, in the order given. */
export function uf2File(pages: [address: number, bytes: Uint8Array][], family = PICO_FAMILY): Uint8Array {
  const blocks = pages.map(([address, bytes], number) =>
    uf2Block({ flags: 0x2000, address, bytes, number, total: pages.length, family }),
  );
  return new Uint8Array(Buffer.concat(blocks));
}

export function uf2Blocks(file: Uint8Array): Uf2Block[] {
  assert.equal(file.length % 512, 0);
  return Array.from({ length: file.length / 512 }, (_, i) => {
    const block = Buffer.from(file.subarray(512 * i, 512 * (i + 1)));
    assert.equal(block.toString("latin1", 0, 4), "UF2\n");
    assert.deepEqual([block.readUInt32LE(4), block.readUInt32LE(508)], [0x9e5d5157, 0x0ab16f30]);
    const [flags, address, length, number, total, family] = [8, 12, 16, 20, 24, 28].map((at) => block.readUInt32LE(at));
    return { flags, address, bytes: new Uint8Array(block.subarray(32, 32 + length)), number, total, family };
  });
}
