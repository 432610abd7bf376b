/** The energy profiles that ship: two processes, and the chips of boards/. A board names one of them. */
import { SimError } from "../sim_error.ts";
import { type EnergyProfile, parseProfile } from "./profile.ts";
import cmos7 from "./profiles/cmos-7nm.json" with { type: "json" };
import cmos45 from "./profiles/cmos-45nm.json" with { type: "json" };
import esp32c3 from "./profiles/esp32-c3.json" with { type: "json" };
import esp32s3 from "./profiles/esp32-s3.json" with { type: "json" };
import rp2040 from "./profiles/rp2040.json" with { type: "json" };
import rp2350 from "./profiles/rp2350.json" with { type: "json" };
import stm32f405 from "./profiles/stm32f405.json" with { type: "json" };
import stm32h743 from "./profiles/stm32h743.json" with { type: "json" };

const SHIPPED: Readonly<Record<string, unknown>> = {
  "cmos-45nm": cmos45,
  "cmos-7nm": cmos7,
  "esp32-c3": esp32c3,
  "esp32-s3": esp32s3,
  rp2040,
  rp2350,
  stm32f405,
  stm32h743,
};

export const PROFILE_NAMES: readonly string[] = Object.keys(SHIPPED);

const parsed = new Map<string, EnergyProfile>();

/** @throws SimError E_SIM_ENERGY for a name that nobody knows */
export function energyProfile(name: string): EnergyProfile {
  if (!Object.hasOwn(SHIPPED, name))
    throw new SimError("E_SIM_ENERGY", `there is no energy profile "${name}"; known: ${PROFILE_NAMES.join(", ")}`);
  const known = parsed.get(name) ?? parseProfile(SHIPPED[name], name);
  parsed.set(name, known);
  return known;
}
