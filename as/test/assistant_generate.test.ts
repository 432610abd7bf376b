/** Whole answers of an assistant: a random model with the sections ASSISTANT and TOOLS, for which every text is a command. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import * as I from "../../spec/image.ts";
import { withSections } from "../../spec/test/with_sections.ts";
import * as T from "../../spec/tools.ts";
import * as W from "../../spec/wire.ts";
import { SPECIALS, sealed, tableVectors } from "./assistant_table.ts";
import { configOf, patched, TextEngine } from "./text_engine.ts";

const plain = new Uint8Array(readFileSync(join(ROOT, "spec/vectors/relu2.trit")));
const VOCAB = configOf(plain, I.CFG_VOCAB_SIZE);
const BOS = configOf(plain, I.CFG_BOS);
/** With these tokens the random model answers with calls now and then. */
const BASE = 49;
const EOS = VOCAB - 3;
const TEXT_MAX = 9;
const TABLE = new Uint8Array(Buffer.from(tableVectors()[0].binary, "hex"));

const section = (gate = 0, base = BASE) => new Uint8Array(Uint32Array.of(T.ASSISTANT_V1, base, gate, TEXT_MAX).buffer);
const assistant = (table: Uint8Array | null = TABLE, gate = 0, eos = EOS) =>
  withSections(patched(plain, [[I.CFG_EOS, eos]]), [
    [I.KIND_ASSISTANT, section(gate)],
    ...(table === null ? [] : [[I.KIND_TOOLS, table] as [number, Uint8Array]]),
  ]);
const tokens = (...names: string[]) => names.map((name) => BASE + SPECIALS.indexOf(name));
const KINDS = "light fan heater switch cover lock volume timer temperature humidity luminance robot maker".split(" ");
const TEXTS = [
  "please switch the lamp on and set the fan to 40 percent",
  "it's too dark in here",
  "coffee in 10 minutes",
  "set the heater to 21.5 degrees, the lamp to 3, volume half, fan high",
  "",
  "hello there",
];
/** Texts to some of which it answers with calls. */
const COMMANDS = Array.from({ length: 40 }, (_, n) => `${"abcdefgh"[n % 8]} lamp ${n} percent timer 5 minutes`);

const names = (ids: number[]) => ids.map((id) => SPECIALS[id - BASE] ?? `${id}`);

test("a turn: BOS, kinds of the table, the words read with it", async () => {
  const model = await TextEngine.open(assistant(), 128);
  assert.equal(model.begin(TEXTS[0]), W.RC_OK);
  const words = (text: string) => text.split(" ").flatMap((word) => model.encode(` ${word}`));
  const wanted = [
    ...[BOS, ...tokens(...KINDS, "user")],
    ...[...words("please switch the"), ...tokens("light")],
    ...[...words("on and set the"), ...tokens("fan"), ...words("to"), ...tokens("p1", "board")],
  ];
  assert.deepEqual(model.contextIds(), wanted);
  assert.equal(model.call.gen_prompt_tokens(), wanted.length);
});

