import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import * as I from "../../spec/image.ts";
import { seeded } from "./as_module.ts";
import { tokenizerModule } from "./tokenizer_module.ts";
import { naiveEncoder, type TokenizerSpec, tokenizerSection, wordsOf } from "./tokenizer_section.ts";

const module = await tokenizerModule();
const random = seeded(7);
const below = (n: number) => random() % n;
const pick = <T>(items: T[]): T => items[below(items.length)];
const utf8 = (text: string) => new Uint8Array(Buffer.from(text));
const latin1 = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));

const NO_BYTES = Array<number>(256).fill(-1);
const PIECES = [
  "a",
  "b",
  "th",
  "e",
  " ",
  "  ",
  "\n",
  "\t",
  "1",
  "23",
  ".",
  "!?",
  "é",
  "日本",
  "🙂",
  "\u00a0",
  "\ud7ff",
  "\r\n",
];
/** What UTF-8 forbids: overlong forms, surrogates, above U+10FFFF, torn and lonely bytes. */
const MALFORMED = [
  "\xc0\x80",
  "\xe0\x80\x80",
  "\xed\xa0\x80",
  "\xf4\x90\x80\x80",
  "\xf0\x80\x80\x80",
  "\xe6\x97",
  "\x80",
  "\xff",
];

function randomText(): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let n = below(14); n > 0; n--) {
    const kind = below(10);
    if (kind < 7) parts.push(utf8(pick(PIECES)));
    else if (kind < 8) parts.push(latin1(pick(MALFORMED)));
    else parts.push(Uint8Array.from({ length: 1 + below(3) }, () => below(256)));
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** 256 bytes (their ids shuffled), merges of random pairs, two specials. */
function byteLevel(merges: number, flags = 0, pre = I.PRE_BYTES): TokenizerSpec {
  const tokens: TokenizerSpec["tokens"] = [];
  const byteIds = [...NO_BYTES];
  const order = Array.from({ length: 256 }, (_, byte) => byte).sort(() => below(2) - 0.5);
  for (const byte of order) {
    byteIds[byte] = tokens.length;
    tokens.push({ bytes: Uint8Array.of(byte), type: I.TOK_TYPE_TEXT });
  }
  tokens.push({ bytes: utf8("<|bos|>"), type: I.TOK_TYPE_SPECIAL });
  const spec: TokenizerSpec = { kind: I.TOK_BYTE_LEVEL, flags, pre, tokens, merges: [], byteIds, unk: -1 };
  // Bytes that occur in the texts, so that merges happen.
  const usual = [...utf8(PIECES.join(""))].map((byte) => byteIds[byte]);
  grow(spec, usual, merges);
  return spec;
}

/** Adds merges of what `usual` can become. */
function grow(spec: TokenizerSpec, usual: number[], merges: number): void {
  const pairs = new Set<string>();
  while (spec.merges.length < merges) {
    const [left, right] = [pick(usual), pick(usual)];
    const bytes = Buffer.concat([spec.tokens[left].bytes, spec.tokens[right].bytes]);
    if (pairs.has(`${left},${right}`) || bytes.length > 12) continue;
    pairs.add(`${left},${right}`);
    spec.merges.push([left, right, spec.tokens.length]);
    usual.push(spec.tokens.length);
    spec.tokens.push({ bytes: new Uint8Array(bytes), type: I.TOK_TYPE_TEXT });
  }
}

/** Characters of PIECES but two (which fall back), 256 byte tokens, unk. */
function sentencePiece(merges: number, flags: number): TokenizerSpec {
  const tokens: TokenizerSpec["tokens"] = [{ bytes: utf8("<unk>"), type: I.TOK_TYPE_SPECIAL }];
  const byteIds = Array.from({ length: 256 }, (_, byte) => {
    tokens.push({ bytes: Uint8Array.of(byte), type: I.TOK_TYPE_BYTE });
    return byte + 1;
  });
  const spec: TokenizerSpec = {
    kind: I.TOK_SENTENCEPIECE,
    flags,
    pre: I.PRE_SENTENCEPIECE,
    tokens,
    merges: [],
    byteIds,
    unk: 0,
  };
  const usual: number[] = [];
  for (const character of new Set("ab the 123.!?é日\n")) {
    usual.push(tokens.length);
    tokens.push({ bytes: utf8(character), type: I.TOK_TYPE_TEXT });
  }
  grow(spec, usual, merges);
  return spec;
}

test("PRE_BYTES cuts words as the regular expression does", () => {
  for (let round = 0; round < 5000; round++) {
    const text = randomText();
    const wanted = wordsOf(Buffer.from(text).toString("latin1"));
    let at = 0;
    for (const word of wanted) {
      const end = module.wordEnd(I.PRE_BYTES, text, at);
      assert.equal(end - at, word.length, `${Buffer.from(text).toString("hex")} at ${at}`);
      at = end;
    }
    assert.equal(at, text.length);
  }
});

for (const width of [2, 4])
  for (const flags of [0, I.TOK_ADD_SPACE_PREFIX])
    test(`byte-level ids equal those of naive BPE (width ${width}, flags ${flags}), and decode to the text`, () => {
      for (const pre of [I.PRE_BYTES, I.PRE_NONE]) {
        const spec = byteLevel(400, flags, pre);
        module.open(spec, width);
        const naive = naiveEncoder(spec);
        for (let round = 0; round < 1500; round++) {
          const text = randomText();
          const ids = module.encode(text);
          assert.deepEqual(ids, naive(text), Buffer.from(text).toString("hex"));
          const prefixed = flags !== 0 && text.length > 0 ? Buffer.concat([utf8(" "), text]) : text;
          assert.deepEqual(Buffer.from(module.decode(ids ?? [])), Buffer.from(prefixed));
        }
      }
    });

for (const width of [2, 4])
  for (const flags of [0, I.TOK_ADD_SPACE_PREFIX, I.TOK_BYTE_FALLBACK, I.TOK_ADD_SPACE_PREFIX | I.TOK_BYTE_FALLBACK])
    test(`SentencePiece ids equal those of naive BPE (width ${width}, flags ${flags})`, () => {
      const spec = sentencePiece(300, flags);
      module.open(spec, width);
      const naive = naiveEncoder(spec);
      for (let round = 0; round < 1500; round++) {
        const text = randomText();
        const ids = module.encode(text);
        assert.deepEqual(ids, naive(text), Buffer.from(text).toString("hex"));
        if ((flags & I.TOK_BYTE_FALLBACK) === 0) continue;
        // Decoding takes one leading space away: the one that the prefix added.
        const lost = flags & I.TOK_ADD_SPACE_PREFIX ? 0 : -1;
        if (lost === 0 || text[0] !== 0x20) assert.deepEqual(module.decode(ids ?? []), text);
      }
    });

interface Vectors {
  pre_bytes: [text: string, words: string[]][];
  sets: { name: string; section: string; cases: [text: string, ids: number[], decoded: string][] }[];
}
const vectors: Vectors = JSON.parse(readFileSync(join(ROOT, "spec/vectors/tokenizer.json"), "utf8"));
const fromBase64 = (text: string) => new Uint8Array(Buffer.from(text, "base64"));

test("the vectors' words", () => {
  assert.ok(vectors.pre_bytes.length > 50);
  for (const [text, words] of vectors.pre_bytes) {
    let at = 0;
    for (const word of words) {
      assert.equal(module.wordEnd(I.PRE_BYTES, fromBase64(text), at), at + fromBase64(word).length, text);
      at += fromBase64(word).length;
    }
    assert.equal(at, fromBase64(text).length);
  }
});

for (const { name, section, cases } of vectors.sets)
  test(`vectors: ${name}`, () => {
    const bytes = fromBase64(section);
    assert.equal(module.openSection(bytes, new DataView(bytes.buffer).getUint32(I.TOK_VOCAB, true)), 0);
    assert.ok(cases.length > 10);
    for (const [text, ids, decoded] of cases) {
      assert.deepEqual(module.encode(fromBase64(text)), ids, text);
      assert.deepEqual(module.decode(ids), fromBase64(decoded), text);
    }
  });

test("a byte without an id is skipped", () => {
  const spec = byteLevel(0);
  spec.byteIds[0x62] = -1;
  module.open(spec, 2);
  assert.deepEqual(module.encode(utf8("abbc")), [spec.byteIds[0x61], spec.byteIds[0x63]]);
  assert.deepEqual(module.encode(utf8("b")), []);
});

test("special tokens are never made from text, not even by a merge, and decode to nothing", () => {
  const spec = byteLevel(0);
  const bos = spec.tokens.length - 1;
  const [b, o] = [spec.byteIds[0x62], spec.byteIds[0x6f]];
  spec.merges = [[b, o, bos]];
  module.open(spec, 2);
  assert.deepEqual(module.encode(utf8("bo")), [b, o]);
  assert.equal(module.encode(utf8("<|bos|>"))?.length, 7);
  assert.deepEqual(module.tokenText(bos), new Uint8Array(0));
  assert.deepEqual(module.decode([bos, b]), utf8("b"));
  assert.deepEqual(module.tokenText(spec.tokens.length), new Uint8Array(0), "an id that does not exist");
  assert.deepEqual(module.tokenText(0xffffffff), new Uint8Array(0));
});

test("a word of 60,000 bytes takes n log n", () => {
  const spec = byteLevel(400);
  module.open(spec, 2);
  const start = performance.now();
  const ids = module.encode(utf8("the".repeat(20_000)));
  assert.ok(performance.now() - start < 2000, `${performance.now() - start} ms`);
  assert.deepEqual(module.decode(ids ?? []), utf8("the".repeat(20_000)));
  assert.deepEqual(module.encode(utf8("the".repeat(300))), naiveEncoder(spec)(utf8("the".repeat(300))));
});

test("a word that does not fit the scratch is told, not written, and the rest is counted", () => {
  module.open(byteLevel(0), 2);
  const text = utf8("ab abcdefgh ab");
  assert.equal(module.encode(text, 10 * 16)?.length, text.length);
  assert.equal(module.encode(text, 10 * 16 - 1), null);
  assert.equal(module.encode(text, 0), null);
  const counted = module.as.u32[module.as.address("ids") / 4 + 1];
  assert.equal(counted, text.length, "at most a token a byte");
});

test("a counting pass and a writing pass agree, and the common beginning is found", () => {
  const spec = byteLevel(300);
  module.open(spec, 4);
  const naive = naiveEncoder(spec);
  for (let round = 0; round < 500; round++) {
    const text = randomText();
    const wanted = naive(text);
    const old = naive(randomText());
    const same = below(2) === 0 ? below(wanted.length + 1) : 0;
    old.splice(0, same, ...wanted.slice(0, same));
    let common = 0;
    while (common < old.length && common < wanted.length && old[common] === wanted[common]) common++;
    const { counted, written, same: found } = module.encodeOver(text, old);
    assert.deepEqual([counted, written, found], [wanted.length, wanted.length, common]);
  }
});

test("CHAT: items in order, the text where it belongs, another template for later turns", () => {
  module.open(byteLevel(0), 2);
  const section = (first: number[], next: number[]) =>
    new Uint8Array(Int32Array.of(first.length, next.length, ...first, ...next).buffer);
  const plain = module.encode(utf8("hi"));
  assert.ok(plain);
  assert.equal(module.openChat(section([256, 7, -1, 9], [5, -1, -1]), 257), 0);
  assert.deepEqual(module.encode(utf8("hi"), undefined, { first: true, bos: 3 }), [256, 7, ...plain, 9]);
  assert.deepEqual(module.encode(utf8("hi"), undefined, { first: false, bos: 3 }), [5, ...plain, ...plain]);

  const lies: Uint8Array[] = [
    section([257], []),
    section([], [-2]),
    section([1, 2], [3]).subarray(0, 16),
    new Uint8Array(4),
    new Uint8Array(Int32Array.of(-1, 2, 0).buffer),
    new Uint8Array(Int32Array.of(0, -1).buffer),
  ];
  for (const lie of lies) {
    assert.equal(module.openChat(lie, 257), I.IMAGE_BAD_TOKENIZER);
    assert.deepEqual(module.encode(utf8("hi"), undefined, { first: true, bos: 3 }), [3, ...plain]);
    assert.deepEqual(module.encode(utf8("hi"), undefined, { first: false, bos: 3 }), plain);
  }
  assert.deepEqual(module.encode(utf8("hi"), undefined, { first: true, bos: -1 }), plain);
});

const FIELDS = Object.entries({ ...I }).filter(([name]) =>
  /^TOK_(KIND|FLAGS|PRE|VOCAB|N_|WIDTH|UNK|LONG|ST|BYTES|TYPES|ME|BYTE_IDS|SO)/.test(name),
);
const ACCEPTABLE = [I.IMAGE_OK, I.IMAGE_BAD_TOKENIZER, I.IMAGE_UNSUPPORTED];

test("a section that lies is refused or harmless: nothing is read outside it", () => {
  assert.ok(FIELDS.length >= 13);
  let refused = 0;
  for (const spec of [byteLevel(60), sentencePiece(60, 3)])
    for (const width of [2, 4]) {
      const good = tokenizerSection(spec, width);
      const vocab = spec.tokens.length;
      assert.equal(module.openSection(good, vocab), 0);
      for (let round = 0; round < 3000; round++) {
        const bad = good.slice();
        const view = new DataView(bad.buffer);
        const offset = below(3) > 0 ? Number(pick(FIELDS)[1]) : 4 * below(bad.length / 4);
        const value = pick([
          0,
          1,
          2,
          3,
          4,
          60,
          64,
          bad.length - 4,
          bad.length,
          0xfffffffc,
          0x80000000,
          vocab,
          vocab - 1,
          random(),
        ]);
        view.setUint32(offset & ~3, value, true);
        const cut = below(4) === 0 ? bad.subarray(0, 4 * below(bad.length / 4 + 1)) : bad;
        const code = module.openSection(cut, vocab);
        assert.ok(ACCEPTABLE.includes(code), `code ${code}`);
        if (code !== 0) refused++;
        const ids = module.encode(randomText());
        assert.ok(ids);
        if (code !== 0) assert.deepEqual(ids, [], "after an error no tokenizer is open");
        for (const id of ids) assert.ok(id < vocab, `id ${id}`);
        module.decode(ids);
      }
    }
  assert.ok(refused > 3000, `${refused} of 12000 refused`);
});

test("so are the sections of the vectors, with classes, added tokens and costs", () => {
  let refused = 0;
  const sections = vectors.sets.filter(({ name }) => /words|unigram/.test(name));
  assert.ok(sections.length >= 8);
  for (const { section } of sections) {
    const good = fromBase64(section);
    const vocab = new DataView(good.buffer).getUint32(I.TOK_VOCAB, true);
    for (let round = 0; round < 800; round++) {
      const bad = good.slice();
      const view = new DataView(bad.buffer);
      // A field of the header, or the first words of a part.
      const part = view.getUint32(pick([I.TOK_MERGES, I.TOK_SORTED, I.TOK_CLASSES, I.TOK_ADDED]), true);
      const offset = below(2) === 0 ? 4 * below(16) : part + 4 * below(8);
      if (offset + 4 > bad.length) continue;
      view.setUint32(offset & ~3, pick([0, 1, 3, 6, 64, vocab, vocab - 1, bad.length, 0xfffffffc, random()]), true);
      const code = module.openSection(bad, vocab);
      assert.ok(ACCEPTABLE.includes(code), `code ${code}`);
      if (code !== 0) refused++;
      for (const id of module.encode(randomText()) ?? []) assert.ok(id < vocab, `id ${id}`);
    }
  }
  assert.ok(refused > 1000, `${refused} refused`);
});

test("CHAT: the text between two literals is one text with them, and trimmed where the item says so", () => {
  const spec = byteLevel(300);
  module.open(spec, 2);
  const literals = utf8(" the  th");
  const at = 8 + 4 * 8;
  const words = [8, 0, 7, I.CHAT_JOINED, I.CHAT_TRIM, at, 5, at + 6, 2, 9];
  const section = new Uint8Array([...new Uint8Array(Int32Array.from(words).buffer), ...literals]);
  assert.equal(module.openChat(section, 257), 0);
  const wanted = module.encode(utf8(" the a\n bth"));
  assert.deepEqual(module.encode(utf8("\t a\n b \n"), undefined, { first: true, bos: 3 }), [7, ...(wanted ?? []), 9]);
  assert.deepEqual(module.encode(utf8("x"), undefined, { first: false, bos: 3 }), []);
  for (const [word, value] of [
    [0, 6],
    [5, 0xffffffff],
    [6, 100],
    [7, at + 7],
    [8, 0x80000000],
  ]) {
    const lie = section.slice();
    new DataView(lie.buffer).setUint32(4 * word, value, true);
    assert.equal(module.openChat(lie, 257), I.IMAGE_BAD_TOKENIZER, `word ${word}`);
  }
});

test("each rule of the section refuses by its own code", () => {
  const spec = byteLevel(60);
  const vocab = spec.tokens.length;
  const cases: [field: number, value: number, code: number][] = [
    [I.TOK_KIND, 4, I.IMAGE_UNSUPPORTED],
    [I.TOK_PRE, 7, I.IMAGE_UNSUPPORTED],
    [I.TOK_VOCAB, vocab + 1, I.IMAGE_BAD_TOKENIZER],
    [I.TOK_WIDTH, 3, I.IMAGE_BAD_TOKENIZER],
    [I.TOK_UNK, vocab, I.IMAGE_BAD_TOKENIZER],
    [I.TOK_LONGEST, 1, I.IMAGE_BAD_TOKENIZER],
    [I.TOK_STARTS, 66, I.IMAGE_BAD_TOKENIZER],
    [I.TOK_TYPES, 0, I.IMAGE_BAD_TOKENIZER],
    [I.TOK_N_MERGES, 0x20000000, I.IMAGE_BAD_TOKENIZER],
    [I.TOK_MERGES, 0xfffffff0, I.IMAGE_BAD_TOKENIZER],
  ];
  for (const [field, value, code] of cases) {
    const section = tokenizerSection(spec, 2);
    new DataView(section.buffer).setUint32(field, value, true);
    assert.equal(module.openSection(section, vocab), code, `field ${field}`);
  }
  const twice = { ...spec, merges: [...spec.merges, spec.merges[0]] };
  assert.equal(module.openSection(tokenizerSection(twice, 2), vocab), I.IMAGE_BAD_TOKENIZER, "a pair twice");

  const pieces = sentencePiece(60, 3);
  const count = pieces.tokens.length;
  const inParts: [part: number, entry: number, value: number, what: string][] = [
    [I.TOK_STARTS, 5, 0, "starts that descend"],
    [I.TOK_STARTS, count, 0x10000000, "text behind the section"],
    [I.TOK_MERGES, 4, count, "left"],
    [I.TOK_MERGES, 5, count, "right"],
    [I.TOK_MERGES, 6, count, "result"],
    [I.TOK_MERGES, 0, count - 1, "pairs that descend"],
    [I.TOK_BYTE_IDS, 255, count, "byte id"],
    [I.TOK_SORTED, 0, count, "sorted id"],
    [I.TOK_SORTED, 0, count - 1, "texts that descend"],
    [I.TOK_TYPES, 0, 5, "type"],
  ];
  for (const [part, entry, value, what] of inParts) {
    const section = tokenizerSection(pieces, 4);
    const view = new DataView(section.buffer);
    assert.equal(module.openSection(section, count), 0);
    view.setUint32(view.getUint32(part, true) + 4 * entry, value, true);
    assert.equal(module.openSection(section, count), I.IMAGE_BAD_TOKENIZER, what);
  }
});
