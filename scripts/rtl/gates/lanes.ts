/**
 * The reference lanes of firmware-sim/rtl/compare: 20 weights a cycle in each, so that gates can be compared. What each computes is said again here, in numbers
 * and not in gates.
 */
import type { Random } from "../../../firmware-sim/random.ts";
import { PACK_STRIDE } from "../../../spec/packing.ts";
import { dotFp16, dotFp16Fp32, type Format, FP16, FP32 } from "./float.ts";
import { unpackByte } from "./pack.ts";

/** Bit patterns, unsigned. */
export interface Operands {
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly acc: readonly number[];
}

/** `count` numbers of `bits` bits on a port, the first one lowest. */
export interface Port {
  readonly count: number;
  readonly bits: number;
}

export interface Lane {
  readonly name: string;
  /** For the table. */
  readonly what: string;
  /** Below firmware-sim/rtl. */
  readonly files: readonly string[];
  readonly module: string;
  /** Lanes with the same `kind` compute the same: the smallest counts. */
  readonly kind: string;
  readonly x: Port;
  readonly w: Port;
  readonly acc: Port;
  /** The n-th of the vectors: the first ones are extremes. */
  operands(random: Random, n: number): Operands;
  reference(operands: Operands): number[];
  /** Whether the netlist runs vectors, too: in 40,000 gates in a row one takes a simulator of events minutes. */
  readonly netlistRuns: boolean;
}

const signed = (code: number, bits: number): number => (code >= 2 ** (bits - 1) ? code - 2 ** bits : code);
const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const dot = (x: readonly number[], w: readonly number[]): number =>
  x.reduce((sum, value, i) => sum + signed(value, 8) * w[i], 0);

/** A number of `bits` bits; in the first vectors 0, the largest, the smallest and -1 meet. */
function extreme(random: Random, bits: number, n: number): number {
  const edges = [0, 2 ** (bits - 1) - 1, 2 ** (bits - 1), 2 ** bits - 1];
  return n < 64 ? edges[random.below(4)] : random.below(2 ** bits);
}

const TERNARY_FILES = ["compare/ternary.v", "tgemv_decode.v"];
const port = (count: number, bits: number): Port => ({ count, bits });

function integer(bits: number, style: string, how: string): Lane {
  return {
    name: `int${bits}-${style}`,
    what: `int${bits}, ${how}`,
    kind: `int${bits}`,
    files: ["compare/integer.v"],
    module: `lane_int${bits}_${style}`,
    netlistRuns: true,
    x: port(20, 8),
    w: port(20, bits),
    acc: port(1, 32),
    operands: (random, n) => ({
      x: times(20, () => extreme(random, 8, n)),
      w: times(20, () => extreme(random, bits, n)),
      acc: [extreme(random, 32, n)],
    }),
    reference: ({ x, w, acc }) => [
      (acc[0] +
        dot(
          x,
          w.map((code) => signed(code, bits)),
        )) >>>
        0,
    ],
  };
}

/** {negative, not zero} of the two-bit code; of -0 the lane makes 0, too. */
const trit = (code: number): number => (code === 1 ? 1 : code === 3 ? -1 : 0);

const TERNARY2: Lane = {
  name: "ternary-2bit",
  what: "ternary, 2 bits a trit, 1 row x 20",
  kind: "ternary-2bit",
  files: TERNARY_FILES,
  module: "lane_ternary2",
  netlistRuns: true,
  x: port(20, 8),
  w: port(20, 2),
  acc: port(1, 32),
  operands: (random, n) => ({
    x: times(20, () => extreme(random, 8, n)),
    w: times(20, () => [0, 1, 3][n < 64 ? random.below(2) + 1 : random.below(3)]),
    acc: [extreme(random, 32, n)],
  }),
  reference: ({ x, w, acc }) => [(acc[0] + dot(x, w.map(trit))) >>> 0],
};

/** All legal bytes come up in the first vectors. */
function legalByte(random: Random, n: number, i: number): number {
  const byte = n < 256 ? (n + 64 * i) % 256 : random.byte();
  return byte > 250 || byte % PACK_STRIDE === PACK_STRIDE - 1 ? random.below(27) : byte;
}

function packed(rows: number): Lane {
  const columns = 20 / rows;
  return {
    name: rows === 1 ? "packed-rows" : "packed-block",
    what: `ternary, 5 trits a byte, ${rows} row${rows === 1 ? "" : "s"} x ${columns}`,
    kind: rows === 1 ? "packed-rows" : "packed-block",
    files: TERNARY_FILES,
    module: rows === 1 ? "lane_packed_rows" : "lane_packed_block",
    netlistRuns: true,
    x: port(columns, 8),
    w: port(4, 8),
    acc: port(rows, 32),
    operands: (random, n) => ({
      x: times(columns, () => extreme(random, 8, n)),
      w: times(4, (i) => legalByte(random, n, i)),
      acc: times(rows, () => extreme(random, 32, n)),
    }),
    reference: ({ x, w, acc }) => {
      const bytes = w.map(unpackByte);
      const trits = rows === 1 ? [bytes.flat()] : bytes;
      return trits.map((row, i) => (acc[i] + dot(x, row)) >>> 0);
    },
  };
}

/** A number of a format around `middle`, rarely far away; zero now and then; exponent 0 and the largest never with a fraction. */
function float(random: Random, n: number, { exponentBits, mantissaBits }: Format, middle: number): number {
  const sign = random.below(2) * 2 ** (exponentBits + mantissaBits);
  if (random.below(16) === 0) return sign;
  const spread = [1, 2, 6, 30][n % 4];
  const exponent = Math.min(30, Math.max(1, middle + random.below(spread) - (spread >> 1)));
  const mantissas = [0, 2 ** mantissaBits - 1, 1, random.below(2 ** mantissaBits)];
  const mantissa = mantissas[n < 64 ? random.below(4) : 3];
  const offset = exponentBits === 8 ? 127 - 15 : 0;
  return sign + (exponent + offset) * 2 ** mantissaBits + mantissa;
}

function floating(name: string, what: string, acc: Format, reference: typeof dotFp16): Lane {
  return {
    name,
    what,
    kind: "fp16",
    files: ["compare/float.v"],
    module: `lane_${name.replace("-", "_")}`,
    netlistRuns: false,
    x: port(20, 16),
    w: port(20, 16),
    acc: port(1, acc.exponentBits + acc.mantissaBits + 1),
    operands: (random, n) => {
      const middle = 4 + random.below(22);
      return {
        x: times(20, () => float(random, n, FP16, middle)),
        w: times(20, () => float(random, n, FP16, 15)),
        acc: [float(random, n, acc, middle)],
      };
    },
    reference: ({ x, w, acc: [start] }) => [reference(x, w, start)],
  };
}

export const LANES: readonly Lane[] = [
  TERNARY2,
  packed(1),
  packed(4),
  integer(4, "booth", "Booth"),
  integer(4, "rows", "Baugh-Wooley"),
  integer(4, "star", "yosys' own `*`"),
  integer(8, "booth", "Booth"),
  integer(8, "rows", "Baugh-Wooley"),
  integer(8, "star", "yosys' own `*`"),
  floating("fp16-fp32", "fp16, exact products aligned and added, rounded to fp32 once", FP32, dotFp16Fp32),
  floating("fp16", "fp16, each product and sum rounded to fp16", FP16, dotFp16),
];
