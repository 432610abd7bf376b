/** The CHAT section of spec/IMAGE.md: how a turn becomes tokens, written and read. */
import {
  CHAT_FIRST_COUNT,
  CHAT_ITEMS,
  CHAT_JOINED,
  CHAT_JOINED_WORDS,
  CHAT_NEXT_COUNT,
  CHAT_TEXT,
  CHAT_TRIM,
} from "../../spec/image.ts";
import { imageError } from "./errors.ts";

/** The user's text between two literals: they become tokens together, because a token may reach over a seam. */
export interface JoinedText {
  readonly before: string;
  readonly after: string;
  /** Whitespace around the user's text goes. */
  readonly trim: boolean;
}

/** A token id, -1 for the user's text alone, or the text with what stands around it. */
export type ChatItem = number | JoinedText;

/** A turn that opens a context, and one that follows. */
export interface Chat {
  readonly first: readonly ChatItem[];
  readonly next: readonly ChatItem[];
}

/** CHAT_JOINED and its words. */
const JOINED_ITEM_WORDS = 1 + CHAT_JOINED_WORDS;

export function encodeChat(chat: Chat): Uint8Array {
  const turns = [chat.first, chat.next];
  const counts = turns.map((turn) =>
    turn.reduce<number>((sum, item) => sum + (typeof item === "number" ? 1 : JOINED_ITEM_WORDS), 0),
  );
  const words: number[] = [];
  const literals: number[] = [];
  const literalsAt = CHAT_ITEMS + (counts[0] + counts[1]) * 4;
  const place = (literal: string) => {
    const bytes = Buffer.from(literal, "utf8");
    words.push(literalsAt + literals.length, bytes.length);
    literals.push(...bytes);
  };
  for (const item of turns.flat()) {
    if (typeof item === "number") words.push(item);
    else {
      words.push(CHAT_JOINED, item.trim ? CHAT_TRIM : 0);
      place(item.before);
      place(item.after);
    }
  }
  const out = new Uint8Array(literalsAt + literals.length);
  const view = new DataView(out.buffer);
  view.setUint32(CHAT_FIRST_COUNT, counts[0], true);
  view.setUint32(CHAT_NEXT_COUNT, counts[1], true);
  for (const [i, word] of words.entries()) view.setInt32(CHAT_ITEMS + i * 4, word, true);
  out.set(literals, literalsAt);
  return out;
}

/** @throws TritkitError E_IMAGE_CONFIG */
export function parseChat(section: Uint8Array, vocabSize: number): Chat {
  const view = new DataView(section.buffer, section.byteOffset, section.length);
  const counts =
    section.length >= CHAT_ITEMS
      ? [view.getUint32(CHAT_FIRST_COUNT, true), view.getUint32(CHAT_NEXT_COUNT, true)]
      : [0, 0];
  const end = counts[0] + counts[1];
  if (section.length < CHAT_ITEMS + end * 4) throw bad("do not fit their section");
  const word = (i: number) => view.getUint32(CHAT_ITEMS + i * 4, true);
  const literal = (i: number) => {
    const [at, bytes] = [word(i), word(i + 1)];
    if (at + bytes > section.length) throw bad("have a literal outside their section");
    return new TextDecoder().decode(section.subarray(at, at + bytes));
  };
  const readTurn = (from: number, to: number) => {
    const items: ChatItem[] = [];
    for (let i = from; i < to; i++) {
      const item = word(i) | 0;
      if (item === CHAT_JOINED) {
        if (i + CHAT_JOINED_WORDS >= to) throw bad("end within an item");
        const flags = word(i + 1);
        if (flags > CHAT_TRIM) throw bad(`have an item with the flags ${flags}`);
        items.push({ before: literal(i + 2), after: literal(i + 4), trim: flags === CHAT_TRIM });
        i += CHAT_JOINED_WORDS;
      } else if (item === CHAT_TEXT || (item >= 0 && item < vocabSize)) items.push(item);
      else throw bad(`name token ${word(i)} of ${vocabSize}`);
    }
    return items;
  };
  return { first: readTurn(0, counts[0]), next: readTurn(counts[0], end) };
}

function bad(what: string) {
  return imageError("E_IMAGE_CONFIG", `The chat turns ${what}.`);
}
