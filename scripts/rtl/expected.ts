/** A batch through the model: what the test bench should print, line by line, and what memory should hold. */
import type { TgemvConfig } from "../../firmware-sim/peripherals/tgemv/config.ts";
import type { TgemvPorts } from "../../firmware-sim/peripherals/tgemv/ports.ts";
import { Tgemv } from "../../firmware-sim/peripherals/tgemv/tgemv.ts";
import { REFUSE } from "./gap_table.ts";
import { type Batch, M_BASE, MEMORY_BYTES, type Op, type Scenario, W_BASE } from "./scenario.ts";

export interface Expected {
  /** For each scenario the lines of its accesses, and a last one of its traffic. */
  lines: string[][];
  mmem: Uint8Array;
  /** How often each wait for the idle unit read STATUS. */
  polls: Map<Op, number>;
  /** Busy cycles of all scenarios, those that a reset forgot not counted. */
  cycles: number;
}

/** @param slow by the machine alone, without the recurrence */
export function expected(batch: Batch, config: TgemvConfig, slow = false): Expected {
  const mmem = batch.mmem.slice();
  const result: Expected = { lines: [], mmem, polls: new Map(), cycles: 0 };
  for (const scenario of batch.scenarios) result.lines.push(play(scenario, batch, mmem, config, slow, result));
  return result;
}

function play(
  scenario: Scenario,
  batch: Batch,
  mmem: Uint8Array,
  config: TgemvConfig,
  slow: boolean,
  totals: Expected,
): string[] {
  const lines: string[] = [];
  const unit = new Tgemv(portsOf(scenario, batch, mmem), config);
  unit.slow = slow;
  let now = 0;
  for (const op of scenario.ops) {
    if (op.do === "write") unit.write(op.offset, op.value, now++);
    else if (op.do === "pause") now += op.cycles;
    else if (op.do === "read") {
      const value = unit.read(op.offset, now).toString(16).padStart(8, "0");
      lines.push(`R ${now} ${op.offset.toString(16).padStart(2, "0")} ${value}`);
      now++;
    } else {
      const idle = Math.min(unit.idleAt(now), now + op.limit);
      const late = idle === now + op.limit;
      const from = now;
      now = late ? idle - 1 : Math.max(now, idle);
      totals.polls.set(op, now - from + 1);
      lines.push(`${late ? "T" : "I"} ${now} ${unit.irq(now) ? 1 : 0}`);
      now++;
    }
  }
  const { mReads, mWrites, totalPushes, totalGrants, cycles } = unit.activity(now);
  totals.cycles += cycles;
  lines.push(`S ${totalPushes} ${totalGrants} ${mReads} ${mWrites}`);
  return lines;
}

function portsOf({ gaps, waits }: Scenario, batch: Batch, mmem: Uint8Array): TgemvPorts {
  const gap = (n: number) => batch.gaps[gaps.base + (n & gaps.mask)];
  const wait = (n: number) => batch.gaps[waits.base + (n & waits.mask)];
  return {
    weights: (address, bytes) => view(batch.wmem, address - W_BASE, bytes),
    sram: (address, bytes) => view(mmem, address - M_BASE, bytes),
    timing: {
      gaps(out, count, _, total) {
        for (let i = 0; i < count; i++) out[i] = gap(total + i) & ~REFUSE;
      },
    },
    wait: (n) => wait(n) & ~REFUSE,
    refusesBeat: (n) => (gap(n) & REFUSE) !== 0,
    refusesGrant: (n) => (wait(n) & REFUSE) !== 0,
  };
}

function view(memory: Uint8Array, at: number, bytes: number): Uint8Array {
  if (at < 0 || at >= MEMORY_BYTES) return memory.subarray(0, 0);
  return memory.subarray(at, Math.min(at + bytes, MEMORY_BYTES));
}
