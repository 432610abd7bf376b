/** Seeded texts of everything that a tokenizer can trip over. */
import { seeded } from "./seeded.ts";

const WORDS = [
  ..."the a of and to in is you that it he was for on are as with his they I at be this have from or one had by word but not what all were".split(
    " ",
  ),
  ..."Once upon a time there was Llama BitNet token ternary quantization unbelievable Straße naïve café Москва привет γειά σου".split(
    " ",
  ),
  ..."日本語 中文字符 한국어 ไทย हिन्दी عربي עברית ქართული ਪੰਜਾਬੀ தமிழ் Việt İstanbul ǅungla ﬁne".split(" "),
];
const PIECES = [
  "'s",
  "'t",
  "'re",
  "'ve",
  "'m",
  "'ll",
  "'d",
  "'S",
  "'RE",
  "'Ll",
  "'x",
  "''",
  "’s",
  "it's",
  "DON'T",
  "we'll've",
  "0",
  "7",
  "42",
  "123",
  "1234",
  "3.14159",
  "1,000,000",
  "٣٤",
  "½",
  "Ⅻ",
  "²",
  "१२३",
  "0x1F",
  "𝟙𝟚",
  ".",
  ",",
  "!",
  "?",
  "...",
  "--",
  "—",
  "“q”",
  "(",
  ")",
  "[]",
  "{}",
  "<>",
  "$",
  "€",
  "+=",
  "==",
  "/*",
  "*/",
  "//",
  "#",
  "@",
  "\\n",
  "_",
  "~`^|",
  "<s>",
  "</s>",
  "<0x41>",
  "<unk>",
  "<|x|>",
  "👍",
  "👩‍👩‍👧‍👦",
  "🏳️‍🌈",
  "🇩🇪",
  "👍🏽",
  "❤️",
  "🙂🙂",
  "é",
  "ö̲",
  "ạ̈",
  "́",
  "‍",
  "​",
  "­",
  "def f(x):\n    return x ** 2\n",
  "for (let i = 0; i < n; i++) {\n\t\tsum += a[i];\n\t}\n",
  "SELECT * FROM t WHERE a='b';",
  "https://example.org/a?b=c&d=%20",
  "snake_case",
  "camelCaseWord",
  '<div class="x">',
  "\ufffd",
  "\u0000",
  "\u0001",
  "\u001f",
  "\u007f",
  "\u00ad",
  "\ue000",
  "𐍈",
  "𠮷",
  "𝒳",
];
const SPACES = [
  " ",
  " ",
  " ",
  "  ",
  "   ",
  "        ",
  "\n",
  "\n\n",
  "\n\n\n",
  "\t",
  "\t\t",
  "\r\n",
  "\r\n\r\n",
  "\r",
  " \n",
  "\n ",
  "  \n  ",
  "\u00a0",
  "\u2003",
  "\u3000",
  "\u2028",
  "\v",
  "\f",
  " \t\n ",
];
/** Ranges that were assigned long ago, so that every library's Unicode tables know them. */
const RANGES: readonly [number, number][] = [
  [0x20, 0x7e],
  [0xa1, 0xff],
  [0x100, 0x17e],
  [0x391, 0x3a1],
  [0x410, 0x44f],
  [0x5d0, 0x5ea],
  [0x905, 0x939],
  [0x0e01, 0x0e30],
  [0x3041, 0x3096],
  [0x4e00, 0x9fa5],
  [0xac00, 0xd7a3],
  [0x2190, 0x21ff],
  [0x1f600, 0x1f64f],
  [0x300, 0x33f],
  [0x10330, 0x1034a],
  [0x1d400, 0x1d454],
];

export interface TextOptions {
  readonly seed: number;
  /** Strings that must not occur, because a witness reads them in its own way. */
  readonly without?: RegExp;
}

/** `count` texts of 0 to some hundred characters. */
export function* randomTexts(count: number, { seed, without }: TextOptions): Generator<string> {
  const random = seeded(seed);
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(items: readonly T[]) => items[below(items.length)];
  const part = (): string => {
    const kind = below(20);
    if (kind < 7) return pick(WORDS);
    if (kind < 11) return pick(PIECES);
    if (kind < 15) return pick(SPACES);
    if (kind < 18) {
      const [from, to] = pick(RANGES);
      return String.fromCodePoint(...Array.from({ length: 1 + below(6) }, () => from + below(to - from + 1)));
    }
    // A run, mostly short.
    return pick(kind === 18 ? SPACES : [...PIECES, ...WORDS]).repeat(1 + below(below(10) === 0 ? 60 : 6));
  };
  for (let made = 0; made < count; ) {
    const text = Array.from({ length: below(below(8) === 0 ? 80 : 14) }, () => part() + (below(2) ? " " : "")).join("");
    if (without?.test(text)) continue;
    made++;
    yield text;
  }
}

/** Bytes of any kind: half of them torn pieces of text. */
export function* randomBytes(count: number, seed: number): Generator<Uint8Array> {
  const random = seeded(seed);
  const below = (n: number) => Math.floor(random() * n);
  for (const text of randomTexts(count, { seed: seed + 1 })) {
    const bytes = Buffer.from(text, "utf8");
    if (below(2) === 0) yield Uint8Array.from({ length: below(60) }, () => below(256));
    else {
      for (let n = below(6); n > 0 && bytes.length > 0; n--) bytes[below(bytes.length)] = below(256);
      yield new Uint8Array(bytes.subarray(below(4)));
    }
  }
}
