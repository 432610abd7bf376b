/** The tensors of a GGUF file against its configuration, before anything is read of them. */
import { type TensorSlot, tensorSlots } from "../../image/layout.ts";
import type { Dropped, ModelConfig } from "../model.ts";
import { badGguf, unsupportedGguf } from "./errors.ts";
import type { GgufFile } from "./file.ts";
import { readVector } from "./linear.ts";
import { ROPE_FREQS_NAME, scaleName, tensorBase } from "./names.ts";
import { isTernaryType } from "./types.ts";

export interface Checked {
  readonly dropped: readonly Dropped[];
  /** A linear layer is of a ternary type. */
  readonly hasTernary: boolean;
}

/** @throws TritkitError E_SOURCE_FORMAT for a missing tensor or another shape, E_UNSUPPORTED for one that is not known */
export async function checkTensors(file: GgufFile, config: ModelConfig): Promise<Checked> {
  const known = new Set<string>();
  let hasTernary = false;
  for (const slot of tensorSlots(config)) {
    const base = tensorBase(slot.kind, slot.layer, config.nExperts > 0);
    const tensor = file.get(`${base}.weight`);
    const shape = shapeOf(slot);
    if (tensor.shape.join() !== shape.join())
      throw badGguf(
        file.name,
        `has ${tensor.name} in the shape (${tensor.shape.join(", ")}) instead of (${shape.join(", ")})`,
        "Its metadata contradicts its tensors.",
      );
    if (slot.role === "linear" && isTernaryType(tensor.type)) hasTernary = true;
    known.add(tensor.name).add(scaleName(base));
  }
  const dropped: Dropped[] = [];
  for (const name of file.tensors.keys()) {
    if (known.has(name)) continue;
    if (name !== ROPE_FREQS_NAME)
      throw unsupportedGguf(
        file.name,
        `has the tensor ${name}, which tritkit does not know`,
        "Its architecture differs from bitnet and llama.",
      );
    if ((await readVector(file, name)).some((factor) => factor !== 1))
      throw unsupportedGguf(
        file.name,
        `has scaled RoPE in ${name}`,
        "tritkit runs models with plain RoPE, and Llama 3.1 and later scale theirs.",
      );
    dropped.push({ name, why: "its factors are all 1" });
  }
  return { dropped, hasTernary };
}

function shapeOf(slot: TensorSlot): readonly number[] {
  return slot.role === "gain" ? [slot.cols] : [slot.rows, slot.cols];
}
