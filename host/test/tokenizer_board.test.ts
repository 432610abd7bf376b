/** Models with the tokenizers of GPT-2, Llama 3 and a unigram model on a simulated board: the context has the ids that the engine makes, chat template included. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildImage } from "../convert/build.ts";
import { openModel } from "../convert/convert.ts";
import type { ImportedTokenizer } from "../convert/tokenizer/build.ts";
import { compileChat } from "../convert/tokenizer/chat_template.ts";
import { importTokenizer } from "../convert/tokenizer/json.ts";
import { importTokenizerModel } from "../convert/tokenizer/model.ts";
import { LLAMA3_REGEX } from "../convert/tokenizer/words.ts";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import { Engine } from "../engine/engine.ts";
import { openSim } from "../transports/sim.ts";
import { byteCharacters, writeHf } from "./hf_fixture.ts";
import { randomTexts } from "./texts.ts";
import { BYTE_LEVEL, byteLevelJson, SPLIT } from "./vocabularies.ts";

const VOCAB = 1024;
const CONTEXT = 256;
const folder = await mkdtemp(join(tmpdir(), "tritkit-tokenizer-"));
let device: Device;
before(async () => {
  device = await Device.connect(await openSim("rp2040-pico", { seed: 1 }));
});
after(async () => {
  await device.close();
  await rm(folder, { recursive: true });
});

const PAIRS = ["\u0120 t", "h e", "\u0120t he", "i n", "e r", "\u010a \u010a", "\u0120 \u0120", "1 2", "12 3"];

function byteLevel(preTokenizer: object, ignoreMerges: boolean): ImportedTokenizer {
  const vocab = Object.fromEntries(
    [...byteCharacters(), ...PAIRS.map((pair) => pair.replace(" ", "")), "ing", "\u0120river"].map((text, id) => [
      text,
      id,
    ]),
  );
  const specials = { "<|bos|>": 300, "<|eot_id|>": 301, "<|im_start|>": 302 };
  const added = [{ id: 303, content: "    ", special: false, normalized: true }];
  const json = byteLevelJson({ vocab, merges: PAIRS, specials, preTokenizer, ignoreMerges, added });
  return importTokenizer("tokenizer.json", JSON.stringify(json), VOCAB);
}

const sentencePiece = (name: string) => {
  const file = `host/test/data/sentencepiece/${name}.model`;
  return importTokenizerModel(file, new Uint8Array(readFileSync(file)), VOCAB);
};

const TEMPLATE =
  "{{ bos_token }}{% for m in messages %}{{ m.role | capitalize + ': ' + m.content | trim + eos_token }}{% endfor %}Assistant: ";
const KINDS: [name: string, tokenizer: () => ImportedTokenizer, bos: string, eos: string][] = [
  ["GPT-2's words", () => byteLevel(BYTE_LEVEL, false), "<|bos|>", "<|eot_id|>"],
  ["Llama 3's words, whole words first", () => byteLevel(SPLIT(LLAMA3_REGEX), true), "<|bos|>", "<|eot_id|>"],
  ["SentencePiece BPE", () => sentencePiece("bpe_user"), "<s>", "</s>"],
  ["unigram", () => sentencePiece("unigram"), "<s>", "</s>"],
];

for (const [i, [name, tokenizer, bos, eos]] of KINDS.entries())
  test(`${name}: a simulated rp2040-pico answers as the engine does`, async () => {
    const directory = join(folder, String(i));
    await writeHf(directory, "multiply", {
      config: { vocab_size: VOCAB, max_position_embeddings: CONTEXT },
      vocab: VOCAB,
    });
    const model = await openModel(directory);
    const imported = tokenizer();
    const { chat } = compileChat(TEMPLATE, imported, { bos, eos });
    assert.ok(chat);
    const { bytes: image } = await buildImage(
      { ...model, tokenizer: imported.tokenizer, chat },
      { board: "rp2040-pico", context: CONTEXT },
    );
    await model.close();
    const engine = await Engine.open(image, { context: CONTEXT });
    await flashModel(device, image, { context: CONTEXT });
    assert.equal((await device.refresh()).context, CONTEXT);
    const prompts = ["The river runs,  it's 1234!\n\n ", ...randomTexts(12, { seed: 60 + i })].filter(
      (text) => Buffer.byteLength(text) < 120,
    );
    for (const [turn, prompt] of prompts.entries()) {
      const options = { maxTokens: 6, temperature: 0, keep: turn % 3 === 1 };
      const [here, there] = [await engine.generate(prompt, options), await generateOnDevice(device, prompt, options)];
      assert.deepEqual(there.tokenIds, here.tokenIds, JSON.stringify(prompt));
      assert.deepEqual(
        [there.promptTokens, there.position],
        [here.promptTokens, here.position],
        JSON.stringify(prompt),
      );
    }
  });
