/** GGUF files that are sound as files, and no models. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { KIND_FFN_DOWN } from "../../spec/image.ts";
import { TYPE_F32, TYPE_I2_S, TYPE_TQ2_0, typeName } from "../convert/gguf/types.ts";
import { type GgufOptions, SHAPE, TOKENS } from "./gguf_model.ts";
import { downWith, f32, field, i2sScale, opened, ternaryOf, using } from "./gguf_source.ts";
import type { WrittenTensor } from "./gguf_writer.ts";

const { dim, hidden, headDim } = SHAPE;

const linear = (name: string, changes: Partial<WrittenTensor>): Record<string, WrittenTensor> => ({
  [name]: { name, type: TYPE_F32, ne: [dim, dim], bytes: new Uint8Array(dim * dim * 4), ...changes },
});
const b = (name: string) => `bitnet-b1.58.${name}`;
const t = (name: string) => `tokenizer.ggml.${name}`;
const REFUSED: [what: string, code: string, gguf: Partial<GgufOptions>][] = [
  ["another architecture", "E_UNSUPPORTED", { fields: field("general.architecture", "string", "qwen2") }],
  ["no architecture", "E_SOURCE_FORMAT", { fields: { "general.architecture": undefined } }],
  ["an embedding of one dimension", "E_SOURCE_FORMAT", { tensors: f32("token_embd.weight", new Float32Array(dim)) }],
  ["no embedding", "E_SOURCE_FORMAT", { tensors: { "token_embd.weight": undefined } }],
  ["a missing tensor", "E_SOURCE_FORMAT", { tensors: { "blk.1.ffn_up.weight": undefined } }],
  ["a tensor of another shape", "E_SOURCE_FORMAT", { tensors: linear("blk.1.attn_k.weight", {}) }],
  ["a norm of two dimensions", "E_SOURCE_FORMAT", { tensors: linear("output_norm.weight", {}) }],
  ["a bias", "E_UNSUPPORTED", { tensors: f32("blk.0.attn_q.bias", new Float32Array(dim)) }],
  ["a tensor of a layer too many", "E_UNSUPPORTED", { tensors: f32("blk.2.attn_norm.weight", new Float32Array(dim)) }],
  ["no layers' field", "E_SOURCE_FORMAT", { fields: { [b("block_count")]: undefined } }],
  ["a billion layers", "E_UNSUPPORTED", { fields: field(b("block_count"), "u32", 1e9) }],
  ["a layer too many", "E_SOURCE_FORMAT", { fields: field(b("block_count"), "u32", 3) }],
  ["layers of different width", "E_SOURCE_FORMAT", { fields: field(b("feed_forward_length"), ["u32"], [512, 256]) }],
  ["a width that is a text", "E_SOURCE_FORMAT", { fields: field(b("embedding_length"), "string", "256") }],
  ["another width", "E_SOURCE_FORMAT", { fields: field(b("feed_forward_length"), "u32", 256) }],
  ["no heads", "E_SOURCE_FORMAT", { fields: field(b("attention.head_count"), "u32", 0) }],
  ["heads that do not divide", "E_SOURCE_FORMAT", { fields: field(b("attention.head_count"), "u32", 3) }],
  ["part of a head rotated", "E_UNSUPPORTED", { fields: field(b("rope.dimension_count"), "u32", 32) }],
  ["values of another size", "E_UNSUPPORTED", { fields: field(b("attention.value_length"), "u32", 32) }],
  ["RoPE by yarn", "E_UNSUPPORTED", { fields: field(b("rope.scaling.type"), "string", "yarn") }],
  ["RoPE factors of nothing", "E_SOURCE_FORMAT", { tensors: f32("rope_freqs.weight", new Float32Array(headDim / 2)) }],
  ["RoPE factors too few", "E_SOURCE_FORMAT", { tensors: f32("rope_freqs.weight", [1, 1]) }],
  ["a theta of 0", "E_SOURCE_FORMAT", { fields: field(b("rope.freq_base"), "f32", 0) }],
  ["a theta that is no number", "E_SOURCE_FORMAT", { fields: field(b("rope.freq_base"), "f32", Number.NaN) }],
  ["an eps of 2", "E_SOURCE_FORMAT", { fields: field(b("attention.layer_norm_rms_epsilon"), "f32", 2) }],
  ["no eps", "E_SOURCE_FORMAT", { fields: { [b("attention.layer_norm_rms_epsilon")]: undefined } }],
  ["a sliding window", "E_UNSUPPORTED", { fields: field(b("attention.sliding_window"), "u32", 32) }],
  ["an unknown activation", "E_UNSUPPORTED", { fields: field(b("hidden_activation"), "string", "gelu") }],
  ["more tokens than embeddings", "E_SOURCE_FORMAT", { fields: field(t("tokens"), ["string"], [...TOKENS, "x"]) }],
  ["no tokens", "E_SOURCE_FORMAT", { fields: { [t("tokens")]: undefined } }],
  ["tokens that are numbers", "E_SOURCE_FORMAT", { fields: field(t("tokens"), ["u32"], [1, 2]) }],
  ["a type of token too few", "E_SOURCE_FORMAT", { fields: field(t("token_type"), ["i32"], [1, 2]) }],
  ["no merges", "E_SOURCE_FORMAT", { fields: { [t("merges")]: undefined } }],
  ["an unknown tokenizer", "E_UNSUPPORTED", { fields: field(t("model"), "string", "t5") }],
  ["no tokenizer's name", "E_SOURCE_FORMAT", { fields: { [t("model")]: undefined } }],
  ["a bos that no token has", "E_SOURCE_FORMAT", { fields: field(t("bos_token_id"), "u32", 260) }],
  ["a bos that is a text", "E_SOURCE_FORMAT", { fields: field(t("bos_token_id"), "string", "<s>") }],
];

for (const [what, code, gguf] of REFUSED)
  test(`${what} is ${code}`, async () => {
    await assert.rejects(opened(gguf), { name: "TritkitError", code });
  });

const f16NaN = (block: number, bytes: number) => {
  const tensor = downWith(() => 0.5)["blk.0.ffn_down.weight"];
  const copy = Uint8Array.from(tensor.bytes);
  copy.set([0, 0x7e], (block + 1) * bytes - 2);
  return { "blk.0.ffn_down.weight": { ...tensor, bytes: copy } };
};

const BAD_WEIGHTS: [what: string, gguf: Partial<GgufOptions>][] = [
  ["a block whose scale is no number", { tensors: f16NaN(7, 66) }],
  ["a negative scale", { tensors: downWith((row) => (row === 9 ? -0.5 : 0.5)) }],
  ["an I2_S scale that is no number", { tensors: i2sScale(Number.NaN) }],
  ["an infinite I2_S scale", { tensors: i2sScale(Infinity) }],
  ["two factors of one matrix", { tensors: f32("blk.0.ffn_down.scale", [1, 1]) }],
  ["a factor of 0", { tensors: f32("blk.0.ffn_down.scale", [0]) }],
  [
    "weights that are no numbers",
    {
      tensors: {
        "blk.0.ffn_down.weight": {
          name: "blk.0.ffn_down.weight",
          type: TYPE_F32,
          ne: [hidden, dim],
          bytes: new Uint8Array(hidden * dim * 4).fill(0xff),
        },
      },
    },
  ],
];

for (const [what, gguf] of BAD_WEIGHTS)
  test(`${what}: E_SOURCE_FORMAT`, async () => {
    await using(await opened(gguf, { i2s: "x86" }), async (source) => {
      await assert.rejects(async () => source.linear(KIND_FFN_DOWN, 0), {
        name: "TritkitError",
        code: "E_SOURCE_FORMAT",
      });
    });
  });

for (const type of [TYPE_TQ2_0, TYPE_I2_S])
  test(`${typeName(type)}: a code that is no trit is refused where it is read`, async () => {
    const name = "blk.0.ffn_down.weight";
    const bytes = Uint8Array.from((type === TYPE_TQ2_0 ? downWith(() => 0.5) : i2sScale(0.5))[name].bytes).fill(
      0xff,
      5,
      6,
    );
    const tensors = { [name]: { name, type, ne: [hidden, dim], bytes } };
    await using(await opened({ tensors }, { i2s: "x86" }), async (source) => {
      const linear = await ternaryOf(source, KIND_FFN_DOWN);
      await assert.rejects(async () => linear.trits(0, 4), { code: "E_SOURCE_FORMAT", message: /code 3/ });
    });
  });
