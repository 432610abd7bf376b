// A text as the model's tokenizer wants it: bytes, in Unicode's form NFC where the tokenizer was trained so (GPT-NeoX). A device cannot do this.
import { TOK_NFC } from "../../spec/image.ts";

/** @param flags of the tokenizer; bytes that are no UTF-8 stay as they are */
export function modelText(flags: number, text: string | Uint8Array): Uint8Array {
  if (typeof text === "string") return Buffer.from((flags & TOK_NFC) !== 0 ? text.normalize("NFC") : text, "utf8");
  if ((flags & TOK_NFC) === 0) return text;
  try {
    const decoded = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text);
    return Buffer.from(decoded.normalize("NFC"), "utf8");
  } catch {
    return text;
  }
}
