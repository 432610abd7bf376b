/**
 * Tables of cores that no emulator here runs: estimated from one that was calibrated.
 *
 * Xtensa LX7 (ESP32-S3), from RV32: both load and store with a register and an offset, both have 32-bit products and quotients and a pipeline that stops for a load
 * whose value is needed at once. The LX7 adds a shifted register in one instruction (ADDX2), which takes one of five instructions out of the table kernel's step,
 * and has no compare-and-branch that RV32 lacks: 0.8 of its instructions there, 0.95 elsewhere (Xtensa ISA Reference Manual, from memory). Cycles: Espressif
 * publishes about the same CoreMark a megahertz for one LX7 of the ESP32-S3 (1181.6 of two at 240 MHz, 2.46 each) as for the ESP32-C3 (407.2 at 160 MHz, 2.55): data
 * sheets, not re-read. Uncertainty: assumed 30 %.
 */
import type { CostTable } from "../../../firmware-sim/index.ts";
import { checkedTable } from "../../../firmware-sim/meter/cost_table.ts";

const XTENSA = "xtensa-lx7";
const TABLE_KERNEL = "as/kernels/ternary_lut/lut_plane";
const KERNEL = 0.8;
const ELSEWHERE = 0.95;

/** @param from of RV32 */
export function estimatedXtensa(from: CostTable): CostTable {
  const scaled = (costs: CostTable["cycles"]) =>
    Object.fromEntries(Object.entries(costs).map(([of, cost]) => [of, rounded(cost * ELSEWHERE)]));
  const kernel = from.functions[TABLE_KERNEL];
  if (kernel === undefined) throw new Error(`the table of ${from.core} has no factor for ${TABLE_KERNEL}`);
  const why =
    "estimated: from RV32's table, whose instructions and pipeline are most like it (docs/simulator.md); uncertain by some 30 %";
  return checkedTable(
    {
      ...from,
      core: XTENSA,
      provenance: { instructions: why, cycles: why },
      instructions: scaled(from.instructions),
      cycles: scaled(from.cycles),
      functions: {
        ...from.functions,
        [TABLE_KERNEL]: {
          ...kernel,
          instructions: rounded((kernel.instructions * KERNEL) / ELSEWHERE),
          cycles: rounded((kernel.cycles * KERNEL) / ELSEWHERE),
        },
      },
    },
    XTENSA,
  );
}

function rounded(value: number): number {
  return Number(value.toFixed(4));
}
