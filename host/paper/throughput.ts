/**
 * Table 3: how many sequences of 512 tokens two cards hold, and how many tokens a second they give, for LLaMA-2-70B.
 *
 *     batch          (usable memory - weights) / bytes of a sequence
 *     throughput     two stages of 40 layers, each always busy with a whole batch:
 *                    batch / (max(weights read, products computed) + caches read + time for each layer)
 *
 * Fitted: the bytes of a sequence, to LLaMA's 16 (b1.58 keeps 8 bits where LLaMA keeps 16: half), and what table 1 gave for the runtimes.
 * So 176, 333 and 2977 are predictions.
 */
import { A100 } from "./gpu.ts";
import { fittedRuntime } from "./latency.ts";
import { BYTES, bufferBytes, cacheBytes, weightBytes } from "./memory.ts";
import { type Side, TABLE_3 } from "./published.ts";
import { linearWeights, type Shape, shapeOf, VOCAB } from "./shapes.ts";

export const SEQUENCE = 512;
const STAGES = 2;
/** Of a card's memory; the driver's context and libraries take the rest. */
export const USABLE = 0.97;

const SHAPE = shapeOf("70B");

function freeBytes(side: Side, usable = USABLE): number {
  return usable * STAGES * A100.bytes - weightBytes(side, SHAPE) - bufferBytes(side, SHAPE);
}

/** Bytes a sequence takes: in the middle between what 16 sequences allow at most and what keeps a 17th out. */
export function fittedSequenceBytes(side: Side, usable = USABLE): number {
  const llama = freeBytes("llama", usable) / (TABLE_3.llama.batch + 0.5);
  return (llama * BYTES[side].cache) / BYTES.llama.cache;
}

export function batchOf(side: Side, usable = USABLE): number {
  return Math.floor(freeBytes(side, usable) / fittedSequenceBytes(side, usable));
}

/** If a sequence were nothing but its cache. */
export function batchOfCaches(side: Side): number {
  return Math.floor(freeBytes(side) / (SEQUENCE * cacheBytes(side, SHAPE)));
}

/**
 * Seconds that a stage takes for one token of each sequence of a batch; the last stage, which has the head, sets the pace.
 * @param fitted false: every resource at its peak, and nothing else
 */
function stageSeconds(side: Side, batch: number, fitted: boolean, shape: Shape): number {
  const memory = fitted ? fittedRuntime(side).efficiency : 1;
  // A product is computed by fp16 units in either runtime (2-bit weights are unpacked); they reach what LLaMA's kernels reach.
  const others = fitted ? fittedRuntime("llama").efficiency : 1;
  const weights = linearWeights(shape) / STAGES;
  const head = VOCAB * shape.dim;
  const products = Math.max(
    (BYTES[side].linear * weights) / (A100.bytesPerSecond * memory),
    (2 * weights * batch) / (A100.fp16PerSecond * others),
  );
  const logits = Math.max(
    (2 * head) / (A100.bytesPerSecond * others),
    (2 * head * batch) / (A100.fp16PerSecond * others),
  );
  // On average half of a sequence is there.
  const caches = (batch * (SEQUENCE / 2) * cacheBytes(side, shape)) / STAGES / (A100.bytesPerSecond * others);
  const layers = fitted ? (shape.layers / STAGES) * fittedRuntime(side).secondsPerLayer : 0;
  return products + logits + caches + layers;
}

export function tokensPerSecond(side: Side, batch: number, fitted = true, shape = SHAPE): number {
  return batch / stageSeconds(side, batch, fitted, shape);
}
