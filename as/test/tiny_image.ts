/** Random models as images (IMAGE.md), small enough for a test: any shape, any packing. The digests are zeros: the core does not look. */
import * as S from "../../spec/image.ts";
import { PACK_GAIN, PACK_INT4, PACK_INT8 } from "../../spec/packing.ts";
import { makeTables, ropeInc } from "./load_engine.ts";
import { packInt4, packTrits } from "./pack.ts";
import type { Random } from "./random.ts";

export interface TinyShape {
  dim: number;
  hidden: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  seqLen: number;
  vocab: number;
  activation: number;
  subNorm: boolean;
  tied: boolean;
  embedPacking: number;
  headPacking: number;
  headActMax: number;
  /** Scales of BitLinear tensors: one, or one a row. */
  rowScales: boolean;
  /** Factor on the embedding's scale: large ones make massive activations. */
  loud: number;
  /** 0: dense. */
  experts: number;
  expertsUsed: number;
}

export const TINY: TinyShape = {
  dim: 32,
  hidden: 48,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 8,
  seqLen: 64,
  vocab: 256,
  activation: S.ACTIVATION_RELU2,
  subNorm: true,
  tied: true,
  embedPacking: PACK_INT8,
  headPacking: PACK_INT8,
  headActMax: 4095,
  rowScales: false,
  loud: 1,
  experts: 0,
  expertsUsed: 0,
};

interface Section {
  kind: number;
  layer: number;
  expert: number;
  packing: number;
  scaleKind: number;
  rows: number;
  cols: number;
  scale: number;
  bytes: Uint8Array;
  scales: Uint8Array;
}

const NOTHING = new Uint8Array();

function scaleWord(value: number): number {
  const e = Math.floor(Math.log2(value)) - 15;
  return (Math.min(65535, Math.round(value / 2 ** e)) | (e << 16)) >>> 0;
}

/** The image of a random model of this shape. */
export function tinyImage(shape: TinyShape, random: Random): Uint8Array {
  const qDim = shape.heads * shape.headDim;
  const kvDim = shape.kvHeads * shape.headDim;
  const sections: Section[] = [];
  const plain = (kind: number, bytes: Uint8Array) =>
    sections.push({
      kind,
      layer: 0,
      expert: 0,
      packing: 0,
      scaleKind: 0,
      rows: 0,
      cols: 0,
      scale: 0,
      bytes,
      scales: NOTHING,
    });
  const gain = (kind: number, layer: number, cols: number, expert = 0) => {
    const bytes = new Uint8Array(new Int16Array(random.vector(cols, () => random.between(12000, 20000))).buffer);
    const scale = (32768 | (-14 << 16)) >>> 0;
    const packing = PACK_GAIN;
    sections.push({ kind, layer, expert, packing, scaleKind: 0, rows: 1, cols, scale, bytes, scales: NOTHING });
  };
  const rowScales = (rows: number, value: number) => {
    const words = random.vector(rows, () => scaleWord((value * random.between(50, 150)) / 100));
    const largest = Math.max(...words.map((word) => word >> 16));
    return { scale: (largest << 16) >>> 0, scales: new Uint8Array(new Uint32Array(words).buffer) };
  };
  const linear = (kind: number, layer: number, rows: number, cols: number, expert = 0) => {
    const trits = random.vector(rows * cols, () => random.between(-1, 1));
    const value = 1 / Math.sqrt(cols * 0.66);
    const scaled = shape.rowScales ? rowScales(rows, value) : { scale: scaleWord(value), scales: NOTHING };
    const scaleKind = shape.rowScales ? S.SCALE_ROWS : S.SCALE_TENSOR;
    sections.push({
      kind,
      layer,
      expert,
      packing: 1,
      scaleKind,
      rows,
      cols,
      ...scaled,
      bytes: packTrits(trits, 1, rows, cols),
    });
  };
  const matrix = (kind: number, packing: number, loud: number, rows = shape.vocab, layer = 0) => {
    const cols = shape.dim;
    const most = packing === PACK_INT8 ? 127 : packing === PACK_INT4 ? 7 : (3 ** packing - 1) / 2;
    const weights = random.vector(rows * cols, () => random.between(-most, most));
    const bytes =
      packing === PACK_INT8
        ? new Uint8Array(Int8Array.from(weights).buffer)
        : packing === PACK_INT4
          ? packInt4(weights, rows, cols)
          : packTrits(weights, packing, rows, cols);
    const scaled = rowScales(rows, loud / most);
    sections.push({ kind, layer, expert: 0, packing, scaleKind: S.SCALE_ROWS, rows, cols, ...scaled, bytes });
  };

  plain(S.KIND_CONFIG, configSection(shape));
  plain(S.KIND_TOKENIZER, new Uint8Array(64));
  plain(S.KIND_TABLES, makeTables(ropeInc(10000, shape.headDim)));
  matrix(S.KIND_EMBED, shape.embedPacking, shape.loud);
  for (let layer = 0; layer < shape.layers; layer++) {
    gain(S.KIND_ATTN_NORM, layer, shape.dim);
    linear(S.KIND_ATTN_Q, layer, qDim, shape.dim);
    linear(S.KIND_ATTN_K, layer, kvDim, shape.dim);
    linear(S.KIND_ATTN_V, layer, kvDim, shape.dim);
    if (shape.subNorm) gain(S.KIND_ATTN_SUB_NORM, layer, qDim);
    linear(S.KIND_ATTN_O, layer, shape.dim, qDim);
    gain(S.KIND_FFN_NORM, layer, shape.dim);
    if (shape.experts > 0) matrix(S.KIND_ROUTER, PACK_INT8, 2 / Math.sqrt(shape.dim), shape.experts, layer);
    for (let expert = 0; expert < Math.max(1, shape.experts); expert++) {
      linear(S.KIND_FFN_GATE, layer, shape.hidden, shape.dim, expert);
      linear(S.KIND_FFN_UP, layer, shape.hidden, shape.dim, expert);
      if (shape.subNorm) gain(S.KIND_FFN_SUB_NORM, layer, shape.hidden, expert);
      linear(S.KIND_FFN_DOWN, layer, shape.dim, shape.hidden, expert);
    }
  }
  gain(S.KIND_FINAL_NORM, 0, shape.dim);
  if (!shape.tied) matrix(S.KIND_HEAD, shape.headPacking, 1);
  return assemble(sections);
}

