/** The little of ELF32 (System V ABI) that is needed: what the loader puts where. */

const PT_LOAD = 1;
const EHDR_PHOFF = 28;
const EHDR_PHENTSIZE = 42;
const EHDR_PHNUM = 44;
const PHDR_OFFSET = 4;
const PHDR_PADDR = 12;
const PHDR_FILESZ = 16;

/**
 * What the loader puts where: bytes of the file from `offset` on, to the load address (p_paddr).
 * @param {Uint8Array} elf
 * @returns {{ address: number, offset: number, bytes: number }[]}
 */
export function loadHeaders(elf) {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  if (view.getUint32(0, false) !== 0x7f454c46 || elf[4] !== 1) throw new Error("not an ELF32 file");
  const size = view.getUint16(EHDR_PHENTSIZE, true);
  const headers = [];
  for (let i = 0; i < view.getUint16(EHDR_PHNUM, true); i++) {
    const at = view.getUint32(EHDR_PHOFF, true) + i * size;
    const bytes = view.getUint32(at + PHDR_FILESZ, true);
    if (view.getUint32(at, true) !== PT_LOAD || bytes === 0) continue;
    const address = view.getUint32(at + PHDR_PADDR, true);
    headers.push({ address, offset: view.getUint32(at + PHDR_OFFSET, true), bytes });
  }
  return headers;
}

/**
 * The bytes to put into flash, by load address; neighbours are joined, small gaps filled with 0xFF.
 * @param {Uint8Array} elf
 * @returns {{ address: number, bytes: Uint8Array }[]}
 */
export function loadSegments(elf) {
  /** @type {{ address: number, bytes: Uint8Array }[]} */
  const pieces = loadHeaders(elf).map(({ address, offset, bytes }) => ({
    address,
    bytes: elf.slice(offset, offset + bytes),
  }));
  pieces.sort((a, b) => a.address - b.address);
  /** @type {{ address: number, bytes: Uint8Array }[]} */
  const segments = [];
  for (const piece of pieces) {
    const last = segments.at(-1);
    const gap = last === undefined ? Number.POSITIVE_INFINITY : piece.address - last.address - last.bytes.length;
    if (gap < 0) throw new Error(`segments overlap at 0x${piece.address.toString(16)}`);
    if (last === undefined || gap >= GAP) segments.push(piece);
    else last.bytes = Buffer.concat([last.bytes, new Uint8Array(gap).fill(0xff), piece.bytes]);
  }
  return segments;
}

/** A gap of this many bytes begins another segment. */
const GAP = 4096;
