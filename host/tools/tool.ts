/** A board's tools as tritkit holds them between a tools.json and a binary table (spec/TOOLS.md). Numbers that have a unit are in thousandths of it. */
import type { Kind, Unit, Verb } from "./names.ts";
import type { LanguageWord } from "./words.ts";

export interface Tool {
  readonly name: string;
  readonly kind: Kind;
  /** For people; a table does not hold it. */
  readonly description: string;
  /** Normalised phrases that mean the tool, its name among them. */
  readonly aliases: readonly string[];
  readonly verbs: readonly Verb[];
  /** null: a bare number, or none at all (on and off). */
  readonly unit: Unit | null;
  readonly min: number;
  readonly max: number;
  /** Of up and down. */
  readonly step: number;
  /** The value of a first `on`. */
  readonly on: number;
  /** Normalised words that are values of this tool. */
  readonly values: ReadonlyMap<string, number>;
  readonly drive: Drive;
}

export type Drive =
  | { readonly type: "none" }
  | { readonly type: "gpio"; readonly pin: number; readonly inverted: boolean }
  | {
      readonly type: "pwm";
      readonly pin: number;
      readonly hz: number;
      /** At min and at max, of 65535. */
      readonly duty: readonly [number, number];
      readonly inverted: boolean;
    }
  | {
      readonly type: "adc";
      readonly channel: number;
      /** Readings at min and at max, scaled to 16 bits. */
      readonly raw: readonly [number, number];
    }
  /** pin null: nothing is driven when the time is over. */
  | { readonly type: "timer"; readonly pin: number | null };

/** Of an assistant that has none. */
export const NO_TOOLS: ToolTable = { dryRun: false, tools: [], words: [] };

export interface ToolTable {
  /** Calls are checked and told, and nothing is driven. */
  readonly dryRun: boolean;
  readonly tools: readonly Tool[];
  /** Numbers, units and ranges of the language. */
  readonly words: readonly LanguageWord[];
}
