/** Calls without a model on a simulated Pico with the shipped device build: what its pins do, for how long, and what its sensors say. */
import assert from "node:assert/strict";
import { it } from "node:test";
import type { SimBoard } from "../../firmware-sim/index.ts";
import { assistantImage } from "../../spec/test/assistant_image.ts";
import { flashModel } from "../device/flasher.ts";
import { type CallRequest, callTool, setDeviceTools, setDryRun } from "../device/tools.ts";
import { compileTools } from "../tools/compile.ts";
import { parseTools } from "../tools/parse.ts";
import { deviceWasm, image, newBoard, scaledBoard, withBench } from "./bench_board.ts";

const TOOLS = [
  {
    name: "lamp",
    kind: "light",
    aliases: ["lamp"],
    argument: { unit: "percent", min: 0, max: 100, step: 20 },
    drive: { type: "pwm", pin: 15, hz: 1000, duty: [0, 65535] },
  },
  { name: "pump", kind: "switch", aliases: ["pump"], drive: { type: "gpio", pin: 14 } },
  {
    name: "temperature",
    kind: "temperature",
    aliases: ["temperature"],
    argument: { unit: "celsius", min: -40, max: 125 },
    drive: { type: "adc", channel: 0, raw: [0, 65535] },
  },
  {
    name: "timer",
    kind: "timer",
    aliases: ["timer"],
    argument: { unit: "seconds", min: 1, max: 86400 },
    drive: { type: "timer", pin: 13 },
  },
];
const table = (tools: unknown[]) => compileTools(parseTools("test", JSON.stringify({ name: "test", tools })));
/** GPIO 0 is the UART's: neither the table nor a call can have it. */
const UART = [{ name: "bell", kind: "switch", aliases: ["bell"], drive: { type: "gpio", pin: 0 } }];

async function pico(): Promise<SimBoard> {
  const board = scaledBoard("rp2040-pico");
  const sim = newBoard(board, deviceWasm(board), 1);
  const model = assistantImage(Buffer.from(image("relu2")), { table: table(TOOLS) });
  await withBench(sim, (device) => flashModel(device, new Uint8Array(model)));
  return sim;
}

const call = (sim: SimBoard, request: CallRequest) =>
  withBench(sim, async (device) => {
    const { result, value } = await callTool(device, request);
    return [result, value];
  });

it("drives, measures and takes back when its time is over, while nobody asks", async () => {
  const sim = await pico();
  assert.equal(sim.pwm.pulse(15), null, "nothing is driven before the first call");
  assert.deepEqual(await call(sim, { tool: "lamp", verb: "set", value: 40 }), ["done", 40]);
  assert.deepEqual(sim.pwm.pulse(15), { duty: 26214, hz: 1000 });
  sim.adc.set(0, 26214);
  assert.deepEqual(await call(sim, { tool: "temperature", verb: "get" }), ["done", 26]);

  assert.deepEqual(await call(sim, { tool: "lamp", verb: "on", seconds: 3600 }), ["done", 40]);
  assert.deepEqual(await call(sim, { tool: "lamp", verb: "off", seconds: 3600 }), ["done", 0]);
  assert.deepEqual(await call(sim, { tool: "pump", verb: "on", seconds: 5400 }), ["done", null]);
  assert.deepEqual(await call(sim, { tool: "timer", verb: "set", value: 7200 }), ["done", 7200]);
  const begun = sim.now;
  const levels: [minute: number, lamp: number | undefined, pump: number | null, bell: number | null][] = [];
  for (let minute = 0; minute <= 121; minute++) {
    sim.run({ maxUs: 1000 + minute * 60e6 - (sim.now - begun) / 1000 });
    const seen = [sim.pwm.pulse(15)?.duty, sim.gpio.level(14), sim.gpio.level(13)] as const;
    if (String(levels.at(-1)?.slice(1)) !== String(seen)) levels.push([minute, ...seen]);
  }
  // Each look is a moment after the minute: the timer's second is not over at 120.
  assert.deepEqual(
    levels.map(([, ...seen]) => seen),
    [
      [0, 1, null],
      [26214, 1, null],
      [26214, 0, null],
      [26214, 0, 1],
      [26214, 0, 0],
    ],
  );
  assert.deepEqual(
    levels.map(([minute]) => minute),
    [0, 60, 90, 120, 121],
  );
});

it("cannot have the pins of the board's own line, and in a dry run has none", async () => {
  const sim = await pico();
  await withBench(sim, (device) => setDeviceTools(device, table(UART)));
  assert.deepEqual(await call(sim, { tool: "bell", verb: "on" }), ["failed", null]);
  await withBench(sim, (device) => setDeviceTools(device, table(TOOLS)));
  await withBench(sim, (device) => setDryRun(device, true));
  assert.deepEqual(await call(sim, { tool: "pump", verb: "on" }), ["dry", null]);
  assert.equal(sim.gpio.level(14), null);
});
