/** Parameters of the unit, as in firmware-sim/rtl/tgemv.v. */
import { TGEMV_BUFFER_ENTRIES, TGEMV_FIFO_BEATS, TGEMV_SLOTS } from "../../../spec/tgemv.ts";

export interface TgemvConfig {
  /** Vectors that share a pass over the weights, 1..8; a wide one takes two. */
  slots: number;
  /** Beats that the FIFO holds, a power of two. */
  fifo: number;
  /** Entries of the activation buffer, five bytes each: groups of columns x slots used. */
  entries: number;
}

export const TGEMV_DEFAULTS: TgemvConfig = {
  slots: TGEMV_SLOTS,
  fifo: TGEMV_FIFO_BEATS,
  entries: TGEMV_BUFFER_ENTRIES,
};

export function checkConfig(config: TgemvConfig): TgemvConfig {
  const { slots, fifo, entries } = config;
  if (!Number.isInteger(slots) || slots < 1 || slots > 8)
    throw new RangeError(`TGEMV: ${slots} slots, 1..8 are possible`);
  if (!Number.isInteger(fifo) || fifo < 2 || fifo > 128 || (fifo & (fifo - 1)) !== 0)
    throw new RangeError(`TGEMV: a FIFO of ${fifo} beats, a power of two from 2 to 128 is possible`);
  if (!Number.isInteger(entries) || entries < 16 || entries > 65536 || (entries & (entries - 1)) !== 0)
    throw new RangeError(`TGEMV: ${entries} buffer entries, a power of two from 16 to 65536 is possible`);
  return config;
}
