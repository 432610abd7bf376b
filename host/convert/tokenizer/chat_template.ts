/**
 * A chat template (Jinja, as in tokenizer_config.json or GGUF metadata) -> the CHAT section's turns.
 *
 * A board cannot run Jinja. The template is rendered here, with marks where a user's text goes, and what stands around the marks becomes token ids:
 *
 *     first  render([user]) + generation prompt           <s>[INST] USER [/INST]
 *     next   render([user, assistant, user]) + prompt     ... ANSWER </s><s>[INST] USER [/INST], from behind what ends the answer
 *
 * The token that ends an answer is made by the model and stands in its context already. Between two special tokens the text and the user's words
 * are encoded together, as the reference libraries do with the rendered text (JoinedText).
 */
import { CHAT_TEXT, TOK_ADD_SPACE_PREFIX, TOK_TYPE_SPECIAL } from "../../../spec/image.ts";
import { TextCodec } from "../../engine/text_codec.ts";
import { TritkitError } from "../../errors.ts";
import type { Chat, ChatItem } from "../../image/chat.ts";
import type { ImportedTokenizer } from "./build.ts";
import { NoTurns, renderer, type Specials } from "./chat_render.ts";

export interface CompiledChat {
  /** null: the template cannot be said in turns; `note` says why. */
  readonly chat: Chat | null;
  /** For the report; null when there is nothing to say. */
  readonly note: string | null;
  /** Ids that end an answer, as the template shows: they should be among the model's stop ids. */
  readonly stop: readonly number[];
}

/** User texts, one with space around it and one with more lines: a template that looks at the text gives itself away. */
const USERS = ["\u{f0000}q1\u{f0001}", " \n\u{f0002}q 22\n\nq?\u{f0003} \n"];
const ANSWER = "\u{f0004}a\u{f0005}";

/** A piece of a rendered text. */
type Piece = { readonly id: number } | { readonly text: string };

export function compileChat(template: string, imported: ImportedTokenizer, specials: Specials): CompiledChat {
  try {
    return compile(template, imported, specials);
  } catch (error) {
    // Tokenizers that we cannot run are another matter.
    if (error instanceof TritkitError) throw error;
    const why = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return { chat: null, note: `The chat template is left out, a turn is the text alone: ${why}`, stop: [] };
  }
}

function compile(template: string, imported: ImportedTokenizer, specials: Specials): CompiledChat {
  const render = renderer(template, specials);
  const turns = USERS.map((user) => {
    const first = around(render([{ role: "user", content: user }]), user);
    const all = render([
      { role: "user", content: user },
      { role: "assistant", content: ANSWER },
      { role: "user", content: user },
    ]);
    const answer = all.indexOf(ANSWER);
    if (answer < 0) throw new NoTurns("it changes what the assistant said.");
    return { first, next: around(all.slice(answer + ANSWER.length), user) };
  });
  const [plain, spaced] = turns;
  if (!same(plain.first, spaced.first) || !same(plain.next, spaced.next))
    throw new NoTurns("what it writes depends on the user's text.");

  const codec = new TextCodec(imported.tokenizer);
  const cut = cutter(imported);
  const before = cut(plain.first.before);
  const after = cut(plain.first.after);
  const rest = cut(plain.next.before);
  const end = endOfAnswer(rest, before, after, specials.eos === null ? undefined : imported.ids.get(specials.eos));
  const compiled: Chat = {
    first: turn(codec, imported, before, after, spaced.first.trim),
    next: turn(codec, imported, end < 0 ? rest : rest.slice(end + 1), cut(plain.next.after), spaced.next.trim),
  };
  const stop = end < 0 ? undefined : rest[end];
  return { chat: compiled, note: null, stop: stop && "id" in stop ? [stop.id] : [] };
}

interface Around {
  readonly before: string;
  readonly after: string;
  readonly trim: boolean;
}

