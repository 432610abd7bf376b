/**
 * Inflate for a stream that comes in pieces: zlib format (RFC 1950) around deflate (RFC 1951). The boot loaders bring their own and
 * so does the simulator, which thereby needs neither Node nor a promise in the middle of a command.
 *
 *     zlib      CMF FLG | deflate blocks ... | Adler-32 of the plain bytes, big-endian
 *     block     final 1 bit | type 2 bits | 0: length, ~length, bytes     bits are taken from the low end of each byte
 *                                         | 1: symbols in fixed codes
 *                                         | 2: the codes' lengths, symbols in these codes
 *     symbol    0..255 a byte, 256 end of the block, 257..285 a length with extra bits, then a distance of 0..29 likewise
 *
 * Each item (a header, a symbol with what belongs to it) is decoded whole or not at all: when the input ends in the middle
 * of one, it is read again from its first bit when more has come.
 */
const WINDOW = 32768;
const END_OF_BLOCK = 256;
const MAX_BITS = 15;

// RFC 1951, 3.2.5: smallest length and distance of each code, and its extra bits.
const LENGTH_BASE = [
  ...[3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227],
  258,
];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE = [
  ...[
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  ],
  ...[8193, 12289, 16385, 24577],
];
const DISTANCE_EXTRA = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];
/** 3.2.7: order in which the lengths of the code length codes are sent. */
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** A canonical code: how many codes have each length, and the symbols in the order of their codes. */
interface Code {
  counts: number[];
  symbols: number[];
}

/** Plain data. */
export interface InflateState {
  phase: "header" | "block" | "stored" | "codes" | "trailer" | "done";
  /** What is not decoded yet, from bit `bit` of its first byte on. */
  input: Uint8Array;
  bit: number;
  /** The last WINDOW bytes that came out, as a ring: byte n of the plain bytes is at n % WINDOW. */
  window: Uint8Array;
  /** Plain bytes so far. */
  plain: number;
  final: boolean;
  /** Bytes of a stored block still to come. */
  stored: number;
  lengths: Code;
  distances: Code;
  adler: number;
}

/** The stream contradicts its format. */
export class InflateError extends Error {}

/** The input ends here for now. */
class Starved extends Error {}

export function inflateState(): InflateState {
  const none = { counts: [], symbols: [] };
  return {
    phase: "header",
    input: new Uint8Array(),
    bit: 0,
    window: new Uint8Array(WINDOW),
    plain: 0,
    final: false,
    stored: 0,
    lengths: none,
    distances: none,
    adler: 1,
  };
}

/** Bytes that `block` adds to what came out so far. What follows the end of the stream is ignored. @throws InflateError */
export function inflate(state: InflateState, block: Uint8Array): Uint8Array {
  const input = new Uint8Array(state.input.length + block.length);
  input.set(state.input);
  input.set(block, state.input.length);
  const run = new Run(state, input);
  run.decode();
  state.input = input.subarray(run.at >> 3).slice();
  state.bit = run.at & 7;
  return Uint8Array.from(run.plain);
}

/** One call of `inflate`. */
class Run {
  /** Position in the input, bits. */
  at: number;
  /** What came out. */
  readonly plain: number[] = [];
  readonly #state: InflateState;
  readonly #input: Uint8Array;

  constructor(state: InflateState, input: Uint8Array) {
    this.#state = state;
    this.#input = input;
    this.at = state.bit;
  }

  /** As many items as the input holds. */
  decode(): void {
    while (this.#state.phase !== "done") {
      const begin = this.at;
      try {
        this.#item();
      } catch (error) {
        if (!(error instanceof Starved)) throw error;
        this.at = begin;
        return;
      }
    }
  }

