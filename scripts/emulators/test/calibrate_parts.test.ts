/** What an emulator counted, told apart: helpers among their callers, the wire by the calls that there were. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { OpCounts } from "../../../firmware-sim/index.ts";
import { costTable } from "../../../firmware-sim/meter/cost_table.ts";
import { CLASSES } from "../calibrate/classes.ts";
import { errorOf, judge } from "../calibrate/judge.ts";
import type { Measured } from "../calibrate/measure.ts";
import { firmwareBeside, normalised, ownCounts, partOf, WIRE } from "../calibrate/parts.ts";
import { RUNS } from "../calibrate/runs.ts";

const PLANE = "as_kernels_ternary_lut_lut_plane";
const QUANTISE = "as_model_quantise_norm_quantise";
const PORT = "as_wire_port_port_pump";

function phase(ops: Record<string, OpCounts>, counted: Record<string, number>, more: Partial<Measured> = {}): Measured {
  const cycles = new Map(Object.entries(counted));
  return {
    run: RUNS[0],
    phase: "decode",
    tokens: 1,
    emulated: { cycles, instructions: cycles, calls: new Map() },
    ops: new Map(Object.entries(ops)),
    calls: new Map(),
    hal: { calls: 0, bytes: 0 },
    flash: { bytes: 0, dataWait: 0, codeWait: 0 },
    ...more,
  };
}

const priors = CLASSES.map(() => 1);

describe("library routines", () => {
  it("count with the functions whose instructions need them, and nothing is lost", () => {
    const phases = [
      phase({ [PLANE]: { alu: 100 }, [QUANTISE]: { div64: 3 } }, { [PLANE]: 150, [QUANTISE]: 50, __udivmoddi4: 900 }),
      phase(
        { [PLANE]: { alu: 10, mul64: 5 }, [QUANTISE]: { div64: 1 } },
        { [PLANE]: 20, [QUANTISE]: 10, __udivmoddi4: 300 },
      ),
    ];
    const [first, second] = ownCounts(phases, "cycles", priors);
    assert.equal(first.get(PLANE), 150, "it divides nothing");
    assert.equal(first.get(QUANTISE), 950);
    const all = (second.get(PLANE) as number) + (second.get(QUANTISE) as number);
    assert.ok(Math.abs(all - 330) < 1e-6, String(all));
  });

  it("are none of the linker's veneers and none of the board's own functions", () => {
    const of = phase({ [PLANE]: { div: 1 } }, { [PLANE]: 5, [`__${PLANE}_veneer`]: 7, __uart_fill_veneer: 9 });
    assert.equal(ownCounts([of], "cycles", priors)[0].get(PLANE), 5);
    assert.equal(firmwareBeside(of, "cycles").counted, 16);
  });
});

describe("the wire", () => {
  it("is told apart from the token", () => {
    assert.equal(partOf(PORT), WIRE);
    assert.notEqual(partOf(PLANE), WIRE);
    assert.notEqual(partOf("as_model_feed_forward_feed_forward"), WIRE);
  });

  it("is as much as the emulated chip was asked", () => {
    const cycles = new Map([[PORT, 40]]);
    const more = {
      calls: new Map([[PORT, 10]]),
      emulated: { cycles, instructions: cycles, calls: new Map([[PORT, 25]]) },
    };
    const of = phase({ [PORT]: { alu: 100 }, [PLANE]: { alu: 100 } }, {}, more);
    assert.deepEqual(normalised(of, PORT, { alu: 100 }), { alu: 250 });
    assert.deepEqual(normalised(of, PLANE, { alu: 100 }), { alu: 100 }, "a token's work is what it is");
  });
});

it("a table is judged without the wire, and by part", () => {
  const table = costTable("cortex-m0plus");
  const of = phase({ [PLANE]: { load: 1000 }, [PORT]: { alu: 10 } }, { [PLANE]: 4000, [PORT]: 1e6 });
  const name = "as/kernels/ternary_lut/lut_plane";
  const factor = table.functions[name].cycles;
  const [{ total, parts }] = judge([of], new Map([[PLANE, name]]), table, "cycles");
  assert.equal(total.counted, 4000);
  assert.ok(Math.abs(total.predicted - 1000 * table.cycles.load * factor) < 1e-6);
  assert.equal(parts.get(WIRE)?.counted, 1e6);
  assert.ok(Math.abs(errorOf(total) - (total.predicted / 4000 - 1)) < 1e-12);
});
