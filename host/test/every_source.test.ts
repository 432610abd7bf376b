/**
 * From every kind of source to a board: `convert --board rp2040-pico --context 256` makes an image, the simulated board takes it, and a conversation there has the token ids of
 * the engines of `tritkit run`, SIMD and scalar. What the weights must be is another matter: hf_*.test.ts, gguf_*.test.ts, llama2c.test.ts.
 */
import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TOK_BYTE_LEVEL, TOK_SENTENCEPIECE, TOK_UNIGRAM } from "../../spec/image.ts";
import { type ConvertOptions, convert } from "../convert/convert.ts";
import { TYPE_I2_S, TYPE_TQ1_0, TYPE_TQ2_0 } from "../convert/gguf/types.ts";
import { LLAMA3_REGEX } from "../convert/tokenizer/words.ts";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import { Engine } from "../engine/engine.ts";
import { readImage } from "../image/reader.ts";
import { openSim } from "../transports/sim.ts";
import { json } from "./command.ts";
import { bitnet, EXPERTS, expertTensors, floats, LLAMA, MIXTRAL, mixtral, packed } from "./experts_fixture.ts";
import {
  embedTensor,
  f32,
  gridTensor,
  latentGrid,
  llamaConfig,
  llamaTensors,
  packedTensor,
  type RawTensor,
  SHAPE,
  ternaryGrid,
  writeDirectory,
} from "./family_fixture.ts";
import { type GgufOptions, SENTENCE_PIECE, tinyGguf, tinyModel } from "./gguf_model.ts";
import { byteCharacters } from "./hf_fixture.ts";
import { legacyFile, llama2cModel } from "./llama2c_fixture.ts";
import { OLMO, olmoTensors } from "./olmo_fixture.ts";
import { tokenizerBin } from "./sentencepiece_fixture.ts";
import { BYTE_LEVEL, byteLevelJson, SPLIT } from "./vocabularies.ts";

const BOARD = "rp2040-pico";
const CONTEXT = 256;
const folder = await mkdtemp(join(tmpdir(), "tritkit-sources-"));
let device: Device;
before(async () => {
  device = await Device.connect(await openSim(BOARD, { seed: 1 }));
});
after(async () => {
  await device.close();
  await rm(folder, { recursive: true });
});

type Linear = (name: string, layer: number, rows: number, cols: number) => Record<string, RawTensor>;
const seedOf = (name: string, layer: number) => 31 * name.length + name.charCodeAt(name.length - 6) + layer;
const latent: Linear = (name, layer, rows, cols) => ({
  weight: gridTensor(latentGrid(seedOf(name, layer), rows, cols)),
});
const ternary: Linear = (name, layer, rows, cols) => ({
  weight: gridTensor(ternaryGrid(seedOf(name, layer), rows, cols, () => 40)),
});
const packedBy =
  (scale: number): Linear =>
  (name, layer, rows, cols) => ({
    weight: packedTensor(ternaryGrid(seedOf(name, layer), rows, cols, () => 1)),
    weight_scale: { dtype: "F32", shape: [1], bytes: f32([scale]) },
  });
const BITNET_NORMS = ["self_attn.attn_sub_norm", "mlp.ffn_sub_norm"];
const bitnetConfig = (mode: string) => ({
  ...{ model_type: "bitnet", hidden_act: "relu2" },
  quantization_config: { quant_method: "bitnet", linear_class: "autobitlinear", quantization_mode: mode },
});

/** Writes a Hugging Face directory. */
const hf =
  (changes: object, tensors: () => Record<string, RawTensor>, config = llamaConfig) =>
  (place: string) =>
    writeDirectory(place, config({ max_position_embeddings: CONTEXT, ...changes }), tensors());

/** Writes a GGUF file. */
const gguf =
  (model: Parameters<typeof tinyModel>[0], options: GgufOptions) =>
  async (place: string): Promise<string> => {
    const key = `${options.architecture ?? "bitnet-b1.58"}.context_length`;
    const fields = { ...options.fields, [key]: [key, "u32", CONTEXT] as const };
    await writeFile(`${place}.gguf`, tinyGguf(tinyModel(model), { ...options, fields }));
    return `${place}.gguf`;
  };

