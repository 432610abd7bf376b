/** A model of the vectors made an assistant: sections ASSISTANT and TOOLS (IMAGE.md, TOOLS.md) behind its own. Its weights know nothing of calls, so its answers are as good as random. */
import { createHash } from "node:crypto";
import * as I from "../image.ts";
import * as T from "../tools.ts";

export interface AssistantOptions {
  /** Table of the image; null: none. */
  table: Buffer | null;
  /** Id of the first special token; the last 64 of the vocabulary without it. */
  base?: number;
  gate?: number;
  textMax?: number;
}

const align = (n: number, to: number) => Math.ceil(n / to) * to;

/** The field of CONFIG. */
function configWord(image: Buffer, field: number): number {
  for (let i = 0; i < image.readUInt32LE(I.HDR_SECTIONS); i++) {
    const entry = I.HDR_TABLE + i * I.SECTION_ENTRY_BYTES;
    if (image.readUInt16LE(entry + I.SEC_KIND) === I.KIND_CONFIG)
      return image.readUInt32LE(image.readUInt32LE(entry + I.SEC_OFFSET) + 4 * field);
  }
  throw new Error("no CONFIG");
}

export function assistantImage(image: Buffer, { table, base, gate = 0, textMax = 8 }: AssistantOptions): Buffer {
  const section = Buffer.alloc(T.ASSISTANT_BYTES);
  section.writeUInt32LE(T.ASSISTANT_V1, T.ASSISTANT_VERSION);
  section.writeUInt32LE(base ?? configWord(image, I.CFG_VOCAB_SIZE) - T.TOOL_TOKENS, T.ASSISTANT_BASE);
  section.writeUInt32LE(gate, T.ASSISTANT_GATE);
  section.writeUInt32LE(textMax, T.ASSISTANT_TEXT_MAX);
  const more: [kind: number, bytes: Buffer][] = [[I.KIND_ASSISTANT, section]];
  if (table !== null) more.push([I.KIND_TOOLS, table]);

  const old = image.readUInt32LE(I.HDR_DIGESTS);
  const places = more.map((_, i) =>
    more.slice(0, i).reduce((at, [, before]) => align(at + before.length, I.IMAGE_ALIGN), align(old, I.IMAGE_ALIGN)),
  );
  const end = places[places.length - 1] + more[more.length - 1][1].length;
  const digests = align(end, I.IMAGE_BLOCK_BYTES);
  const count = digests / I.IMAGE_BLOCK_BYTES;
  const out = Buffer.alloc(digests + count * I.DIGEST_BYTES + I.TRAILER_BYTES);
  image.copy(out, 0, 0, old);
  const sections = image.readUInt32LE(I.HDR_SECTIONS);
  for (const [i, [kind, bytes]] of more.entries()) {
    bytes.copy(out, places[i]);
    const entry = I.HDR_TABLE + (sections + i) * I.SECTION_ENTRY_BYTES;
    if (entry + I.SECTION_ENTRY_BYTES > image.readUInt32LE(I.HDR_BYTES))
      throw new Error("no room in the section table");
    out.fill(0, entry, entry + I.SECTION_ENTRY_BYTES);
    out.writeUInt16LE(kind, entry + I.SEC_KIND);
    out.writeUInt32LE(places[i], entry + I.SEC_OFFSET);
    out.writeUInt32LE(bytes.length, entry + I.SEC_BYTES);
  }
  out.writeUInt32LE(out.length, I.HDR_IMAGE_BYTES);
  out.writeUInt32LE(sections + more.length, I.HDR_SECTIONS);
  out.writeUInt32LE(digests, I.HDR_DIGESTS);
  out.writeUInt32LE(count, I.HDR_DIGEST_COUNT);
  for (let i = 0; i < count; i++) {
    const block = out.subarray(i * I.IMAGE_BLOCK_BYTES, (i + 1) * I.IMAGE_BLOCK_BYTES);
    createHash("sha256")
      .update(block)
      .digest()
      .copy(out, digests + i * I.DIGEST_BYTES, 0, I.DIGEST_BYTES);
  }
  const trailer = out.length - I.TRAILER_BYTES;
  image.copy(out, trailer, image.length - I.TRAILER_BYTES);
  createHash("sha256")
    .update(out.subarray(0, trailer))
    .digest()
    .copy(out, trailer + I.TRL_SHA256);
  return out;
}
