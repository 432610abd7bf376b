import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import * as I from "../../spec/image.ts";
import * as W from "../../spec/wire.ts";
import { seeded } from "./as_module.ts";
import { configOf, patched, TextEngine } from "./text_engine.ts";

interface Transcript {
  prompt: string;
  prompt_ids: number[];
  context: number;
  vocab_size: number;
  greedy: { ids: number[]; text: string };
  sampling: { temperature: number; top_k: number; top_p: number; penalty: number; seed: number };
  sampled: { ids: number[]; text: string };
}

const VECTORS = join(ROOT, "spec/vectors");
const MODELS = ["relu2", "silu", "llama", "experts"];
const image = (name: string) => new Uint8Array(readFileSync(join(VECTORS, `${name}.trit`)));
const transcript = (name: string): Transcript =>
  JSON.parse(readFileSync(join(VECTORS, `${name}.transcript.json`), "utf8"));

// Transcripts run past EOS and know no template.
const ENDLESS: [number, number][] = [[I.CFG_EOS, I.NONE_ID]];
const relu2 = patched(image("relu2"), ENDLESS);
const BOS = configOf(relu2, I.CFG_BOS);
const VOCAB = configOf(relu2, I.CFG_VOCAB_SIZE);
const PROMPT = "The heron waits by the mill";

for (const name of MODELS)
  for (const [engine, engineName] of ["ref", "lut", "simd"].entries())
    test(`${name}, ${engineName}: 200 greedy and 200 sampled tokens equal the transcript`, async () => {
      const { prompt, prompt_ids, context, greedy, sampling, sampled } = transcript(name);
      const model = await TextEngine.open(patched(image(name), ENDLESS), context, engine);
      assert.equal(model.begin(prompt, { max: 200 }), W.RC_OK);
      assert.deepEqual(model.contextIds(), prompt_ids);
      assert.equal(model.call.gen_prompt_tokens(), prompt_ids.length);
      const ids = model.run();
      assert.deepEqual(ids, greedy.ids);
      assert.deepEqual(model.textOf(ids), Buffer.from(greedy.text, "base64"));
      const { temperature: temp, top_k: topk, top_p: topp, penalty: rep, seed } = sampling;
      const draws = model.answer(prompt, { max: 200, temp, topk, topp, rep, seed });
      assert.deepEqual(draws, sampled.ids);
      assert.deepEqual(model.textOf(draws), Buffer.from(sampled.text, "base64"));
    });

test("a common beginning is not computed again, and the answer is that of a fresh context", async () => {
  const used = await TextEngine.open(relu2, 128);
  used.answer(`${PROMPT}, and sleeps.`, { max: 20 });
  for (const text of [`${PROMPT}, and wakes.`, PROMPT, `${PROMPT}, and wakes. Then`, "Another"]) {
    const fresh = await TextEngine.open(relu2, 128);
    const wanted = fresh.answer(text, { max: 30 });
    const before = used.contextIds();
    assert.equal(used.begin(text, { max: 30 }), W.RC_OK);
    const now = used.contextIds();
    let common = 0;
    while (common < now.length - 1 && before[common] === now[common]) common++;
    assert.equal(used.call.gen_pos(), common);
    assert.equal(used.call.gen_prefill_total(), now.length - common);
    assert.deepEqual(used.run(), wanted, text);
  }
});

test("the same prompt again computes one position", async () => {
  const model = await TextEngine.open(relu2, 128);
  const wanted = model.answer(PROMPT, { max: 5 });
  assert.equal(model.begin(PROMPT, { max: 5 }), W.RC_OK);
  assert.equal(model.call.gen_prefill_total(), 1);
  assert.deepEqual(model.run(), wanted);
});

test("a step is one position, and one token each once the prompt is read", async () => {
  const model = await TextEngine.open(relu2, 128);
  model.begin(PROMPT, { max: 10 });
  const prompt = model.contextIds().length;
  for (let step = 1; step < prompt; step++) {
    assert.equal(model.call.gen_step(), W.GEN_PREFILL);
    assert.deepEqual([model.call.gen_prefill_done(), model.call.gen_pos(), model.call.gen_count()], [step, step, 0]);
  }
  for (let token = 1; token < 10; token++) {
    assert.equal(model.call.gen_step(), W.GEN_DECODE);
    assert.equal(model.call.gen_count(), token);
  }
  assert.equal(model.call.gen_step(), W.GEN_DONE);
  assert.equal(model.call.gen_why(), W.WHY_MAX);
  assert.equal(model.call.gen_step(), W.GEN_DONE, "and stays so");
  assert.equal(model.call.gen_count(), 10);
  assert.equal(model.call.gen_context_count(), prompt + 10);
});

