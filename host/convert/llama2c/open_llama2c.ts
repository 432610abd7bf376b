/**
 * A .bin file of karpathy/llama2.c as a neutral model: a Llama of floats (llama2c/layout.ts). Its tokenizer is tokenizer.bin beside it, or what --tokenizer names.
 *
 * llama2.c turns neighbours, rows 2j and 2j + 1 of a head, by one angle; we turn rows j and j + head_dim / 2, as transformers does. So rows of wq and wk change places:
 * our row r * head_dim/2 + j of a head is its row 2j + r. Scores q.k are sums over the rows and stay what they are.
 */
import type { FileHandle } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { KIND_ATTN_K, KIND_ATTN_Q } from "../../../spec/image.ts";
import { TritkitError, throwIfAborted } from "../../errors.ts";
import { sectionName } from "../../image/layout.ts";
import { absmeanLinear, signLinear, ternaryLinear } from "../absmean.ts";
import type { LinearSource, MatrixSource, ModelConfig, ModelSource, OpenOptions } from "../model.ts";
import { checkModelConfig } from "../plan.ts";
import { openSource, readExactly } from "../source_files.ts";
import { fileModelName } from "../source_name.ts";
import { readTokenizer } from "../tokenizer/read_tokenizer.ts";
import { oneLevel, scanWeights } from "../weight_scan.ts";
import {
  LLAMA2C_HEADER_BYTES,
  type Llama2cHeader,
  type Llama2cTensor,
  layOut,
  readLlama2cHeader,
  tensorKey,
} from "./layout.ts";

/** The one of llama2.c, or what it was made of. */
const TOKENIZERS = ["tokenizer.bin", "tokenizer.model", "tokenizer.json"];
/** Of its tokenizer (sentencepiece's defaults), and of run.c. */
const BOS = 1;
const EOS = 2;
const NORM_EPS = 1e-5;
const ROPE_THETA = 10000;

/** @throws TritkitError E_SOURCE_MISSING, E_SOURCE_FORMAT, E_UNSUPPORTED */
export async function openLlama2c(source: string, options: OpenOptions = {}): Promise<ModelSource> {
  const name = basename(source);
  const file = await openSource(source);
  try {
    const { size } = await file.stat();
    const start = await readExactly(file, source, 0, Math.min(size, LLAMA2C_HEADER_BYTES));
    refuseOthers(name, start);
    const header = readLlama2cHeader(name, start);
    const config = readConfig(header, options);
    // Before anything is done layer by layer or token by token.
    checkModelConfig(config);
    const { tensors, bytes } = layOut(header);
    if (bytes !== size)
      throw new TritkitError(
        "E_SOURCE_FORMAT",
        `${name} has ${size} bytes, a llama2.c model with its header has ${bytes}.`,
        "Download the model again.",
      );
    const imported = await readTokenizer(dirname(source), TOKENIZERS, options.tokenizer, config.vocabSize);
    const matrix = (kind: number, layer: number) => {
      const tensor = tensors.get(tensorKey(kind, layer));
      if (!tensor) throw new RangeError(`the file has no tensor ${kind} in layer ${layer}`);
      const plain = plainMatrix(file, source, tensor, header.groupSize);
      return kind === KIND_ATTN_Q || kind === KIND_ATTN_K ? halvesApart(plain, config.headDim) : plain;
    };
    return {
      name: fileModelName(source),
      config,
      tokenizer: imported.tokenizer,
      chat: null,
      meta: { source: "llama2.c", version: header.version },
      dropped: [],
      notes: imported.notes,
      fakeQuant: false,
      linear: (kind, layer, at) => openLinear(sectionName(kind, layer), matrix(kind, layer), options, at?.signal),
      matrix: (kind) => matrix(kind, 0),
      gain: (kind, layer) => matrix(kind, layer).values(0, 1),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function readConfig({ shape }: Llama2cHeader, { quantize }: OpenOptions): ModelConfig {
  return {
    ...shape,
    activation: "silu",
    subNorm: false,
    ropeTheta: ROPE_THETA,
    normEps: NORM_EPS,
    bos: BOS,
    eos: EOS,
    // run.c ends a text at BOS too.
    stop: [BOS],
    addBos: true,
    nExperts: 0,
    nExpertsUsed: 0,
    weights: quantize === "sign" ? "binary" : "ternary",
  };
}

async function openLinear(
  name: string,
  real: MatrixSource,
  options: OpenOptions,
  signal?: AbortSignal,
): Promise<LinearSource | MatrixSource> {
  throwIfAborted(signal);
  if (options.float) return real;
  const scan = await scanWeights(name, real, signal);
  if (options.quantize === "sign") return signLinear(real, scan);
  if (scan.rowLevels) return ternaryLinear(real, oneLevel(scan.rowLevels));
  if (options.quantize === "absmean") return absmeanLinear(real, scan);
  throw new TritkitError(
    "E_QUANTIZE",
    "A llama2.c model has float weights.",
    "Allow rounding with --quantize absmean; a model that was not trained for it will talk nonsense. `tritkit run --engine float` runs it as it is.",
  );
}

function plainMatrix(file: FileHandle, path: string, tensor: Llama2cTensor, groupSize: number): MatrixSource {
  const { rows, cols, offset, scales } = tensor;
  return {
    rows,
    cols,
    async values(start, count) {
      const first = start * cols;
      const length = count * cols;
      if (scales === 0) {
        const bytes = await readExactly(file, path, offset + first * 4, length * 4);
        return new Float32Array(bytes.buffer);
      }
      const bytes = await readExactly(file, path, offset + first, length);
      // Groups run through the tensor without regard to its rows.
      const group = Math.floor(first / groupSize);
      const groups = Math.ceil((first + length) / groupSize) - group;
      const factors = new Float32Array((await readExactly(file, path, scales + group * 4, groups * 4)).buffer);
      const levels = new Int8Array(bytes.buffer);
      const values = new Float32Array(length);
      for (let i = 0; i < length; i++) values[i] = levels[i] * factors[Math.floor((first + i) / groupSize) - group];
      return values;
    },
  };
}

/** Even rows of each head first, then its odd ones. */
function halvesApart(matrix: MatrixSource, headDim: number): MatrixSource {
  const { rows, cols } = matrix;
  const half = headDim / 2;
  return {
    rows,
    cols,
    async values(start, count) {
      const out = new Float32Array(count * cols);
      for (let head = Math.floor(start / headDim); head * headDim < start + count; head++) {
        const source = await matrix.values(head * headDim, headDim);
        const from = Math.max(start, head * headDim);
        const to = Math.min(start + count, (head + 1) * headDim);
        for (let row = from; row < to; row++) {
          const inHead = row - head * headDim;
          const sourceRow = inHead < half ? 2 * inHead : 2 * (inHead - half) + 1;
          out.set(source.subarray(sourceRow * cols, (sourceRow + 1) * cols), (row - start) * cols);
        }
      }
      return out;
    },
  };
}

/** pytorch_model.bin and other things that are called .bin. */
function refuseOthers(name: string, start: Uint8Array): void {
  const isZip = start[0] === 0x50 && start[1] === 0x4b;
  const isPickle = start[0] === 0x80 && start[1] <= 5;
  if (isZip || isPickle)
    throw new TritkitError(
      "E_UNSUPPORTED",
      `${name} holds a Python program that builds tensors (PyTorch), which tritkit does not run.`,
      "Take the model's safetensors files, or convert it with transformers' save_pretrained.",
    );
}
