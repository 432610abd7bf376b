/**
 * SHA-256 (FIPS 180-4), streaming: the state is a struct that the caller owns, so that several hashes can be under way.
 * Input is read byte by byte, because an image may lie anywhere and a Cortex-M0+ faults on an unaligned word.
 */

export const SHA_BYTES: u32 = 32;
const BLOCK: u32 = 64;
/** Offset of the 64-bit message length in the last block. */
const LENGTH_AT: u32 = 56;

@unmanaged
export class Sha256 {
  h0: u32;
  h1: u32;
  h2: u32;
  h3: u32;
  h4: u32;
  h5: u32;
  h6: u32;
  h7: u32;
  /** Bytes hashed so far; an image is smaller than 4 GiB. */
  total: u32;
  block0: u32; // first of the 64 bytes that wait for a full block
}

const WAITING: u32 = offsetof<Sha256>("block0");

/** The message schedule, a ring of 16 words; live only inside one call of `compress`. */
const W: usize = memory.data(64);

// First 32 bits of the fractional parts of the cube roots of the first 64 primes.
const K: usize = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
]);

export function sha256_init(s: Sha256): void {
  s.h0 = 0x6a09e667;
  s.h1 = 0xbb67ae85;
  s.h2 = 0x3c6ef372;
  s.h3 = 0xa54ff53a;
  s.h4 = 0x510e527f;
  s.h5 = 0x9b05688c;
  s.h6 = 0x1f83d9ab;
  s.h7 = 0x5be0cd19;
  s.total = 0;
}

export function sha256_update(s: Sha256, ptr: usize, len: u32): void {
  const waiting = changetype<usize>(s) + WAITING;
  let fill = s.total & (BLOCK - 1);
  s.total += len;
  while (len > 0) {
    if (fill == 0 && len >= BLOCK) {
      compress(s, ptr);
      ptr += BLOCK;
      len -= BLOCK;
      continue;
    }
    const n = min(BLOCK - fill, len);
    memory.copy(waiting + fill, ptr, n);
    fill += n;
    ptr += n;
    len -= n;
    if (fill == BLOCK) {
      compress(s, waiting);
      fill = 0;
    }
  }
}

/** Ends the message and writes its 32 bytes to `digest`; the state is spent. */
export function sha256_final(s: Sha256, digest: usize): void {
  const waiting = changetype<usize>(s) + WAITING;
  let fill = s.total & (BLOCK - 1);
  store<u8>(waiting + fill, 0x80);
  fill++;
  if (fill > LENGTH_AT) {
    memory.fill(waiting + fill, 0, BLOCK - fill);
    compress(s, waiting);
    fill = 0;
  }
  memory.fill(waiting + fill, 0, LENGTH_AT - fill);
  // Message length in bits, 64 bits big-endian.
  store<u32>(waiting + LENGTH_AT, bswap<u32>(s.total >> 29));
  store<u32>(waiting + LENGTH_AT + 4, bswap<u32>(s.total << 3));
  compress(s, waiting);
  for (let i: u32 = 0; i < SHA_BYTES; i++) {
    const word = load<u32>(changetype<usize>(s) + (i & ~3));
    store<u8>(digest + i, u8(word >> (24 - ((i & 3) << 3))));
  }
}

/** Mixes the 64 bytes at `block` into the state. */
function compress(s: Sha256, block: usize): void {
  let a = s.h0;
  let b = s.h1;
  let c = s.h2;
  let d = s.h3;
  let e = s.h4;
  let f = s.h5;
  let g = s.h6;
  let h = s.h7;
  for (let t: u32 = 0; t < 64; t++) {
    const at = W + ((t & 15) << 2);
    let w: u32;
    if (t < 16) {
      const p = block + (t << 2);
      w = (u32(load<u8>(p)) << 24) | (u32(load<u8>(p, 1)) << 16) | (u32(load<u8>(p, 2)) << 8) | load<u8>(p, 3);
    } else {
      const w15 = load<u32>(W + (((t + 1) & 15) << 2));
      const w2 = load<u32>(W + (((t + 14) & 15) << 2));
      const s0 = rotr(w15, 7) ^ rotr(w15, 18) ^ (w15 >> 3);
      const s1 = rotr(w2, 17) ^ rotr(w2, 19) ^ (w2 >> 10);
      w = load<u32>(at) + s0 + load<u32>(W + (((t + 9) & 15) << 2)) + s1;
    }
    store<u32>(at, w);
    const t1 = h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) + load<u32>(K + (t << 2)) + w;
    const t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  s.h0 += a;
  s.h1 += b;
  s.h2 += c;
  s.h3 += d;
  s.h4 += e;
  s.h5 += f;
  s.h6 += g;
  s.h7 += h;
}
