/** What the section table says of a section, and a section that is a tensor. */
import type { Scale } from "./scale.ts";

/** One entry of the section table. */
export interface Section {
  readonly kind: number;
  readonly layer: number;
  readonly expert: number;
  readonly packing: number;
  readonly scaleKind: number;
  readonly offset: number;
  readonly bytes: number;
  readonly rows: number;
  readonly cols: number;
  /** Scale kind 1: of the tensor. Kind 2: e is the largest row exponent, m 0. Gains: value = gain * 2^e, m 32768. */
  readonly scale: Scale;
  /** Offset of the row scales, 0 for none. */
  readonly scales: number;
}

export interface Tensor extends Section {
  /** "embed", "layer 0 attn_q", "layer 0 expert 5 ffn_up". */
  readonly name: string;
  /** Packed weights or gains; of a file they are read each time. */
  readonly data: Uint8Array;
  /** Row scales, rows x {u16 m, i16 e}; empty without. */
  readonly rowScales: Uint8Array;
}
