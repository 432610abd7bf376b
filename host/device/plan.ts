// Which bytes of an image still have to travel: the device hashes what its flash holds, the host compares. A sector is the
// smallest thing that can be left alone, because writing any of it erases all of it.
import { createHash } from "node:crypto";
import { DIGEST_BYTES, IMAGE_BLOCK_BYTES } from "../../spec/image.ts";
import { HASHES_MAX, TK_HASHES } from "../../spec/wire.ts";
import { EXIT_REFUSED, TritkitError } from "../errors.ts";
import type { Device } from "./device.ts";

/** Bytes [start, end) of the image that have to be sent, on sector boundaries. */
export interface Segment {
  start: number;
  end: number;
}

/** Sector boundaries of a slot, from its first byte, up to and including the one at or behind `bytes`. */
export function sectorBounds(
  runs: readonly { count: number; bytes: number }[],
  slotOffset: number,
  bytes: number,
): number[] {
  const bounds: number[] = [];
  let at = -slotOffset;
  for (const run of runs) {
    for (let i = 0; i < run.count; i++) {
      if (at >= 0) bounds.push(at);
      if (at >= bytes) return bounds;
      at += run.bytes;
    }
  }
  bounds.push(at);
  return bounds;
}

/** 8-byte digests of the slot's flash, one for each 4 KiB block that `bytes` touch. */
export async function slotHashes(
  device: Device,
  slot: number,
  bytes: number,
  signal?: AbortSignal,
): Promise<Uint8Array[]> {
  const blocks = Math.ceil(bytes / IMAGE_BLOCK_BYTES);
  const hashes: Uint8Array[] = [];
  while (hashes.length < blocks) {
    const n = Math.min(HASHES_MAX, blocks - hashes.length);
    const reply = await device.read(TK_HASHES, { slot, from: hashes.length, n }, { deadlineMs: 5000, signal });
    const { h } = reply;
    if (!(h instanceof Uint8Array) || h.length === 0 || h.length % DIGEST_BYTES !== 0) {
      throw new TritkitError("E_PROTOCOL", "The device's block hashes are malformed.", "", EXIT_REFUSED);
    }
    for (let at = 0; at < h.length; at += DIGEST_BYTES) hashes.push(h.subarray(at, at + DIGEST_BYTES));
  }
  return hashes;
}

/**
 * Segments of `image` that differ from the slot's flash. The last sector is always sent: its arrival makes the device verify.
 * @param wanted the byte that the device asks for. Its sector is sent from there on even when flash has it already (erased flash is what an
 *   image of 0xFF has): from the middle of a sector the device jumps nowhere.
 * @throws TritkitError as Device.read(), E_PROTOCOL
 */
export async function planSegments(
  device: Device,
  slot: number,
  image: Uint8Array,
  wanted: number,
  signal?: AbortSignal,
): Promise<Segment[]> {
  const hashes = await slotHashes(device, slot, image.length, signal);
  const bounds = sectorBounds(device.hello.runs, device.hello.slots[slot].offset, image.length);
  const same = (start: number, end: number): boolean => {
    // Sectors may be smaller than a block: then one is the same only when its whole block is.
    for (let at = start - (start % IMAGE_BLOCK_BYTES); at < end; at += IMAGE_BLOCK_BYTES) {
      const block = image.subarray(at, at + IMAGE_BLOCK_BYTES);
      // The last block of an image is shorter than the flash block that was hashed.
      if (block.length < IMAGE_BLOCK_BYTES) return false;
      const digest = createHash("sha256").update(block).digest().subarray(0, DIGEST_BYTES);
      if (Buffer.compare(digest, hashes[at / IMAGE_BLOCK_BYTES]) !== 0) return false;
    }
    return true;
  };
  const segments: Segment[] = [];
  for (let i = 0; i + 1 < bounds.length; i++) {
    const start = bounds[i];
    const end = Math.min(bounds[i + 1], image.length);
    const begun = wanted > start && wanted < end;
    if (end < image.length && !begun && same(start, end)) continue;
    const last = segments[segments.length - 1];
    if (last !== undefined && last.end === start) last.end = end;
    else segments.push({ start, end });
  }
  return segments;
}
