/** Blocks of every type of ggml that the importer reads: random bytes, and what ggml's quantiser makes of values. */
import type { Ggml } from "../bench/ggml.ts";
import {
  blockType,
  TYPE_Q4_0,
  TYPE_Q4_K,
  TYPE_Q6_K,
  TYPE_Q8_0,
  TYPE_TQ1_0,
  TYPE_TQ2_0,
} from "../convert/gguf/types.ts";
import { seeded } from "./seeded.ts";

export const BLOCK_TYPES = [TYPE_Q4_0, TYPE_Q8_0, TYPE_Q4_K, TYPE_Q6_K, TYPE_TQ1_0, TYPE_TQ2_0];
/** Offsets of the f16 numbers of a block. */
const HALVES: ReadonlyMap<number, readonly number[]> = new Map([
  [TYPE_Q4_0, [0]],
  [TYPE_Q8_0, [0]],
  [TYPE_Q4_K, [0, 2]],
  [TYPE_Q6_K, [208]],
  [TYPE_TQ1_0, [52]],
  [TYPE_TQ2_0, [64]],
]);

/** Any bytes, and any scales but infinities and what is no number, which compare with nothing. */
export function randomBlocks(type: number, count: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = blockType(type)?.bytes ?? 0;
  const random = seeded(seed);
  const blocks = Uint8Array.from({ length: count * bytes }, () => random() * 256);
  for (let at = 0; at < blocks.length; at += bytes)
    for (const half of HALVES.get(type) ?? [])
      if ((blocks[at + half + 1] & 0x7c) === 0x7c) blocks[at + half + 1] ^= 0x40;
  return blocks;
}

/** ggml's quantiser on values of all sizes, and on ternary ones. */
export function quantisedBlocks(ggml: Ggml, type: number, count: number, seed: number): Uint8Array<ArrayBuffer> {
  const weights = blockType(type)?.weights ?? 0;
  const random = seeded(seed);
  const values = Float32Array.from({ length: count * weights }, (_, i) => {
    const block = Math.floor(i / weights);
    return block % 2 === 0 ? (random() * 2 - 1) * 10 ** ((block % 8) - 4) : 0.3 * (Math.floor(random() * 3) - 1);
  });
  return Uint8Array.from(ggml.quantise(type, values, weights));
}
