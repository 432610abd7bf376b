/**
 * Writes an image (spec/IMAGE.md) section by section into a sink. Offsets are known beforehand, because packing fixes the sizes; scales are
 * known when a tensor has been quantised. So the header is written last, and the digests follow in one pass over what really stands in the file.
 */
import { createHash } from "node:crypto";
import {
  DIGEST_BYTES,
  HDR_BOARD,
  HDR_BYTES,
  HDR_DIGEST_COUNT,
  HDR_DIGESTS,
  HDR_IMAGE_BYTES,
  HDR_MAGIC,
  HDR_MAJOR,
  HDR_MINOR,
  HDR_NAME,
  HDR_SECTIONS,
  HDR_TABLE,
  IMAGE_ALIGN,
  IMAGE_BLOCK_BYTES,
  IMAGE_MAGIC,
  IMAGE_NAME_BYTES,
  IMAGE_VERSION_MAJOR,
  IMAGE_VERSION_MINOR,
  ROW_SCALE_BYTES,
  SCALE_ROWS,
  SEC_BYTES,
  SEC_COLS,
  SEC_EXPERT,
  SEC_KIND,
  SEC_LAYER,
  SEC_OFFSET,
  SEC_PACKING,
  SEC_ROWS,
  SEC_SCALE_EXP,
  SEC_SCALE_KIND,
  SEC_SCALE_MANT,
  SEC_SCALES,
  SECTION_ENTRY_BYTES,
  TRAILER_BYTES,
  TRAILER_MAGIC,
  TRL_SHA256,
} from "../../spec/image.ts";
import { EXIT_USAGE, TritkitError, throwIfAborted } from "../errors.ts";
import { sectionName } from "../image/layout.ts";
import { type Scale, ZERO_SCALE } from "../image/scale.ts";
import type { ImageSink } from "./sinks.ts";

/** What a section's producer knows when its bytes are written. */
export interface SectionScales {
  /** Of the tensor (scale kind 1) or the gains. */
  readonly scale?: Scale;
  /** Of each row (scale kind 2). */
  readonly rows?: readonly Scale[];
}

export interface SectionPlan {
  readonly kind: number;
  readonly layer: number;
  /** As in TensorSlot. */
  readonly expert?: number | null;
  readonly packing: number;
  readonly scaleKind: number;
  readonly rows: number;
  readonly cols: number;
  readonly bytes: number;
  /** Writes exactly `bytes` bytes, in order. */
  produce(write: (chunk: Uint8Array) => Promise<void>): Promise<SectionScales>;
}

export interface WriteProgress {
  /** read: the source is looked through for scales and choices; write: the sections; digest: hashes of what stands in the file. */
  readonly phase: "read" | "write" | "digest";
  /** Of the image so far, and in all. While reading: weights of the source, and all that are looked at. */
  readonly bytes: number;
  readonly total: number;
  /** What is being written: "layer 3 attn_q". */
  readonly tensor: string;
}

export interface WriteOptions {
  readonly name: string;
  /** The one board the image is for, "" for any. */
  readonly board: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: WriteProgress) => void;
}

interface Placed {
  readonly plan: SectionPlan;
  readonly offset: number;
  /** Offset of the row scales, 0 for none. */
  readonly scales: number;
}

const U32_MAX = 2 ** 32 - 1;

/**
 * @returns bytes of the image that these sections make
 * @throws TritkitError E_TOO_LARGE
 */
export function imageBytes(plans: readonly SectionPlan[]): number {
  const { end } = place(plans);
  const total = end + (end / IMAGE_BLOCK_BYTES) * DIGEST_BYTES + TRAILER_BYTES;
  if (total > U32_MAX) throw new TritkitError("E_TOO_LARGE", `The image would have ${total} bytes, at most 4 GiB fit.`);
  return total;
}