/** A directory whose tokenizer.json, or tokenizer.model, is another one. */
const withTokenizer =
  (vocab: number, write: (directory: string) => Promise<void>, changes: object) =>
  async (place: string): Promise<string> => {
    const config = llamaConfig({ max_position_embeddings: CONTEXT, vocab_size: vocab, ...changes });
    const tensors = { ...llamaTensors(ternary), "model.embed_tokens.weight": embedTensor(vocab) };
    await writeDirectory(place, config, tensors);
    await rm(join(place, "tokenizer.json"));
    await write(place);
    return place;
  };
const PAIRS = ["\u0120 t", "h e", "\u0120t he", "i n", "e r", "1 2", "12 3"];
const words = (preTokenizer: object, ignoreMerges: boolean) => async (directory: string) => {
  const texts = [...byteCharacters(), ...PAIRS.map((pair) => pair.replace(" ", "")), "\u0120river"];
  const vocab = Object.fromEntries(texts.map((text, id) => [text, id]));
  const specials = { "<|bos|>": 298, "<|eos|>": 299 };
  const json = byteLevelJson({ vocab, merges: PAIRS, specials, preTokenizer, ignoreMerges });
  await writeFile(join(directory, "tokenizer.json"), JSON.stringify(json));
};
const pieces = (name: string) => (directory: string) =>
  copyFile(`host/test/data/sentencepiece/${name}.model`, join(directory, "tokenizer.model"));

interface Source {
  readonly write: (place: string) => Promise<string>;
  readonly options?: ConvertOptions;
  /** TOK_* of the image's tokenizer. */
  readonly tokenizer?: number;
}

const llama = { subNorm: false, tied: false, activation: "silu" } as const;
const words299 = { bos_token_id: 298, eos_token_id: 299 };
const sentencePiece = { bos_token_id: 1, eos_token_id: 2 };
const SOURCES: Readonly<Record<string, Source>> = {
  "BitNet 2B-4T, packed": {
    write: hf(bitnetConfig("offline"), () => llamaTensors(packedBy(0.37), BITNET_NORMS)),
  },
  "BitNet 2B-4T, bf16": { write: hf(bitnetConfig("online"), () => llamaTensors(latent, BITNET_NORMS)) },
  "1bitLLM": {
    write: hf({ weight_bits: 1, input_bits: 8 }, () =>
      llamaTensors(latent, ["self_attn.inner_attn_ln", "mlp.ffn_layernorm"]),
    ),
  },
  "Llama, packed (Falcon3, Falcon-E, Llama3-8B-1.58)": {
    write: hf({ quantization_config: { quant_method: "bitnet" }, tie_word_embeddings: false }, () => ({
      ...llamaTensors(packedBy(2.7)),
      "lm_head.weight": embedTensor(SHAPE.vocab, SHAPE.dim, 77),
    })),
  },
  TriLM: { write: hf({}, () => llamaTensors(ternary)) },
  "OLMo-Bitnet": {
    write: hf(
      {},
      () => olmoTensors(false).tensors,
      () => ({ ...OLMO, max_sequence_length: CONTEXT }),
    ),
  },
  "experts of BitNet": { write: hf({}, () => expertTensors(LLAMA, packed), bitnet) },
  "experts of Mixtral": { write: hf({}, () => expertTensors(MIXTRAL, floats), mixtral) },
  "Llama, --quantize absmean": { write: hf({}, () => llamaTensors(latent)), options: { quantize: "absmean" } },
  "binary, --quantize sign": { write: hf({}, () => llamaTensors(latent)), options: { quantize: "sign" } },
  "llama2.c, --quantize absmean": {
    async write(place) {
      await mkdir(place);
      await writeFile(join(place, "model.bin"), legacyFile({ ...llama2cModel(true), seqLen: CONTEXT }));
      await writeFile(join(place, "tokenizer.bin"), tokenizerBin(" river"));
      return join(place, "model.bin");
    },
    options: { quantize: "absmean" },
    tokenizer: TOK_SENTENCEPIECE,
  },
  "GGUF TQ1_0 of bitnet-b1.58": { write: gguf({}, { type: TYPE_TQ1_0 }) },
  "GGUF TQ2_0 of llama, SentencePiece": {
    write: gguf(llama, { architecture: "llama", type: TYPE_TQ2_0, fields: SENTENCE_PIECE }),
    tokenizer: TOK_SENTENCEPIECE,
  },
  "GGUF TQ2_0 of experts": { write: gguf({ ...llama, experts: EXPERTS }, { architecture: "llama", type: TYPE_TQ2_0 }) },
  "GGUF I2_S of x86": { write: gguf({}, { type: TYPE_I2_S, i2s: "x86" }), options: { i2s: "x86" } },
  "GGUF I2_S of Arm": { write: gguf({}, { type: TYPE_I2_S, i2s: "arm" }), options: { i2s: "arm" } },
  "tokenizer of GPT-2": {
    write: withTokenizer(300, words(BYTE_LEVEL, false), words299),
    tokenizer: TOK_BYTE_LEVEL,
  },
  "tokenizer of Llama 3": {
    write: withTokenizer(300, words(SPLIT(LLAMA3_REGEX), true), words299),
    tokenizer: TOK_BYTE_LEVEL,
  },
  "tokenizer of SentencePiece, BPE": {
    write: withTokenizer(1024, pieces("bpe"), sentencePiece),
    tokenizer: TOK_SENTENCEPIECE,
  },
  "tokenizer of SentencePiece, unigram": {
    write: withTokenizer(1024, pieces("unigram"), sentencePiece),
    tokenizer: TOK_UNIGRAM,
  },
};

