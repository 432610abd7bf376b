/** Configuration and special tokens of a GGUF file. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { GgufFile } from "../convert/gguf/file.ts";
import { readSpecials, readVocabulary } from "../convert/gguf/special_tokens.ts";
import type { ModelSource } from "../convert/model.ts";
import { type GgufOptions, SHAPE, TOKENS } from "./gguf_model.ts";
import { f32, field, folder, opened, using } from "./gguf_source.ts";
import { type Field, ggufBytes } from "./gguf_writer.ts";

const { headDim } = SHAPE;

test("configuration: activation, inputs, head, RoPE", async () => {
  const said = (name: string) => field(`bitnet.hidden_activation`, "string", name);
  const cases: [Partial<GgufOptions>, Partial<ModelSource["config"]>, Partial<ModelSource>][] = [
    [{ architecture: "bitnet-b1.58" }, { activation: "relu2", tied: true, subNorm: true }, { fakeQuant: true }],
    [{ architecture: "bitnet" }, { activation: "silu" }, { fakeQuant: true }],
    [{ architecture: "bitnet", fields: said("relu2") }, { activation: "relu2" }, {}],
    [{ architecture: "bitnet", fields: said("silu") }, { activation: "silu" }, {}],
    [{ architecture: "llama" }, { activation: "silu", tied: false, subNorm: false }, { fakeQuant: true }],
    [{ architecture: "llama", fields: field("general.name", "string", "TriLM 99M") }, {}, { fakeQuant: false }],
    [{ fields: field("bitnet-b1.58.rope.freq_base", "f32", 500000) }, { ropeTheta: 500000, normEps: 1e-5 }, {}],
  ];
  for (const [gguf, config, source] of cases)
    await using(await opened(gguf), (found) => {
      for (const [key, value] of Object.entries(config))
        assert.equal(found.config[key as keyof ModelSource["config"]], value, `${JSON.stringify(gguf)} ${key}`);
      for (const [key, value] of Object.entries(source)) assert.equal(found[key as keyof ModelSource], value);
    });
});

test("RoPE: a linear factor and the factors of Llama 3 change the frequencies", async () => {
  const plain = Array.from({ length: headDim / 2 }, (_, j) => 10000 ** ((-2 * j) / headDim));
  const close = (found: Float64Array | undefined, expected: number[]) => {
    assert.equal(found?.length, expected.length);
    for (const [j, value] of expected.entries()) assert.ok(Math.abs((found?.[j] ?? 0) / value - 1) < 1e-7);
  };
  const factors = plain.map((_, j) => 1 + j / 4);
  const linear = {
    ...field("llama.rope.scaling.type", "string", "linear"),
    ...field("llama.rope.scaling.factor", "f32", 4),
  };
  const one = { ...linear, ...field("llama.rope.scaling.factor", "f32", 1) };
  await using(await opened({ architecture: "llama", fields: one }), ({ config }) => {
    assert.equal(config.ropeFrequencies, undefined);
  });
  await using(await opened({ architecture: "llama", fields: linear }), ({ config }) => {
    close(
      config.ropeFrequencies,
      plain.map((frequency) => frequency / 4),
    );
  });
  await using(await opened({ architecture: "llama", tensors: f32("rope_freqs.weight", factors) }), ({ config }) => {
    close(
      config.ropeFrequencies,
      plain.map((frequency, j) => frequency / factors[j]),
    );
  });
});

test("special tokens: ids, bos, and what ends an answer", async () => {
  const key = (name: string) => `tokenizer.ggml.${name}`;
  const tokens = TOKENS.with(256, "<|eot_id|>").with(257, "x");
  const types = tokens.map((_, id) => (id < 256 ? 1 : 3));
  const fields = {
    ...field(key("tokens"), ["string"], tokens),
    ...field(key("token_type"), ["i32"], types),
    ...field(key("merges"), ["string"], []),
    [key("add_bos_token")]: undefined,
  };
  await using(await opened({ fields }), ({ config }) => {
    assert.deepEqual([config.bos, config.eos, config.stop, config.addBos], [258, 259, [256], false]);
  });
  const more = { ...fields, ...field(key("eot_token_id"), "u32", 257), ...field(key("pre"), "string", "llama-bpe") };
  await using(await opened({ fields: more }), ({ config, notes }) => {
    assert.deepEqual([config.stop, config.addBos], [[257, 256], true]);
    assert.ok(notes.some((note) => note.startsWith("A context starts with bos")));
  });
});

test("without the name of a word rule a context starts with bos where the vocabulary is Llama 3's", async () => {
  const tokens = Array.from({ length: 128002 }, (_, id) => `t${id}`);
  const addsBos = async (pre: string | null) => {
    const fields: Field[] = [
      ["tokenizer.ggml.model", "string", "gpt2"],
      ["tokenizer.ggml.tokens", ["string"], tokens],
      ["tokenizer.ggml.bos_token_id", "u32", 128000],
      ...(pre === null ? [] : [["tokenizer.ggml.pre", "string", pre] as const]),
    ];
    const path = join(folder, "vocabulary.gguf");
    await writeFile(path, ggufBytes(fields, []));
    const file = await GgufFile.open(path);
    await file.close();
    return readSpecials(file, readVocabulary(file, tokens.length)).addBos;
  };
  assert.equal(await addsBos(null), false);
  tokens.splice(128000, 2, "<|begin_of_text|>", "<|end_of_text|>");
  assert.equal(await addsBos(null), true);
  assert.equal(await addsBos("default"), true);
  assert.equal(await addsBos("llama-bpe"), true);
  assert.equal(await addsBos("gpt-2"), false);
});
