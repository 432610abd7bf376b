/**
 * A Hugging Face directory (config.json, a tokenizer's file, safetensors) as a neutral model. Families are hf/families.ts, weights hf/linear.ts.
 */
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { KIND_ATTN_SUB_NORM, KIND_FFN_SUB_NORM, KIND_HEAD, KIND_ROUTER, STOP_MAX } from "../../../spec/image.ts";
import { TritkitError } from "../../errors.ts";
import { eachSlot } from "../../image/layout.ts";
import { JsonFields } from "../json.ts";
import type { Dropped, ModelConfig, ModelSource, OpenOptions } from "../model.ts";
import { checkModelConfig } from "../plan.ts";
import { readTextIfThere } from "../source_files.ts";
import { directoryModelName } from "../source_name.ts";
import { readTokenizer } from "../tokenizer/read_tokenizer.ts";
import { readAssistant } from "./assistant.ts";
import { readChat } from "./chat.ts";
import { readSpecials } from "./config.ts";
import { valuesOf } from "./experts.ts";
import { familyOf } from "./families.ts";
import type { FamilyConfig, HfFamily, Specials } from "./family.ts";
import { floatMatrix, HfLinears, shapeOf } from "./linear.ts";
import { checkShapes } from "./shapes.ts";
import { HfTensors } from "./tensors.ts";

/** The first has more in it: added tokens, and what its library does to a text. */
const TOKENIZERS = ["tokenizer.json", "tokenizer.model"];

/**
 * @param source a directory, or the .safetensors file in one
 * @throws TritkitError E_SOURCE_MISSING, E_SOURCE_FORMAT, E_UNSUPPORTED
 */
export async function openHf(source: string, options: OpenOptions = {}): Promise<ModelSource> {
  const isFile = source.toLowerCase().endsWith(".safetensors");
  const directory = isFile ? dirname(source) : source;
  const json = await readJsonIfThere(directory, "config.json");
  if (!json) throw await noConfig(isFile ? source : null, directory);
  const generation = await readJsonIfThere(directory, "generation_config.json");
  const tokenizerConfig = await readJsonIfThere(directory, "tokenizer_config.json");
  const family = familyOf(json);
  const rule = family.weights(json);
  const specials = readSpecials(json, generation);
  const tensors = await HfTensors.open(directory, isFile ? basename(source) : null);
  try {
    const shape = {
      ...family.config(json, tensors),
      ...(options.quantize === "sign" ? { weights: "binary" as const } : {}),
    };
    // Before anything is done layer by layer or token by token.
    checkModelConfig({ ...shape, ...specials, addBos: false });
    const imported = await readTokenizer(directory, TOKENIZERS, options.tokenizer, shape.vocabSize);
    const notes = [...imported.notes];
    const saysBos = tokenizerConfig?.get("add_bos_token") ?? imported.addsFirst;
    if (saysBos === null && specials.bos >= 0)
      notes.push("A context starts with bos: the tokenizer's files do not say otherwise.");
    const addBos = specials.bos >= 0 && (typeof saysBos === "boolean" ? saysBos : true);
    const chat = await readChat(directory, tokenizerConfig, imported);
    const assistant = await readAssistant(directory, json, imported);
    const stop = withStops(specials, chat.stop);
    const config: ModelConfig = { ...shape, ...specials, stop, addBos };
    const dropped = listDropped(tensors, family, shape);
    checkShapes(tensors, family, shape);
    const linears = new HfLinears(tensors, family, shape, rule, options);
    return {
      name: directoryModelName(directory),
      config,
      tokenizer: imported.tokenizer,
      chat: chat.chat,
      assistant,
      meta: { source: "Hugging Face", model_type: json.text("model_type") },
      dropped,
      notes: [...notes, ...chat.notes],
      fakeQuant: family.fakeQuant,
      linear: (kind, layer, at) => linears.open(kind, layer, at),
      async matrix(kind, layer = 0) {
        const info = tensors.info(placedName(tensors, family, shape, kind, layer));
        if (kind === KIND_ROUTER && info.dtype === "U8") return valuesOf(await linears.openPacked(kind, layer));
        return floatMatrix(tensors, info);
      },
      gain: (kind, layer, expert) => readGain(tensors, family, shape, { kind, layer, expert }),
      close: () => tensors.close(),
    };
  } catch (error) {
    await tensors.close();
    throw error;
  }
}

