/** Sentences of the ARMv6-M Architecture Reference Manual, B3.3. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SYST_CSR, SYST_CVR, SYST_RVR, SysTick } from "../rp2040/systick.ts";
import { benchClock } from "./bench_clock.ts";

function bench() {
  const { clock, core, pass } = benchClock();
  const at: number[] = [];
  const sysTick = new SysTick({
    cycles: () => core.cycles,
    alarm: (run) => clock.createAlarm(run),
    pend: () => at.push(core.cycles),
    onMisuse: (what) => assert.fail(what),
  });
  return { sysTick, pass, at };
}

describe("SysTick", () => {
  it("counts from the reload value to 0, RVR + 1 cycles a period, and interrupts at 0", () => {
    const { sysTick, pass, at } = bench();
    sysTick.write(SYST_RVR, 999);
    sysTick.write(SYST_CVR, 5);
    sysTick.write(SYST_CSR, 7);
    assert.equal(sysTick.read(SYST_CVR), 0);
    pass(1);
    assert.equal(sysTick.read(SYST_CVR), 999);
    pass(998);
    assert.equal(sysTick.read(SYST_CVR), 1);
    pass(2000);
    assert.deepEqual(at, [1000, 2000]);
    assert.equal(sysTick.read(SYST_CVR), 1);
  });

  it("sets COUNTFLAG at 0, and clears it when it is read", () => {
    const { sysTick, pass } = bench();
    sysTick.write(SYST_RVR, 9);
    sysTick.write(SYST_CSR, 5);
    pass(10);
    assert.equal(sysTick.read(SYST_CSR), 0x10005);
    assert.equal(sysTick.read(SYST_CSR), 5);
  });

  it("stands still while it is off", () => {
    const { sysTick, pass, at } = bench();
    sysTick.write(SYST_RVR, 99);
    sysTick.write(SYST_CSR, 7);
    pass(31);
    sysTick.write(SYST_CSR, 6);
    pass(1000);
    assert.equal(sysTick.read(SYST_CVR), 69);
    assert.deepEqual(at, []);
  });
});
