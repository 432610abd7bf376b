/**
 * Which tensor an address of flash belongs to, and which sectors of the file a tensor fills: read from the section tables of the images that lie in
 * the partition (spec/IMAGE.md), so that a weight pointer that the module or the coprocessor takes can be named.
 *
 * An image begins on a sector boundary; both slots are looked at. What was found is kept until the partition changes.
 */
import {
  HDR_IMAGE_BYTES,
  HDR_MAGIC,
  HDR_NAME,
  HDR_SECTIONS,
  HDR_TABLE,
  IMAGE_MAGIC,
  IMAGE_NAME_BYTES,
  KIND_ASSISTANT,
  KIND_ATTN_K,
  KIND_ATTN_NORM,
  KIND_ATTN_O,
  KIND_ATTN_Q,
  KIND_ATTN_SUB_NORM,
  KIND_ATTN_V,
  KIND_CHAT,
  KIND_CONFIG,
  KIND_EMBED,
  KIND_FFN_DOWN,
  KIND_FFN_GATE,
  KIND_FFN_NORM,
  KIND_FFN_SUB_NORM,
  KIND_FFN_UP,
  KIND_FINAL_NORM,
  KIND_HEAD,
  KIND_META,
  KIND_ROUTER,
  KIND_TABLES,
  KIND_TOKENIZER,
  KIND_TOOLS,
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
  SEC_SCALE_KIND,
  SEC_SCALES,
  SECTION_ENTRY_BYTES,
} from "../../spec/image.ts";
import { PACK_INT8 } from "../../spec/packing.ts";

export interface Tensor {
  /** "layer 3 attn_q" */
  readonly name: string;
  readonly kind: number;
  readonly layer: number;
  /** 0 in a dense model. */
  readonly expert: number;
  readonly packing: number;
  readonly rows: number;
  readonly cols: number;
  /** From the partition's start. */
  readonly offset: number;
  /** Without the row scales. */
  readonly bytes: number;
  /** Row scales: from the partition's start, and how many bytes; 0 bytes where there are none. */
  readonly scales: { readonly offset: number; readonly bytes: number };
}

export interface Image {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
  readonly tensors: readonly Tensor[];
}

const NAMES = new Map([
  [KIND_CONFIG, "config"],
  [KIND_TOKENIZER, "tokenizer"],
  [KIND_TABLES, "tables"],
  [KIND_CHAT, "chat"],
  [KIND_META, "meta"],
  [KIND_ASSISTANT, "assistant"],
  [KIND_TOOLS, "tools"],
  [KIND_EMBED, "embed"],
  [KIND_HEAD, "head"],
  [KIND_FINAL_NORM, "final_norm"],
  [KIND_ATTN_NORM, "attn_norm"],
  [KIND_ATTN_Q, "attn_q"],
  [KIND_ATTN_K, "attn_k"],
  [KIND_ATTN_V, "attn_v"],
  [KIND_ATTN_SUB_NORM, "attn_sub_norm"],
  [KIND_ATTN_O, "attn_o"],
  [KIND_FFN_NORM, "ffn_norm"],
  [KIND_FFN_GATE, "ffn_gate"],
  [KIND_FFN_UP, "ffn_up"],
  [KIND_FFN_SUB_NORM, "ffn_sub_norm"],
  [KIND_FFN_DOWN, "ffn_down"],
  [KIND_ROUTER, "router"],
]);

/** "attn_q"; of a kind that the specification does not name: "kind 99" */
export function kindName(kind: number): string {
  return NAMES.get(kind) ?? `kind ${kind}`;
}

/** Sections that a layer has each of its own. */
function isPerLayer(kind: number): boolean {
  return kind >= KIND_ATTN_NORM && kind <= KIND_ROUTER;
}

/** What a partition is to this file. */
export interface Cells {
  readonly bytes: number;
  read(offset: number, len: number): Uint8Array;
}

/** Trits that a packing spends on one weight; 0 for what is not made of trits. */
export function tritsOf(packing: number): number {
  return packing < PACK_INT8 ? packing : 0;
}

/** The images that begin on one of `starts`, in that order. What is no whole image is skipped. */
export function imagesIn(cells: Cells, starts: readonly number[]): Image[] {
  return starts.map((start) => imageAt(cells, start)).filter((image) => image !== null);
}

function imageAt(cells: Cells, start: number): Image | null {
  if (start + HDR_TABLE > cells.bytes) return null;
  const header = view(cells.read(start, HDR_TABLE));
  if (header.getUint32(HDR_MAGIC, true) !== IMAGE_MAGIC) return null;
  const bytes = header.getUint32(HDR_IMAGE_BYTES, true);
  const count = header.getUint32(HDR_SECTIONS, true);
  const table = HDR_TABLE + count * SECTION_ENTRY_BYTES;
  if (start + bytes > cells.bytes || table > bytes) return null;
  const entries = view(cells.read(start + HDR_TABLE, count * SECTION_ENTRY_BYTES));
  const tensors: Tensor[] = [];
  for (let i = 0; i < count; i++) {
    const tensor = entry(entries, i * SECTION_ENTRY_BYTES, start);
    if (tensor.offset + tensor.bytes > start + bytes) return null;
    tensors.push(tensor);
  }
  return { name: text(header), offset: start, bytes, tensors };
}

function entry(table: DataView, at: number, start: number): Tensor {
  const kind = table.getUint16(at + SEC_KIND, true);
  const layer = table.getUint16(at + SEC_LAYER, true);
  const expert = table.getUint16(at + SEC_EXPERT, true);
  const rows = table.getUint32(at + SEC_ROWS, true);
  const scaled = table.getUint8(at + SEC_SCALE_KIND) === SCALE_ROWS;
  return {
    name: isPerLayer(kind) ? `layer ${layer} ${kindName(kind)}` : kindName(kind),
    ...{ kind, layer, expert, rows },
    packing: table.getUint8(at + SEC_PACKING),
    cols: table.getUint32(at + SEC_COLS, true),
    offset: start + table.getUint32(at + SEC_OFFSET, true),
    bytes: table.getUint32(at + SEC_BYTES, true),
    scales: {
      offset: scaled ? start + table.getUint32(at + SEC_SCALES, true) : 0,
      bytes: scaled ? rows * ROW_SCALE_BYTES : 0,
    },
  };
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function text(header: DataView): string {
  const bytes = new Uint8Array(header.buffer, header.byteOffset + HDR_NAME, IMAGE_NAME_BYTES);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Looks tensors up by an offset in the partition. */
export class TensorMap {
  readonly images: readonly Image[];
  /** Ascending by offset. */
  readonly #tensors: readonly Tensor[];

  constructor(cells: Cells, starts: readonly number[]) {
    this.images = imagesIn(cells, starts);
    this.#tensors = this.images.flatMap(({ tensors }) => tensors).sort((a, b) => a.offset - b.offset);
  }

  /** The tensor whose weights hold byte `offset` of the partition; null: none. */
  at(offset: number): Tensor | null {
    let low = 0;
    let high = this.#tensors.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#tensors[middle].offset <= offset) low = middle + 1;
      else high = middle;
    }
    const tensor = this.#tensors[low - 1];
    return tensor !== undefined && offset < tensor.offset + tensor.bytes ? tensor : null;
  }

  /** The image that holds byte `offset` of the partition; null: none. */
  imageAt(offset: number): Image | null {
    return this.images.find((image) => offset >= image.offset && offset < image.offset + image.bytes) ?? null;
  }
}
