/**
 * The assistant that ships, from words to pins: the same ids and calls on a simulated board, in Node's engine and in the WASI build; tools that it never saw, and tools that are
 * gone.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import { modelPath } from "../assets.ts";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import { setDeviceTools } from "../device/tools.ts";
import { Engine } from "../engine/engine.ts";
import type { Answer } from "../generation.ts";
import { compileTools } from "../tools/compile.ts";
import { parseTools, type ToolsFile } from "../tools/parse.ts";
import { openSim } from "../transports/sim.ts";
import { json } from "./command.ts";
import { startWasiBoard } from "./wasi_board.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-everywhere-"));
after(() => rm(folder, { recursive: true }));

const image = async () => new Uint8Array(await readFile(await modelPath("assistant")));
const HOME = JSON.parse(await readFile(join(ROOT, "examples/assistant/tools/home.json"), "utf8"));
const GREEDY = { temperature: 0, maxTokens: 60 };
const told = ({ calls = [] }: Answer) => calls.map(({ tool, verb, value, result }) => [tool, verb, value, result]);

/** home.json without some of its tools, and with others. */
function homeWith(more: readonly object[], without: readonly string[] = []): ToolsFile {
  const kept = HOME.tools.filter(({ name }: { name: string }) => !without.includes(name));
  return parseTools("tools", JSON.stringify({ tools: [...kept, ...more] }));
}

/** Nothing was made: the model declined, or named a kind of which there is no tool. */
function isDeclined({ say, calls = [] }: Answer): boolean {
  return say === "decline" || (say === "call" && calls.length > 0 && calls.every(({ tool }) => tool === null));
}

describe("the assistant", () => {
  const WORDS = "please switch the lamp on and set the fan to 40 percent";

  test("two commands in a sentence: both calls, both pins, and the same ids everywhere", async () => {
    const events = await json(["demo", "--model", "assistant", "-p", WORDS, "--json"]);
    const calls = events.filter(({ event }) => event === "call");
    assert.deepEqual(
      calls.map(({ tool, verb, value, unit, result }) => [tool, verb, value, unit, result]),
      [
        ["lamp", "on", 100, "percent", "done"],
        ["fan", "set", 40, "percent", "done"],
      ],
    );
    const pulses = events.filter(({ event }) => event === "pwm").map(({ pin, duty, hz }) => [pin, duty, hz]);
    assert.deepEqual(pulses, [
      [15, 65535, 1000],
      [16, 26214, 25000],
    ]);
    const answer = events.find(({ event }) => event === "answer");
    const ids = answer?.token_ids as number[];
    assert.ok(ids.length >= 8 - 1);

    const engine = await Engine.open(await image());
    assert.deepEqual((await engine.generate(WORDS, GREEDY)).tokenIds, ids);
    const wasi = startWasiBoard(join(folder, "flash.bin"));
    try {
      const device = await Device.connect(wasi.transport);
      await flashModel(device, await image());
      const there = await generateOnDevice(device, WORDS, GREEDY);
      assert.deepEqual(there.tokenIds, ids);
      await device.close();
    } finally {
      await wasi.kill();
    }
  });

  /** Tools whose names nobody trained on, and what is said to them. */
  const NEW: [tool: object, words: string, verb: string, value: number | null][] = [
    [{ name: "fish feeder", kind: "switch", aliases: ["feeder"] }, "turn on the fish feeder", "on", null],
    [{ name: "quorbling", kind: "switch", aliases: ["quorb"] }, "please switch the quorb off", "off", null],
    [
      {
        name: "grow tent",
        kind: "light",
        aliases: ["tent"],
        argument: { unit: "percent", min: 0, max: 100, step: 10 },
      },
      "set the grow tent to 35 percent",
      "set",
      35,
    ],
    [
      {
        name: "zephyr nine",
        kind: "fan",
        aliases: ["zephyr"],
        argument: { unit: "percent", min: 0, max: 100, step: 10 },
      },
      "turn up the zephyr by 30 percent",
      "up",
      30,
    ],
    [
      { name: "kiln", kind: "heater", aliases: [], argument: { unit: "celsius", min: 20, max: 1200, step: 50 } },
      "set the kiln to 850 degrees",
      "set",
      850,
    ],
  ];

  for (const [tool, words, verb, value] of NEW) {
    const { name } = tool as { name: string };
    test(`a tool that it never saw is called by its name: ${words}`, async () => {
      const engine = await Engine.open(await image());
      engine.setTools(homeWith([tool]));
      assert.deepEqual(told(await engine.generate(words, GREEDY)), [[name, verb, value, "dry"]]);
    });
  }

  test("so on a board, over the wire, without another model; its pin moves", async () => {
    const device = await Device.connect(await openSim("rp2040-pico", { seed: 1 }));
    const pins: unknown[] = [];
    device.session.transport.onPins?.((event) => {
      if (!event.led) pins.push([event.pin, event.event === "pin" ? event.level : event.duty]);
    });
    try {
      await flashModel(device, await image());
      const feeder = { name: "fish feeder", kind: "switch", aliases: ["feeder"], drive: { type: "gpio", pin: 11 } };
      await setDeviceTools(device, compileTools(homeWith([feeder], ["fan"])));
      const fed = await generateOnDevice(device, "turn on the fish feeder", GREEDY);
      assert.deepEqual(told(fed), [["fish feeder", "on", null, "done"]]);
      assert.deepEqual(pins, [[11, 1]]);
      const gone = await generateOnDevice(device, "set the fan to 40 percent", GREEDY);
      assert.ok(isDeclined(gone), JSON.stringify(gone));
      assert.deepEqual(pins, [[11, 1]]);
    } finally {
      await device.close();
    }
  });

  for (const [name, words] of [
    ["lamp", "turn on the lamp"],
    ["heater", "set the heater to 21 degrees"],
    ["coffee machine", "switch the coffee machine on please"],
    ["vacuum", "start the vacuum cleaner"],
  ])
    test(`without its tool it is declined: ${words}`, async () => {
      const engine = await Engine.open(await image());
      assert.deepEqual(told(await engine.generate(words, GREEDY))[0].slice(0, 1), [name]);
      engine.setTools(homeWith([], [name]));
      const gone = await engine.generate(words, GREEDY);
      assert.ok(isDeclined(gone), JSON.stringify(gone));
    });
});
