/** Bytes that a token reads, by tensor: what was counted, beside how large the tensor is. */

import type { Group } from "./attribution.ts";
import type { Breakdown } from "./breakdown.ts";
import { get } from "./counters.ts";
import { partOfKind } from "./parts.ts";
import { kindName, type Tensor } from "./tensors.ts";

export interface TensorRow {
  readonly tensor: Tensor;
  /** Read by products, in the mean of the tokens. */
  readonly bytes: number;
  /** How often a token reads the whole tensor. */
  readonly times: number;
}

export interface Traffic {
  readonly tensors: readonly TensorRow[];
  /** What is read beside matrices: a row of the embedding, scales, gains, tables, and by the wire. */
  readonly otherBytes: number;
  readonly bytes: number;
}

export function traffic(group: Group, { flashBytes, psramBytes }: Breakdown): Traffic {
  const tensors = [...group.tensors]
    .map(([tensor, counts]) => {
      const read = get(counts, "flashBytes") + get(counts, "coproFlashBytes") + get(counts, "coproPsramBytes");
      const bytes = read / group.positions;
      return { tensor, bytes, times: tensor.bytes > 0 ? bytes / tensor.bytes : 0 };
    })
    .sort((a, b) => a.tensor.offset - b.tensor.offset);
  const bytes = flashBytes + psramBytes;
  const known = tensors.reduce((total, row) => total + row.bytes, 0);
  return { tensors, bytes, otherBytes: Math.max(bytes - known, 0) };
}

/** All layers' tensors of a kind together, in the order in which a token reads them first. */
export function byKind({ tensors }: Traffic): { name: string; kind: number; layers: readonly TensorRow[] }[] {
  const kinds = new Map<number, TensorRow[]>();
  for (const row of tensors) kinds.set(row.tensor.kind, [...(kinds.get(row.tensor.kind) ?? []), row]);
  return [...kinds].map(([kind, layers]) => ({
    // A tied head is the embedding's tensor.
    name: partOfKind(kind) === "head" ? "head" : kindName(kind),
    kind,
    layers,
  }));
}
