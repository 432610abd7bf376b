/**
 * Integer weights to packed bytes and back, as spec/PACKING.md draws them. Slow enough to read, fast enough for 2 billion weights.
 *
 *     5 trits -> byte     hi = (t0+1)*3 + (t1+1)   lo = (t2+1)*9 + (t3+1)*3 + (t4+1)   byte = 28*hi + lo
 *     matrix              block of 4 rows > plane, most significant first > group of 5 columns > one byte for each of the 4 rows
 *
 * Weights are row-major in an Int8Array (rows, cols). Packed runs of rows may be concatenated when every run but the last
 * has a multiple of 4 rows.
 */
import {
  PACK_ILLEGAL_REMAINDER,
  PACK_INT4,
  PACK_INT8,
  PACK_MAX,
  PACK_STRIDE,
  PACK_TRITS_1,
  ROWS_PER_BLOCK,
  TRITS_PER_BYTE,
} from "../../spec/packing.ts";
import { levelsOf, packedBytes, planesOf } from "../image/sizes.ts";

/** Digits of a group before they are weighed: value of each of the 5 trits in the byte. */
const PLACE: readonly number[] = [3 * PACK_STRIDE, PACK_STRIDE, 9, 3, 1];
/** The byte of five trits is ZERO + the sum of trit * PLACE. */
const ZERO = PLACE.reduce((sum, place) => sum + place, 0);

/**
 * @param weights (rows, cols), each at most levelsOf(packing) in absolute value
 * @throws RangeError for a weight that the packing cannot hold
 */
export function packRows(packing: number, weights: Int8Array, rows: number, cols: number): Uint8Array {
  const levels = levelsOf(packing);
  if (levels === 0) throw new RangeError(`packing ${packing} holds no weights`);
  if (weights.length !== rows * cols) throw new RangeError(`${weights.length} weights are not ${rows} x ${cols}`);
  // A sum without branches: negative as soon as one weight is too large.
  let room = 0;
  for (let i = 0; i < weights.length; i++) room |= (levels - weights[i]) | (levels + weights[i]);
  if (room < 0) {
    const weight = weights.find((value) => Math.abs(value) > levels);
    throw new RangeError(`weight ${weight} is outside +-${levels}`);
  }
  if (packing === PACK_INT8) return new Uint8Array(weights.buffer, weights.byteOffset, weights.length).slice();
  if (packing === PACK_INT4) return packInt4(weights, rows, cols);
  return packing === PACK_TRITS_1 ? packTrits(weights, rows, cols) : packPlanes(planesOf(packing), weights, rows, cols);
}

/**
 * @returns (rows, cols)
 * @throws RangeError when the bytes are not of that size; an illegal code of trits reads as zeros (host/image/verify_codes.ts finds it)
 */
export function unpackRows(packing: number, bytes: Uint8Array, rows: number, cols: number): Int8Array {
  if (levelsOf(packing) === 0) throw new RangeError(`packing ${packing} holds no weights`);
  if (bytes.length !== packedBytes(packing, rows, cols))
    throw new RangeError(`${bytes.length} bytes are not ${rows} x ${cols} of packing ${packing}`);
  if (packing === PACK_INT8) return new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length).slice();
  return packing === PACK_INT4 ? unpackInt4(bytes, rows, cols) : unpackPlanes(planesOf(packing), bytes, rows, cols);
}

/** int16 little-endian (PACK_GAIN). */
export function packGains(gains: Int16Array): Uint8Array {
  const out = new DataView(new ArrayBuffer(gains.length * 2));
  for (const [i, gain] of gains.entries()) out.setInt16(i * 2, gain, true);
  return new Uint8Array(out.buffer);
}

export function unpackGains(bytes: Uint8Array): Int16Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Int16Array.from({ length: bytes.length / 2 }, (_, i) => view.getInt16(i * 2, true));
}

/** DIGITS[(weight + WIDEST) * 5 + k]: the trit of value 3^k in balanced ternary, for weights of up to 5 trits. */
const WIDEST = 121;
const DIGITS = new Int8Array((2 * WIDEST + 1) * 5);
for (let weight = -WIDEST; weight <= WIDEST; weight++) {
  let rest = weight;
  for (let k = 0; k < 5; k++) {
    const trit = ((((rest + 1) % 3) + 3) % 3) - 1;
    DIGITS[(weight + WIDEST) * 5 + k] = trit;
    rest = (rest - trit) / 3;
  }
}

