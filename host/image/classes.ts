/** The `classes` part of a TOKENIZER section (spec/IMAGE.md): which characters are letters, numbers and white space. */
import { CLASS_BITS, CLASS_BYTES, CLASS_LETTER, CLASS_NUMBER, CLASS_OTHER, CLASS_SPACE } from "../../spec/image.ts";
import { CLASS_RUNS } from "./unicode_classes.ts";

const CLASS_OF: Readonly<Record<string, number>> = {
  O: CLASS_OTHER,
  L: CLASS_LETTER,
  N: CLASS_NUMBER,
  S: CLASS_SPACE,
};

/** Entries of the table: first character << CLASS_BITS | class, ascending. */
export function classEntries(): number[] {
  const entries: number[] = [];
  let start = 0;
  for (const [, distance, name] of CLASS_RUNS.matchAll(/([0-9a-z]+)([A-Z])/g)) {
    start += Number.parseInt(distance, 36);
    entries.push((start << CLASS_BITS) | CLASS_OF[name]);
  }
  return entries;
}

/** Number of entries, then the entries. */
export function encodeClasses(): Uint8Array {
  const entries = classEntries();
  const out = new Uint8Array(4 + entries.length * CLASS_BYTES);
  new DataView(out.buffer).setUint32(0, entries.length, true);
  for (const [i, entry] of entries.entries())
    for (let byte = 0; byte < CLASS_BYTES; byte++) out[4 + i * CLASS_BYTES + byte] = entry >>> (8 * byte);
  return out;
}