function configSection(shape: TinyShape): Uint8Array {
  const fields = new Uint32Array(S.CFG_FIELDS);
  fields[S.CFG_DIM] = shape.dim;
  fields[S.CFG_HIDDEN_DIM] = shape.hidden;
  fields[S.CFG_N_LAYERS] = shape.layers;
  fields[S.CFG_N_HEADS] = shape.heads;
  fields[S.CFG_N_KV_HEADS] = shape.kvHeads;
  fields[S.CFG_HEAD_DIM] = shape.headDim;
  fields[S.CFG_SEQ_LEN] = shape.seqLen;
  fields[S.CFG_VOCAB_SIZE] = shape.vocab;
  fields[S.CFG_ACTIVATION] = shape.activation;
  fields[S.CFG_SUB_NORM] = shape.subNorm ? 1 : 0;
  fields[S.CFG_TIED] = shape.tied ? 1 : 0;
  fields[S.CFG_N_EXPERTS] = shape.experts;
  fields[S.CFG_N_EXPERTS_USED] = shape.expertsUsed;
  fields[S.CFG_NORM_EPS] = scaleWord(1e-5);
  fields[S.CFG_RESIDUAL_FRAC] = 16;
  fields[S.CFG_HEAD_ACT_MAX] = shape.headActMax;
  fields[S.CFG_ATTN_SCALE] = scaleWord(1 / Math.sqrt(shape.headDim));
  fields[S.CFG_BOS] = S.NONE_ID;
  fields[S.CFG_EOS] = S.NONE_ID;
  return new Uint8Array(fields.buffer);
}

function assemble(sections: Section[]): Uint8Array {
  const align = (n: number, to: number) => Math.ceil(n / to) * to;
  const header = align(S.HDR_TABLE + sections.length * S.SECTION_ENTRY_BYTES, S.IMAGE_BLOCK_BYTES);
  let at = header;
  const placed = sections.map((section) => {
    const offset = align(at, S.IMAGE_ALIGN);
    const scalesAt = section.scales.length > 0 ? align(offset + section.bytes.length, 4) : 0;
    at = scalesAt > 0 ? scalesAt + section.scales.length : offset + section.bytes.length;
    return { ...section, offset, scalesAt };
  });
  const digests = align(at, S.IMAGE_BLOCK_BYTES);
  const count = digests / S.IMAGE_BLOCK_BYTES;
  const bytes = new Uint8Array(digests + count * S.DIGEST_BYTES + S.TRAILER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(S.HDR_MAGIC, S.IMAGE_MAGIC, true);
  view.setUint16(S.HDR_MAJOR, S.IMAGE_VERSION_MAJOR, true);
  view.setUint32(S.HDR_IMAGE_BYTES, bytes.length, true);
  view.setUint32(S.HDR_BYTES, header, true);
  view.setUint32(S.HDR_SECTIONS, sections.length, true);
  view.setUint32(S.HDR_DIGESTS, digests, true);
  view.setUint32(S.HDR_DIGEST_COUNT, count, true);
  view.setUint32(bytes.length - S.TRAILER_BYTES, S.TRAILER_MAGIC, true);
  view.setUint32(bytes.length - S.TRAILER_BYTES + 4, S.TRAILER_BYTES, true);
  placed.forEach((section, i) => {
    const entry = S.HDR_TABLE + i * S.SECTION_ENTRY_BYTES;
    view.setUint16(entry + S.SEC_KIND, section.kind, true);
    view.setUint16(entry + S.SEC_LAYER, section.layer, true);
    view.setUint16(entry + S.SEC_EXPERT, section.expert, true);
    view.setUint8(entry + S.SEC_PACKING, section.packing);
    view.setUint8(entry + S.SEC_SCALE_KIND, section.scaleKind);
    view.setUint32(entry + S.SEC_OFFSET, section.offset, true);
    view.setUint32(entry + S.SEC_BYTES, section.bytes.length, true);
    view.setUint32(entry + S.SEC_ROWS, section.rows, true);
    view.setUint32(entry + S.SEC_COLS, section.cols, true);
    view.setUint32(entry + S.SEC_SCALE_MANT, section.scale, true);
    view.setUint32(entry + S.SEC_SCALES, section.scalesAt, true);
    bytes.set(section.bytes, section.offset);
    if (section.scalesAt > 0) bytes.set(section.scales, section.scalesAt);
  });
  return bytes;
}

/** Offset of the table entry of a section. */
export function entryOf(image: Uint8Array, kind: number, layer = 0, expert = 0): number {
  const view = new DataView(image.buffer);
  for (let i = 0; i < view.getUint32(S.HDR_SECTIONS, true); i++) {
    const entry = S.HDR_TABLE + i * S.SECTION_ENTRY_BYTES;
    const place = [S.SEC_KIND, S.SEC_LAYER, S.SEC_EXPERT].map((field) => view.getUint16(entry + field, true));
    if (place[0] === kind && place[1] === layer && place[2] === expert) return entry;
  }
  throw new Error(`no section ${kind} of layer ${layer}, expert ${expert}`);
}