test("EOS and STOP end an answer, join the context and are not reported", async () => {
  const free = (await TextEngine.open(relu2, 128)).answer(PROMPT, { max: 30 });
  const end = free[8];
  const wanted = free.slice(0, free.indexOf(end));
  const stops: [number, number][][] = [
    [[I.CFG_EOS, end]],
    [...ENDLESS, [I.CFG_N_STOP, 2], [I.CFG_STOP, VOCAB - 1], [I.CFG_STOP + 1, end]],
  ];
  for (const fields of stops) {
    const model = await TextEngine.open(patched(relu2, fields), 128);
    assert.deepEqual(model.answer(PROMPT, { max: 30 }), wanted);
    assert.equal(model.call.gen_why(), W.WHY_EOS);
    assert.equal(model.contextIds().at(-1), end);
    // The next turn computes it.
    assert.equal(model.begin(" a", { keep: true, max: 1 }), W.RC_OK);
    assert.equal(model.call.gen_prefill_total(), 1 + model.encode(" a").length);
  }
});

test("stop ends within a token, in prefill and in decode, and the context goes on from there", async () => {
  for (const steps of [0, 1, 3, 25]) {
    const model = await TextEngine.open(relu2, 128);
    model.begin(PROMPT);
    for (let i = 0; i < steps; i++) model.call.gen_step();
    const made = model.call.gen_count();
    model.call.gen_stop();
    assert.deepEqual([model.call.gen_state(), model.call.gen_why()], [W.GEN_DONE, W.WHY_STOPPED]);
    model.call.gen_step();
    assert.equal(model.call.gen_count(), made);
    const ids = [...model.contextIds(), ...model.encode(" the mill")];
    assert.equal(model.begin(" the mill", { keep: true, max: 1 }), W.RC_OK);
    assert.deepEqual(model.contextIds(), ids);
    const [next] = model.run();
    assert.equal(next, (await TextEngine.open(relu2, 128)).greedy(ids, VOCAB), `${steps} steps`);
  }
});

test("a prompt that was stopped half read is reused as far as it was read", async () => {
  const model = await TextEngine.open(relu2, 128);
  const wanted = model.answer(PROMPT, { max: 9 });
  assert.equal(model.begin("Another"), W.RC_OK);
  model.run(1);
  model.call.gen_stop();
  assert.equal(model.begin(PROMPT), W.RC_OK);
  model.call.gen_step();
  model.call.gen_step();
  const read = model.call.gen_pos();
  model.call.gen_stop();
  assert.equal(model.begin(PROMPT, { max: 9 }), W.RC_OK);
  assert.equal(model.call.gen_pos(), read);
  assert.deepEqual(model.run(), wanted);
});

test("too long a prompt changes nothing", async () => {
  const model = await TextEngine.open(relu2, 32);
  const twin = await TextEngine.open(relu2, 32);
  for (const one of [model, twin]) one.answer("The", { max: 9 });
  const state = () => [
    model.contextIds(),
    model.call.gen_state(),
    model.call.gen_count(),
    model.call.gen_pos(),
    model.call.gen_slides(),
  ];
  const before = state();
  const long = "x ".repeat(40);
  for (const keep of [false, true])
    for (const text of [long, "y".repeat(100_000)]) {
      assert.equal(model.begin(text, { keep }), W.TK_RC_TOO_LONG);
      if (text === long) assert.equal(model.call.gen_prompt_tokens(), model.encode(text).length + (keep ? 0 : 1));
      assert.ok(model.call.gen_prompt_tokens() > 31);
      assert.deepEqual(state(), before);
    }
  const turn = { keep: true, max: 40 };
  assert.deepEqual(model.answer(" cat", turn), twin.answer(" cat", turn));
});

