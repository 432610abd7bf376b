/**
 * The whole flash of a chip by absolute addresses, as a boot ROM sees it. The model partition is the device module's FLASH;
 * the sectors around it, where firmware lies, are a second one with the same physics.
 *
 *     flash.base                                          flash.base + flash.bytes
 *     ├── sectors 0..1 ──┼────── partition ──────┼── sector 11 ──┤        (an STM32F405)
 *          AROUND               PARTITION             AROUND
 *
 * NOT IMPLEMENTED: what is not flash (SRAM, option bytes, system memory).
 */
import { type Board, sectorsOf } from "../../boards/board.ts";
import { HAL_EINVAL } from "../../spec/hal.ts";
import type { Flash, FlashListener } from "../peripherals/flash.ts";
import { SimError } from "../sim_error.ts";

/** One erase unit. `index` counts from the beginning of flash. */
export interface BusSector {
  readonly index: number;
  readonly address: number;
  readonly bytes: number;
}

interface Route extends BusSector {
  readonly flash: Flash;
  /** Of the sector's first byte in `flash`. */
  readonly offset: number;
}

/** Bytes of each sector in the partition and around it, in address order: what the two are made of. */
export function splitSectors(board: Board): { partition: number[]; around: number[] } {
  const { offset, bytes } = board.flash.partition;
  const inside = (at: number): boolean => at >= offset && at < offset + bytes;
  const sectors = sectorsOf(board);
  return {
    partition: sectors.filter((sector) => inside(sector.offset)).map((sector) => sector.bytes),
    around: sectors.filter((sector) => !inside(sector.offset)).map((sector) => sector.bytes),
  };
}

export class FlashBus {
  readonly base: number;
  readonly bytes: number;
  readonly #routes: Route[] = [];
  readonly #unit: number;
  readonly #page: number;

  constructor(board: Board, partition: Flash, around: Flash) {
    const { base, bytes, partition: range, program_unit, page } = board.flash;
    this.base = base;
    this.bytes = bytes;
    this.#unit = program_unit;
    this.#page = page;
    let at = 0;
    for (const sector of sectorsOf(board)) {
      const inside = sector.offset >= range.offset && sector.offset < range.offset + range.bytes;
      const place = inside ? { flash: partition, offset: sector.offset - range.offset } : { flash: around, offset: at };
      if (!inside) at += sector.bytes;
      this.#routes.push({ index: sector.index, address: base + sector.offset, bytes: sector.bytes, ...place });
    }
  }

  get sectors(): readonly BusSector[] {
    return this.#routes;
  }

  contains(address: number, len: number): boolean {
    return address >= this.base && address + len <= this.base + this.bytes;
  }

  /** The sector that holds the address, null outside flash. */
  sectorAt(address: number): BusSector | null {
    return this.#routes.find((route) => address >= route.address && address < route.address + route.bytes) ?? null;
  }

  /** A copy of the range, which is inside flash. */
  read(address: number, len: number): Uint8Array {
    const bytes = new Uint8Array(len);
    for (const { flash, offset, from, to } of this.#pieces(address, len))
      bytes.set(flash.read(offset, to - from), from - address);
    return bytes;
  }

  /** @returns 0, HAL_EIO. @throws PowerCut */
  erase(index: number): number {
    const { flash, offset, bytes } = this.#routes[index];
    return flash.erase(offset, bytes);
  }

  /**
   * Programs whole units, page by page.
   * @returns 0, HAL_EINVAL for a range that is not made of units inside flash, HAL_EIO. @throws PowerCut
   */
  program(address: number, data: Uint8Array): number {
    if (!this.contains(address, data.length) || address % this.#unit !== 0 || data.length % this.#unit !== 0)
      return HAL_EINVAL;
    for (const { flash, offset, from, to } of this.#pieces(address, data.length)) {
      for (let at = from; at < to; ) {
        const end = Math.min(to, (Math.floor(at / this.#page) + 1) * this.#page);
        const code = flash.program(offset + at - from, data.subarray(at - address, end - address));
        if (code !== 0) return code;
        at = end;
      }
    }
    return 0;
  }

  /** The content of all flash. */
  image(): Uint8Array {
    return this.read(this.base, this.bytes);
  }

  /** As Flash.load, for all flash. @throws SimError E_SIM_FLASH when `image` is not as long as the flash */
  load(image: Uint8Array): void {
    if (image.length !== this.bytes)
      throw new SimError("E_SIM_FLASH", `the flash has ${this.bytes} bytes, the content ${image.length}`);
    for (const flash of new Set(this.#routes.map((route) => route.flash))) {
      const content = new Uint8Array(flash.bytes);
      for (const { address, bytes, offset } of this.#routes.filter((route) => route.flash === flash))
        content.set(image.subarray(address - this.base, address - this.base + bytes), offset);
      flash.load(content);
    }
  }

  /** @param listener offsets count from the beginning of flash. @returns ends the subscription */
  onChange(listener: FlashListener): () => void {
    const stops = [...new Set(this.#routes.map((route) => route.flash))].map((flash) =>
      flash.onChange((offset, bytes) => {
        // A change stays inside a sector.
        const route = this.#routes.find(
          (each) => each.flash === flash && offset >= each.offset && offset < each.offset + each.bytes,
        );
        if (route !== undefined) listener(route.address - this.base + offset - route.offset, bytes);
      }),
    );
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** The range cut at the sectors' bounds: addresses `from` up to `to`, which begin at byte `offset` of `flash`. */
  *#pieces(address: number, len: number): Generator<{ flash: Flash; offset: number; from: number; to: number }> {
    for (const route of this.#routes) {
      const from = Math.max(address, route.address);
      const to = Math.min(address + len, route.address + route.bytes);
      if (to > from) yield { flash: route.flash, offset: route.offset + from - route.address, from, to };
    }
  }
}
