/**
 * An assistant whose answers are known: its layers add nothing, so that the next token depends on the last one alone. Each token of `chain` has a dimension of
 * its own in the embedding, and the head's rows of its followers look at it, the first one most. What a grammar does not allow is skipped.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TOKEN_NAMES } from "../tools/names.ts";
import {
  f32,
  gainTensor,
  gridTensor,
  llamaConfig,
  llamaTensors,
  packedTensor,
  type RawTensor,
  SHAPE,
  writeDirectory,
} from "./family_fixture.ts";
import { byteTokenizer } from "./hf_fixture.ts";

/** By name: "call", "light", "p1", "eos", or one byte of text. */
export type Chain = Readonly<Record<string, string | readonly string[]>>;

export interface AssistantOptions {
  /** In config.json; null: it says nothing. */
  readonly assistant?: Record<string, unknown> | null;
  /** tools.json beside it. */
  readonly tools?: unknown;
  /** Spelling and order of the special tokens. */
  readonly tokens?: readonly string[];
}

const FIRST = SHAPE.vocab;
const EOS = 259;

/** "please switch the lamp on": turns the lamp on, whatever was said. */
export const LAMP_ON: Chain = { board: "call", call: "on", on: "light", light: "eos" };
/** Sets the fan to the first percentage. */
export const FAN_SET: Chain = { board: "call", call: "set", set: "fan", fan: "p1", p1: "eos" };

export async function writeAssistant(directory: string, chain: Chain, options: AssistantOptions = {}): Promise<string> {
  const { assistant = { gate: 0, text_max: 8 }, tools, tokens = TOKEN_NAMES } = options;
  const vocab = FIRST + tokens.length;
  const config = llamaConfig({
    vocab_size: vocab,
    max_position_embeddings: 128,
    tie_word_embeddings: false,
    quantization_config: { quant_method: "bitnet" },
    ...(assistant === null ? {} : { tritkit_assistant: assistant }),
  });
  const nothing = (rows: number, cols: number) => packedTensor({ rows, cols, k: new Int16Array(rows * cols) });
  const linear = (_name: string, _layer: number, rows: number, cols: number) => ({
    weight: nothing(rows, cols),
    weight_scale: { dtype: "F32", shape: [1], bytes: f32([1]) },
  });
  const tensors = {
    ...llamaTensors(linear),
    ...chained(chain, vocab),
    "model.norm.weight": gainTensor(SHAPE.dim, () => 1),
  };
  await writeDirectory(directory, config, tensors);
  const tokenizer = byteTokenizer() as { added_tokens: unknown[] };
  tokenizer.added_tokens.push(...tokens.map((content, i) => ({ id: FIRST + i, content, special: true })));
  await writeFile(join(directory, "tokenizer.json"), JSON.stringify(tokenizer));
  if (tools !== undefined) await writeFile(join(directory, "tools.json"), JSON.stringify(tools));
  return directory;
}

function chained(chain: Chain, vocab: number): Record<string, RawTensor> {
  const size = vocab * SHAPE.dim;
  const [embed, head] = [new Int16Array(size), new Int16Array(size)];
  const names = Object.keys(chain);
  if (names.length > SHAPE.dim) throw new RangeError(`a chain of ${names.length} tokens, at most ${SHAPE.dim}`);
  for (const [dim, name] of names.entries()) {
    embed[idOf(name) * SHAPE.dim + dim] = 255;
    for (const [rank, next] of [chain[name]].flat().entries()) head[idOf(next) * SHAPE.dim + dim] = 250 - 50 * rank;
  }
  const grid = (k: Int16Array) => gridTensor({ rows: vocab, cols: SHAPE.dim, k });
  return { "model.embed_tokens.weight": grid(embed), "lm_head.weight": grid(head) };
}

export function idOf(name: string): number {
  if (name === "eos") return EOS;
  const special = TOKEN_NAMES.indexOf(`<|${name}|>`);
  if (special >= 0) return FIRST + special;
  if (name.length === 1 && name.charCodeAt(0) < 0x7f) return name.charCodeAt(0);
  throw new RangeError(`there is no token ${name}`);
}

/** A lamp, a fan and a thermometer of an rp2040-pico. */
export const DESK = {
  name: "desk",
  tools: [
    {
      name: "lamp",
      kind: "light",
      aliases: ["lamp", "light"],
      argument: { unit: "percent", min: 0, max: 100, step: 20 },
      drive: { type: "pwm", pin: 15 },
    },
    {
      name: "fan",
      kind: "fan",
      argument: { unit: "percent", min: 0, max: 100, step: 20, values: { high: 100 } },
      drive: { type: "pwm", pin: 12, hz: 25000 },
    },
    { name: "pump", kind: "switch", drive: { type: "gpio", pin: 14 } },
    {
      name: "temperature",
      kind: "temperature",
      argument: { unit: "celsius", min: -40, max: 125 },
      drive: { type: "adc", channel: 0 },
    },
    { name: "timer", kind: "timer", drive: { type: "timer", pin: 13 } },
  ],
};