test("the longest prompt that fits leaves one position", async () => {
  const model = await TextEngine.open(relu2, 32);
  const ids = model.encode("1".repeat(100)); // digits are words of their own
  assert.equal(ids.length, 100);
  assert.equal(model.begin("1".repeat(31), { max: 1 }), W.TK_RC_TOO_LONG); // and BOS
  assert.equal(model.begin("1".repeat(30), { max: 1 }), W.RC_OK);
  assert.equal(model.run().length, 1);
  assert.equal(model.begin("1".repeat(31), { keep: true, max: 1 }), W.TK_RC_TOO_LONG);
  assert.equal(model.begin("1".repeat(30), { keep: true, max: 1 }), W.RC_OK);
  assert.deepEqual(model.contextIds(), [BOS, ...ids.slice(0, 30)]);
  assert.equal(model.call.gen_slides(), 1);
});

/** WIRE.md, "Generation", sentence by sentence, on lists: what the context is after each turn. */
class Page {
  ids: number[] = [];
  slides = 0;
  private readonly model: TextEngine;
  private readonly context: number;
  private readonly bos: number[];

  constructor(model: TextEngine, context: number, bos: number[]) {
    this.model = model;
    this.context = context;
    this.bos = bos;
  }

  slide(size: number): void {
    const last = size - this.bos.length;
    this.ids = [...this.bos, ...this.ids.slice(this.ids.length - last)];
    this.slides++;
  }

  /** Greedy. null: too long. */
  turn(fresh: number[], keep: boolean, max: number): number[] | null {
    const half = this.context >> 1;
    if (!keep || this.ids.length === 0) {
      if (fresh.length + this.bos.length > this.context - 1) return null;
      this.ids = [...this.bos, ...fresh];
      this.slides = 0;
    } else {
      if (this.ids.length + fresh.length > this.context - 1) {
        if (fresh.length + this.bos.length > this.context - 1) return null;
        this.slide(Math.min(half, this.context - 1 - fresh.length));
      }
      this.ids.push(...fresh);
    }
    const answer: number[] = [];
    while (answer.length < max) {
      if (this.ids.length > this.context) this.slide(half); // the last one would be computed at position ctx
      const id = this.model.greedy(this.ids, VOCAB);
      this.ids.push(id);
      answer.push(id);
    }
    return answer;
  }
}

for (const addBos of [1, 0])
  test(`random dialogues equal the page's words, slides included (ADD_BOS ${addBos})`, async () => {
    const random = seeded(2 + addBos);
    const source = patched(relu2, [[I.CFG_ADD_BOS, addBos]]);
    const words = ["the", " mill", " 1", "2", " river runs", "\n", " past", ".", "x"];
    let slid = 0;
    let refused = 0;
    for (const context of [16, 17, 31, 48]) {
      const model = await TextEngine.open(source, context);
      const page = new Page(await TextEngine.open(source, context), context, addBos ? [BOS] : []);
      for (let turn = 0; turn < 25; turn++) {
        const text = Array.from({ length: 1 + (random() % (context / 2)) }, () => words[random() % words.length]).join(
          "",
        );
        const keep = random() % 4 > 0;
        const max = 1 + (random() % (2 * context));
        const wanted = page.turn(model.encode(text), keep, max);
        const code = model.begin(text, { keep, max });
        assert.equal(code, wanted === null ? W.TK_RC_TOO_LONG : W.RC_OK);
        if (wanted === null) refused++;
        else assert.deepEqual(model.run(), wanted, `context ${context}, turn ${turn}`);
        assert.deepEqual(model.contextIds(), page.ids);
        assert.equal(model.call.gen_slides(), page.slides);
        slid += page.slides;
      }
    }
    assert.ok(slid > 50 && refused > 0, `${slid} slides, ${refused} refused`);
  });

test("a slide is spread over steps and says how far it is", async () => {
  const model = await TextEngine.open(relu2, 32);
  model.begin("The", { max: 100 });
  while (model.call.gen_slides() === 0) model.call.gen_step();
  assert.equal(model.call.gen_state(), W.GEN_PREFILL);
  assert.deepEqual([model.call.gen_prefill_done(), model.call.gen_prefill_total(), model.call.gen_pos()], [1, 16, 1]);
  const made = model.call.gen_count();
  for (let step = 2; step < 16; step++) assert.equal(model.call.gen_step(), W.GEN_PREFILL);
  assert.equal(model.call.gen_count(), made);
  assert.equal(model.call.gen_step(), W.GEN_DECODE);
  assert.equal(model.call.gen_count(), made + 1);
});

