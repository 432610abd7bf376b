/**
 * A model image (spec/IMAGE.md), read from memory or from a file. Of bytes in memory nothing is copied: tensors are windows of them. Of a file only what
 * describes the model is read, with row scales and gains; a tensor's weights when they are asked for.
 *
 * Everything that the specification lists under "What a reader must refuse" is refused here, but for `NO_MEMORY` (the engine's) and
 * `BAD_CODE` (verify_codes.ts, which has to look at every weight).
 */
import {
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
  KIND_ASSISTANT,
  KIND_CHAT,
  KIND_CONFIG,
  KIND_EMBED,
  KIND_META,
  KIND_TABLES,
  KIND_TOKENIZER,
  KIND_TOOLS,
  ROW_SCALE_BYTES,
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
  TAB_ROPE_INC,
  TRAILER_BYTES,
  TRAILER_MAGIC,
} from "../../spec/image.ts";
import { type Assistant, parseAssistant } from "./assistant.ts";
import { type Chat, parseChat } from "./chat.ts";
import { type ImageConfig, parseConfig } from "./config.ts";
import { checkDigests } from "./digest.ts";
import { imageError } from "./errors.ts";
import { eachSlot, isKnownKind, sectionName } from "./layout.ts";
import { inMemory, type Positions } from "./positions.ts";
import type { Section, Tensor } from "./section.ts";
import { checkTensor } from "./tensor.ts";
import { parseTokenizer, type Tokenizer } from "./tokenizer.ts";

export type { Assistant } from "./assistant.ts";
export type { Chat } from "./chat.ts";

export interface ImageHeader {
  readonly major: number;
  readonly minor: number;
  readonly imageBytes: number;
  readonly headerBytes: number;
  /** D: offset of the digest table, and end of the sections. */
  readonly digestOffset: number;
  readonly name: string;
  /** The one board the image was made for, "" for any. */
  readonly board: string;
}

export interface Image {
  /** Exactly the image, without what follows it. Of a file: all of it is read each time. */
  readonly bytes: Uint8Array;
  /** The same by position, for who takes it piece by piece. */
  readonly source: Positions;
  readonly header: ImageHeader;
  /** All sections, those of unknown kind included. */
  readonly sections: readonly Section[];
  readonly config: ImageConfig;
  readonly tokenizer: Tokenizer;
  /** The TABLES section. */
  readonly tables: Uint8Array;
  readonly chat: Chat | null;
  /** null: the model is none. */
  readonly assistant: Assistant | null;
  /** The META section as text, null without. */
  readonly meta: string | null;
  /** In the order of a forward pass. */
  readonly tensors: readonly Tensor[];
  /** @throws TritkitError E_IMAGE_TENSOR when the architecture has none of that kind */
  tensor(kind: number, layer?: number, expert?: number): Tensor;
}

export interface ReadOptions {
  /** Refuse an image made for another board than this. */
  readonly board?: string;
  /** false leaves the digests unchecked, for a file that was checked before. Default true. */
  readonly verify?: boolean;
}

/**
 * @param source an image from its first byte; what follows it (erased flash) is ignored
 * @throws TritkitError E_IMAGE_*
 */
