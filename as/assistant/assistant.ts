/**
 * Whether the open model is an assistant that knows tools: section ASSISTANT of its image (spec/IMAGE.md) and a table of tools, the image's own or one that was
 * set instead.
 */
import {
  ASSISTANT_BASE,
  ASSISTANT_BYTES,
  ASSISTANT_GATE,
  ASSISTANT_TEXT_MAX,
  ASSISTANT_V1,
  ASSISTANT_VERSION,
  TOOL_TOKENS,
} from "../../spec/tools.ts";
import { calls_reset } from "./calls.ts";
import { table_open, tools_count } from "./table.ts";
import { tools_reset } from "./tools.ts";
import { words_begin } from "./words.ts";

@unmanaged
class Assistant {
  /** Address of the section; 0: the model is none. */
  section: usize;
  /** Id that ends an answer. */
  eos: u32;
}

const assistant = changetype<Assistant>(memory.data(offsetof<Assistant>(), 8));

/**
 * A model was opened, or none is (section 0): it has no table yet.
 * @param section ASSISTANT, on a multiple of 4
 * @param eos id that ends an answer, below vocab_size when there is one
 * @returns false when the section makes no sense
 */
export function assistant_model(section: usize, bytes: u32, vocab_size: u32, eos: u32): bool {
  assistant.section = 0;
  assistant_open(0, 0);
  if (section == 0) return true;
  if (bytes < <u32>ASSISTANT_BYTES || load<u32>(section, ASSISTANT_VERSION) != ASSISTANT_V1) return false;
  const base = load<u32>(section, ASSISTANT_BASE);
  if (vocab_size < <u32>TOOL_TOKENS || base > vocab_size - TOOL_TOKENS) return false;
  if (eos >= vocab_size || eos - base < <u32>TOOL_TOKENS) return false;
  assistant.section = section;
  assistant.eos = eos;
  return true;
}

/**
 * Takes the table at `table` (0: none) in place of the one before. State of the tools and calls are forgotten: do it between answers. The bytes must stay there.
 * @param table on a multiple of 4
 * @returns false when it is damaged: then the assistant knows no tools
 */
export function assistant_open(table: usize, bytes: u32): bool {
  const sound = table_open(table, bytes);
  tools_reset();
  calls_reset();
  words_begin(0, 0);
  return sound;
}

/** Whether the open model is an assistant, with or without a table. */
export function is_assistant(): bool {
  return assistant.section != 0;
}

/** Whether words are read with the table and answered with calls. */
export function assistant_on(): bool {
  return assistant.section != 0 && tools_count() != 0;
}

/** Id of the first of the special tokens. */
export function token_base(): u32 {
  return load<u32>(assistant.section, ASSISTANT_BASE);
}

/** Id that ends an answer. */
export function token_end(): u32 {
  return assistant.eos;
}

/** Margin below which a call is not made. */
export function gate(): u32 {
  return load<u32>(assistant.section, ASSISTANT_GATE);
}

/** Tokens of text in an answer, at most. */
export function text_max(): u32 {
  return load<u32>(assistant.section, ASSISTANT_TEXT_MAX);
}
