/** What a simulated board has done since it was made, as an activity: its meter, flash, UART and clock read out. */
import type { SimBoard } from "../sim_board.ts";
import { type Activity, activityOf } from "./activity.ts";

/**
 * @param ns time that counts, e.g. only that in which it was busy
 * @returns null: its CPU is flat, nobody counts its cycles
 */
export function activityOfBoard(sim: SimBoard, ns = sim.now): Activity | null {
  const { meter, board, flash, firmwareFlash, uart } = sim;
  if (meter === null) return null;
  const { wait, flash: reads } = meter.totals();
  // Behind a cache flash is read by lines, whatever the loads took of them.
  const readBytes = board.flash.xip === null ? reads.bytes : reads.lines * board.flash.xip.line_bytes;
  return activityOf({
    ns,
    cpu: { cycles: meter.cycles, waitCycles: wait.flash, hz: board.cpu.hz },
    flash: { readBytes, busyNs: flash.busyNs + firmwareFlash.busyNs },
    uart: { sentBytes: uart.counters.sent },
  });
}
