/**
 * An energy profile: what each event costs on one chip or in one process, every number with where it comes from. The JSON of
 * profiles/ is read here field by field; what is wrong is named by its path.
 */
import { BoardError, Fields } from "../../boards/fields.ts";
import { SimError } from "../sim_error.ts";
import { type EnergyEvent, EVENT_NAMES, EVENTS, type Unit } from "./events.ts";

/**
 * How a number is known, best first. measured: on hardware, by whom the source says; datasheet: its maker's or author's
 * publication says so; derived: calculated from such numbers; assumed: plausible, or remembered and not read again.
 */
export const KINDS = ["measured", "datasheet", "derived", "assumed"] as const;
export type Kind = (typeof KINDS)[number];

export interface Constant {
  /** In the unit of its event. */
  readonly value: number;
  readonly unit: Unit;
  readonly kind: Kind;
  readonly source: string;
}

export interface EnergyProfile {
  readonly name: string;
  readonly title: string;
  /** What the figures are of, and what they leave out. */
  readonly covers: string;
  readonly constants: Readonly<Partial<Record<EnergyEvent, Constant>>>;
}

function readConstant(fields: Fields, event: EnergyEvent): Constant {
  const constant = {
    value: fields.quantity("value"),
    unit: fields.oneOf("unit", [EVENTS[event].unit]),
    kind: fields.oneOf("kind", KINDS),
    source: fields.text("source"),
  };
  fields.done();
  return constant;
}

/**
 * @param json what JSON.parse returned
 * @param name under which it is known; the profile must say the same
 * @throws SimError E_SIM_ENERGY with the path of what is wrong
 */
export function parseProfile(json: unknown, name: string): EnergyProfile {
  try {
    const fields = new Fields(json, "");
    const constants = fields.child("constants");
    const profile = {
      name: fields.oneOf("name", [name]),
      title: fields.text("title"),
      covers: fields.text("covers"),
      constants: Object.fromEntries(
        EVENT_NAMES.filter((event) => constants.has(event)).map((event) => [
          event,
          readConstant(constants.child(event), event),
        ]),
      ),
    };
    constants.done();
    fields.done();
    return profile;
  } catch (cause) {
    if (!(cause instanceof BoardError)) throw cause;
    throw new SimError("E_SIM_ENERGY", `energy profile ${name}: ${cause.message}`, { cause });
  }
}

/** The weakest of some kinds: a sum is known no better than its worst part. */
export function weakest(kinds: readonly Kind[]): Kind {
  return KINDS[Math.max(0, ...kinds.map((kind) => KINDS.indexOf(kind)))];
}
