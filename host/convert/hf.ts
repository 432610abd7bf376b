/**
 * A Hugging Face directory (config.json, tokenizer.json, safetensors) as a neutral model: transformers' `bitnet` and `llama`, packed or latent.
 *
 *     packed weight   U8 (out/4, in); bits 2i..2i+1 of byte row r hold trit + 1 of output row i*(out/4) + r; weight_scale (1)
 *     latent weight   F32, F16 or BF16 (out, in): absmean at load for BitNet checkpoints, on request for others
 */
import { basename, dirname, join, resolve } from "node:path";
import {
  KIND_ATTN_K,
  KIND_ATTN_NORM,
  KIND_ATTN_O,
  KIND_ATTN_Q,
  KIND_ATTN_SUB_NORM,
  KIND_ATTN_V,
  KIND_EMBED,
  KIND_FFN_DOWN,
  KIND_FFN_GATE,
  KIND_FFN_NORM,
  KIND_FFN_SUB_NORM,
  KIND_FFN_UP,
  KIND_FINAL_NORM,
  KIND_HEAD,
} from "../../spec/image.ts";
import { TritkitError, throwIfAborted } from "../errors.ts";
import { absmean } from "./absmean.ts";
import { type Quantization, readConfig, readQuantization, readSpecials } from "./hf_config.ts";
import { HfTensors } from "./hf_tensors.ts";
import { JsonFields } from "./json.ts";
import type { Dropped, LinearSource, MatrixSource, ModelSource, OpenOptions } from "./model.ts";
import { checkModelConfig } from "./plan.ts";
import type { TensorInfo } from "./safetensors.ts";
import { readText, readTextIfThere } from "./source_files.ts";
import { importTokenizer } from "./tokenizer_json.ts";

/** Names below model.layers.N, the published spellings of one tensor in turn. */
const NAMES: ReadonlyMap<number, readonly string[]> = new Map([
  [KIND_ATTN_NORM, ["input_layernorm"]],
  [KIND_ATTN_Q, ["self_attn.q_proj"]],
  [KIND_ATTN_K, ["self_attn.k_proj"]],
  [KIND_ATTN_V, ["self_attn.v_proj"]],
  [KIND_ATTN_SUB_NORM, ["self_attn.attn_sub_norm", "self_attn.inner_attn_ln"]],
  [KIND_ATTN_O, ["self_attn.o_proj"]],
  [KIND_FFN_NORM, ["post_attention_layernorm"]],
  [KIND_FFN_GATE, ["mlp.gate_proj"]],
  [KIND_FFN_UP, ["mlp.up_proj"]],
  [KIND_FFN_SUB_NORM, ["mlp.ffn_sub_norm", "mlp.ffn_layernorm"]],
  [KIND_FFN_DOWN, ["mlp.down_proj"]],
]);
const GLOBAL_NAMES: ReadonlyMap<number, string> = new Map([
  [KIND_EMBED, "model.embed_tokens.weight"],
  [KIND_FINAL_NORM, "model.norm.weight"],
  [KIND_HEAD, "lm_head.weight"],
]);
const PACKED_ROWS = 4;

/**
 * @param source a directory, or the .safetensors file in one
 * @throws TritkitError E_SOURCE_MISSING, E_SOURCE_FORMAT, E_UNSUPPORTED
 */
export async function openHf(source: string, options: OpenOptions = {}): Promise<ModelSource> {
  const directory = source.endsWith(".safetensors") ? dirname(source) : source;
  const config = JsonFields.parse("config.json", await readText(join(directory, "config.json")));
  const generation = await readOptional(directory, "generation_config.json");
  const tokenizerConfig = await readOptional(directory, "tokenizer_config.json");
  const quantization = readQuantization(config);
  const imported = importTokenizer(
    "tokenizer.json",
    await readText(join(directory, "tokenizer.json")),
    config.integer("vocab_size"),
  );
  const tensors = await HfTensors.open(directory);
  try {
    const notes: string[] = [];
    const specials = readSpecials(config, generation);
    const saysBos = tokenizerConfig?.get("add_bos_token") ?? imported.addsFirst;
    if (saysBos === null && specials.bos >= 0)
      notes.push("A context starts with bos: the tokenizer's files do not say otherwise.");
    const addBos = specials.bos >= 0 && (typeof saysBos === "boolean" ? saysBos : true);
    const found = { subNorm: nameOf(tensors, KIND_ATTN_SUB_NORM, 0) !== null, head: tensors.has("lm_head.weight") };
    const modelConfig = readConfig(config, found, specials, addBos);
    checkModelConfig(modelConfig);
    return {
      name: directoryName(directory),
      config: modelConfig,
      tokenizer: imported.tokenizer,
      chat: null,
      meta: { source: "Hugging Face", model_type: config.text("model_type") },
      dropped: listDropped(tensors, modelConfig.nLayers, modelConfig.tied, tokenizerConfig),
      notes,
      fakeQuant: quantization.bitnet,
      linear: (kind, layer, at) => openLinear(tensors, kind, layer, quantization, options, at?.signal),
      matrix: (kind) => floatMatrix(tensors, tensors.info(globalName(kind))),
      async gain(kind, layer) {
        const info = tensors.info(GLOBAL_NAMES.get(kind) ?? tensorName(tensors, kind, layer));
        return tensors.floats(info.name, 0, shapeOf(info, 1)[0]);
      },
      close: () => tensors.close(),
    };
  } catch (error) {
    await tensors.close();
    throw error;
  }
}

