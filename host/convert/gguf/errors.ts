/** What is said about a GGUF file that cannot be read. `name` is the file's, without its folder. */
import { TritkitError } from "../../errors.ts";

/** E_SOURCE_FORMAT: the file contradicts itself or its format. */
export function badGguf(name: string, what: string, hint = "Download the model again."): TritkitError {
  return new TritkitError("E_SOURCE_FORMAT", printable(`${name} ${what}.`), hint);
}

/** E_UNSUPPORTED: a sound file of something that tritkit does not run. */
export function unsupportedGguf(name: string, what: string, hint: string): TritkitError {
  return new TritkitError("E_UNSUPPORTED", printable(`${name} ${what}.`), hint);
}

/** Names come from the file: a message stays one line, and no terminal takes orders from it. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
