import assert from "node:assert/strict";
import { before, test } from "node:test";
import * as T from "../../spec/tools.ts";
import { type AsModule, asModule, FREE } from "./as_module.ts";
import { randomTable, SPECIALS, type TableVector, tableVectors } from "./assistant_table.ts";
import { Random } from "./random.ts";

const TABLE = FREE;
const TEXT = FREE + 8192;
const NO_TOKEN = 0xffffffff;
let words: AsModule;

before(async () => {
  words = await asModule(
    {
      "assistant/table.ts": ["table_open"],
      "assistant/normalise.ts": ["words_normalise"],
      "assistant/words.ts": [
        "words_begin",
        "words_next",
        "item_token",
        "item_word",
        "item_bytes",
        "mentioned",
        "slots_of",
        "slot_value",
        "word_value",
      ],
    },
    3,
  );
});

function openTable(table: Uint8Array): void {
  words.bytes.set(table, TABLE);
  assert.equal(words.call.table_open(TABLE, table.length), 1);
}

function normalise(text: string | Uint8Array): number {
  const bytes = Buffer.from(text);
  words.bytes.set(bytes, TEXT);
  words.bytes[TEXT + bytes.length] = 0xee;
  const made = words.call.words_normalise(TEXT, bytes.length);
  assert.equal(words.bytes[TEXT + bytes.length], 0xee);
  assert.ok(made <= bytes.length);
  return made;
}

/** Words and names of special tokens. */
function items(text: string | Uint8Array): string[] {
  const { call, bytes } = words;
  const made = normalise(text);
  call.words_begin(TEXT, made);
  const found: string[] = [];
  while (call.words_next() !== 0) {
    const token = call.item_token() >>> 0;
    if (token !== NO_TOKEN) found.push(`<|${SPECIALS[token]}|>`);
    else {
      const at = call.item_word();
      assert.ok(at >= TEXT && call.item_bytes() > 0 && at + call.item_bytes() <= TEXT + made);
      found.push(Buffer.from(bytes.slice(at, at + call.item_bytes())).toString());
    }
  }
  return found;
}

/** As `slots` of a vector. */
function slots(vector: TableVector): unknown[] {
  const { call } = words;
  const found = [];
  for (let cls = 0; cls < T.SLOT_CLASSES; cls++)
    for (let n = 0; n < call.slots_of(cls); n++) {
      const i = cls * T.SLOT_TOKENS + n;
      found.push([SPECIALS[T.TOK_SLOT + i], cls === T.SLOT_WORD ? wordOf(i, vector) : call.slot_value(i)]);
    }
  return found;
}

/** What the word in a slot means to each tool. */
function wordOf(i: number, vector: TableVector): number[][] {
  return vector.tools.tools.flatMap((_, tool) => {
    const at = words.call.word_value(i, tool);
    return at === 0 ? [] : [[tool, words.i32[at >> 2]]];
  });
}

/** The same from the tools.json of the vector. */
function wordSaid(word: string, vector: TableVector): number[][] {
  return vector.tools.tools.flatMap((tool, i) => {
    const values = (tool as { argument?: { values?: Record<string, number> } }).argument?.values ?? {};
    return word in values ? [[i, Math.round(values[word] * 1000)]] : [];
  });
}

for (const vector of tableVectors())
  test(`${vector.tools.name}: words, tokens, slots and tools are those of the second implementation`, () => {
    openTable(Buffer.from(vector.binary, "hex"));
    for (const { text, items: wanted, slots: values, tools } of vector.cases) {
      assert.deepEqual(items(text), wanted, text);
      const sorted = values
        .map(([slot, value]) => [slot, typeof value === "string" ? wordSaid(value, vector) : value])
        .sort((a, b) => SPECIALS.indexOf(a[0] as string) - SPECIALS.indexOf(b[0] as string));
      assert.deepEqual(slots(vector), sorted, text);
      const mentioned = SPECIALS.slice(T.TOK_KIND, T.TOK_KIND + 2 * T.KINDS).flatMap((token, k) => {
        const tool = words.call.mentioned(k);
        return tool === T.TOOL_NOBODY ? [] : [[token, vector.tools.tools[tool].name]];
      });
      assert.deepEqual(mentioned.sort(), [...tools].sort(), text);
    }
  });

test("a text that is normalised stays as it is", () => {
  for (const { text } of tableVectors().flatMap((vector) => vector.cases)) {
    const made = normalise(text);
    const once = words.bytes.slice(TEXT, TEXT + made);
    assert.equal(normalise(once), made);
    assert.deepEqual(words.bytes.slice(TEXT, TEXT + made), once);
  }
});

test("any bytes, any table: items lie in the text, slots in the table, at most three of a class", () => {
  const random = new Random(1);
  const letters = Buffer.from("aabbccss55%%1239.,:/'-   \u00b0\u2019");
  let tokens = 0;
  for (let round = 0; round < 300; round++) {
    openTable(randomTable(random));
    for (let turn = 0; turn < 10; turn++) {
      const any = random.between(0, 3) === 0;
      const byte = () => (any ? random.between(0, 255) : letters[random.between(0, letters.length - 1)]);
      const found = items(Uint8Array.from(random.vector(random.between(0, 80), byte)));
      tokens += found.filter((item) => item.startsWith("<|")).length;
      for (let cls = 0; cls < T.SLOT_CLASSES; cls++) assert.ok(words.call.slots_of(cls) <= T.SLOT_TOKENS);
    }
  }
  assert.ok(tokens > 1000, `${tokens} tokens`);
});
