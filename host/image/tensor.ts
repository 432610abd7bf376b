/** Is a tensor of an image what the architecture wants there: shape, packing, size, scales. */
import { SCALE_NONE, SCALE_ROWS, SCALE_TENSOR } from "../../spec/image.ts";
import { SCALE_ONE } from "../../spec/numerics.ts";
import { PACK_GAIN, PACK_INT8, PACK_TRITS_1 } from "../../spec/packing.ts";
import { isScale } from "./config.ts";
import { imageError } from "./errors.ts";
import type { TensorRole, TensorSlot } from "./layout.ts";
import type { Scale } from "./scale.ts";
import type { Tensor } from "./section.ts";
import { levelsOf, packedBytes, packingName } from "./sizes.ts";

/** @throws TritkitError E_IMAGE_TENSOR naming the tensor and what is wrong */
export function checkTensor(tensor: Tensor, slot: TensorSlot): void {
  const { name, rows, cols, packing, scaleKind } = tensor;
  if (rows !== slot.rows || cols !== slot.cols)
    throw bad(name, `has shape (${rows}, ${cols}) instead of (${slot.rows}, ${slot.cols})`);
  if (!fits(slot.role, packing)) throw bad(name, `is packed as ${packingName(packing)}, which its place does not take`);
  const bytes = packedBytes(packing, rows, cols);
  if (tensor.bytes !== bytes) throw bad(name, `has ${tensor.bytes} bytes instead of ${bytes}`);
  if (!SCALES[slot.role].includes(scaleKind)) throw bad(name, `has scales of kind ${scaleKind}`);
  if (slot.role === "gain" && tensor.scale.m !== SCALE_ONE)
    throw bad(name, `has the mantissa ${tensor.scale.m} for its gains`);
  if (slot.role === "gain" && !isScale(tensor.scale)) throw bad(name, "has a damaged exponent for its gains");
  if (slot.role === "linear" && scaleKind === SCALE_TENSOR && !isScale(tensor.scale))
    throw bad(name, "has a damaged scale");
  if ((scaleKind === SCALE_ROWS) !== tensor.scales > 0) throw bad(name, "has row scales in the wrong place");
  if (scaleKind === SCALE_ROWS) checkRowScales(tensor);
}

function checkRowScales(tensor: Tensor): void {
  if (tensor.scales % 4 !== 0)
    throw bad(tensor.name, `has its row scales at ${tensor.scales}, which is no multiple of 4`);
  let largest = -Infinity; // e*, 0 when every row is zero
  for (let row = 0; row < tensor.rows; row++) {
    const scale = rowScale(tensor, row);
    if (!isScale(scale)) throw bad(tensor.name, `has a damaged scale in row ${row}`);
    if (scale.m !== 0) largest = Math.max(largest, scale.e);
  }
  const expected = largest === -Infinity ? 0 : largest;
  if (tensor.scale.e !== expected)
    throw bad(tensor.name, `names ${tensor.scale.e} as its largest row exponent, not ${expected}`);
}

/** Scale of one row of a tensor with row scales. */
export function rowScale(tensor: Tensor, row: number): Scale {
  const view = new DataView(tensor.rowScales.buffer, tensor.rowScales.byteOffset + row * 4, 4);
  return { m: view.getUint16(0, true), e: view.getInt16(2, true) };
}

const SCALES: Readonly<Record<TensorRole, readonly number[]>> = {
  linear: [SCALE_TENSOR, SCALE_ROWS],
  rows: [SCALE_ROWS],
  router: [SCALE_ROWS],
  gain: [SCALE_NONE],
};

function fits(role: TensorRole, packing: number): boolean {
  if (role === "gain") return packing === PACK_GAIN;
  if (role === "router") return packing === PACK_INT8;
  return role === "linear" ? packing === PACK_TRITS_1 : levelsOf(packing) > 0;
}

function bad(name: string, what: string) {
  return imageError("E_IMAGE_TENSOR", `${name} ${what}.`);
}