for (const [name, base] of [
  ["relu2", BASE],
  ["relu2", 3],
  ["silu", 118],
  ["llama", 72],
  ["llama", 187],
  ["experts", 20],
] as const)
  test(`${name}, tokens from ${base}: engines give the same answers, which are greedy under the grammar`, async () => {
    const source = new Uint8Array(readFileSync(join(ROOT, `spec/vectors/${name}.trit`)));
    const vocab = configOf(source, I.CFG_VOCAB_SIZE);
    const image = withSections(patched(source, [[I.CFG_EOS, vocab - 2]]), [
      [I.KIND_ASSISTANT, section(0, base)],
      [I.KIND_TOOLS, TABLE],
    ]);
    const [ref, lut, simd, twin] = await Promise.all([0, 1, 2, 1].map((engine) => TextEngine.open(image, 128, engine)));
    for (const text of [...TEXTS, ...COMMANDS.slice(0, 12)]) {
      const ids = ref.answer(text);
      assert.deepEqual(lut.answer(text), ids);
      assert.deepEqual(simd.answer(text), ids);
      const prompt = ref.contextIds().slice(0, ref.call.gen_prompt_tokens());
      const tokens = (...all: string[]) => all.map((token) => base + SPECIALS.indexOf(token));
      const likeliest = (context: number[], among: number[]) => {
        const at = context.reduce((_, id, i) => twin.call.forward(id, i, Number(i === context.length - 1)), 0) >>> 0;
        const logits = new Int32Array(twin.bytes().buffer, at, vocab);
        return among.reduce((best, id) => (logits[id] > logits[best] ? id : best));
      };
      assert.equal(ids[0], likeliest(prompt, tokens("call", "none", "decline", "ask", "say")));
      const any = Array.from({ length: vocab }, (_, id) => id);
      const text_ids = any.filter((id) => id < base || id >= base + T.TOOL_TOKENS);
      if (["decline", "ask", "say"].some((token) => ids[0] === tokens(token)[0])) {
        for (let i = 1; i < ids.length; i++)
          assert.equal(ids[i], likeliest([...prompt, ...ids.slice(0, i)], text_ids), `${i} of ${ids}`);
      } else if (ids.length > 2) {
        assert.equal(
          ids[2],
          likeliest(
            [...prompt, ...ids.slice(0, 2)],
            [...any.slice(base + 16, base + 32), ...(ids[1] <= tokens("off")[0] ? tokens("all") : [])],
          ),
        );
      }
      assert.equal(ref.call.calls_count(), ids.filter((id) => id === tokens("call")[0]).length);
    }
  });

test("the beginning of every turn is computed once", async () => {
  const model = await TextEngine.open(assistant(), 128);
  model.answer(TEXTS[0]);
  for (const keep of [true, false]) {
    assert.equal(model.begin(TEXTS[1], { keep }), W.RC_OK);
    assert.ok(model.call.gen_pos() >= 1 + KINDS.length);
    const ids = model.run();
    const fresh = await TextEngine.open(assistant(), 128);
    if (!keep) assert.deepEqual(ids, fresh.answer(TEXTS[1]));
    assert.equal(model.contextIds().filter((id) => id === BOS).length, 1);
  }
});

test("a kept turn knows the calls of the one before, a new context does not", async () => {
  const model = await TextEngine.open(assistant(), 128);
  let seen = 0;
  for (const text of COMMANDS) {
    const calls = model.answer(text);
    if (calls[0] !== tokens("call")[0]) continue;
    seen++;
    const made = Array.from({ length: model.call.calls_count() }, (_, i) => model.call.call_slot(i)).some(Boolean);
    assert.equal(
      made,
      calls.some((id) => id >= BASE + T.TOK_SLOT && id < BASE + T.TOK_ALL),
    );
    assert.equal(model.begin("brighter", { keep: true }), W.RC_OK);
    const ids = model.contextIds();
    assert.deepEqual(ids.slice(1 + KINDS.length, ids.indexOf(tokens("user")[0])), calls);
    model.run();
    model.answer(text);
    assert.equal(model.begin("brighter"), W.RC_OK);
    assert.equal(model.contextIds()[1 + KINDS.length], tokens("user")[0]);
    model.run();
  }
  assert.ok(seen > 3, `${seen} of ${COMMANDS.length} were answered with calls`);
});

test("calls below the gate wait, and the next turn begins with what was asked", async () => {
  const model = await TextEngine.open(assistant(TABLE, 0xffffffff), 128);
  let seen = 0;
  for (const text of COMMANDS) {
    const calls = model.answer(text);
    if (calls[0] !== tokens("call")[0]) continue;
    seen++;
    for (let i = 0; i < model.call.calls_count(); i++) assert.equal(model.call.call_rc(i), T.CALL_UNSURE);
    model.call.calls_rehearse();
    assert.equal(model.call.call_has_value(0), 0, "nothing is made");
    assert.equal(model.begin("yes", { keep: true }), W.RC_OK);
    const ids = model.contextIds();
    assert.deepEqual(ids.slice(1 + KINDS.length, ids.indexOf(tokens("user")[0])), [...tokens("ask"), ...calls]);
    model.run();
  }
  assert.ok(seen > 3);
});

