// Figures of a simulated board's own clock, as they are printed: never without how they are known.
import type { BoardFigures } from "../generation.ts";

/** How the figures of a simulated board are known. */
export function originText({ origin, cycles, waitCycles }: BoardFigures): string {
  const share = Math.round((100 * waitCycles) / Math.max(cycles, 1));
  const waits = waitCycles === 0 ? "" : `, ${share} % of it waiting for flash (derived)`;
  return `by the board's clock: cycles of its core ${ORIGINS[origin]}${waits}`;
}

const ORIGINS: Record<BoardFigures["origin"], string> = {
  calibrated: "calibrated against an emulated chip",
  derived: "derived from its instructions, which were calibrated",
  estimated: "estimated",
};

export function boardJson({ seconds, cycles, waitCycles, origin, timesReal }: BoardFigures): object {
  return {
    seconds: Number(seconds.toFixed(6)),
    cycles,
    wait_cycles: waitCycles,
    cycles_origin: origin,
    times_real: Number(timesReal.toPrecision(3)),
  };
}

export function timesText(times: number): string {
  return `${times < 10 ? times.toFixed(1) : Math.round(times)}x`;
}
