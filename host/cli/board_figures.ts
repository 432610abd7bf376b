// Figures of a simulated board's own clock, as they are printed: never without how they are known.
import type { BoardFigures } from "../generation.ts";

/** How the figures of a simulated board are known. */
export function originText({ origin, cycles, waitCycles, energy }: BoardFigures): string {
  const share = Math.round((100 * waitCycles) / Math.max(cycles, 1));
  const waits = waitCycles === 0 ? "" : `, ${share} % of it waiting for flash (derived)`;
  const power = energy === null ? "" : `; energy of the chip ${energy.kind} (profile ${energy.profile})`;
  return `by the board's clock: cycles of its core ${ORIGINS[origin]}${waits}${power}`;
}

const ORIGINS: Record<BoardFigures["origin"], string> = {
  calibrated: "calibrated against an emulated chip",
  derived: "derived from its instructions, which were calibrated",
  estimated: "estimated",
};

export function boardJson({ seconds, cycles, waitCycles, origin, timesReal, energy }: BoardFigures): object {
  return {
    seconds: Number(seconds.toFixed(6)),
    cycles,
    wait_cycles: waitCycles,
    cycles_origin: origin,
    times_real: Number(timesReal.toPrecision(3)),
    mj_per_token: energy === null ? null : Number(energy.mjPerToken.toPrecision(4)),
    energy_kind: energy?.kind ?? null,
    energy_profile: energy?.profile ?? null,
  };
}

export function energyText({ energy }: BoardFigures): string {
  return energy === null ? "" : `${energy.mjPerToken.toPrecision(3)} mJ/token`;
}

export function timesText(times: number): string {
  return `${times < 10 ? times.toFixed(1) : Math.round(times)}x`;
}