/**
 * Writes the image; finishing or discarding the sink is the caller's.
 * @returns SHA-256 of the whole image (the sha of an upload)
 * @throws TritkitError E_INTERRUPTED, E_TOO_LARGE, E_OPTION, and what the producers throw
 */
export async function writeImage(
  sink: ImageSink,
  plans: readonly SectionPlan[],
  options: WriteOptions,
): Promise<Uint8Array> {
  const total = imageBytes(plans);
  const { placed, headerBytes, end } = place(plans);
  const header = startHeader(plans.length, headerBytes, end, total, options);
  for (const [index, section] of placed.entries()) {
    const name = sectionName(section.plan.kind, section.plan.layer, section.plan.expert);
    const onWritten = (bytes: number) => {
      throwIfAborted(options.signal);
      options.onProgress?.({ phase: "write", bytes, total, tensor: name });
    };
    onWritten(section.offset);
    const scales = await writeSection(sink, section, onWritten);
    enterSection(header, HDR_TABLE + index * SECTION_ENTRY_BYTES, section, scales);
  }
  await sink.write(new Uint8Array(header.buffer), 0);
  return writeDigests(sink, end, total, options);
}

function place(plans: readonly SectionPlan[]): { placed: Placed[]; headerBytes: number; end: number } {
  const headerBytes = align(HDR_TABLE + plans.length * SECTION_ENTRY_BYTES, IMAGE_BLOCK_BYTES);
  let at = headerBytes;
  const placed = plans.map((plan) => {
    const offset = align(at, IMAGE_ALIGN);
    const scales = plan.scaleKind === SCALE_ROWS ? align(offset + plan.bytes, 4) : 0;
    at = scales > 0 ? scales + plan.rows * ROW_SCALE_BYTES : offset + plan.bytes;
    return { plan, offset, scales };
  });
  return { placed, headerBytes, end: align(at, IMAGE_BLOCK_BYTES) };
}

function startHeader(
  sections: number,
  headerBytes: number,
  end: number,
  total: number,
  options: WriteOptions,
): DataView<ArrayBuffer> {
  const header = new DataView(new ArrayBuffer(headerBytes));
  header.setUint32(HDR_MAGIC, IMAGE_MAGIC, true);
  header.setUint16(HDR_MAJOR, IMAGE_VERSION_MAJOR, true);
  header.setUint16(HDR_MINOR, IMAGE_VERSION_MINOR, true);
  header.setUint32(HDR_IMAGE_BYTES, total, true);
  header.setUint32(HDR_BYTES, headerBytes, true);
  header.setUint32(HDR_SECTIONS, sections, true);
  header.setUint32(HDR_DIGESTS, end, true);
  header.setUint32(HDR_DIGEST_COUNT, end / IMAGE_BLOCK_BYTES, true);
  const bytes = new Uint8Array(header.buffer);
  bytes.set(nameField("name", options.name), HDR_NAME);
  bytes.set(nameField("board", options.board), HDR_BOARD);
  return header;
}

/** @throws TritkitError E_OPTION for a name that does not fit its field */
export function checkNames(options: Pick<WriteOptions, "name" | "board">): void {
  nameField("name", options.name);
  nameField("board", options.board);
}

function nameField(what: string, name: string): Uint8Array {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length > IMAGE_NAME_BYTES || bytes.includes(0))
    throw new TritkitError(
      "E_OPTION",
      `The ${what} "${name}" is longer than ${IMAGE_NAME_BYTES} bytes.`,
      "Choose a shorter one.",
      EXIT_USAGE,
    );
  return bytes;
}

async function writeSection(
  sink: ImageSink,
  { plan, offset, scales }: Placed,
  onWritten: (end: number) => void,
): Promise<SectionScales> {
  let at = offset;
  const produced = await plan.produce(async (chunk) => {
    await sink.write(chunk, at);
    at += chunk.length;
    onWritten(at);
  });
  if (at - offset !== plan.bytes)
    throw new Error(
      `${sectionName(plan.kind, plan.layer, plan.expert)}: ${at - offset} bytes came, ${plan.bytes} were planned`,
    );
  if (scales > 0) await sink.write(rowScaleBytes(produced.rows ?? []), scales);
  return produced;
}

