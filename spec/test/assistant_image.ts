/** A model of the vectors made an assistant, for tests. Its weights know nothing of calls, so its answers are as good as random. */
import * as I from "../image.ts";
import * as T from "../tools.ts";
import { withSections } from "./with_sections.ts";

export interface AssistantOptions {
  /** Table of the image; null: none. */
  table: Uint8Array | null;
  /** Id of the first special token; the last 64 of the vocabulary without it. */
  base?: number;
  gate?: number;
  textMax?: number;
}

export function assistantImage(image: Buffer, { table, base, gate = 0, textMax = 8 }: AssistantOptions): Buffer {
  const section = Buffer.alloc(T.ASSISTANT_BYTES);
  section.writeUInt32LE(T.ASSISTANT_V1, T.ASSISTANT_VERSION);
  section.writeUInt32LE(base ?? vocabSize(image) - T.TOOL_TOKENS, T.ASSISTANT_BASE);
  section.writeUInt32LE(gate, T.ASSISTANT_GATE);
  section.writeUInt32LE(textMax, T.ASSISTANT_TEXT_MAX);
  const tables: [kind: number, bytes: Uint8Array][] = table === null ? [] : [[I.KIND_TOOLS, table]];
  return Buffer.from(withSections(image, [[I.KIND_ASSISTANT, section], ...tables]));
}

function vocabSize(image: Buffer): number {
  for (let i = 0; i < image.readUInt32LE(I.HDR_SECTIONS); i++) {
    const entry = I.HDR_TABLE + i * I.SECTION_ENTRY_BYTES;
    if (image.readUInt16LE(entry + I.SEC_KIND) !== I.KIND_CONFIG) continue;
    return image.readUInt32LE(image.readUInt32LE(entry + I.SEC_OFFSET) + 4 * I.CFG_VOCAB_SIZE);
  }
  throw new Error("no CONFIG");
}
