/** The room of a demo: what its sensors measure comes back out of the raw readings, by the range that a tool declares. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadBoard } from "../assets.ts";
import { roomReadings } from "../cli/demo_room.ts";
import { callText } from "../cli/tools_view.ts";
import { parseTools } from "../tools/parse.ts";

const adc = (channel: number, raw: [number, number]) => ({ type: "adc", channel, raw });
const degrees = { unit: "celsius", min: -40, max: 125 };
const percent = { unit: "percent", min: 0, max: 100 };
const { tools } = parseTools(
  "tools",
  JSON.stringify({
    tools: [
      { name: "warmth", kind: "temperature", argument: degrees, drive: adc(0, [0, 65535]) },
      { name: "dampness", kind: "humidity", argument: percent, drive: adc(1, [60000, 10000]) },
      { name: "daylight", kind: "luminance", argument: { ...percent, min: 50 }, drive: adc(2, [0, 65535]) },
      { name: "same", kind: "temperature", argument: degrees, drive: adc(0, [0, 65535]) },
      { name: "scale", kind: "sensor", argument: percent, drive: adc(3, [0, 65535]) },
      { name: "far", kind: "temperature", argument: degrees, drive: adc(9, [0, 65535]) },
    ],
  }),
);

test("a falling range, a range that leaves the room out, a channel once, none that the board lacks", async () => {
  const board = await loadBoard("rp2040-pico");
  assert.deepEqual(roomReadings(tools, board, []), [
    { tool: "warmth", channel: 0, raw: Math.round((65535 * 61) / 165), text: "21 °C" },
    { tool: "dampness", channel: 1, raw: 37500, text: "45 %" },
    { tool: "daylight", channel: 2, raw: 0, text: "50 %" },
  ]);
});

test("--sensor wins, and a board without an ADC measures nothing", async () => {
  const names = roomReadings(tools, await loadBoard("rp2040-pico"), [0, 2]).map(({ tool }) => tool);
  assert.deepEqual(names, ["dampness"]);
  assert.deepEqual(roomReadings(tools, await loadBoard("stm32f405"), []), []);
});

test("people read a tenth of what is measured, and whatever was set to the last digit", () => {
  const found = { dryRun: false, tools, words: [] };
  const call = { verb: "get", value: 20.999, unit: "celsius", seconds: null, result: "done", margin: 9 } as const;
  assert.equal(callText({ ...call, tool: "warmth" }, found), "warmth  21 °C");
  assert.equal(callText({ ...call, tool: "elsewhere" }, found), "elsewhere  20.999 °C");
});