  #item(): void {
    const state = this.#state;
    if (state.phase === "header") this.#header();
    else if (state.phase === "block") this.#block();
    else if (state.phase === "codes") this.#symbol();
    else if (state.phase === "trailer") this.#trailer();
    else {
      this.#emit(this.#bits(8));
      if (--state.stored === 0) this.#endBlock();
    }
  }

  #header(): void {
    const cmf = this.#bits(8);
    const flags = this.#bits(8);
    // Method 8 is deflate; a preset dictionary (bit 5) is nothing that a flasher sends.
    if ((cmf & 15) !== 8 || (cmf * 256 + flags) % 31 !== 0 || (flags & 0x20) !== 0)
      throw new InflateError("no zlib header");
    this.#state.phase = "block";
  }

  #block(): void {
    const state = this.#state;
    const final = this.#bits(1) === 1;
    const type = this.#bits(2);
    if (type === 3) throw new InflateError("unknown block type");
    if (type === 0) {
      this.at = (this.at + 7) & ~7;
      const length = this.#bits(16);
      if ((length ^ this.#bits(16)) !== 0xffff) throw new InflateError("stored length and its complement differ");
      state.final = final;
      state.stored = length;
      state.phase = "stored";
      if (length === 0) this.#endBlock();
      return;
    }
    const [lengths, distances] = type === 1 ? fixedLengths() : this.#sentLengths();
    state.lengths = codeOf(lengths);
    state.distances = codeOf(distances);
    state.final = final;
    state.phase = "codes";
  }

  #endBlock(): void {
    this.#state.phase = this.#state.final ? "trailer" : "block";
  }

  #symbol(): void {
    const symbol = this.#decode(this.#state.lengths);
    if (symbol < END_OF_BLOCK) this.#emit(symbol);
    else if (symbol === END_OF_BLOCK) this.#endBlock();
    else this.#copy(symbol);
  }

  #copy(symbol: number): void {
    const code = symbol - END_OF_BLOCK - 1;
    if (code >= LENGTH_BASE.length) throw new InflateError("unknown length code");
    const length = LENGTH_BASE[code] + this.#bits(LENGTH_EXTRA[code]);
    const far = this.#decode(this.#state.distances);
    if (far >= DISTANCE_BASE.length) throw new InflateError("unknown distance code");
    const distance = DISTANCE_BASE[far] + this.#bits(DISTANCE_EXTRA[far]);
    const { window, plain } = this.#state;
    if (distance > plain) throw new InflateError("distance before the beginning");
    for (let i = 0; i < length; i++) this.#emit(window[(plain + i - distance) % WINDOW]);
  }

  #trailer(): void {
    this.at = (this.at + 7) & ~7;
    let adler = 0;
    for (let i = 0; i < 4; i++) adler = adler * 256 + this.#bits(8);
    if (adler !== this.#state.adler) throw new InflateError("the bytes differ from their checksum");
    this.#state.phase = "done";
  }

  /** 3.2.7: the lengths of both codes, run-length coded in a code of their own. */
  #sentLengths(): [number[], number[]] {
    const nLengths = this.#bits(5) + 257;
    const nDistances = this.#bits(5) + 1;
    const nCodes = this.#bits(4) + 4;
    const own = new Array<number>(19).fill(0);
    for (let i = 0; i < nCodes; i++) own[LENGTH_ORDER[i]] = this.#bits(3);
    const code = codeOf(own);
    const all: number[] = [];
    while (all.length < nLengths + nDistances) {
      const symbol = this.#decode(code);
      if (symbol < 16) all.push(symbol);
      else if (symbol === 16) {
        if (all.length === 0) throw new InflateError("nothing to repeat");
        this.#repeat(all, all[all.length - 1], 3 + this.#bits(2));
      } else this.#repeat(all, 0, symbol === 17 ? 3 + this.#bits(3) : 11 + this.#bits(7));
    }
    if (all.length > nLengths + nDistances || all[END_OF_BLOCK] === 0) throw new InflateError("bad code lengths");
    return [all.slice(0, nLengths), all.slice(nLengths)];
  }

  #repeat(all: number[], value: number, times: number): void {
    for (let i = 0; i < times; i++) all.push(value);
  }

  /** The codes of one length are consecutive numbers, and longer codes go on from there (3.2.2). */
  #decode({ counts, symbols }: Code): number {
    let code = 0;
    let first = 0;
    let before = 0;
    for (let length = 1; length <= MAX_BITS; length++) {
      code = 2 * code + this.#bits(1);
      const count = counts[length] ?? 0;
      if (code - first < count) return symbols[before + code - first];
      before += count;
      first = 2 * (first + count);
    }
    throw new InflateError("no such code");
  }

  #bits(count: number): number {
    if (this.at + count > 8 * this.#input.length) throw new Starved();
    let value = 0;
    for (let i = 0; i < count; i++, this.at++) value |= ((this.#input[this.at >> 3] >> (this.at & 7)) & 1) << i;
    return value;
  }

  #emit(byte: number): void {
    const state = this.#state;
    this.plain.push(byte);
    state.window[state.plain++ % WINDOW] = byte;
    const low = ((state.adler & 0xffff) + byte) % 65521;
    state.adler = (((state.adler >>> 16) + low) % 65521) * 65536 + low;
  }
}

/** @throws InflateError when there are more codes than their lengths allow */
function codeOf(lengths: readonly number[]): Code {
  const counts = new Array<number>(MAX_BITS + 1).fill(0);
  for (const length of lengths) if (length > 0) counts[length]++;
  let left = 1;
  for (let length = 1; length <= MAX_BITS; length++) {
    left = 2 * left - counts[length];
    if (left < 0) throw new InflateError("too many codes");
  }
  const symbols: number[] = [];
  for (let length = 1; length <= MAX_BITS; length++)
    lengths.forEach((own, symbol) => {
      if (own === length) symbols.push(symbol);
    });
  return { counts, symbols };
}

/** 3.2.6. */
function fixedLengths(): [number[], number[]] {
  const lengths = Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8));
  return [lengths, new Array<number>(30).fill(5)];
}
