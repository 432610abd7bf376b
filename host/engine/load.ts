/**
 * An image into the memory of a SIMD engine. The image itself does not go there: only what describes the model does, moved together ("skeleton"), with
 * row scales and gains. Weights stream through a small buffer, in the order of the file, and are repacked to their place by the module; all bytes are
 * hashed on the way. So memory holds the repacked weights, the cache of keys and values, and next to nothing else.
 *
 *     skeleton   header, section table with the new places | CONFIG, TOKENIZER, TABLES, CHAT, ASSISTANT, TOOLS, gains | row scales      weights keep their old offsets
 */
import { createHash, type Hash } from "node:crypto";
import { read as readCallback } from "node:fs";
import { promisify } from "node:util";
import {
  HDR_TABLE,
  IMAGE_ALIGN,
  KIND_EMBED,
  KIND_META,
  KIND_ROUTER,
  ROW_SCALE_BYTES,
  SEC_OFFSET,
  SEC_SCALES,
  SECTION_ENTRY_BYTES,
  TRAILER_BYTES,
  TRL_SHA256,
} from "../../spec/image.ts";
import { PACK_GAIN, ROWS_PER_BLOCK } from "../../spec/packing.ts";
import { throwIfAborted } from "../errors.ts";
import { checkDigests, sameBytes } from "../image/digest.ts";
import { imageError } from "../image/errors.ts";
import { FilePositions, type Positions, shorter } from "../image/positions.ts";
import type { Image } from "../image/reader.ts";
import type { Section } from "../image/section.ts";
import { packedBytes } from "../image/sizes.ts";
import { type EngineExports, place } from "./module.ts";

const read = promisify(readCallback);

/** Bytes that are read, hashed and repacked at a time. */
const PIECE_BYTES = 4 * 2 ** 20;

export interface LoadOptions {
  readonly signal?: AbortSignal;
  /** Bytes of the image that were taken in, of all. */
  readonly onProgress?: (bytes: number, total: number) => void;
}

export interface Skeleton {
  /** Begins like the image; its section table has offsets of its own. */
  readonly bytes: Uint8Array;
}

/** Weights: what the engine repacks. */
export function isWeights({ kind, packing }: Section): boolean {
  return kind >= KIND_EMBED && kind <= KIND_ROUTER && packing !== PACK_GAIN;
}

/** What the engine needs of the image beside its weights. */
export function skeletonOf(file: Positions, image: Image): Uint8Array {
  const { headerBytes } = image.header;
  const parts: { at: number; bytes: Uint8Array }[] = [];
  const header = file.read(0, headerBytes).slice();
  const view = new DataView(header.buffer);
  let end = headerBytes;
  const move = (field: number, offset: number, length: number) => {
    end = Math.ceil(end / IMAGE_ALIGN) * IMAGE_ALIGN;
    view.setUint32(field, end, true);
    parts.push({ at: end, bytes: file.read(offset, length) });
    end += length;
  };
  for (const [i, section] of image.sections.entries()) {
    const entry = HDR_TABLE + i * SECTION_ENTRY_BYTES;
    if (section.kind === 0 || section.kind === KIND_META || section.kind > KIND_ROUTER) continue;
    if (!isWeights(section)) move(entry + SEC_OFFSET, section.offset, section.bytes);
    if (section.scales !== 0) move(entry + SEC_SCALES, section.scales, section.rows * ROW_SCALE_BYTES);
  }
  if (end > image.header.digestOffset) throw imageError("E_IMAGE_TENSOR", "The image has sections that overlap.");
  const bytes = new Uint8Array(end);
  bytes.set(header);
  for (const part of parts) bytes.set(part.bytes, part.at);
  return bytes;
}

/** A range of the image: rows of weights, or anything else (section -1). */
interface Piece {
  readonly at: number;
  readonly bytes: number;
  readonly section: number;
  readonly from: number;
  readonly rows: number;
}

/** The image from its first byte to its trailer's digest, in pieces. */
function* piecesOf(image: Image, step: number): Generator<Piece> {
  const end = image.header.imageBytes - TRAILER_BYTES;
  const weights = [...image.sections.entries()].filter(([, section]) => isWeights(section));
  weights.sort(([, a], [, b]) => a.offset - b.offset);
  let at = 0;
  const others = function* (until: number): Generator<Piece> {
    if (until < at) throw imageError("E_IMAGE_TENSOR", "The image has sections that overlap.");
    for (; at < until; ) {
      const bytes = Math.min(PIECE_BYTES, until - at);
      yield { at, bytes, section: -1, from: 0, rows: 0 };
      at += bytes;
    }
  };
  for (const [section, { offset, rows, cols, packing }] of weights) {
    yield* others(offset);
    const block = step * ROWS_PER_BLOCK;
    const count = Math.max(block, Math.floor(PIECE_BYTES / packedBytes(packing, block, cols)) * block);
    for (let from = 0; from < rows; from += count) {
      const taken = Math.min(count, rows - from);
      const bytes = packedBytes(packing, taken, cols);
      yield { at, bytes, section, from, rows: taken };
      at += bytes;
    }
  }
  yield* others(end);
}

/**
 * Repacks all weights and checks the digest of the image on the way.
 * @throws TritkitError E_IMAGE_CORRUPT, E_FILE_CHANGED, E_INTERRUPTED, E_NO_MEMORY
 */
export async function streamWeights(
  engine: EngineExports,
  file: Positions,
  image: Image,
  verify: boolean,
  { signal, onProgress }: LoadOptions,
): Promise<void> {
  const pieces = [...piecesOf(image, engine.repack_step())];
  const room = Math.max(...pieces.map(({ bytes }) => bytes));
  const buffers = [0, 1].map(() => place(engine, new Uint8Array(), room));
  const hash: Hash | null = verify ? createHash("sha256") : null;
  const fetch = (i: number): Promise<void> => {
    const { at, bytes } = pieces[i];
    return readInto(file, at, new Uint8Array(engine.memory.buffer, buffers[i & 1], bytes));
  };
  let fetched = fetch(0);
  for (const [i, { at, bytes, section, from, rows }] of pieces.entries()) {
    await fetched;
    throwIfAborted(signal);
    if (i + 1 < pieces.length) fetched = fetch(i + 1);
    // A rejection is met when its turn comes.
    fetched.catch(() => {});
    hash?.update(new Uint8Array(engine.memory.buffer, buffers[i & 1], bytes));
    if (section >= 0) engine.repack_section(section, from, rows, buffers[i & 1]);
    onProgress?.(at + bytes, image.header.imageBytes - TRAILER_BYTES);
  }
  if (hash === null) return;
  const trailer = file.read(image.header.imageBytes - TRAILER_BYTES, TRAILER_BYTES);
  if (sameBytes(hash.digest(), trailer.subarray(TRL_SHA256, TRL_SHA256 + 32))) return;
  explainDamage(file, image.header.imageBytes, image.header.digestOffset);
}

/** @throws TritkitError E_IMAGE_CORRUPT with the damaged block */
function explainDamage(file: Positions, size: number, digestOffset: number): never {
  checkDigests({ size, read: (offset, length) => file.read(offset, length) }, digestOffset);
  throw imageError("E_IMAGE_CORRUPT", "The image changed while it was read.");
}

async function readInto(file: Positions, at: number, target: Uint8Array): Promise<void> {
  if (!(file instanceof FilePositions)) {
    target.set(file.read(at, target.length));
    return;
  }
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await read(file.fd, target, done, target.length - done, at + done);
    if (bytesRead === 0) throw shorter(file.path);
    done += bytesRead;
  }
}