export function readImage(source: Uint8Array | Positions, options: ReadOptions = {}): Image {
  const file = source instanceof Uint8Array ? inMemory(source) : source;
  const header = readHeader(file);
  const image: Positions = { size: header.imageBytes, read: (offset, length) => file.read(offset, length) };
  if (options.verify ?? true) checkDigests(image, header.digestOffset);
  if (options.board !== undefined && header.board !== "" && header.board !== options.board)
    throw imageError("E_IMAGE_BOARD", `The image was made for the board ${header.board}, not for ${options.board}.`);
  const sections = readSections(image, header);

  const config = parseConfig(only(image, sections, KIND_CONFIG));
  const tokenizer = parseTokenizer(only(image, sections, KIND_TOKENIZER));
  if (tokenizer.tokens.length !== config.vocabSize)
    throw imageError(
      "E_IMAGE_TOKENIZER",
      `The tokenizer has ${tokenizer.tokens.length} tokens, the model ${config.vocabSize}.`,
    );
  const tables = only(image, sections, KIND_TABLES);
  const tablesBytes = TAB_ROPE_INC + (config.headDim / 2) * 4;
  if (tables.length !== tablesBytes)
    throw imageError(
      "E_IMAGE_CONFIG",
      `The tables have ${tables.length} bytes, head_dim ${config.headDim} needs ${tablesBytes}.`,
    );
  const chat = optional(image, sections, KIND_CHAT);
  const meta = optional(image, sections, KIND_META);
  const assistant = optional(image, sections, KIND_ASSISTANT);

  const tensors = new Map(collectTensors(image, sections, config).map((tensor) => [key(tensor), tensor]));
  return {
    get bytes() {
      return image.read(0, image.size);
    },
    source: image,
    header,
    sections,
    config,
    tokenizer,
    tables,
    chat: chat && parseChat(chat, config.vocabSize),
    assistant: assistant && parseAssistant(assistant, optional(image, sections, KIND_TOOLS), config, tokenizer),
    meta: meta && new TextDecoder().decode(meta),
    tensors: [...tensors.values()],
    tensor(kind, layer = 0, expert = 0) {
      const tensor = tensors.get(key({ kind, layer, expert }));
      if (!tensor)
        throw imageError("E_IMAGE_TENSOR", `The model has no tensor ${sectionName(kind, layer, expert || null)}.`);
      return tensor;
    },
  };
}

function readHeader(file: Positions): ImageHeader {
  const bytes = file.read(0, Math.min(file.size, IMAGE_BLOCK_BYTES));
  const view = viewOf(bytes);
  if (bytes.length < 4 || view.getUint32(HDR_MAGIC, true) !== IMAGE_MAGIC)
    throw imageError("E_IMAGE_MAGIC", "This is no tritkit model image.");
  if (bytes.length < IMAGE_BLOCK_BYTES)
    throw truncated(`The image ends after ${bytes.length} bytes, within its header.`);
  const major = view.getUint16(HDR_MAJOR, true);
  if (major !== IMAGE_VERSION_MAJOR)
    throw imageError("E_IMAGE_VERSION", `The image has version ${major}, this tritkit reads ${IMAGE_VERSION_MAJOR}.`);
  const word = (at: number) => view.getUint32(at, true);
  const header = {
    major,
    minor: view.getUint16(HDR_MINOR, true),
    imageBytes: word(HDR_IMAGE_BYTES),
    headerBytes: word(HDR_BYTES),
    digestOffset: word(HDR_DIGESTS),
    name: text(bytes, HDR_NAME),
    board: text(bytes, HDR_BOARD),
  };
  if (header.imageBytes > file.size)
    throw truncated(`The image says it has ${header.imageBytes} bytes, but only ${file.size} are there.`);
  const blocks = header.digestOffset / IMAGE_BLOCK_BYTES;
  if (header.digestOffset % IMAGE_BLOCK_BYTES !== 0 || word(HDR_DIGEST_COUNT) !== blocks)
    throw truncated(
      `The digest table at ${header.digestOffset} with ${word(HDR_DIGEST_COUNT)} digests is out of place.`,
    );
  if (header.digestOffset + blocks * 8 + TRAILER_BYTES !== header.imageBytes)
    throw truncated(`The image of ${header.imageBytes} bytes does not end with its digests and trailer.`);
  const trailer = viewOf(file.read(header.imageBytes - TRAILER_BYTES, TRAILER_BYTES));
  if (trailer.getUint32(0, true) !== TRAILER_MAGIC || trailer.getUint32(4, true) !== TRAILER_BYTES)
    throw truncated("The image has no trailer at its end.");
  const table = HDR_TABLE + word(HDR_SECTIONS) * SECTION_ENTRY_BYTES;
  if (
    header.headerBytes % IMAGE_BLOCK_BYTES !== 0 ||
    table > header.headerBytes ||
    header.headerBytes > header.digestOffset
  )
    throw truncated(`A header of ${header.headerBytes} bytes does not hold ${word(HDR_SECTIONS)} sections.`);
  return header;
}

