/** Is a model an assistant (spec/TOOLS.md)? Its tokenizer has the special tokens, one behind the other, and config.json says how sure it has to be. */
import { join } from "node:path";
import { TOK_TYPE_SPECIAL } from "../../../spec/image.ts";
import { TOOL_TOKENS } from "../../../spec/tools.ts";
import { TritkitError } from "../../errors.ts";
import { TOKEN_NAMES } from "../../tools/names.ts";
import type { JsonFields } from "../json.ts";
import type { AssistantSource } from "../model.ts";
import { readTextIfThere } from "../source_files.ts";
import type { ImportedTokenizer } from "../tokenizer/json.ts";

/** Of config.json: {"gate": logits, "text_max": tokens}. */
const KEY = "tritkit_assistant";
const FILE = "tools.json";
const TEXT_MAX = 48;
/** Logits of a model of this kind lie within some dozens. */
const GATE_MOST = 1000;
const TEXT_MOST = 4096;

/** @throws TritkitError E_SOURCE_FORMAT for an assistant that lacks some of its tokens */
export async function readAssistant(
  directory: string,
  config: JsonFields,
  imported: ImportedTokenizer,
): Promise<AssistantSource | null> {
  const fields = config.fields(KEY);
  const base = imported.ids.get(TOKEN_NAMES[0]);
  const isRow = base !== undefined && TOKEN_NAMES.every((name, i) => imported.ids.get(name) === base + i);
  if (!isRow && fields === null) return null;
  if (!isRow) throw missing(imported);
  const { types } = imported.tokenizer;
  if (types.subarray(base, base + TOOL_TOKENS).some((type) => type !== TOK_TYPE_SPECIAL)) throw missing(imported);
  const gate = fields?.number("gate", 0) ?? 0;
  const textMax = fields?.integer("text_max", TEXT_MAX) ?? TEXT_MAX;
  if (!(gate >= 0 && gate <= GATE_MOST)) throw config.bad(`${KEY}.gate`, `a number from 0 to ${GATE_MOST}`);
  if (textMax > TEXT_MOST) throw config.bad(`${KEY}.text_max`, `a whole number up to ${TEXT_MOST}`);
  const path = join(directory, FILE);
  const beside = (await readTextIfThere(path)) === null ? null : path;
  return { base, gate, textMax, beside };
}

function missing({ ids, tokenizer }: ImportedTokenizer): TritkitError {
  const first = ids.get(TOKEN_NAMES[0]) ?? -1;
  const name = TOKEN_NAMES.find((each, i) => {
    const id = ids.get(each);
    return id === undefined || id !== first + i || tokenizer.types[id] !== TOK_TYPE_SPECIAL;
  });
  return new TritkitError(
    "E_SOURCE_FORMAT",
    `config.json says that the model is an assistant, but ${name} is no special token in its place in the tokenizer.`,
    "An assistant's tokenizer has the 64 special tokens of spec/TOOLS.md with ascending ids.",
  );
}
