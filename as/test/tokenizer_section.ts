/** Builds TOKENIZER sections (spec/IMAGE.md) for tests, and encodes by the page's sentence, slowly. */
import * as I from "../../spec/image.ts";

export interface TokenizerSpec {
  kind: number;
  flags: number;
  pre: number;
  tokens: { bytes: Uint8Array; type: number }[];
  /** [left, right, result], by rank. */
  merges: [number, number, number][];
  /** id of each byte, -1: none */
  byteIds: number[];
  unk: number;
}

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
const align4 = (n: number) => (n + 3) & ~3;

/** @param width of ids: 2 or 4 */
export function tokenizerSection(spec: TokenizerSpec, width: number): Uint8Array {
  const { tokens, merges } = spec;
  const texts = tokens.flatMap(({ type }, id) => (type === I.TOK_TYPE_TEXT ? [id] : []));
  texts.sort((a, b) => Buffer.compare(tokens[a].bytes, tokens[b].bytes));
  const starts = [0];
  for (const { bytes } of tokens) starts.push(starts[starts.length - 1] + bytes.length);
  const pairs = merges.map((merge, rank) => [...merge, rank]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const parts: [field: number, bytes: Uint8Array][] = [
    [I.TOK_STARTS, words(starts, 4)],
    [I.TOK_BYTES, Buffer.concat(tokens.map(({ bytes }) => bytes))],
    [I.TOK_TYPES, Uint8Array.from(tokens, ({ type }) => type)],
    [I.TOK_MERGES, words(pairs.flat(), width)],
    [I.TOK_BYTE_IDS, words(spec.byteIds, 4)],
  ];
  if (spec.kind === I.TOK_SENTENCEPIECE) parts.push([I.TOK_SORTED, words(texts, width)]);

  const size = parts.reduce((at, [, bytes]) => at + align4(bytes.length), I.TOK_HEADER_BYTES);
  const section = new Uint8Array(size);
  const view = new DataView(section.buffer);
  const header: [number, number][] = [
    [I.TOK_KIND, spec.kind],
    [I.TOK_FLAGS, spec.flags],
    [I.TOK_PRE, spec.pre],
    [I.TOK_VOCAB, tokens.length],
    [I.TOK_N_MERGES, merges.length],
    [I.TOK_WIDTH, width],
    [I.TOK_UNK, spec.unk],
    [I.TOK_LONGEST, Math.max(...tokens.map(({ bytes }) => bytes.length))],
  ];
  for (const [field, value] of header) view.setUint32(field, value, true);
  let at = I.TOK_HEADER_BYTES;
  for (const [field, bytes] of parts) {
    view.setUint32(field, at, true);
    section.set(bytes, at);
    at += align4(bytes.length);
  }
  return section;
}

function words(values: number[], width: number): Uint8Array {
  const bytes = new Uint8Array(values.length * width);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    if (width === 2) view.setUint16(2 * i, value, true);
    else view.setUint32(4 * i, value, true);
  });
  return bytes;
}

/** The words of PRE_BYTES as JavaScript's regular expressions cut them. */
export function wordsOf(text: string): string[] {
  const space = " \\t\\n\\v\\f\\r";
  const letter = "A-Za-z\\x80-\\xff";
  const pattern = ` ?[${letter}]+| ?[0-9]| ?[^${space}${letter}0-9]+|[${space}]+(?![^${space}])|[${space}]+`;
  return text.match(new RegExp(pattern, "g")) ?? [];
}

/** @returns a function from bytes to ids that looks at every pair before every merge */
export function naiveEncoder(spec: TokenizerSpec): (text: Uint8Array) => number[] {
  const ranks = new Map(spec.merges.map(([left, right, result], rank) => [`${left},${right}`, { rank, result }]));
  const sorted = new Map<string, number>();
  spec.tokens.forEach(({ bytes, type }, id) => {
    if (type === I.TOK_TYPE_TEXT) sorted.set(latin1(bytes), id);
  });
  const byBytes = (text: string) => Array.from(text, (byte) => spec.byteIds[byte.charCodeAt(0)]);
  const symbolsOf = (word: string) => {
    if (spec.kind === I.TOK_BYTE_LEVEL) return byBytes(word);
    return characters(word).flatMap((character) => {
      const id = sorted.get(character);
      if (id !== undefined) return [id];
      return spec.flags & I.TOK_BYTE_FALLBACK ? byBytes(character) : [spec.unk];
    });
  };
  return (bytes) => {
    if (bytes.length === 0) return [];
    const text = (spec.flags & I.TOK_ADD_SPACE_PREFIX ? " " : "") + latin1(bytes);
    return (spec.pre === I.PRE_BYTES ? wordsOf(text) : [text]).flatMap((word) => {
      const ids = symbolsOf(word).filter((id) => id >= 0);
      for (;;) {
        let best = { rank: Number.POSITIVE_INFINITY, result: 0, at: 0 };
        for (let at = 0; at + 1 < ids.length; at++) {
          const merge = ranks.get(`${ids[at]},${ids[at + 1]}`);
          if (merge !== undefined && merge.rank < best.rank) best = { ...merge, at };
        }
        if (best.rank === Number.POSITIVE_INFINITY) return ids;
        ids.splice(best.at, 2, best.result);
      }
    });
  };
}

/** A latin1 string of bytes cut into UTF-8 characters; a byte that begins none stands alone. Decided by Node's decoder. */
function characters(bytes: string): string[] {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const isCharacter = (piece: string) => {
    try {
      return Array.from(strict.decode(Buffer.from(piece, "latin1"))).length === 1;
    } catch {
      return false;
    }
  };
  const found: string[] = [];
  for (let at = 0; at < bytes.length; at += found[found.length - 1].length)
    found.push([1, 2, 3, 4].map((n) => bytes.slice(at, at + n)).find(isCharacter) ?? bytes[at]);
  return found;
}