function rowScaleBytes(rows: readonly Scale[]): Uint8Array {
  const out = new DataView(new ArrayBuffer(rows.length * ROW_SCALE_BYTES));
  for (const [row, scale] of rows.entries()) {
    out.setUint16(row * ROW_SCALE_BYTES, scale.m, true);
    out.setInt16(row * ROW_SCALE_BYTES + 2, scale.e, true);
  }
  return new Uint8Array(out.buffer);
}

function enterSection(header: DataView, at: number, { plan, offset, scales }: Placed, produced: SectionScales): void {
  header.setUint16(at + SEC_KIND, plan.kind, true);
  header.setUint16(at + SEC_LAYER, plan.layer, true);
  header.setUint16(at + SEC_EXPERT, plan.expert ?? 0, true);
  header.setUint8(at + SEC_PACKING, plan.packing);
  header.setUint8(at + SEC_SCALE_KIND, plan.scaleKind);
  header.setUint32(at + SEC_OFFSET, offset, true);
  header.setUint32(at + SEC_BYTES, plan.bytes, true);
  header.setUint32(at + SEC_ROWS, plan.rows, true);
  header.setUint32(at + SEC_COLS, plan.cols, true);
  header.setUint32(at + SEC_SCALES, scales, true);
  const { m, e } = produced.rows ? { m: 0, e: largestExponent(produced.rows) } : (produced.scale ?? ZERO_SCALE);
  header.setUint16(at + SEC_SCALE_MANT, m, true);
  header.setInt16(at + SEC_SCALE_EXP, e, true);
}

/** e* of the rows that are not zero, 0 when all are. */
function largestExponent(rows: readonly Scale[]): number {
  const exponents = rows.filter((scale) => scale.m !== 0).map((scale) => scale.e);
  return exponents.length === 0 ? 0 : exponents.reduce((a, b) => Math.max(a, b));
}

/** Digest table and trailer. */
async function writeDigests(sink: ImageSink, end: number, total: number, options: WriteOptions): Promise<Uint8Array> {
  const table = new Uint8Array((end / IMAGE_BLOCK_BYTES) * DIGEST_BYTES);
  const body = createHash("sha256");
  const upload = createHash("sha256");
  const span = 256 * IMAGE_BLOCK_BYTES;
  for (let start = 0; start < end; start += span) {
    throwIfAborted(options.signal);
    options.onProgress?.({ phase: "digest", bytes: start, total, tensor: "" });
    const chunk = await sink.read(start, Math.min(span, end - start));
    body.update(chunk);
    upload.update(chunk);
    for (let at = 0; at < chunk.length; at += IMAGE_BLOCK_BYTES) {
      const digest = createHash("sha256")
        .update(chunk.subarray(at, at + IMAGE_BLOCK_BYTES))
        .digest();
      table.set(digest.subarray(0, DIGEST_BYTES), ((start + at) / IMAGE_BLOCK_BYTES) * DIGEST_BYTES);
    }
  }
  const trailer = new DataView(new ArrayBuffer(TRAILER_BYTES));
  trailer.setUint32(0, TRAILER_MAGIC, true);
  trailer.setUint32(4, TRAILER_BYTES, true);
  const trailerBytes = new Uint8Array(trailer.buffer);
  trailerBytes.set(body.update(table).digest(), TRL_SHA256);
  await sink.write(table, end);
  await sink.write(trailerBytes, end + table.length);
  options.onProgress?.({ phase: "digest", bytes: total, total, tensor: "" });
  return upload.update(table).update(trailerBytes).digest();
}

function align(offset: number, to: number): number {
  return Math.ceil(offset / to) * to;
}
