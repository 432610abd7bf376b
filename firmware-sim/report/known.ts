/** How a figure is known. Every figure of a report says one of these words, and why. */
import type { Kind } from "../energy/profile.ts";
import type { CostOrigin } from "../meter/cost_table.ts";

/**
 * Best first. exact: counted, or of a model that is held to RTL bit for bit. calibrated: fitted to what emulated chips counted, and held to it on models
 * that the fit has not seen. measured: on hardware. datasheet: its maker says so. derived: calculated from such numbers.
 * estimated: nobody has compared it with anything. assumed: plausible, or remembered and not read again.
 */
export const KNOWN = ["exact", "calibrated", "measured", "datasheet", "derived", "estimated", "assumed"] as const;
export type Known = (typeof KNOWN)[number];

/** A sum is known no better than its worst part. */
export function weakest(of: readonly (Known | Kind | CostOrigin)[]): Known {
  return KNOWN[Math.max(0, ...of.map((each) => KNOWN.indexOf(each)))];
}

export interface Figure {
  readonly value: number;
  readonly unit: string;
  readonly known: Known;
  readonly why: string;
}