async function openLinear(
  tensors: HfTensors,
  kind: number,
  layer: number,
  quantization: Quantization,
  options: OpenOptions,
  signal?: AbortSignal,
): Promise<LinearSource | MatrixSource> {
  throwIfAborted(signal);
  const info = tensors.info(tensorName(tensors, kind, layer));
  const scaleName = `${info.name}_scale`;
  if (info.dtype === "U8") return packedLinear(tensors, info, await readScale(tensors, scaleName, quantization));
  const real = floatMatrix(tensors, info);
  if (options.float && !quantization.bitnet) return real;
  const linear = await absmean(real, signal);
  if (!quantization.bitnet && options.quantize !== "absmean" && !linear.wasTernary)
    throw new TritkitError(
      "E_QUANTIZE",
      `${info.name} holds float weights, and config.json does not call the model BitNet's.`,
      "Allow it with --quantize absmean; a model that was not trained for it will talk nonsense.",
    );
  return linear;
}

async function readScale(tensors: HfTensors, name: string, { meaning }: Quantization): Promise<number> {
  const [scale] = await tensors.floats(name, 0, 1);
  if (!(scale > 0 && Number.isFinite(scale)))
    throw new TritkitError("E_SOURCE_FORMAT", `${name} is ${scale}, which is no scale.`, "Download the model again.");
  return meaning === "multiply" ? scale : 1 / scale;
}

function packedLinear(tensors: HfTensors, info: TensorInfo, scale: number): LinearSource {
  const [byteRows, cols] = shapeOf(info, 2);
  return {
    rows: byteRows * PACKED_ROWS,
    cols,
    scale,
    async trits(start, count) {
      const trits = new Int8Array(count * cols);
      // Rows of one quarter of the matrix share a bit pair and lie together.
      for (let row = start; row < start + count; ) {
        const quarter = Math.floor(row / byteRows);
        const run = Math.min(start + count, (quarter + 1) * byteRows) - row;
        const bytes = await tensors.bytes(info.name, (row - quarter * byteRows) * cols, run * cols);
        const out = trits.subarray((row - start) * cols);
        for (let i = 0; i < bytes.length; i++) out[i] = ((bytes[i] >> (2 * quarter)) & 3) - 1;
        row += run;
      }
      if (trits.includes(2))
        throw new TritkitError(
          "E_SOURCE_FORMAT",
          `${info.name} holds the code 3, which is no trit.`,
          "Download the model again.",
        );
      return trits;
    },
  };
}

function floatMatrix(tensors: HfTensors, info: TensorInfo): MatrixSource {
  const [rows, cols] = shapeOf(info, 2);
  return { rows, cols, values: (start, count) => tensors.floats(info.name, start * cols, count * cols) };
}

/** What stays behind. Anything that would change the answers is refused instead. */
function listDropped(
  tensors: HfTensors,
  nLayers: number,
  tied: boolean,
  tokenizerConfig: JsonFields | null,
): Dropped[] {
  const known = new Set([...GLOBAL_NAMES.values()]);
  for (let layer = 0; layer < nLayers; layer++)
    for (const kind of NAMES.keys()) {
      const name = nameOf(tensors, kind, layer);
      if (name !== null) known.add(name).add(`${name}_scale`);
    }
  const dropped: Dropped[] = [];
  if (tied && tensors.has("lm_head.weight")) dropped.push({ name: "lm_head.weight", why: "the head is the embedding" });
  for (const name of tensors.names()) {
    if (known.has(name)) continue;
    if (name.endsWith(".rotary_emb.inv_freq")) dropped.push({ name, why: "RoPE comes from rope_theta" });
    else
      throw new TritkitError(
        "E_UNSUPPORTED",
        `The model has the tensor ${name}, which tritkit does not know.`,
        "Its architecture differs from bitnet and llama.",
      );
  }
  if (tokenizerConfig?.get("chat_template") !== undefined)
    dropped.push({ name: "chat_template", why: "templates are not compiled yet; a turn is the text alone" });
  return dropped;
}

/** The name of a tensor that is there, null when none of its spellings is. */
function nameOf(tensors: HfTensors, kind: number, layer: number): string | null {
  const names = (NAMES.get(kind) ?? []).map((name) => `model.layers.${layer}.${name}.weight`);
  return names.find((name) => tensors.has(name)) ?? null;
}

function tensorName(tensors: HfTensors, kind: number, layer: number): string {
  return nameOf(tensors, kind, layer) ?? `model.layers.${layer}.${NAMES.get(kind)?.[0]}.weight`;
}

function globalName(kind: number): string {
  return GLOBAL_NAMES.get(kind) ?? "";
}

function shapeOf(info: TensorInfo, dimensions: number): readonly number[] {
  if (info.shape.length !== dimensions)
    throw new TritkitError(
      "E_SOURCE_FORMAT",
      `${info.name} has the shape (${info.shape.join(", ")}).`,
      `It should have ${dimensions} dimensions.`,
    );
  return info.shape;
}

async function readOptional(directory: string, name: string): Promise<JsonFields | null> {
  const text = await readTextIfThere(join(directory, name));
  return text === null ? null : JsonFields.parse(name, text);
}

/** Of ".../stories-1m/hf" it is "stories-1m". */
function directoryName(directory: string): string {
  const path = resolve(directory);
  return basename(path) === "hf" ? basename(dirname(path)) : basename(path);
}
