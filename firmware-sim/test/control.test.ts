/** A board that is held, goes on a little, and runs; and the commands that do it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Commands } from "../control/commands.ts";
import { FaultPanel } from "../faults/panel.ts";
import { openLine } from "../line.ts";
import { LiveBoard } from "../live.ts";
import { SimBoard } from "../sim_board.ts";
import { build, ECHO, numbers, PICO } from "./toy.ts";

async function bench(speed: 1 | "max" = "max") {
  const board = SimBoard.create({ board: PICO, wasm: await build(ECHO, PICO) });
  const live = new LiveBoard(board, { speed });
  const commands = new Commands(live, new FaultPanel(board));
  const heard: number[] = [];
  const line = openLine(live);
  line.onData((bytes) => heard.push(...bytes));
  return { board, live, commands, line, heard };
}

for (const speed of [1, "max"] as const)
  describe(`a board at speed ${speed} that is held`, () => {
    it("stands still, whatever the wall clock does, and goes on where it was", async () => {
      const { board, live, line, heard } = await bench(speed);
      try {
        live.pause();
        const at = board.now;
        line.write(numbers(5));
        await sleep(60);
        assert.equal(board.now, at);
        assert.deepEqual(heard, []);
        live.resume();
        const end = performance.now() + 10_000;
        while (heard.length < 5 && performance.now() < end) await sleep(1);
        assert.deepEqual(heard, [...numbers(5)], "what was on the line meanwhile arrives");
      } finally {
        live.close();
      }
    });

    it("goes on by polls and by simulated time, exactly", async () => {
      const { board, live, commands } = await bench(speed);
      try {
        await commands.execute("pause");
        const polls = live.polls;
        await commands.execute("step 3");
        assert.equal(live.polls, polls + 3);
        await commands.execute("s");
        assert.equal(live.polls, polls + 4);
        await commands.execute("");
        assert.equal(live.polls, polls + 5, "an empty line repeats");
        const at = board.now;
        await commands.execute("step 250 us");
        assert.ok(board.now >= at + 250_000 && board.now < at + 255_000, `${board.now - at} ns`);
        await commands.execute("step 2ms");
        assert.ok(live.paused);
        assert.match(await commands.execute("status"), /^paused at \d+\.\d{6} s, \d+ polls, 0 tokens, speed/);
      } finally {
        live.close();
      }
    });
  });

describe("commands", () => {
  it("switch, reset, drive pins and sensors, and change the speed", async () => {
    const { board, live, commands } = await bench();
    try {
      assert.match(await commands.execute("power off"), /^off at/);
      assert.equal(board.state, "off");
      assert.match(await commands.execute("power on"), /^running at/);
      await commands.execute("reset");
      await commands.execute("pin 3 0");
      assert.equal(board.gpio.read(3), 0);
      await commands.execute("pin 3 open");
      assert.equal(board.gpio.read(3), 1);
      await commands.execute("sensor 1 1234");
      assert.equal(board.adc.read(1), 1234);
      assert.match(await commands.execute("speed 1"), /speed 1$/);
      assert.match(await commands.execute("fault uart-noise:per=9"), /^uart-noise: one byte in 9 in both directions$/);
      assert.notEqual(board.uart.noise, null);
      await commands.execute("fault clear");
      assert.equal(board.uart.noise, null);
    } finally {
      live.close();
    }
  });

  it("are refused by name when they are none, and change nothing then", async () => {
    const { board, live, commands } = await bench();
    try {
      live.pause();
      const at = board.now;
      for (const line of [
        ...["jump", "step -1", "step x", "step ms", "token 1.5", "speed 2", "power", "pin 99 1", "pin 3", "sensor 9 1"],
        ...["fault", "step 1 ns", "sensor 0 65536"],
      ])
        await assert.rejects(commands.execute(line), { code: "E_SIM_COMMAND" }, line);
      await assert.rejects(commands.execute("fault nothing"), { code: "E_SIM_FAULT" });
      await assert.rejects(commands.execute("fault lost-irq"), { code: "E_SIM_FAULT", message: /has no coprocessor/ });
      assert.equal(board.now, at);
    } finally {
      live.close();
    }
  });

  it("a pause ends a step that waits", async () => {
    const { live, commands } = await bench();
    try {
      const waiting = commands.execute("token");
      await commands.execute("pause");
      assert.match(await waiting, /^paused/);
    } finally {
      live.close();
    }
  });
});
