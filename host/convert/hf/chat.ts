/** The chat template of a Hugging Face directory: chat_template.jinja, or the field of tokenizer_config.json (a text, or several with names). */
import { join } from "node:path";
import type { Chat } from "../../image/reader.ts";
import { JsonFields } from "../json.ts";
import { readTextIfThere } from "../source_files.ts";
import { compileChat } from "../tokenizer/chat_template.ts";
import type { ImportedTokenizer } from "../tokenizer/json.ts";

export interface HfChat {
  readonly chat: Chat | null;
  readonly notes: readonly string[];
  /** Ids that end an answer. */
  readonly stop: readonly number[];
}

/** @throws TritkitError E_SOURCE_FORMAT for fields that are no template; one that cannot be said in turns becomes a note */
export async function readChat(
  directory: string,
  config: JsonFields | null,
  imported: ImportedTokenizer,
): Promise<HfChat> {
  const template = (await readTextIfThere(join(directory, "chat_template.jinja"))) ?? templateOf(config);
  if (template === null) return { chat: null, notes: [], stop: [] };
  const specials = { bos: tokenText(config, "bos_token"), eos: tokenText(config, "eos_token") };
  const { chat, note, stop } = compileChat(template, imported, specials);
  return { chat, notes: note === null ? [] : [note], stop };
}

function templateOf(config: JsonFields | null): string | null {
  const value = config?.get("chat_template");
  if (config === null || value === undefined) return null;
  if (!Array.isArray(value)) return config.text("chat_template");
  const named = value.map((entry) => new JsonFields(`${config.where}, chat_template`, entry));
  return (named.find((entry) => entry.text("name", "") === "default") ?? named[0])?.text("template") ?? null;
}

/** A token is a text, or an object with its content. */
function tokenText(config: JsonFields | null, name: string): string | null {
  const value = config?.get(name);
  if (config === null || value === undefined) return null;
  return typeof value === "string" ? value : (config.fields(name)?.text("content") ?? null);
}
