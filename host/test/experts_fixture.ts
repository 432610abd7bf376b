/** Tiny checkpoints whose feed-forwards are experts, in Mixtral's spelling and in the others'. */
import {
  f32,
  type Grid,
  gridTensor,
  latentGrid,
  llamaConfig,
  llamaTensors,
  packedTensor,
  type RawTensor,
  SHAPE,
  ternaryGrid,
} from "./family_fixture.ts";

export const EXPERTS = 4;
export const MIXTRAL = { block: "block_sparse_moe", gate: "w1", up: "w3", down: "w2" };
export const LLAMA = { block: "mlp", gate: "gate_proj", up: "up_proj", down: "down_proj" };
export const PARTS = ["gate", "up", "down"] as const;

export type Linear = (grid: Grid) => Record<string, RawTensor>;
export const floats: Linear = (grid) => ({ weight: gridTensor(grid) });
/** A scale that both float32 and a 16-bit mantissa hold. */
export const SCALE = 3 / 64;
export const packed: Linear = (grid) => ({
  weight: packedTensor(grid),
  weight_scale: { dtype: "F32", shape: [1], bytes: f32([SCALE]) },
});

export const seedOf = (layer: number, expert: number, part: (typeof PARTS)[number]) =>
  1000 + 100 * layer + 10 * expert + PARTS.indexOf(part);

export function expertGrid(layer: number, expert: number, part: (typeof PARTS)[number]): Grid {
  const [rows, cols] = part === "down" ? [SHAPE.dim, SHAPE.hidden] : [SHAPE.hidden, SHAPE.dim];
  return ternaryGrid(seedOf(layer, expert, part), rows, cols, () => 12);
}

export const routerGrid = (layer: number) => latentGrid(50 + layer, EXPERTS, SHAPE.dim);

/** Attention of a Llama, experts in place of its feed-forward. */
export function expertTensors(
  names: typeof MIXTRAL,
  linear: Linear,
  router: (layer: number) => Record<string, RawTensor> = (layer) => floats(routerGrid(layer)),
): Record<string, RawTensor> {
  const tensors = Object.fromEntries(
    Object.entries(
      llamaTensors((name, layer, rows, cols) => linear(ternaryGrid(name.length + 7 * layer, rows, cols, () => 12))),
    ).filter(([name]) => !name.includes(".mlp.")),
  );
  for (let layer = 0; layer < SHAPE.layers; layer++) {
    const at = `model.layers.${layer}.${names.block}`;
    for (const [suffix, tensor] of Object.entries(router(layer))) tensors[`${at}.gate.${suffix}`] = tensor;
    for (let expert = 0; expert < EXPERTS; expert++)
      for (const part of PARTS)
        for (const [suffix, tensor] of Object.entries(linear(expertGrid(layer, expert, part))))
          tensors[`${at}.experts.${expert}.${names[part]}.${suffix}`] = tensor;
  }
  return tensors;
}

export const mixtral = (changes: object = {}) =>
  llamaConfig({ model_type: "mixtral", num_local_experts: EXPERTS, num_experts_per_tok: 2, ...changes });
export const BITNET = { quant_method: "bitnet", linear_class: "autobitlinear" };
export const bitnet = (changes: object = {}) =>
  llamaConfig({
    ...{ model_type: "llama", num_experts: EXPERTS, num_experts_per_tok: 3, quantization_config: BITNET },
    ...changes,
  });