test("text ends at its limit, calls at theirs, and at the end of the context without sliding", async () => {
  const model = await TextEngine.open(assistant(), 128);
  const kinds = new Set<string>();
  for (const text of [...TEXTS, ...COMMANDS]) {
    const ids = model.answer(text);
    kinds.add(names(ids)[0]);
    if (["decline", "ask", "say"].includes(names(ids)[0])) assert.ok(ids.length <= 1 + TEXT_MAX);
    const is_call = ids[0] === tokens("call")[0];
    assert.ok(ids.slice(1).every((id) => is_call === (id >= BASE && id < BASE + T.TOOL_TOKENS)));
    assert.equal(model.call.gen_slides(), 0);
  }
  assert.ok(kinds.size > 1, [...kinds].join());
  const short = await TextEngine.open(assistant(), 48);
  for (let n = 1; n < 40; n++) {
    const code = short.begin("a ".repeat(n));
    const positions = 1 + KINDS.length + 2 + n;
    assert.equal(code, positions + 4 * T.CALLS_MAX > 48 ? W.TK_RC_TOO_LONG : W.RC_OK);
    if (code === 0) short.run();
    assert.equal(short.call.gen_slides(), 0);
  }
});

test("another table may be set; without one the model is as any other", async () => {
  const model = await TextEngine.open(assistant(), 128);
  const at = model.call.reserve(TABLE.length);
  const lights = new Uint8Array(Buffer.from(tableVectors()[1].binary, "hex"));
  model.bytes().set(lights, at);
  assert.equal(model.call.assistant_open(at, lights.length), 1);
  model.begin("growbox lamp");
  assert.deepEqual(names(model.contextIds()).slice(1, 6), ["light", "fan", "switch", "timer", "sensor"]);
  model.run();
  const damaged = lights.slice();
  damaged[20] ^= 1;
  model.bytes().set(damaged, at);
  assert.equal(model.call.assistant_open(at, damaged.length), 0);
  const bare = await TextEngine.open(patched(plain, [[I.CFG_EOS, EOS]], true), 128);
  for (const other of [model, await TextEngine.open(patched(assistant(null), [], true), 128)]) {
    if (other === model) continue;
    assert.equal(other.call.is_assistant(), 1);
    assert.equal(other.call.assistant_on(), 0);
    assert.deepEqual(other.answer(TEXTS[0], { max: 20 }), bare.answer(TEXTS[0], { max: 20 }));
    assert.deepEqual(other.contextIds(), bare.contextIds());
  }
  assert.equal(model.call.assistant_on(), 0);
});

test("the table stays when a text is refused, and a model with sections that make no sense is too", async () => {
  const open = (image: Uint8Array) => TextEngine.open(image, 64);
  await assert.rejects(open(assistant(TABLE.slice(0, 100))), /: 12$/);
  await assert.rejects(open(assistant(TABLE.map((byte, i) => (i === 40 ? byte ^ 1 : byte)))), /: 12$/);
  await assert.rejects(open(assistant(TABLE, 0, BASE + 3)), /: 5$/);
  await assert.rejects(open(assistant(TABLE, 0, I.NONE_ID)), /: 5$/);
  const twice = withSections(assistant(), [[I.KIND_TOOLS, TABLE]]);
  await assert.rejects(open(twice), /: 6$/);
  await open(assistant(sealed(TABLE)));
  // Without ASSISTANT the table is not even looked at.
  await open(withSections(plain, [[I.KIND_TOOLS, new Uint8Array(5)]]));
});

test("turn_ids gives the ids of a turn without an answer", async () => {
  const model = await TextEngine.open(assistant(), 128);
  const at = model.call.reserve(65536);
  for (const text of TEXTS) {
    const bytes = Buffer.from(text);
    model.bytes().set(bytes, at);
    const count = model.call.turn_ids(0, at, bytes.length, at + 4096, 1000);
    model.begin(text);
    const ids = model.contextIds();
    assert.deepEqual([...new Uint32Array(model.bytes().buffer, at + 4096, count)], ids);
    assert.equal(model.call.turn_ids(0, at, bytes.length, at + 4096, ids.length - 1), -1);
    model.run();
  }
});
