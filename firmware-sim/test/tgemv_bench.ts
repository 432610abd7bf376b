/** A unit on a bench of its own: weights from 0x1000 on, SRAM from 0x20000000 on, and the products as PACKING.md defines them, in bigint. */
import { PACK_STRIDE } from "../../spec/packing.ts";
import {
  TGEMV_DESC_BYTES,
  TGEMV_DESC_SUM,
  TGEMV_DOORBELL,
  TGEMV_MODE_IRQ,
  TGEMV_MODE_KEEP_X,
  TGEMV_MODE_WIDE,
} from "../../spec/tgemv.ts";
import { TGEMV_DEFAULTS, type TgemvConfig } from "../peripherals/tgemv/config.ts";
import { type BeatTiming, steady, type TgemvPorts } from "../peripherals/tgemv/ports.ts";
import { Tgemv } from "../peripherals/tgemv/tgemv.ts";
import type { Random } from "../random.ts";

export const W = 0x1000;
export const SRAM = 0x20000000;
/** Where jobs of the bench put descriptors, activations and outputs. */
export const DESC = SRAM + 0x100;
export const X = SRAM + 0x1000;
export const Y = SRAM + 0x20000;

export interface JobOptions {
  rows: number;
  cols: number;
  planes?: number;
  vectors?: number;
  wide?: boolean;
  keep?: boolean;
  irq?: boolean;
  next?: number;
  waddr?: number;
  wbytes?: number;
  xWords?: number;
  yWords?: number;
}

export interface Bench {
  unit: Tgemv;
  weights: Uint8Array;
  sram: Uint8Array;
  now: number;
}

export const ONE_A_CYCLE: BeatTiming = steady({ cycles: { num: 1, den: 1 }, setup: 0, burstBeats: 0 });

export function bench(
  timing = ONE_A_CYCLE,
  config: TgemvConfig = TGEMV_DEFAULTS,
  more: Partial<TgemvPorts> = {},
): Bench {
  const weights = new Uint8Array(1 << 18);
  const sram = new Uint8Array(1 << 18);
  const view = (bytes: Uint8Array, at: number, n: number) =>
    at < 0 || at > bytes.length ? bytes.subarray(0, 0) : bytes.subarray(at, at + n);
  const unit = new Tgemv(
    { weights: (a, n) => view(weights, a - W, n), sram: (a, n) => view(sram, a - SRAM, n), timing, ...more },
    config,
  );
  return { unit, weights, sram, now: 0 };
}

export function sizeOf({ rows, cols, planes = 1 }: JobOptions): number {
  return Math.ceil(rows / 4) * planes * Math.ceil(cols / 5) * 4;
}

/** Writes a descriptor at `at`. */
export function describeJob(b: Bench, o: JobOptions, at = DESC): void {
  const words = new Uint32Array(TGEMV_DESC_BYTES / 4);
  const flags = (o.wide ? TGEMV_MODE_WIDE : 0) | (o.keep ? TGEMV_MODE_KEEP_X : 0) | (o.irq ? TGEMV_MODE_IRQ : 0);
  const mode = (o.planes ?? 1) | ((o.vectors ?? 1) << 8) | flags;
  const strides = (o.xWords ?? Math.ceil(o.cols / 2)) | ((o.yWords ?? o.rows) << 16);
  words.set([o.next ?? 0, o.waddr ?? W, o.wbytes ?? sizeOf(o), X, Y, o.cols | (o.rows << 16), mode, strides, 0x7a6]);
  words[9] = TGEMV_DESC_SUM - words.reduce((sum, word) => (sum + word) >>> 0, 0);
  b.sram.set(new Uint8Array(words.buffer), at - SRAM);
}

/** Rings the doorbell and waits; the cycles from the first busy one to the last. */
export function runChain(b: Bench, at = DESC): number {
  b.unit.write(TGEMV_DOORBELL, at, b.now);
  const first = b.now + 1;
  const end = b.unit.idleAt(first);
  b.unit.settle(end);
  b.now = end;
  return end - first;
}

/** Legal codes at random, also in missing rows and columns. */
export function randomWeights(b: Bench, random: Random, bytes: number): void {
  for (let i = 0; i < bytes; i++) b.weights[i] = PACK_STRIDE * random.below(9) + random.below(27);
}

export function setX(b: Bench, x: number[], at = X): void {
  b.sram.set(new Uint8Array(Int16Array.from(x).buffer), at - SRAM);
}

export function getY(b: Bench, rows: number, at = Y): number[] {
  return [...new Int32Array(b.sram.slice(at - SRAM, at - SRAM + 4 * rows).buffer)];
}

/** PACKING.md, word for word, in whole numbers without end. */
export function reference(weights: Uint8Array, { rows, cols, planes = 1 }: JobOptions, x: number[]): bigint[] {
  const groups = Math.ceil(cols / 5);
  const y: bigint[] = [];
  for (let row = 0; row < rows; row++) {
    let acc = 0n;
    for (let k = planes - 1; k >= 0; k--) {
      acc *= 3n;
      for (let c = 0; c < cols; c++) {
        const offset = (((row >> 2) * planes + (planes - 1 - k)) * groups + Math.floor(c / 5)) * 4 + (row & 3);
        acc += BigInt(trit(weights[offset], c % 5) * x[c]);
      }
    }
    y.push(acc);
  }
  return y;
}

function trit(byte: number, i: number): number {
  const hi = Math.floor(byte / 28);
  const lo = byte % 28;
  return [Math.floor(hi / 3), hi % 3, Math.floor(lo / 9), Math.floor(lo / 3) % 3, lo % 3][i] - 1;
}
