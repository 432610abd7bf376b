/**
 * MD5 (RFC 1321), which the boot loaders compute over flash. It finds accidents, not attacks: esptool compares it with the file.
 *
 *     message | 80 | 00 ... | length in bits u64        blocks of 64 bytes, words little-endian
 *     each block: 64 steps on (a, b, c, d), 16 in each of four rounds
 */
const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
];
const SINES = Uint32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32));
/** Which word of the block step i of each round takes. */
const ORDER: ((i: number) => number)[] = [(i) => i, (i) => 5 * i + 1, (i) => 3 * i + 5, (i) => 7 * i];

/** 16 bytes. */
export function md5(message: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, message.length * 8, true);
  view.setUint32(padded.length - 4, Math.floor(message.length / 2 ** 29), true);

  const sum = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  const word = new Uint32Array(16);
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 16; i++) word[i] = view.getUint32(at + 4 * i, true);
    let [a, b, c, d] = sum;
    for (let step = 0; step < 64; step++) {
      const round = step >> 4;
      const mixed = (a + mix(round, b, c, d) + SINES[step] + word[ORDER[round](step) & 15]) >>> 0;
      const shift = SHIFTS[round][step & 3];
      const turned = (mixed << shift) | (mixed >>> (32 - shift));
      [a, d, c, b] = [d, c, b, (b + turned) | 0];
    }
    sum[0] += a;
    sum[1] += b;
    sum[2] += c;
    sum[3] += d;
  }
  const digest = new DataView(new ArrayBuffer(16));
  sum.forEach((value, i) => {
    digest.setUint32(4 * i, value, true);
  });
  return new Uint8Array(digest.buffer);
}

/** F, G, H and I of the four rounds. */
function mix(round: number, b: number, c: number, d: number): number {
  if (round === 0) return (b & c) | (~b & d);
  if (round === 1) return (b & d) | (c & ~d);
  return round === 2 ? b ^ c ^ d : c ^ (b | ~d);
}
