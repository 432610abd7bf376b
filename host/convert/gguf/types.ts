/**
 * ggml's tensor types as GGUF files number them (ggml.h, enum ggml_type): how many weights a block holds, and in how many bytes.
 *
 * I2_S is not ggml's but bitnet.cpp's, whose numbers 36 to 39 collide with types that ggml had or has (39 is MXFP4 there). Its tensors are not made of blocks:
 * n / 4 bytes of codes in the order of the whole tensor, then 32 bytes that begin with the scale.
 *
 * NOT IMPLEMENTED, refused by name: every other type.
 */

export const TYPE_F32 = 0;
export const TYPE_F16 = 1;
export const TYPE_Q4_0 = 2;
export const TYPE_Q8_0 = 8;
export const TYPE_Q4_K = 12;
export const TYPE_Q6_K = 14;
export const TYPE_BF16 = 30;
export const TYPE_TQ1_0 = 34;
export const TYPE_TQ2_0 = 35;
export const TYPE_I2_S = 36;

/** Bytes after the codes of an I2_S tensor; the first four are the scale. */
export const I2S_TAIL_BYTES = 32;

export interface BlockType {
  readonly name: string;
  /** Consecutive weights of a row that share a block. */
  readonly weights: number;
  readonly bytes: number;
}

const TYPES: ReadonlyMap<number, BlockType> = new Map([
  [TYPE_F32, { name: "F32", weights: 1, bytes: 4 }],
  [TYPE_F16, { name: "F16", weights: 1, bytes: 2 }],
  [TYPE_BF16, { name: "BF16", weights: 1, bytes: 2 }],
  [TYPE_Q8_0, { name: "Q8_0", weights: 32, bytes: 34 }],
  [TYPE_Q4_0, { name: "Q4_0", weights: 32, bytes: 18 }],
  [TYPE_Q4_K, { name: "Q4_K", weights: 256, bytes: 144 }],
  [TYPE_Q6_K, { name: "Q6_K", weights: 256, bytes: 210 }],
  [TYPE_TQ1_0, { name: "TQ1_0", weights: 256, bytes: 54 }],
  [TYPE_TQ2_0, { name: "TQ2_0", weights: 256, bytes: 66 }],
  // Four codes to a byte; the tail is added by tensorBytes.
  [TYPE_I2_S, { name: "I2_S", weights: 4, bytes: 1 }],
]);

/** For the refusal only. */
const OTHER_NAMES: ReadonlyMap<number, string> = new Map([
  [3, "Q4_1"],
  [6, "Q5_0"],
  [7, "Q5_1"],
  [9, "Q8_1"],
  [10, "Q2_K"],
  [11, "Q3_K"],
  [13, "Q5_K"],
  [15, "Q8_K"],
  [16, "IQ2_XXS"],
  [17, "IQ2_XS"],
  [18, "IQ3_XXS"],
  [19, "IQ1_S"],
  [20, "IQ4_NL"],
  [21, "IQ3_S"],
  [22, "IQ2_S"],
  [23, "IQ4_XS"],
  [24, "I8"],
  [25, "I16"],
  [26, "I32"],
  [27, "I64"],
  [28, "F64"],
  [29, "IQ1_M"],
  [31, "Q4_0_4_4"],
  [32, "Q4_0_4_8"],
  [33, "Q4_0_8_8"],
  [37, "I8_S of bitnet.cpp"],
  [38, "TL1 of bitnet.cpp"],
  [39, "MXFP4, or TL2 of bitnet.cpp"],
]);

/** undefined for a type that is not read. */
export function blockType(type: number): BlockType | undefined {
  return TYPES.get(type);
}

export function typeName(type: number): string {
  return TYPES.get(type)?.name ?? OTHER_NAMES.get(type) ?? `number ${type}`;
}

/** The types that are read, for hints. */
export function typeNames(): string {
  return [...TYPES.values()].map(({ name }) => name).join(", ");
}

/** Does a block hold trits and one scale? */
export function isTernaryType(type: number): boolean {
  return type === TYPE_TQ1_0 || type === TYPE_TQ2_0 || type === TYPE_I2_S;
}

/**
 * @param weights of the tensor, whole blocks
 * @returns bytes that the tensor takes in the file, without padding
 */
export function tensorBytes(type: number, weights: number): number {
  const block = TYPES.get(type);
  if (!block) throw new RangeError(`type ${type} has no blocks that are read`);
  return (weights / block.weights) * block.bytes + (type === TYPE_I2_S ? I2S_TAIL_BYTES : 0);
}
