/** Energy: counts of what happened (activity.ts) times cited constants (profiles/) make picojoules (energy_of.ts). */
export {
  type Activity,
  activityBetween,
  activityOf,
  activitySum,
  type BoardCounters,
  type TgemvCounters,
} from "./activity.ts";
export { type Energy, type EventEnergy, energyOf } from "./energy_of.ts";
export { type EnergyEvent, EVENTS } from "./events.ts";
export { activityOfBoard } from "./of_board.ts";
export { type Constant, type EnergyProfile, type Kind, parseProfile } from "./profile.ts";
export { energyProfile, PROFILE_NAMES } from "./profiles.ts";
