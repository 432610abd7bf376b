/** How tokenizer files spell bytes in text: GPT-2's alphabet, SentencePiece's low line, and names like <0x0A>. */
import { damaged } from "./build.ts";

/** SentencePiece's space. */
export const LOW_LINE = "\u2581";

/** GPT-2's alphabet: printable Latin-1 stands for itself, the other bytes for U+0100 and on. */
const BYTE_OF = new Map<string, number>();
for (let byte = 0, next = 256; byte < 256; byte++) {
  const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  BYTE_OF.set(String.fromCodePoint(printable ? byte : next++), byte);
}

/** @throws TritkitError E_SOURCE_FORMAT for a letter outside the alphabet */
export function byteLevelBytes(where: string, text: string): Uint8Array {
  return Uint8Array.from(text, (character) => {
    const byte = BYTE_OF.get(character);
    if (byte === undefined) throw damaged(where, `has the token ${JSON.stringify(text)}, which spells no bytes`);
    return byte;
  });
}

export function sentencePieceBytes(text: string): Uint8Array {
  return utf8(text.replaceAll(LOW_LINE, " "));
}

/** 10 for "<0x0A>", -1 for other texts. */
export function fallbackByte(text: string): number {
  return /^<0x[0-9A-Fa-f]{2}>$/.test(text) ? Number.parseInt(text.slice(3, 5), 16) : -1;
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
