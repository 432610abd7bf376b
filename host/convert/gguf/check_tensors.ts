/** The tensors of a GGUF file against its configuration, before anything is read of them. */
import { type TensorSlot, tensorSlots } from "../../image/layout.ts";
import type { ModelConfig } from "../model.ts";
import { badGguf, unsupportedGguf } from "./errors.ts";
import type { GgufFile } from "./file.ts";
import { ROPE_FREQS_NAME, scaleName, tensorBase } from "./names.ts";
import { isTernaryType } from "./types.ts";

export interface Checked {
  /** A linear layer is of a ternary type. */
  readonly hasTernary: boolean;
}

/** @throws TritkitError E_SOURCE_FORMAT for a missing tensor or another shape, E_UNSUPPORTED for one that is not known */
export function checkTensors(file: GgufFile, config: ModelConfig): Checked {
  const known = new Set<string>();
  let hasTernary = false;
  for (const slot of tensorSlots(config)) {
    const base = tensorBase(slot.kind, slot.layer, config.nExperts > 0);
    const tensor = file.get(`${base}.weight`);
    const shape = shapeOf(slot, config.nExperts);
    if (tensor.shape.join() !== shape.join())
      throw badGguf(
        file.name,
        `has ${tensor.name} in the shape (${tensor.shape.join(", ")}) instead of (${shape.join(", ")})`,
        "Its metadata contradicts its tensors.",
      );
    if (slot.role === "linear" && isTernaryType(tensor.type)) hasTernary = true;
    known.add(tensor.name).add(scaleName(base));
  }
  known.add(ROPE_FREQS_NAME);
  for (const name of file.tensors.keys())
    if (!known.has(name))
      throw unsupportedGguf(
        file.name,
        `has the tensor ${name}, which tritkit does not know`,
        "Its architecture differs from bitnet and llama.",
      );
  return { hasTernary };
}

function shapeOf(slot: TensorSlot, nExperts: number): readonly number[] {
  if (slot.role === "gain") return [slot.cols];
  return slot.expert === null ? [slot.rows, slot.cols] : [nExperts, slot.rows, slot.cols];
}