/** What stands before and behind the user's text, which must be there once. */
function around(rendered: string, user: string): Around {
  const trimmed = user.trim();
  const at = rendered.indexOf(trimmed);
  if (at < 0) throw new NoTurns("it changes the user's text.");
  if (rendered.indexOf(trimmed, at + 1) >= 0) throw new NoTurns("it writes the user's text twice.");
  const from = rendered.indexOf(user);
  if (from >= 0) return { before: rendered.slice(0, from), after: rendered.slice(from + user.length), trim: false };
  return { before: rendered.slice(0, at), after: rendered.slice(at + trimmed.length), trim: true };
}

function same(a: Around, b: Around): boolean {
  return a.before === b.before && a.after === b.after;
}

/** Cuts a literal at special tokens, the longest first where several begin. */
function cutter({ ids, tokenizer }: ImportedTokenizer): (text: string) => Piece[] {
  const specials = [...ids].filter(([text, id]) => text !== "" && tokenizer.types[id] === TOK_TYPE_SPECIAL);
  const texts = specials.map(([text]) => text).sort((a, b) => b.length - a.length);
  return (text) => {
    const pieces: Piece[] = [];
    let from = 0;
    for (let at = 0; at < text.length; ) {
      const found = texts.find((special) => text.startsWith(special, at));
      if (found === undefined) {
        at++;
        continue;
      }
      if (at > from) pieces.push({ text: text.slice(from, at) });
      pieces.push({ id: ids.get(found) as number });
      at += found.length;
      from = at;
    }
    if (from < text.length) pieces.push({ text: text.slice(from) });
    return pieces;
  };
}

/**
 * Index in `rest` of the token with which the model ends its answer, or -1: eos, or a special token that belongs neither to the next turn's
 * beginning nor is missing behind the user's text.
 */
function endOfAnswer(rest: readonly Piece[], before: readonly Piece[], after: readonly Piece[], eos?: number): number {
  const found = rest.findIndex((piece) => "id" in piece);
  if (found < 0) return -1;
  // White space before it is the template's, not the model's; other words are nobody's to leave out.
  if (rest.slice(0, found).some((piece) => "text" in piece && piece.text.trim() !== "")) return -1;
  const { id } = rest[found] as { readonly id: number };
  if (id === eos) return found;
  const common = commonEnd(rest, before);
  if (found < rest.length - common) return found;
  const closesUser = after.find((piece) => "id" in piece || piece.text.trim() !== "");
  return closesUser && "id" in closesUser && closesUser.id === id ? found : -1;
}

/** How many pieces at their ends two lists share. */
function commonEnd(a: readonly Piece[], b: readonly Piece[]): number {
  let count = 0;
  while (count < a.length && count < b.length) {
    const [x, y] = [a[a.length - 1 - count], b[b.length - 1 - count]];
    if ("id" in x ? !("id" in y) || x.id !== y.id : !("text" in y) || x.text !== y.text) break;
    count++;
  }
  return count;
}

/** The items of a turn: ids of what stands alone, and the user's text with the words that touch it. */
function turn(
  codec: TextCodec,
  imported: ImportedTokenizer,
  before: readonly Piece[],
  after: readonly Piece[],
  trim: boolean,
): ChatItem[] {
  const lead = before.at(-1);
  const head = lead && "text" in lead ? lead.text : "";
  const follow = after[0];
  const tail = follow && "text" in follow ? follow.text : "";
  const idsOf = (pieces: readonly Piece[]) =>
    pieces.flatMap((piece) => ("id" in piece ? [piece.id] : codec.encode(piece.text)));
  const space = (imported.tokenizer.flags & TOK_ADD_SPACE_PREFIX) !== 0 ? " " : "";
  const alone = head === "" && tail === "" && !trim;
  return [
    ...idsOf(head === "" ? before : before.slice(0, -1)),
    alone ? CHAT_TEXT : { before: space + head, after: tail, trim },
    ...idsOf(tail === "" ? after : after.slice(1)),
  ];
}
