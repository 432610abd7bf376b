/** Files as llama2.c's export.py writes them, and the model they hold, as plain arrays in the order of its PyTorch modules. */
import { seeded } from "./seeded.ts";

export interface Llama2cModel {
  readonly dim: number;
  readonly hiddenDim: number;
  readonly nLayers: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly vocabSize: number;
  readonly seqLen: number;
  readonly embed: Float32Array;
  /** null: the head is the embedding. */
  readonly output: Float32Array | null;
  readonly norm: Float32Array;
  readonly layers: readonly Readonly<
    Record<"attention_norm" | "ffn_norm" | "wq" | "wk" | "wv" | "wo" | "w1" | "w2" | "w3", Float32Array>
  >[];
}

export function llama2cModel(shared: boolean, seed = 1, hiddenDim = 24): Llama2cModel {
  const shape = { dim: 16, hiddenDim, nLayers: 2, nHeads: 2, nKvHeads: 1, vocabSize: 260, seqLen: 32 };
  const random = seeded(seed);
  const floats = (length: number) => Float32Array.from({ length }, () => random() * 2 - 1);
  const keys = (shape.nKvHeads * shape.dim) / shape.nHeads;
  return {
    ...shape,
    embed: floats(shape.vocabSize * shape.dim),
    output: shared ? null : floats(shape.vocabSize * shape.dim),
    norm: floats(shape.dim),
    layers: Array.from({ length: shape.nLayers }, () => ({
      attention_norm: floats(shape.dim),
      ffn_norm: floats(shape.dim),
      wq: floats(shape.dim * shape.dim),
      wk: floats(keys * shape.dim),
      wv: floats(keys * shape.dim),
      wo: floats(shape.dim * shape.dim),
      w1: floats(shape.hiddenDim * shape.dim),
      w2: floats(shape.hiddenDim * shape.dim),
      w3: floats(shape.hiddenDim * shape.dim),
    })),
  };
}

const ATTENTION = ["wq", "wk", "wv", "wo"] as const;
const FFN = ["w1", "w2", "w3"] as const;

function seven(model: Llama2cModel, vocab: number): Buffer {
  const { dim, hiddenDim, nLayers, nHeads, nKvHeads, seqLen } = model;
  return Buffer.from(Int32Array.of(dim, hiddenDim, nLayers, nHeads, nKvHeads, vocab, seqLen).buffer);
}

const raw = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

export function legacyFile(model: Llama2cModel): Buffer {
  const each = (name: keyof Llama2cModel["layers"][number]) => model.layers.map((layer) => raw(layer[name]));
  const headSize = model.dim / model.nHeads;
  return Buffer.concat([
    seven(model, model.output ? -model.vocabSize : model.vocabSize),
    raw(model.embed),
    ...each("attention_norm"),
    ...ATTENTION.flatMap(each),
    ...each("ffn_norm"),
    ...FFN.flatMap(each),
    raw(model.norm),
    // Cosines and sines, which run.c does not read either.
    Buffer.alloc(model.seqLen * headSize * 4, 0x3f),
    ...(model.output ? [raw(model.output)] : []),
  ]);
}

function newHeader(model: Llama2cModel, version: number, groupSize?: number): Buffer {
  const header = Buffer.alloc(256);
  header.writeUInt32LE(0x616b3432, 0);
  header.writeInt32LE(version, 4);
  seven(model, model.vocabSize).copy(header, 8);
  header[36] = model.output ? 0 : 1;
  if (groupSize !== undefined) header.writeInt32LE(groupSize, 37);
  return header;
}

const norms = (model: Llama2cModel) => [
  ...model.layers.map((layer) => raw(layer.attention_norm)),
  ...model.layers.map((layer) => raw(layer.ffn_norm)),
  raw(model.norm),
];

const matrices = (model: Llama2cModel) => [
  model.embed,
  ...[...ATTENTION, ...FFN].flatMap((name) => model.layers.map((layer) => layer[name])),
  ...(model.output ? [model.output] : []),
];

export function version1File(model: Llama2cModel): Buffer {
  return Buffer.concat([newHeader(model, 1), ...norms(model), ...matrices(model).map(raw)]);
}

/** int8 in groups, and what the numbers are after rounding. */
export function version2File(
  model: Llama2cModel,
  groupSize: number,
): { file: Buffer; rounded: Map<Float32Array, Float32Array> } {
  const levels: Buffer[] = [];
  const scales: Buffer[] = [];
  const rounded = new Map<Float32Array, Float32Array>();
  for (const matrix of matrices(model)) {
    const q = new Int8Array(matrix.length);
    const s = new Float32Array(matrix.length / groupSize);
    for (let group = 0; group < s.length; group++) {
      const values = matrix.subarray(group * groupSize, (group + 1) * groupSize);
      s[group] = Math.max(...values.map(Math.abs)) / 127;
      for (const [i, value] of values.entries()) q[group * groupSize + i] = Math.round(value / s[group]);
    }
    levels.push(Buffer.from(q.buffer));
    scales.push(raw(s));
    rounded.set(
      matrix,
      Float32Array.from(q, (level, i) => level * s[Math.floor(i / groupSize)]),
    );
  }
  return { file: Buffer.concat([newHeader(model, 2, groupSize), ...norms(model), ...levels, ...scales]), rounded };
}
