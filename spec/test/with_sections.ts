/** An image with more sections, for tests: IMAGE.md, "Section table entry" and "Digest table and trailer". */
import { createHash } from "node:crypto";
import * as I from "../image.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
const align = (n: number, to: number) => Math.ceil(n / to) * to;

/** The image with these sections behind its own; there must be room in its header. */
export function withSections(image: Uint8Array, sections: [kind: number, bytes: Uint8Array][]): Uint8Array {
  const old = new DataView(image.buffer, image.byteOffset);
  const count = old.getUint32(I.HDR_SECTIONS, true);
  let end = old.getUint32(I.HDR_DIGESTS, true);
  const placed = sections.map(([kind, bytes]) => {
    const offset = align(end, I.IMAGE_ALIGN);
    end = offset + bytes.length;
    return { kind, bytes, offset };
  });
  const digests = align(end, I.IMAGE_BLOCK_BYTES);
  const blocks = digests / I.IMAGE_BLOCK_BYTES;
  const out = new Uint8Array(digests + blocks * I.DIGEST_BYTES + I.TRAILER_BYTES);
  out.set(image.subarray(0, old.getUint32(I.HDR_DIGESTS, true)));
  const view = new DataView(out.buffer);
  placed.forEach(({ kind, bytes, offset }, i) => {
    const entry = I.HDR_TABLE + (count + i) * I.SECTION_ENTRY_BYTES;
    view.setUint16(entry + I.SEC_KIND, kind, true);
    view.setUint32(entry + I.SEC_OFFSET, offset, true);
    view.setUint32(entry + I.SEC_BYTES, bytes.length, true);
    out.set(bytes, offset);
  });
  view.setUint32(I.HDR_SECTIONS, count + sections.length, true);
  view.setUint32(I.HDR_IMAGE_BYTES, out.length, true);
  view.setUint32(I.HDR_DIGESTS, digests, true);
  view.setUint32(I.HDR_DIGEST_COUNT, blocks, true);
  for (let i = 0; i < blocks; i++) {
    const block = out.subarray(i * I.IMAGE_BLOCK_BYTES, (i + 1) * I.IMAGE_BLOCK_BYTES);
    out.set(sha256(block).subarray(0, I.DIGEST_BYTES), digests + i * I.DIGEST_BYTES);
  }
  const trailer = out.length - I.TRAILER_BYTES;
  view.setUint32(trailer, I.TRAILER_MAGIC, true);
  view.setUint32(trailer + 4, I.TRAILER_BYTES, true);
  out.set(sha256(out.subarray(0, trailer)), trailer + I.TRL_SHA256);
  return out;
}
