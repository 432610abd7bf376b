/** Every tensor of a Hugging Face directory against the configuration, before the first weight is read: a contradiction costs no minutes, and no memory. */
import { TritkitError } from "../../errors.ts";
import { tensorSlots } from "../../image/layout.ts";
import type { FamilyConfig, HfFamily } from "./family.ts";
import type { TensorInfo } from "./safetensors.ts";
import type { HfTensors } from "./tensors.ts";

/** Rows of a packed matrix in one row of bytes. */
const PACKED_ROWS = 4;

/** @throws TritkitError E_SOURCE_FORMAT for a tensor that is missing, or of another shape than config.json says */
export function checkShapes(tensors: HfTensors, family: HfFamily, shape: FamilyConfig): void {
  /** Fused tensors and the rows that their parts make. */
  const fused = new Map<string, { rows: number; cols: number }>();
  for (const { kind, layer, expert, role, rows, cols } of tensorSlots(shape)) {
    const place = family.place(kind, layer, shape, expert ?? undefined);
    if (!place) continue;
    const info = tensors.info(tensors.nameOf(place));
    if (role === "gain") expectShape(info, [cols]);
    else if (!place.rows) expectShape(info, [rows / rowsOf(info, role), cols]);
    else fused.set(info.name, { rows: (fused.get(info.name)?.rows ?? 0) + place.rows.count, cols });
  }
  for (const [name, { rows, cols }] of fused) {
    const info = tensors.info(name);
    expectShape(info, [rows / rowsOf(info, "linear"), cols]);
  }
}

function rowsOf(info: TensorInfo, role: string): number {
  return info.dtype === "U8" && role !== "rows" ? PACKED_ROWS : 1;
}

function expectShape(info: TensorInfo, wanted: readonly number[]): void {
  if (info.shape.length === wanted.length && wanted.every((length, i) => info.shape[i] === length)) return;
  throw new TritkitError(
    "E_SOURCE_FORMAT",
    `${info.name} has shape (${info.shape.join(", ")}) instead of (${wanted.join(", ")}).`,
    "The model's files contradict its config.json.",
  );
}
