/** What is said about a GGUF file that cannot be read. `name` is the file's, without its folder. */
import { TritkitError } from "../../errors.ts";

/** E_SOURCE_FORMAT: the file contradicts itself or its format. */
export function badGguf(name: string, what: string, hint = "Download the model again."): TritkitError {
  return new TritkitError("E_SOURCE_FORMAT", `${name} ${what}.`, hint);
}

/** E_UNSUPPORTED: a sound file of something that tritkit does not run. */
export function unsupportedGguf(name: string, what: string, hint: string): TritkitError {
  return new TritkitError("E_UNSUPPORTED", `${name} ${what}.`, hint);
}