test("engines slide at the same token", async () => {
  const turn = { max: 150, temp: 900, rep: 1200, seed: 4 };
  const answers = [];
  for (const engine of [0, 1, 2]) answers.push((await TextEngine.open(relu2, 48, engine)).answer(PROMPT, turn));
  assert.deepEqual(answers[1], answers[0]);
  assert.deepEqual(answers[2], answers[0]);
});

test("CHAT: the first turn's template, then the next one's", async () => {
  const model = await TextEngine.open(patched(image("silu"), ENDLESS, true), 128);
  const text = model.encode("mill");
  assert.equal(model.begin("mill", { keep: true, max: 3 }), W.RC_OK, "keep with an empty context begins one");
  assert.deepEqual(model.contextIds(), [0, 2, ...text, 3]);
  const answer = model.run();
  assert.equal(model.begin("mill", { keep: true, max: 3 }), W.RC_OK);
  assert.deepEqual(model.contextIds(), [0, 2, ...text, 3, ...answer, 1, 2, ...text, 3]);
});

test("an empty text continues a kept context and begins none without BOS", async () => {
  const model = await TextEngine.open(relu2, 128);
  const long = model.answer(PROMPT, { max: 20 });
  const again = model.answer(PROMPT, { max: 8 });
  assert.deepEqual([...again, ...model.answer("", { keep: true, max: 12 })], long);
  const bare = await TextEngine.open(patched(relu2, [[I.CFG_ADD_BOS, 0]]), 128);
  assert.equal(bare.begin(""), W.TK_RC_BAD_ARGUMENT);
  assert.equal(bare.call.gen_state(), W.GEN_IDLE);
});

test("the last 64 tokens of an answer can be asked for", async () => {
  const model = await TextEngine.open(relu2, 256);
  const tokens = model.answer(PROMPT, { max: 100 });
  for (let i = 36; i < 100; i++) assert.equal(model.call.gen_token(i), tokens[i]);
});

test("refused: without a model, and while an answer is being made", async () => {
  const none = await TextEngine.closed();
  assert.equal(none.call.gen_reset(), I.IMAGE_OK);
  assert.equal(none.begin("x"), W.TK_RC_NO_MODEL);
  assert.equal(none.call.gen_step(), W.GEN_IDLE);

  const model = await TextEngine.open(relu2, 128);
  model.begin(PROMPT, { max: 5 });
  model.call.gen_step();
  const ids = model.contextIds();
  assert.equal(model.begin("x"), W.TK_RC_BUSY);
  assert.deepEqual(model.contextIds(), ids);
  assert.equal(model.run().length, 5);
  assert.equal(model.call.gen_reset(), I.IMAGE_OK);
  assert.deepEqual([model.call.gen_state(), model.contextIds()], [W.GEN_IDLE, []]);
});

test("text_encode and text_decode undo one another, and say when there is no room", async () => {
  const model = await TextEngine.open(image("llama"), 64);
  const ids = model.encode(PROMPT);
  assert.ok(ids.length > 3);
  assert.equal(model.textOf(ids).toString(), ` ${PROMPT}`, "streamed text keeps the prefix");
  const at = model.call.reserve(65536);
  const view = () => model.bytes();
  new Uint32Array(view().buffer, at, ids.length).set(ids);
  const length = model.call.text_decode(at, ids.length, at + 4096, 100);
  assert.equal(Buffer.from(view().slice(at + 4096, at + 4096 + length)).toString(), PROMPT);
  assert.equal(model.call.text_decode(at, ids.length, at + 8192, 5), length);
  assert.equal(Buffer.from(view().slice(at + 8192, at + 8192 + 6)).toString(), `${PROMPT.slice(0, 5)}\0`);
  view().set(Buffer.from(PROMPT), at + 4096);
  assert.equal(model.call.text_encode(at + 4096, PROMPT.length, at, ids.length - 1), -1);
  assert.equal(model.call.text_encode(at + 4096, PROMPT.length, at, ids.length), ids.length);
});
