/** Sums by hand, the rules of kinds, and what others have published about the same quantities. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../../../scripts/lib/root.mjs";
import { type Activity, activityBetween, activityOf, activitySum } from "../activity.ts";
import { energyOf } from "../energy_of.ts";
import { EVENT_NAMES, EVENTS } from "../events.ts";
import { type EnergyProfile, type Kind, parseProfile } from "../profile.ts";
import { energyProfile, PROFILE_NAMES } from "../profiles.ts";

const json = (path: string) => JSON.parse(readFileSync(join(ROOT, path), "utf8"));
const gates = (design: string) => json("firmware-sim/rtl/gates.json").designs[design];
const boards = readdirSync(join(ROOT, "boards"))
  .filter((name) => name.endsWith(".json"))
  .map((name) => json(`boards/${name}`));
const value = (profile: string, event: keyof EnergyProfile["constants"]) => {
  const constant = energyProfile(profile).constants[event];
  assert.ok(constant, `${profile} ${event}`);
  return constant.value;
};
const close = (got: number, want: number, share: number) =>
  assert.ok(Math.abs(got / want - 1) <= share, `${got} is not within ${100 * share} % of ${want}`);

function toy(constants: Record<string, [value: number, kind: Kind]>): EnergyProfile {
  const entries = Object.entries(constants).map(([event, [value, kind]]) => [
    event,
    { value, unit: EVENTS[event as keyof typeof EVENTS].unit, kind, source: "a test" },
  ]);
  return parseProfile({ name: "toy", title: "t", covers: "c", constants: Object.fromEntries(entries) }, "toy");
}

test("every file of profiles/ ships, and every board names one that does", () => {
  const files = readdirSync(join(ROOT, "firmware-sim/energy/profiles")).map((name) => name.replace(".json", ""));
  assert.deepEqual([...PROFILE_NAMES].sort(), files.sort());
  for (const name of PROFILE_NAMES) assert.equal(energyProfile(name).name, name);
  const named = boards.filter(({ energy }) => energy !== null && energy !== undefined);
  assert.ok(named.length >= 6);
  for (const { energy } of named) energyProfile(energy);
});

test("a chip's profile has a figure for everything that its board can do", () => {
  const happens = Object.keys(
    activityOf({ ns: 1, cpu: { cycles: 1, waitCycles: 1, hz: 1e9 }, flash: { readBytes: 1, busyNs: 1 } }),
  ) as (keyof Activity)[];
  for (const { energy } of boards) {
    if (energy === null || energy === undefined) continue;
    for (const event of happens) if (event !== "psram_byte") value(energy, event);
  }
});

test("a sum by hand", () => {
  const profile = toy({ core_cycle: [100, "measured"], flash_byte: [1000, "datasheet"], sleep: [2, "derived"] });
  const energy = energyOf({ core_cycle: 50, flash_byte: 3, sleep: 1000, uart_byte: 7 }, profile);
  // 50 * 100 + 3 * 1000 + 1000 ns * 2 mW
  assert.equal(energy.pj, 10_000);
  assert.deepEqual(
    energy.events.map(({ event, count, pj }) => [event, count, pj]),
    [
      ["core_cycle", 50, 5000],
      ["flash_byte", 3, 3000],
      ["sleep", 1000, 2000],
    ],
  );
  assert.deepEqual(energy.unknown, ["uart_byte"]);
});

test("a total is known as well as the worst of its parts that count", () => {
  const profile = toy({ core_cycle: [1, "measured"], flash_byte: [1, "assumed"], psram_byte: [1, "derived"] });
  assert.equal(energyOf({ core_cycle: 1000, flash_byte: 5 }, profile).kind, "measured");
  assert.equal(energyOf({ core_cycle: 1000, flash_byte: 11 }, profile).kind, "assumed");
  assert.equal(energyOf({ core_cycle: 500, psram_byte: 500 }, profile).kind, "derived");
  assert.equal(energyOf({}, profile).pj, 0);
});

test("counters of a board as events: computing, waiting and sleeping fill the time", () => {
  const activity = activityOf({
    ns: 1_000_000,
    cpu: { cycles: 60_000, waitCycles: 10_000, hz: 100_000_000 },
    flash: { readBytes: 4000, busyNs: 50 },
    uart: { sentBytes: 12 },
    tgemv: { cycles: 900, laneSteps: 800, lanes: 20, sramWords: 70, flashBytes: 3200, psramBytes: 0 },
  });
  assert.equal(activity.core_cycle, 50_000);
  assert.equal(activity.wait_cycle, 10_000);
  // 60,000 cycles at 100 MHz are 600 us.
  assert.equal(activity.sleep, 400_000);
  assert.equal(activity.leakage, 1_000_000);
  assert.equal(activity.flash_byte, 7200);
  assert.equal(activity.ternary_lane, 16_000);
  const twice = activitySum(activity, activity);
  assert.equal(twice.core_cycle, 100_000);
  assert.deepEqual(activityBetween(activity, activitySum(activity, { uart_byte: 3 })), { uart_byte: 3 });
});

test("a profile with a mistake is refused by its path", () => {
  const good = json("firmware-sim/energy/profiles/rp2040.json");
  const refused = (change: (copy: typeof good) => void, message: RegExp) => {
    const copy = structuredClone(good);
    change(copy);
    assert.throws(() => parseProfile(copy, "rp2040"), { code: "E_SIM_ENERGY", message });
  };
  refused((copy) => (copy.constants.core_cycle.value = -1), /constants\.core_cycle\.value: expected a number/);
  refused((copy) => (copy.constants.core_cycle.unit = "mW"), /constants\.core_cycle\.unit: expected one of pJ/);
  refused((copy) => (copy.constants.core_cycle.kind = "guessed"), /kind: expected one of measured/);
  refused((copy) => delete copy.constants.sleep.source, /constants\.sleep\.source: expected a text/);
  refused((copy) => (copy.constants.core_cycles = copy.constants.sleep), /core_cycles: unknown field/);
  refused((copy) => (copy.name = "rp2350"), /name: expected one of rp2040/);
  assert.throws(() => energyProfile("toString"), { code: "E_SIM_ENERGY" });
});

test("constants are those of the publications: ratios that their authors print", () => {
  // BitNet b1.58, figure 3: 71.4 times less for a multiplication and an addition at 7 nm.
  close((value("cmos-7nm", "fp16_add") + value("cmos-7nm", "fp16_mul")) / value("cmos-7nm", "int8_add"), 71.4, 0.001);
  // Horowitz: a float32 multiply-add takes 4.6 pJ at 45 nm.
  close(value("cmos-45nm", "fp32_add") + value("cmos-45nm", "fp32_mul"), 4.6, 1e-9);
  for (const event of EVENT_NAMES.filter((name) => /_(add|mul)$/.test(name)))
    assert.ok(value("cmos-7nm", event) < value("cmos-45nm", event), event);
});

test("currents of the publications come out again: V * I = cycles and leakage", () => {
  const milliwatt = (profile: string, mhz: number) =>
    (value(profile, "core_cycle") * mhz) / 1000 + value(profile, "leakage");
  close(milliwatt("stm32f405", 168), 0.238 * 168 * 3.3, 0.005);
  close(milliwatt("stm32h743", 400), 0.275 * 400 * 3.3, 0.005);
  close(milliwatt("esp32-c3", 160), 26.8 * 3.3, 0.005);
  close(milliwatt("esp32-s3", 240), 45 * 3.3, 0.005);
  close(value("esp32-s3", "sleep") + value("esp32-s3", "leakage"), 31.7 * 3.3, 0.005);
});

test("derived lanes: gate counts, and the order of magnitude of silicon that others measured", () => {
  const lanes = gates("packed-block").ge;
  const { tgemv_core, tgemv_decode, tgemv_tree } = gates("tgemv-v4").modules as Record<string, number>;
  const core = tgemv_core + tgemv_decode + tgemv_tree;
  for (const profile of ["cmos-45nm", "cmos-7nm"]) {
    const int8Mac = value(profile, "int8_mul") + value(profile, "int32_add");
    close(value(profile, "ternary_lane"), (lanes / gates("int8-booth").ge) * int8Mac, 0.005);
    close(value(profile, "tgemv_cycle"), ((core - lanes) / (gates("int8-booth").ge / 20)) * int8Mac, 0.005);
  }
  // BrainTTA at 22 nm: 67 fJ for a ternary operation, memories included.
  assert.ok(value("cmos-7nm", "ternary_lane") < 0.067 && value("cmos-45nm", "ternary_lane") > 0.067 / 4);
  // bitnet-kv260: 417.5 MB of weights a token, 6.2 W at 16.78 tokens a second, all of the board. DRAM alone must be less, and not negligible.
  const board = 6.2 / 16.78;
  const dram = (417.5e6 / 8) * value("cmos-45nm", "dram64") * 1e-12;
  assert.ok(dram < board && dram > board / 10, `${dram} J of ${board} J`);
});
