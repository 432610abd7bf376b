// What a device says about its ternary coprocessor (spec/WIRE.md, `copro`), in names and in a sentence.
import {
  TGEMV_ERR_BAD_ACT,
  TGEMV_ERR_BAD_CMD,
  TGEMV_ERR_BAD_CODE,
  TGEMV_ERR_BAD_DIM,
  TGEMV_ERR_BAD_KEEP,
  TGEMV_ERR_BAD_PACKING,
  TGEMV_ERR_BAD_SUM,
  TGEMV_ERR_BAD_VECTORS,
  TGEMV_ERR_BUS,
  TGEMV_ERR_BUSY,
  TGEMV_ERR_LEN_MISMATCH,
  TGEMV_ERR_MISALIGNED,
} from "../../spec/tgemv.ts";
import { COPRO_ERR_LOST_IRQ, COPRO_ERR_TIMEOUT, COPRO_LEFT_ALONE, COPRO_REFUSED, COPRO_USED } from "../../spec/wire.ts";
import type { CborMap, CborValue } from "../wire/smp.ts";

/** left alone: after too many errors, until the board is reset. refused: its results at boot were wrong. */
export type CoproState = "used" | "refused" | "left alone";

export interface CoproError {
  /** As in spec/TGEMV.md, or TIMEOUT, LOST_IRQ. */
  name: string;
  /** What belongs to it: an address, a register. */
  info: number;
}

export interface CoproReport {
  state: CoproState;
  /** In hello: since reset. With an answer: during it. */
  errors: number;
  last: CoproError | null;
}

const STATES: Record<number, CoproState> = {
  [COPRO_USED]: "used",
  [COPRO_REFUSED]: "refused",
  [COPRO_LEFT_ALONE]: "left alone",
};

const NAMES: Record<number, string> = {
  [TGEMV_ERR_BAD_CMD]: "BAD_CMD",
  [TGEMV_ERR_MISALIGNED]: "MISALIGNED",
  [TGEMV_ERR_BAD_VECTORS]: "BAD_VECTORS",
  [TGEMV_ERR_BAD_DIM]: "BAD_DIM",
  [TGEMV_ERR_BAD_PACKING]: "BAD_PACKING",
  [TGEMV_ERR_BAD_CODE]: "BAD_CODE",
  [TGEMV_ERR_BUS]: "BUS",
  [TGEMV_ERR_LEN_MISMATCH]: "LEN_MISMATCH",
  [TGEMV_ERR_BUSY]: "BUSY",
  [TGEMV_ERR_BAD_SUM]: "BAD_SUM",
  [TGEMV_ERR_BAD_ACT]: "BAD_ACT",
  [TGEMV_ERR_BAD_KEEP]: "BAD_KEEP",
  [COPRO_ERR_TIMEOUT]: "TIMEOUT",
  [COPRO_ERR_LOST_IRQ]: "LOST_IRQ",
};

/** Of the answer's or hello's `copro`; null where there is none, or none that makes sense. */
export function parseCopro(value: CborValue | undefined): CoproReport | null {
  if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Uint8Array) return null;
  const { st, n, err, info } = value as CborMap;
  const state = STATES[Number(st)];
  if (state === undefined || typeof n !== "number") return null;
  const known = typeof err === "number" && typeof info === "number";
  const last = known ? { name: NAMES[err] ?? `error ${err}`, info } : null;
  return { state, errors: n, last };
}

const hex = (n: number): string => `0x${n.toString(16).padStart(8, "0")}`;

/** What went wrong, in one sentence without its full stop. */
export function coproText({ state, errors, last }: CoproReport): string {
  if (state === "refused") return "the coprocessor's results differ from the CPU's: it is not used";
  const times = errors === 1 ? "once" : `${errors} times`;
  const what = last === null ? "" : `, last ${last.name} (${hex(last.info)})`;
  const then = state === "left alone" ? "it is left alone until the board is reset" : "the CPU took over";
  return `the coprocessor failed ${times}${what}: ${then}, the words are the same`;
}