/** One plane, where a weight is its digit: most weights of a model go this way. */
function packTrits(weights: Int8Array, rows: number, cols: number): Uint8Array {
  const groups = Math.ceil(cols / TRITS_PER_BYTE);
  const out = new Uint8Array(packedBytes(PACK_TRITS_1, rows, cols)).fill(ZERO);
  const whole = cols - (cols % TRITS_PER_BYTE);
  const [p0, p1, p2, p3, p4] = PLACE;
  for (let row = 0; row < rows; row++) {
    let at = (row >> 2) * groups * ROWS_PER_BLOCK + (row & 3);
    let i = row * cols;
    for (const end = i + whole; i < end; i += TRITS_PER_BYTE) {
      out[at] =
        ZERO + weights[i] * p0 + weights[i + 1] * p1 + weights[i + 2] * p2 + weights[i + 3] * p3 + weights[i + 4] * p4;
      at += ROWS_PER_BLOCK;
    }
    for (let col = whole; col < cols; col++) out[at] += weights[row * cols + col] * PLACE[col - whole];
  }
  return out;
}

function packPlanes(planes: number, weights: Int8Array, rows: number, cols: number): Uint8Array {
  const groups = Math.ceil(cols / TRITS_PER_BYTE);
  const out = new Uint8Array(packedBytes(planes, rows, cols)).fill(ZERO);
  const [p0, p1, p2, p3, p4] = PLACE;
  for (let row = 0; row < rows; row++) {
    for (let plane = 0; plane < planes; plane++) {
      let at = ((row >> 2) * planes + plane) * groups * ROWS_PER_BLOCK + (row & 3);
      const digit = WIDEST * 5 + planes - 1 - plane;
      let col = 0;
      for (let i = row * cols; col + TRITS_PER_BYTE <= cols; col += TRITS_PER_BYTE, i += TRITS_PER_BYTE) {
        out[at] =
          ZERO +
          DIGITS[weights[i] * 5 + digit] * p0 +
          DIGITS[weights[i + 1] * 5 + digit] * p1 +
          DIGITS[weights[i + 2] * 5 + digit] * p2 +
          DIGITS[weights[i + 3] * 5 + digit] * p3 +
          DIGITS[weights[i + 4] * 5 + digit] * p4;
        at += ROWS_PER_BLOCK;
      }
      for (let i = 0; col + i < cols; i++) out[at] += DIGITS[weights[row * cols + col + i] * 5 + digit] * PLACE[i];
    }
  }
  return out;
}

/** (256, 5): the trits of each byte, zeros for an illegal one. */
const TRITS_OF_BYTE = new Int8Array(256 * TRITS_PER_BYTE);
for (let byte = 0; byte < 256; byte++) {
  if (byte > PACK_MAX || byte % PACK_STRIDE === PACK_ILLEGAL_REMAINDER) continue;
  let code = byte;
  for (const [i, place] of PLACE.entries()) {
    // Places of the pair count in 28s, those of the triple in the rest.
    const digit = Math.floor(code / place);
    TRITS_OF_BYTE[byte * TRITS_PER_BYTE + i] = digit - 1;
    code -= digit * place;
  }
}

function unpackPlanes(planes: number, bytes: Uint8Array, rows: number, cols: number): Int8Array {
  const groups = Math.ceil(cols / TRITS_PER_BYTE);
  const out = new Int8Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    for (let plane = 0; plane < planes; plane++) {
      const base = ((row >> 2) * planes + plane) * groups * ROWS_PER_BLOCK + (row & 3);
      for (let col = 0; col < cols; col++) {
        const byte = bytes[base + Math.floor(col / TRITS_PER_BYTE) * ROWS_PER_BLOCK];
        out[row * cols + col] =
          out[row * cols + col] * 3 + TRITS_OF_BYTE[byte * TRITS_PER_BYTE + (col % TRITS_PER_BYTE)];
      }
    }
  }
  return out;
}

function packInt4(weights: Int8Array, rows: number, cols: number): Uint8Array {
  const rowBytes = Math.ceil(cols / 2);
  const out = new Uint8Array(rows * rowBytes);
  for (let row = 0; row < rows; row++)
    for (let col = 0; col < cols; col++)
      out[row * rowBytes + (col >> 1)] |= (weights[row * cols + col] & 15) << ((col & 1) * 4);
  return out;
}

function unpackInt4(bytes: Uint8Array, rows: number, cols: number): Int8Array {
  const rowBytes = Math.ceil(cols / 2);
  const out = new Int8Array(rows * cols);
  for (let row = 0; row < rows; row++)
    for (let col = 0; col < cols; col++) {
      const nibble = (bytes[row * rowBytes + (col >> 1)] >> ((col & 1) * 4)) & 15;
      out[row * cols + col] = nibble > 7 ? nibble - 16 : nibble;
    }
  return out;
}
