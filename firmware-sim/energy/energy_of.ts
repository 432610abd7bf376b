/** Counts times constants: what an activity takes of energy, event by event, and how well that is known. */
import type { Activity } from "./activity.ts";
import { type EnergyEvent, EVENT_NAMES } from "./events.ts";
import { type Constant, type EnergyProfile, type Kind, weakest } from "./profile.ts";

export interface EventEnergy extends Constant {
  readonly event: EnergyEvent;
  readonly count: number;
  readonly pj: number;
}

export interface Energy {
  readonly profile: string;
  readonly pj: number;
  /** The weakest kind among the events that make a hundredth of the total or more. */
  readonly kind: Kind;
  /** What happened and costs something, the largest first. */
  readonly events: readonly EventEnergy[];
  /** What happened and has no figure in this profile: the total is too low by it. */
  readonly unknown: readonly EnergyEvent[];
}

/** Smaller shares do not decide how well a total is known. */
const COUNTS = 0.01;

export function energyOf(activity: Activity, profile: EnergyProfile): Energy {
  const happened = EVENT_NAMES.filter((event) => (activity[event] ?? 0) > 0);
  const events: EventEnergy[] = [];
  for (const event of happened) {
    const constant = profile.constants[event];
    const count = activity[event] ?? 0;
    if (constant !== undefined && constant.value > 0)
      events.push({ ...constant, event, count, pj: count * constant.value });
  }
  events.sort((a, b) => b.pj - a.pj);
  const pj = events.reduce((sum, each) => sum + each.pj, 0);
  return {
    profile: profile.name,
    pj,
    kind: weakest(events.filter((each) => each.pj >= COUNTS * pj).map(({ kind }) => kind)),
    events,
    unknown: happened.filter((event) => profile.constants[event] === undefined),
  };
}