/** A folder of GGUF files is what many publish beside, and what users point at. */
async function noConfig(file: string | null, directory: string): Promise<TritkitError> {
  if (file !== null)
    return new TritkitError(
      "E_SOURCE_MISSING",
      `Beside ${file} there is no config.json, which says what its tensors are.`,
      "Put the model's config.json and its tokenizer's file there.",
    );
  const names = await readdir(directory).catch(() => []);
  const gguf = names.find((name) => name.toLowerCase().endsWith(".gguf"));
  return new TritkitError(
    "E_SOURCE_MISSING",
    `${directory} has no config.json, as Hugging Face models have.`,
    gguf === undefined ? "Is it a complete download?" : `Give the file itself: ${join(directory, gguf)}.`,
  );
}

async function readJsonIfThere(directory: string, name: string): Promise<JsonFields | null> {
  const text = await readTextIfThere(join(directory, name));
  return text === null ? null : JsonFields.parse(name, text);
}

function placedName(tensors: HfTensors, family: HfFamily, shape: FamilyConfig, kind: number, layer: number): string {
  const place = family.place(kind, layer, shape);
  if (!place) throw new RangeError(`${family.name} has no tensor of kind ${kind}`);
  return tensors.nameOf(place);
}

async function readGain(
  tensors: HfTensors,
  family: HfFamily,
  shape: FamilyConfig,
  { kind, layer, expert }: { readonly kind: number; readonly layer: number; readonly expert?: number },
) {
  const place = family.place(kind, layer, shape, expert);
  if (!place) return new Float32Array(gainLength(shape, kind)).fill(1);
  const info = tensors.info(tensors.nameOf(place));
  return tensors.floats(info.name, 0, shapeOf(info, 1)[0]);
}

function gainLength(shape: FamilyConfig, kind: number): number {
  if (kind === KIND_ATTN_SUB_NORM) return shape.nHeads * shape.headDim;
  return kind === KIND_FFN_SUB_NORM ? shape.hiddenDim : shape.dim;
}

/** The ids that end an answer, and those with which the template ends one. */
function withStops({ eos, stop }: Specials, more: readonly number[]): number[] {
  const ids = new Set([...stop, ...more.filter((id) => id !== eos)]);
  return [...ids].slice(0, STOP_MAX);
}

/** What stays behind. Anything that would change the answers is refused instead. */
function listDropped(tensors: HfTensors, family: HfFamily, shape: FamilyConfig): Dropped[] {
  const known = new Set<string>();
  for (const { kind, layer, expert } of eachSlot(shape)) {
    const place = family.place(kind, layer, shape, expert ?? undefined);
    if (!place) continue;
    // Missing ones are told of at once: config.json may claim a million.
    const { name } = tensors.info(tensors.nameOf(place));
    known.add(name).add(`${name}_scale`);
  }
  const dropped: Dropped[] = [];
  const head = shape.tied ? family.place(KIND_HEAD, 0, shape) : null;
  for (const name of tensors.names()) {
    if (known.has(name)) continue;
    if (head?.names.includes(name)) dropped.push({ name, why: "the head is the embedding" });
    else if (name.endsWith(".rotary_emb.inv_freq")) dropped.push({ name, why: "RoPE comes from config.json" });
    else
      throw new TritkitError(
        "E_UNSUPPORTED",
        `The model has the tensor ${name}, which tritkit does not know.`,
        `Its architecture differs from ${family.name}.`,
      );
  }
  return dropped;
}
