/** SHA-256 of an image: the sha of an upload, the trailer's, and the short digest of each 4096-byte block (spec/IMAGE.md). */
import { createHash } from "node:crypto";
import { DIGEST_BYTES, IMAGE_BLOCK_BYTES, TRAILER_BYTES, TRL_SHA256 } from "../../spec/image.ts";
import { imageError } from "./errors.ts";
import type { Positions } from "./positions.ts";

/** 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

/** First 8 bytes of SHA-256 of every block of 4096; `bytes` is a whole number of blocks. */
export function blockDigests(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array((bytes.length / IMAGE_BLOCK_BYTES) * DIGEST_BYTES);
  for (let block = 0; block * IMAGE_BLOCK_BYTES < bytes.length; block++)
    out.set(blockDigest(bytes, block), block * DIGEST_BYTES);
  return out;
}

/** Digest `block` of an image: 8 bytes. */
export function blockDigest(bytes: Uint8Array, block: number): Uint8Array {
  return sha256(bytes.subarray(block * IMAGE_BLOCK_BYTES, (block + 1) * IMAGE_BLOCK_BYTES)).subarray(0, DIGEST_BYTES);
}

/** The sha by which a device knows an upload: SHA-256 over the whole file, trailer included. */
export function uploadSha(image: Uint8Array | Positions): Uint8Array {
  if (image instanceof Uint8Array) return sha256(image);
  const hash = createHash("sha256");
  for (let at = 0; at < image.size; at += PIECE_BYTES)
    hash.update(image.read(at, Math.min(PIECE_BYTES, image.size - at)));
  return hash.digest();
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Bytes that are read and hashed at a time: whole blocks. */
const PIECE_BYTES = 2 ** 22;

/**
 * @param image exactly the image
 * @param digestOffset D
 * @throws TritkitError E_IMAGE_CORRUPT naming the damaged blocks
 */
export function checkDigests(image: Positions, digestOffset: number): void {
  const end = image.size - TRAILER_BYTES;
  const table = image.read(digestOffset, end - digestOffset);
  const hash = createHash("sha256");
  const damaged: number[] = [];
  const blocks = digestOffset / IMAGE_BLOCK_BYTES;
  for (let at = 0; at < end; at += PIECE_BYTES) {
    const piece = image.read(at, Math.min(PIECE_BYTES, end - at));
    hash.update(piece);
    const first = at / IMAGE_BLOCK_BYTES;
    for (let block = first; block < Math.min(blocks, first + PIECE_BYTES / IMAGE_BLOCK_BYTES); block++)
      if (
        !sameBytes(blockDigest(piece, block - first), table.subarray(block * DIGEST_BYTES, (block + 1) * DIGEST_BYTES))
      )
        damaged.push(block);
  }
  const whole = sameBytes(hash.digest(), image.read(end + TRL_SHA256, 32));
  if (whole && damaged.length === 0) return;
  if (damaged.length === 0) throw imageError("E_IMAGE_CORRUPT", "The image is damaged within its digests or trailer.");
  const [first] = damaged;
  const bytes = `bytes ${first * IMAGE_BLOCK_BYTES} to ${(first + 1) * IMAGE_BLOCK_BYTES - 1}`;
  const more = damaged.length > 1 ? `, and ${damaged.length - 1} more` : "";
  throw imageError("E_IMAGE_CORRUPT", `The image is damaged in block ${first} of ${blocks} (${bytes})${more}.`);
}
