/**
 * Where packed weights lie in a partition, and which of their bytes is to be hit. The image says it (spec/IMAGE.md); the journal is
 * not asked: what stands at the beginning of slot 0, and what stands at the first later sector that begins like an image.
 *
 *     ├ records │ records │ slot 0: image ... │ ... slot 1: image ... ┤
 *
 * Only sections of trits count: those have codes that stand for nothing (spec/PACKING.md), and the coprocessor reads no others.
 */
import { type Board, partitionRuns } from "../../boards/board.ts";
import {
  HDR_IMAGE_BYTES,
  HDR_MAGIC,
  HDR_MAJOR,
  HDR_SECTIONS,
  HDR_TABLE,
  IMAGE_MAGIC,
  IMAGE_VERSION_MAJOR,
  SEC_BYTES,
  SEC_OFFSET,
  SEC_PACKING,
  SECTION_ENTRY_BYTES,
} from "../../spec/image.ts";
import { PACK_ILLEGAL_REMAINDER, PACK_MAX, PACK_STRIDE, PACK_TRITS_1, PACK_TRITS_5 } from "../../spec/packing.ts";
import { RECORD_SECTORS } from "../../spec/store.ts";
import type { Flash } from "../peripherals/flash.ts";
import type { Random } from "../random.ts";

/** Packed trits: `bytes` bytes from `offset` of the partition on. */
export interface PackedWeights {
  readonly slot: 0 | 1;
  readonly offset: number;
  readonly bytes: number;
}

/** A cell and the bits of it that are wrong. */
export interface Hit {
  readonly offset: number;
  readonly mask: number;
  readonly was: number;
}

const TRIES = 100_000;

/** Of the images that the partition holds. */
export function packedWeights(board: Board, flash: Flash): PackedWeights[] {
  const found: PackedWeights[] = [];
  let slot: 0 | 1 = 0;
  let behind = 0;
  for (const offset of sectorStarts(board).slice(RECORD_SECTORS)) {
    if (offset < behind) continue;
    const image = imageAt(flash, offset);
    if (image !== null) {
      found.push(...image.weights.map((piece) => ({ slot, ...piece })));
      behind = offset + image.bytes;
    }
    if (slot === 1 && image !== null) break;
    slot = 1;
  }
  return found;
}

export function isLegalCode(byte: number): boolean {
  return byte <= PACK_MAX && byte % PACK_STRIDE !== PACK_ILLEGAL_REMAINDER;
}

/**
 * One bit of one packed byte.
 * @param legal the code that it makes: one of other weights, or one that stands for none
 * @param at byte of the partition; null: any. @returns null when no bit of such a byte makes such a code
 */
export function chooseHit(
  pieces: readonly PackedWeights[],
  flash: Flash,
  random: Random,
  legal: boolean,
  at: number | null,
): Hit | null {
  const total = pieces.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total === 0 && at === null) return null;
  for (let tries = 0; tries < TRIES; tries++) {
    const offset = at ?? nth(pieces, random.below(total));
    const was = flash.read(offset, 1)[0];
    const mask = 1 << random.below(8);
    if (isLegalCode(was) && isLegalCode(was ^ mask) === legal) return { offset, mask, was };
    if (at !== null && tries > 64) return null;
  }
  return null;
}

function nth(pieces: readonly PackedWeights[], index: number): number {
  let left = index;
  for (const { offset, bytes } of pieces) {
    if (left < bytes) return offset + left;
    left -= bytes;
  }
  return 0;
}

function sectorStarts(board: Board): number[] {
  const starts: number[] = [];
  let at = 0;
  for (const { count, bytes } of partitionRuns(board)) for (let i = 0; i < count; i++, at += bytes) starts.push(at);
  return starts;
}

function imageAt(flash: Flash, at: number): { bytes: number; weights: Omit<PackedWeights, "slot">[] } | null {
  if (at + HDR_TABLE > flash.bytes) return null;
  const header = view(flash.read(at, HDR_TABLE));
  if (header.getUint32(HDR_MAGIC, true) !== IMAGE_MAGIC) return null;
  if (header.getUint16(HDR_MAJOR, true) !== IMAGE_VERSION_MAJOR) return null;
  const bytes = header.getUint32(HDR_IMAGE_BYTES, true);
  const sections = header.getUint32(HDR_SECTIONS, true);
  const table = HDR_TABLE + sections * SECTION_ENTRY_BYTES;
  if (at + bytes > flash.bytes || table > bytes) return null;
  const entries = view(flash.read(at + HDR_TABLE, sections * SECTION_ENTRY_BYTES));
  const weights: Omit<PackedWeights, "slot">[] = [];
  for (let i = 0; i < sections; i++) {
    const entry = i * SECTION_ENTRY_BYTES;
    const packing = entries.getUint8(entry + SEC_PACKING);
    if (packing < PACK_TRITS_1 || packing > PACK_TRITS_5) continue;
    const offset = entries.getUint32(entry + SEC_OFFSET, true);
    const length = entries.getUint32(entry + SEC_BYTES, true);
    if (offset + length <= bytes) weights.push({ offset: at + offset, bytes: length });
  }
  return { bytes, weights };
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
