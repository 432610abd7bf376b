/**
 * A GGUF file as a neutral model: BitNet and Llama-style models of llama.cpp and bitnet.cpp, tokenizer and chat template included.
 *
 * fakeQuant, whether a linear layer rounds its input to int8: BitNet's architectures do, as published. A `llama` does when its weights are of a ternary type: bitnet.cpp
 * writes Falcon3, Falcon-E and Llama3-8B-1.58 so, which were trained as BitLinears. TriLM is the exception (weights ternary, activations float as published) and known by
 * its name. (llama.cpp itself rounds inputs of every quantised type to int8, block by block, which is nobody's published semantics.)
 */
import { STOP_MAX } from "../../../spec/image.ts";
import type { ModelConfig, ModelSource, OpenOptions } from "../model.ts";
import { checkModelConfig } from "../plan.ts";
import { fileModelName } from "../source_name.ts";
import type { ImportedTokenizer } from "../tokenizer/build.ts";
import { type CompiledChat, compileChat } from "../tokenizer/chat_template.ts";
import { importGgufTokenizer } from "../tokenizer/gguf.ts";
import { readTokenizerFile } from "../tokenizer/read_tokenizer.ts";
import { checkTensors } from "./check_tensors.ts";
import { type Architecture, readArchitecture, readConfig } from "./config.ts";
import { GgufFile } from "./file.ts";
import { GgufLinears } from "./linear.ts";
import { EMBED_NAME, HEAD_NAME, tensorBase } from "./names.ts";
import { readFrequencies } from "./rope.ts";
import { readSpecials, readVocabulary, type Specials, type Vocabulary } from "./special_tokens.ts";
import { openMatrix, readVector, rowsOf } from "./tensor_rows.ts";

/** @throws TritkitError E_SOURCE_MISSING, E_SOURCE_FORMAT, E_UNSUPPORTED */
export async function openGguf(source: string, options: OpenOptions = {}): Promise<ModelSource> {
  const file = await GgufFile.open(source);
  try {
    const architecture = readArchitecture(file);
    const vocabSize = rowsOf(file, EMBED_NAME).rows;
    const vocabulary = readVocabulary(file, vocabSize);
    const specials = readSpecials(file, vocabulary);
    const { bos, eos, addBos } = specials;
    const shape = readConfig(file, architecture, { vocabSize, bos, eos, addBos, stop: specials.stop });
    // Before anything is done layer by layer or token by token.
    checkModelConfig(shape);
    const { hasTernary } = checkTensors(file, shape);
    const frequencies = await readFrequencies(file, architecture, shape);
    const imported =
      options.tokenizer === undefined
        ? importGgufTokenizer(file.name, { ...vocabulary, ...specials }, vocabSize)
        : await readTokenizerFile(options.tokenizer, vocabSize);
    const compiled = compileTemplate(vocabulary, specials, imported);
    const ends = new Set([...specials.stop, ...compiled.stop].filter((id) => id !== eos));
    const config: ModelConfig = {
      ...shape,
      stop: [...ends].slice(0, STOP_MAX),
      ...(frequencies ? { ropeFrequencies: frequencies } : {}),
      ...(options.quantize === "sign" ? { weights: "binary" as const } : {}),
    };
    const linears = new GgufLinears(file, architecture, config, options);
    const fakeQuant = architecture.bitnet || (hasTernary && !isTriLm(file));
    return {
      name: fileModelName(source),
      config,
      tokenizer: imported.tokenizer,
      chat: compiled.chat,
      meta: readMeta(file, architecture),
      dropped: [],
      notes: [
        ...imported.notes,
        ...decisions(file, architecture, config, fakeQuant),
        ...(compiled.note === null ? [] : [compiled.note]),
      ],
      fakeQuant,
      linear: (kind, layer, at) => linears.open(kind, layer, at),
      matrix: (kind, layer) => openMatrix(file, `${tensorBase(kind, layer ?? 0)}.weight`, options),
      gain: (kind, layer) => readVector(file, `${tensorBase(kind, layer)}.weight`),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function compileTemplate(
  { tokens, chatTemplate }: Vocabulary,
  { bos, eos }: Specials,
  imported: ImportedTokenizer,
): CompiledChat {
  if (chatTemplate === null) return { chat: null, note: null, stop: [] };
  return compileChat(chatTemplate, imported, { bos: tokens[bos] ?? null, eos: tokens[eos] ?? null });
}

/** What the file left open. */
function decisions(file: GgufFile, { name }: Architecture, config: ModelConfig, fakeQuant: boolean): string[] {
  const notes: string[] = [];
  if (file.fields.get(`${name}.hidden_activation`) === undefined && name === "bitnet")
    notes.push(
      config.activation === "relu2"
        ? "The activation is the squared ReLU: the shape is that of BitNet b1.58 2B-4T, for which llama.cpp takes SiLU by mistake."
        : "The activation is SiLU, as llama.cpp takes it for the architecture bitnet.",
    );
  if (name === "llama" && fakeQuant)
    notes.push(
      "Ternary weights in the architecture llama: inputs of its linear layers are rounded to int8, as in BitNet.",
    );
  if (file.fields.get("tokenizer.ggml.add_bos_token") === undefined && config.addBos)
    notes.push("A context starts with bos: the file does not say otherwise.");
  if (name !== "llama" && file.has(HEAD_NAME))
    notes.push(`The head is ${HEAD_NAME}; llama.cpp's graph of ${name} takes the embedding.`);
  return notes;
}

function isTriLm({ fields, name }: GgufFile): boolean {
  const names = ["general.name", "general.basename"].map((key) => fields.textIfThere(key) ?? "");
  return [name, ...names].some((text) => /trilm/i.test(text));
}

const META_KEYS = ["name", "organization", "license", "license.name", "license.link", "source.url", "quantized_by"];
const META_MAX = 200;

function readMeta({ fields }: GgufFile, architecture: Architecture): Record<string, unknown> {
  const meta: Record<string, unknown> = { source: "GGUF", architecture: architecture.name };
  for (const key of META_KEYS) {
    const value = fields.get(`general.${key}`);
    if (typeof value === "string" && value !== "" && value.length <= META_MAX) meta[key.replace(".", "_")] = value;
  }
  return meta;
}
