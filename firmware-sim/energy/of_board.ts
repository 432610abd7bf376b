/** What a simulated board has done since it was made, as an activity: its meter, flash, UART and clock read out. */
import { TGEMV_LANES } from "../../spec/tgemv.ts";
import type { SimBoard } from "../sim_board.ts";
import { type Activity, activityOf, type TgemvCounters } from "./activity.ts";

/**
 * @param ns time that counts, e.g. only that in which it was busy
 * @returns null: its CPU is flat, nobody counts its cycles
 */
export function activityOfBoard(sim: SimBoard, ns = sim.now): Activity | null {
  const { meter, board, flash, firmwareFlash, uart } = sim;
  if (meter === null) return null;
  // Not its totals: this is asked whenever the board has said something.
  const { cycles, waitCycles, flash: reads, codeLines } = meter.reading();
  // Behind a cache flash is read by lines, whatever the loads took of them.
  const readBytes = board.flash.xip === null ? reads.bytes : (reads.lines - codeLines) * board.flash.xip.line_bytes;
  return activityOf({
    ns,
    cpu: { cycles, waitCycles, hz: board.cpu.hz },
    flash: { readBytes, busyNs: flash.busyNs + firmwareFlash.busyNs },
    uart: { sentBytes: uart.counters.sent },
    tgemv: tgemvOf(sim),
  });
}

const BEAT_BYTES = 4;

/** Weights come from PSRAM where there is one: that is what it is there for. */
function tgemvOf({ copro, board }: SimBoard): TgemvCounters | undefined {
  if (copro === null) return undefined;
  copro.settle();
  const { unit } = copro;
  const { cycles, issue, mReads, mWrites } = unit.activity(unit.state.cycle);
  const bytes = unit.state.totalPushes * BEAT_BYTES;
  const isExternal = board.psram !== null;
  return {
    ...{ cycles, laneSteps: issue, lanes: TGEMV_LANES, sramWords: mReads + mWrites },
    ...{ flashBytes: isExternal ? 0 : bytes, psramBytes: isExternal ? bytes : 0 },
  };
}
