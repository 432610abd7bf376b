import assert from "node:assert/strict";
import { before, test } from "node:test";
import * as T from "../../spec/tools.ts";
import { type AsModule, asModule } from "./as_module.ts";
import { assemble, type Phrase, randomTable, sealed, type Tool, tableVectors } from "./assistant_table.ts";
import { Random } from "./random.ts";

const PAGES = 2;
let module: AsModule;

before(async () => {
  module = await asModule({ "assistant/table.ts": ["table_open", "table_is_sound", "tools_count"] }, PAGES);
});

/** Lays the table at the very end of the memory: whatever is read behind it traps. */
function isSound(table: Uint8Array, claimed = table.length): boolean {
  const at = PAGES * 65536 - ((table.length + 3) & ~3);
  module.bytes.set(table, at);
  return module.call.table_is_sound(at, claimed) !== 0;
}

const TOOL: Tool = {
  kind: 0,
  verbs: 63,
  drive: T.DRIVE_PWM,
  pin: 1,
  flags: 0,
  unit: 1,
  min: 0,
  max: 100000,
  step: 1000,
  on: 100000,
  rawMin: 0,
  rawMax: 65535,
};
const LAMP: Phrase = { text: "lamp", cls: T.WORD_ALIAS, value: 0, tool: 0 };

test("tables of the second implementation are sound, and only whole", () => {
  for (const { binary, tools } of tableVectors()) {
    const table = Buffer.from(binary, "hex");
    assert.ok(isSound(table));
    for (const less of [0, 3, 4, 15, 16, table.length - 4]) assert.ok(!isSound(table.subarray(0, less)), `${less}`);
    assert.ok(!isSound(table, table.length + 4));
    module.bytes.set(table, 65536);
    assert.equal(module.call.table_open(65536, table.length), 1);
    assert.equal(module.call.tools_count(), tools.tools.length);
    assert.equal(module.call.table_open(65536, table.length - 4), 0);
    assert.equal(module.call.tools_count(), 0, "a damaged one leaves none");
    assert.equal(module.call.table_open(0, 0), 1);
  }
});

test("every bit of a table is guarded", () => {
  const table = assemble([TOOL], [LAMP]);
  for (let bit = 0; bit < table.length * 8; bit++) {
    const copy = table.slice();
    copy[bit >> 3] ^= 1 << (bit & 7);
    assert.ok(!isSound(copy), `bit ${bit}`);
  }
});

test("what makes no sense is refused, with a right checksum too", () => {
  const refused: [string, Uint8Array][] = [
    ["no tools", assemble([], [])],
    ["33 tools", assemble(Array(33).fill(TOOL), [])],
    ["kind", assemble([{ ...TOOL, kind: 16 }], [])],
    ["verb", assemble([{ ...TOOL, verbs: 64 }], [])],
    ["drive", assemble([{ ...TOOL, drive: 5 }], [])],
    ["unit", assemble([{ ...TOOL, unit: 4 }], [])],
    ["min > max", assemble([{ ...TOOL, min: 5, max: 4, on: 4 }], [])],
    ["step 0", assemble([{ ...TOOL, step: 0 }], [])],
    ["step below 0", assemble([{ ...TOOL, step: -1, verbs: 1 }], [])],
    ["on below min", assemble([{ ...TOOL, on: -1 }], [])],
    ["on above max", assemble([{ ...TOOL, on: 100001 }], [])],
    ["GPIO raw", assemble([{ ...TOOL, drive: T.DRIVE_GPIO, rawMax: 2 }], [])],
    ["ADC raw", assemble([{ ...TOOL, drive: T.DRIVE_ADC, rawMax: 0 }], [])],
    ["alias of no tool", assemble([TOOL], [{ ...LAMP, value: 1 }])],
    ["alias of a negative tool", assemble([TOOL], [{ ...LAMP, value: -1 }])],
    ["word of no tool", assemble([TOOL], [{ text: "dim", cls: T.WORD_VALUE, value: 1, tool: 1 }])],
    ["word of tool 255", assemble([TOOL], [{ text: "dim", cls: T.WORD_VALUE, value: 1, tool: 255 }])],
    ["class", assemble([TOOL], [{ ...LAMP, cls: T.WORD_CLASSES }])],
    ["empty phrase", assemble([TOOL], [{ ...LAMP, text: "" }])],
    ["long phrase", assemble([TOOL], [{ ...LAMP, text: "l".repeat(49) }])],
    ["too large", assemble(Array(32).fill(TOOL), Array(255).fill(LAMP))],
  ];
  for (const [what, table] of refused) assert.ok(!isSound(table), what);

  const table = assemble([TOOL], [LAMP, { ...LAMP, text: "and", cls: T.WORD_AND, tool: 255 }]);
  const phrase = T.TBL_HEADER_BYTES + T.TOOL_BYTES;
  const patched = (at: number, value: number) => {
    const copy = table.slice();
    new DataView(copy.buffer).setUint16(at, value, true);
    return sealed(copy);
  };
  assert.ok(isSound(sealed(table)));
  assert.ok(!isSound(patched(T.TBL_VERSION, 2)));
  assert.ok(!isSound(patched(T.TBL_PHRASES, 60000)));
  assert.ok(!isSound(patched(T.TBL_BYTES, table.length + 4)));
  for (const at of [T.TBL_HEADER_BYTES + T.TOOL_NAME, phrase + T.PHRASE_TEXT])
    for (const offset of [0, phrase + 2 * T.PHRASE_BYTES - 1, table.length - 1, 65535])
      assert.ok(!isSound(patched(at, offset)), `${at}: ${offset}`);
  // Classes that descend: AND before the alias.
  assert.ok(!isSound(patched(phrase + T.PHRASE_LEN, 4 | (T.WORD_RANGE << 8))));
});

test("what must be there depends on the verbs", () => {
  const verbs = (1 << T.VERB_OFF) | (1 << T.VERB_GET);
  assert.ok(isSound(assemble([{ ...TOOL, verbs, step: 0, min: 1000, on: 0 }], [])));
});

test("random tables are sound; random changes of them are read without leaving them", () => {
  const random = new Random(7);
  let sound = 0;
  for (let round = 0; round < 2000; round++) {
    const table = randomTable(random);
    assert.ok(table.length > T.TOOLS_MAX_BYTES || isSound(table));
    const copy = table.slice();
    for (let n = random.between(1, 3); n > 0; n--) copy[random.between(0, copy.length - 1)] = random.between(0, 255);
    if (isSound(sealed(copy))) sound++;
  }
  assert.ok(sound > 100 && sound < 1900, `${sound} of 2000 are still sound`);
});
