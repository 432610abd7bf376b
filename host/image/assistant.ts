/** The sections ASSISTANT (spec/IMAGE.md) and TOOLS (spec/TOOLS.md) of an image, written and read. */
import { KIND_ASSISTANT, KIND_TOOLS, NONE_ID, TOK_TYPE_SPECIAL } from "../../spec/image.ts";
import {
  ASSISTANT_BASE,
  ASSISTANT_BYTES,
  ASSISTANT_GATE,
  ASSISTANT_TEXT_MAX,
  ASSISTANT_V1,
  ASSISTANT_VERSION,
  TOOL_TOKENS,
} from "../../spec/tools.ts";
import { TritkitError } from "../errors.ts";
import { readTools } from "../tools/read.ts";
import type { ToolTable } from "../tools/tool.ts";
import type { ImageConfig } from "./config.ts";
import { imageError } from "./errors.ts";
import { sectionName } from "./layout.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A unit of the gate: 1/65536 of a logit. */
const GATE_ONE = 65536;

export interface AssistantHead {
  /** Id of the first of the special tokens. */
  readonly base: number;
  /** Margin in logits below which a call is not made, but asked about. */
  readonly gate: number;
  /** Most tokens of text in an answer. */
  readonly textMax: number;
}

export interface Assistant extends AssistantHead {
  /** null: it has no tools before some are set. */
  readonly tools: ToolTable | null;
  /** As it stands in the image; empty without tools. */
  readonly table: Uint8Array;
}

export function encodeAssistant({ base, gate, textMax }: AssistantHead): Uint8Array {
  const out = new DataView(new ArrayBuffer(ASSISTANT_BYTES));
  out.setUint32(ASSISTANT_VERSION, ASSISTANT_V1, true);
  out.setUint32(ASSISTANT_BASE, base, true);
  out.setUint32(ASSISTANT_GATE, Math.round(gate * GATE_ONE), true);
  out.setUint32(ASSISTANT_TEXT_MAX, textMax, true);
  return new Uint8Array(out.buffer);
}

/**
 * @param table the section TOOLS, null without
 * @throws TritkitError E_IMAGE_CONFIG, E_IMAGE_TOOLS
 */
export function parseAssistant(
  section: Uint8Array,
  table: Uint8Array | null,
  { vocabSize, eos }: Pick<ImageConfig, "vocabSize" | "eos">,
  { types }: Pick<Tokenizer, "types">,
): Assistant {
  const view = new DataView(section.buffer, section.byteOffset, section.length);
  const word = (at: number) => view.getUint32(at, true);
  if (section.length < ASSISTANT_BYTES || word(ASSISTANT_VERSION) !== ASSISTANT_V1)
    throw imageError("E_IMAGE_CONFIG", `The section ${sectionName(KIND_ASSISTANT, 0)} is of no version known here.`);
  const base = word(ASSISTANT_BASE);
  if (base + TOOL_TOKENS > vocabSize)
    throw imageError(
      "E_IMAGE_CONFIG",
      `The assistant's tokens from ${base} on are not in a vocabulary of ${vocabSize}.`,
    );
  const text = types.subarray(base, base + TOOL_TOKENS).findIndex((type) => type !== TOK_TYPE_SPECIAL);
  if (text >= 0) throw imageError("E_IMAGE_CONFIG", `The assistant's token ${base + text} is no special token.`);
  if (eos === NONE_ID || (eos >= base && eos < base + TOOL_TOKENS))
    throw imageError("E_IMAGE_CONFIG", "The assistant has no token of its own that ends an answer.");
  return {
    ...{ base, gate: word(ASSISTANT_GATE) / GATE_ONE, textMax: word(ASSISTANT_TEXT_MAX) },
    tools: table && parseTable(table),
    table: table ?? new Uint8Array(0),
  };
}

function parseTable(table: Uint8Array): ToolTable {
  try {
    return readTools(table);
  } catch (error) {
    if (!(error instanceof TritkitError)) throw error;
    throw imageError("E_IMAGE_TOOLS", `Section ${sectionName(KIND_TOOLS, 0)}: ${error.message}`);
  }
}
