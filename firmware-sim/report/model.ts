/** What a report says about the model: its shape, and how many operations a token takes by part. Read from the image's CONFIG section (spec/IMAGE.md). */
import {
  CFG_DIM,
  CFG_HEAD_DIM,
  CFG_HIDDEN_DIM,
  CFG_N_HEADS,
  CFG_N_KV_HEADS,
  CFG_N_LAYERS,
  CFG_VOCAB_SIZE,
  KIND_CONFIG,
} from "../../spec/image.ts";
import { partOfKind } from "./parts.ts";
import { type Cells, type Image, type Tensor, tritsOf } from "./tensors.ts";

export interface Shape {
  readonly dim: number;
  readonly hiddenDim: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
}

/** null: the image has no configuration. */
export function shapeOf(cells: Cells, image: Image): Shape | null {
  const section = image.tensors.find(({ kind }) => kind === KIND_CONFIG);
  if (section === undefined) return null;
  const bytes = cells.read(section.offset, section.bytes);
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const field = (index: number): number => (4 * index + 4 <= bytes.length ? words.getUint32(4 * index, true) : 0);
  return {
    dim: field(CFG_DIM),
    hiddenDim: field(CFG_HIDDEN_DIM),
    layers: field(CFG_N_LAYERS),
    heads: field(CFG_N_HEADS),
    kvHeads: field(CFG_N_KV_HEADS),
    headDim: field(CFG_HEAD_DIM),
    vocabSize: field(CFG_VOCAB_SIZE),
  };
}

/** Weights times activations of one product with a tensor: each trit plane is a product of its own. 0 for what is no matrix. */
export function opsOf({ kind, rows, cols, packing }: Tensor): number {
  if (partOfKind(kind) === null) return 0;
  return rows * cols * Math.max(tritsOf(packing), 1);
}

/**
 * Multiply-accumulates of attention: every query head with the keys and the values of every position.
 * @param keys positions attended to, summed over the tokens
 */
export function attentionOps({ layers, heads, headDim }: Shape, keys: number): number {
  return 2 * layers * heads * headDim * keys;
}

/** Bytes of keys and values that attention reads, each once: int8, and two bytes of scale a head and position for either. */
export function attentionBytes({ layers, kvHeads, headDim }: Shape, keys: number): number {
  return 2 * layers * kvHeads * (headDim + 2) * keys;
}
