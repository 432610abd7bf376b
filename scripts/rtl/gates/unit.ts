/** Runs the netlist of the whole unit in the test bench of `npm run rtl`, against the model: the gates that were counted are those that work. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TGEMV_DEFAULTS } from "../../../firmware-sim/peripherals/tgemv/config.ts";
import { TritkitError } from "../../../host/errors.ts";
import { ROOT } from "../../lib/root.mjs";
import { compare } from "../compare.ts";
import { randomBatches } from "../random_jobs.ts";
import { buildSimulator } from "../simulator.ts";
import { RTL } from "./yosys.ts";

/** @returns the jobs that were run */
export function runUnit(netlist: string, slots: number, jobs: number): number {
  mkdirSync(join(ROOT, "build"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, "build/netlist-"));
  try {
    for (const file of ["tb_tgemv.v", "tb_clock.v", "tb_main.cpp"]) copyFileSync(join(RTL, file), join(folder, file));
    writeFileSync(join(folder, "tgemv.v"), wrapper(readFileSync(join(RTL, "tgemv.v"), "utf8")));
    writeFileSync(join(folder, "tgemv_gates.v"), netlist.replace(/^module tgemv\(/m, "module tgemv_gates("));
    const config = { ...TGEMV_DEFAULTS, slots };
    const simulator = buildSimulator("iverilog", config, folder);
    let done = 0;
    for (const batch of randomBatches(1, jobs, config)) {
      const { differences, jobs } = compare(simulator, batch, config);
      done += jobs;
      if (differences.length === 0) continue;
      const [{ scenario, model, rtl }] = differences;
      throw new TritkitError(
        "E_NETLIST_WRONG",
        `The netlist of TGEMV differs from its model in scenario ${scenario.number}, ${scenario.about}: ${rtl}, and not ${model}.`,
        "npm run rtl says whether the Verilog does, too.",
      );
    }
    return done;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The unit's own head, with its parameters, around gates that have none. The test bench looks at `phase`. */
function wrapper(source: string): string {
  const head = source.slice(0, source.indexOf("\n);") + 4);
  const ports = [...head.matchAll(/^ +(?:input|output) +wire +(?:\[[^\]]*\] +)?(\w+)/gm)].map(
    ([, name]) => `.${name}(${name})`,
  );
  return `${head}    wire [2:0] phase = gates.phase;\n    tgemv_gates gates (${ports.join(", ")});\nendmodule\n`;
}