function readSections(image: Positions, header: ImageHeader): Section[] {
  const view = viewOf(image.read(0, header.headerBytes));
  const sections: Section[] = [];
  const seen = new Set<string>();
  for (let i = 0; i < view.getUint32(HDR_SECTIONS, true); i++) {
    const at = HDR_TABLE + i * SECTION_ENTRY_BYTES;
    const half = (field: number) => view.getUint16(at + field, true);
    const word = (field: number) => view.getUint32(at + field, true);
    const section: Section = {
      kind: half(SEC_KIND),
      layer: half(SEC_LAYER),
      expert: half(SEC_EXPERT),
      packing: view.getUint8(at + SEC_PACKING),
      scaleKind: view.getUint8(at + SEC_SCALE_KIND),
      offset: word(SEC_OFFSET),
      bytes: word(SEC_BYTES),
      rows: word(SEC_ROWS),
      cols: word(SEC_COLS),
      scale: { m: half(SEC_SCALE_MANT), e: view.getInt16(at + SEC_SCALE_EXP, true) },
      scales: word(SEC_SCALES),
    };
    const name = sectionName(section.kind, section.layer, section.expert || null);
    inside(header, name, section.offset, section.bytes);
    if (isKnownKind(section.kind)) {
      if (section.offset % IMAGE_ALIGN !== 0)
        throw imageError(
          "E_IMAGE_TENSOR",
          `${name} starts at ${section.offset}, which is no multiple of ${IMAGE_ALIGN}.`,
        );
      if (section.scales !== 0)
        inside(header, `the row scales of ${name}`, section.scales, section.rows * ROW_SCALE_BYTES);
      if (seen.has(key(section))) throw imageError("E_IMAGE_TENSOR", `${name} is there twice.`);
      seen.add(key(section));
    }
    sections.push(section);
  }
  return sections;
}

function collectTensors(image: Positions, sections: readonly Section[], config: ImageConfig): Tensor[] {
  const byKey = new Map(sections.map((section) => [key(section), section]));
  const tensors: Tensor[] = [];
  for (const slot of eachSlot(config)) {
    const name = sectionName(slot.kind, slot.layer, slot.expert);
    const section = byKey.get(key(slot));
    if (!section) throw imageError("E_IMAGE_TENSOR", `${name} is missing.`);
    const tensor = {
      ...section,
      name,
      get data() {
        return image.read(section.offset, section.bytes);
      },
      rowScales: section.scales === 0 ? new Uint8Array(0) : image.read(section.scales, section.rows * ROW_SCALE_BYTES),
    };
    checkTensor(tensor, slot);
    tensors.push(tensor);
  }
  const wanted = new Set(tensors.map(key));
  for (const section of sections)
    if (section.kind >= KIND_EMBED && isKnownKind(section.kind) && !wanted.has(key(section)))
      throw imageError(
        "E_IMAGE_TENSOR",
        `The image holds ${sectionName(section.kind, section.layer, section.expert || null)}, for which its architecture has no place.`,
      );
  return tensors;
}

function optional(image: Positions, sections: readonly Section[], kind: number): Uint8Array | null {
  const section = sections.find((candidate) => candidate.kind === kind);
  return section ? image.read(section.offset, section.bytes) : null;
}

function only(image: Positions, sections: readonly Section[], kind: number): Uint8Array {
  const section = optional(image, sections, kind);
  if (!section) throw imageError("E_IMAGE_TENSOR", `The section ${sectionName(kind, 0)} is missing.`);
  return section;
}

function inside(header: ImageHeader, name: string, offset: number, bytes: number): void {
  if (offset < header.headerBytes || offset + bytes > header.digestOffset)
    throw truncated(`Bytes ${offset} to ${offset + bytes} of ${name} lie outside the image.`);
}

function key(place: { readonly kind: number; readonly layer: number; readonly expert: number | null }): string {
  return `${place.kind} ${place.layer} ${place.expert ?? 0}`;
}

function text(bytes: Uint8Array, at: number): string {
  const field = bytes.subarray(at, at + IMAGE_NAME_BYTES);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function truncated(message: string) {
  return imageError("E_IMAGE_TRUNCATED", message);
}
