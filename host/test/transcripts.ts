/** The models of spec/vectors with what an independent implementation made of them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/lib/root.mjs";
import {
  HDR_DIGESTS,
  HDR_SECTIONS,
  HDR_TABLE,
  KIND_CHAT,
  SEC_KIND,
  SECTION_ENTRY_BYTES,
  TRAILER_BYTES,
  TRL_SHA256,
} from "../../spec/image.ts";
import type { GenerateOptions } from "../generation.ts";
import { blockDigests, sha256 } from "../image/digest.ts";

const VECTORS = join(ROOT, "spec/vectors");
/** A kind that no version of the format has: readers pass over it. */
const UNKNOWN_KIND = 0x8000;

/** One random model for each variant of the architecture. */
export const VECTOR_MODELS = ["relu2", "silu", "llama", "experts"] as const;

export interface Transcript {
  prompt: string;
  context: number;
  greedy: { ids: number[]; text: string };
  sampled: { ids: number[]; text: string };
  /** The options of `sampled`, as people give them. */
  sampling: GenerateOptions;
}

export function readTranscript(name: string): Transcript {
  const { sampling, ...rest } = JSON.parse(readFileSync(join(VECTORS, `${name}.transcript.json`), "utf8"));
  const { temperature, top_k, top_p, penalty, seed } = sampling;
  return {
    ...rest,
    sampling: {
      temperature: temperature / 1000,
      topK: top_k,
      topP: top_p / 1000,
      repeat: penalty / 1000,
      seed,
    },
  };
}

/** The image; transcripts know no template, so a CHAT section becomes one of unknown kind. Its digests are right again. */
export function readModel(name: string): Uint8Array {
  const image = new Uint8Array(readFileSync(join(VECTORS, `${name}.trit`)));
  const view = new DataView(image.buffer);
  for (let i = 0; i < view.getUint32(HDR_SECTIONS, true); i++) {
    const kind = HDR_TABLE + SECTION_ENTRY_BYTES * i + SEC_KIND;
    if (view.getUint16(kind, true) === KIND_CHAT) view.setUint16(kind, UNKNOWN_KIND, true);
  }
  const digests = view.getUint32(HDR_DIGESTS, true);
  const trailer = image.length - TRAILER_BYTES;
  image.set(blockDigests(image.subarray(0, digests)), digests);
  image.set(sha256(image.subarray(0, trailer)), trailer + TRL_SHA256);
  return image;
}
