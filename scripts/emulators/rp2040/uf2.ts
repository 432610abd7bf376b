/**
 * UF2 to a flash image (Microsoft, "USB Flashing Format"): blocks of 512 bytes, each with where its 256 bytes go. What a user copies onto
 * the drive that the boot ROM shows.
 */
import { Rp2040Error } from "./fault.ts";

const MAGICS: [at: number, value: number][] = [
  [0, 0x0a324655],
  [4, 0x9e5d5157],
  [508, 0x0ab16f30],
];
const BLOCK = 512;
const NOT_MAIN_FLASH = 1;
const HAS_FAMILY = 0x2000;
const RP2040_FAMILY = 0xe48bff56;
const FLASH = 0x10000000;

export function isUf2(bytes: Uint8Array): boolean {
  return bytes.length >= BLOCK && MAGICS.every(([at, value]) => view(bytes).getUint32(at, true) === value);
}

/**
 * The bytes of flash from offset 0 on; what no block covers is 0xFF.
 * @throws Rp2040Error E_RP2040_FILE when it is not a whole UF2 for the RP2040
 */
export function flashImageOfUf2(bytes: Uint8Array, flashBytes: number): Uint8Array {
  if (bytes.length === 0 || bytes.length % BLOCK !== 0) throw bad("a length that is no multiple of 512 bytes");
  const image = new Uint8Array(flashBytes).fill(0xff);
  let end = 0;
  const blocks = bytes.length / BLOCK;
  for (let i = 0; i < blocks; i++) {
    const block = bytes.subarray(i * BLOCK, (i + 1) * BLOCK);
    if (!isUf2(block)) throw bad(`no magic numbers in block ${i}`);
    const word = (at: number): number => view(block).getUint32(at, true);
    const [flags, address, size, number, count, family] = [8, 12, 16, 20, 24, 28].map(word);
    if (number !== i || count !== blocks) throw bad(`block ${number} of ${count} where ${i} of ${blocks} should be`);
    if ((flags & NOT_MAIN_FLASH) !== 0) continue;
    if ((flags & HAS_FAMILY) !== 0 && family !== RP2040_FAMILY) throw bad(`a family that is not the RP2040's`);
    const offset = address - FLASH;
    if (size > 476 || offset < 0 || offset + size > flashBytes) throw bad(`block ${i} outside flash`);
    image.set(block.subarray(32, 32 + size), offset);
    end = Math.max(end, offset + size);
  }
  return image.subarray(0, end);
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function bad(what: string): Rp2040Error {
  return new Rp2040Error("E_RP2040_FILE", `the UF2 file has ${what}`);
}
