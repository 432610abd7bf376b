/**
 * The partition as the module sees it: bytes in its linear memory, read in place. A sector is copied there when it is first
 * mapped, so that a new instance costs nothing, and kept equal to the cells from then on.
 */
import type { LinearMemory } from "../../bus/memory_map.ts";
import type { Sector } from "./sectors.ts";

export class XipView {
  /** Address of byte 0 of the partition. */
  readonly base: number;
  readonly #memory: LinearMemory;

  constructor(base: number, memory: LinearMemory) {
    this.base = base;
    this.#memory = memory;
  }

  show(sector: Sector): void {
    const view = this.#view(sector);
    if (sector.cells === null) view.fill(0xff);
    else view.set(sector.cells);
    sector.mapped = true;
  }

  /** `cells` stand at byte `offset` of the partition now. */
  update(offset: number, cells: Uint8Array): void {
    this.#memory.bytes().set(cells, this.base + offset);
  }

  /** Offset in the sector of a byte that differs from the cells, -1 when none does. */
  difference({ cells, ...sector }: Sector): number {
    return this.#view(sector).findIndex((byte, i) => byte !== (cells === null ? 0xff : cells[i]));
  }

  #view(sector: Pick<Sector, "offset" | "bytes">): Uint8Array {
    const start = this.base + sector.offset;
    return this.#memory.bytes().subarray(start, start + sector.bytes);
  }
}