for (const [i, [what, { write, options, tokenizer }]] of Object.entries(SOURCES).entries())
  test(`${what}: ${BOARD} and both engines say the same`, async () => {
    const out = join(folder, `${i}.trit`);
    await convert(await write(join(folder, `source-${i}`)), out, { board: BOARD, context: CONTEXT, ...options });
    const image = new Uint8Array(await readFile(out));
    const { header, config, tokenizer: held } = readImage(image);
    assert.deepEqual([header.board, config.defaultContext], [BOARD, CONTEXT]);
    assert.equal(config.weights, options?.quantize === "sign" ? 1 : 0);
    if (tokenizer !== undefined) assert.equal(held.kind, tokenizer);
    await flashModel(device, image);
    assert.equal((await device.refresh()).context, CONTEXT);
    const engines = [
      await Engine.open(image, { context: CONTEXT }),
      await Engine.open(image, { context: CONTEXT, engine: "scalar" }),
    ];
    let said = 0;
    for (const [turn, prompt] of ["The river runs, it's 1234!", " the  in\u00e9r"].entries()) {
      const sampling = { maxTokens: 12, temperature: turn, seed: 7, keep: turn > 0 };
      const there = await generateOnDevice(device, prompt, sampling);
      for (const engine of engines) {
        const here = await engine.generate(prompt, sampling);
        assert.deepEqual(there.tokenIds, here.tokenIds, `${engine.kind}, turn ${turn}`);
        assert.deepEqual([there.promptTokens, there.position], [here.promptTokens, here.position]);
      }
      said += there.tokenIds.length;
    }
    assert.ok(said > 0, "a model that says nothing proves nothing");
  });

test("the commands do it too: convert, run with either engine, flash and chat", async () => {
  const source = await SOURCES["BitNet 2B-4T, packed"].write(join(folder, "commands"));
  const out = join(folder, "commands.trit");
  const port = `sim:${BOARD}:${join(folder, "flash.bin")}`;
  await json(["convert", source, "-o", out, "--board", BOARD, "--context", String(CONTEXT)]);
  await json(["flash", out, "--port", port]);
  const ids: unknown[] = [];
  for (const place of [
    ["run", out],
    ["run", out, "--engine", "scalar"],
    ["chat", "--port", port],
  ]) {
    const lines = await json([...place, "-p", "The river", "-n", "10", "--temp", "0"]);
    ids.push(lines.find(({ event }) => event === "answer")?.token_ids);
  }
  assert.ok(Array.isArray(ids[0]) && ids[0].length > 0);
  assert.deepEqual([ids[1], ids[2]], [ids[0], ids[0]]);
});
