import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Line, openLine } from "../line.ts";
import { LiveBoard, type LiveOptions } from "../live.ts";
import { SimBoard } from "../sim_board.ts";
import type { SimError } from "../sim_error.ts";
import { build, ECHO, numbers, PICO, says } from "./toy.ts";

const S = 1e9;

async function live(
  source: string,
  options: LiveOptions = {},
): Promise<{ running: LiveBoard; line: Line; heard: number[] }> {
  const running = new LiveBoard(SimBoard.create({ board: PICO, wasm: await build(source, PICO) }), options);
  const line = openLine(running);
  const heard: number[] = [];
  line.onData((bytes) => heard.push(...bytes));
  return { running, line, heard };
}

/** Waits for something to become true; fails after 20 s of wall time. */
async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!condition()) {
    assert.ok(performance.now() < end, "it does not happen");
    await sleep(1);
  }
}

for (const speed of [1, "max"] as const) {
  describe(`a live board at speed ${speed}`, () => {
    it("answers over the line in this process", async () => {
      const { running, line, heard } = await live(ECHO, { speed });
      try {
        line.write(numbers(300));
        await until(() => heard.length >= 300);
        await sleep(50);
        line.write(Uint8Array.of(1, 2, 3));
        await until(() => heard.length >= 303);
        assert.deepEqual(heard, [...numbers(300), 1, 2, 3]);
      } finally {
        running.close();
      }
    });

    it("lets the firmware's time pass while nothing happens, and costs little then", async () => {
      // After one byte: answers when half a second has passed.
      const source = `let since: u32 = 0; ${says("", "if (uart_read(word, 1) > 0) since = ticks(); if (since && ticks() - since >= 500000) { since = 0; say(1); } return 0;")}`;
      const { running, line, heard } = await live(source, { speed });
      try {
        const wall = performance.now();
        // Counted in polls: seconds of CPU would be those of everything else that this machine does.
        let polls = 0;
        const { board } = running;
        const step = board.step.bind(board);
        board.step = () => {
          polls++;
          return step();
        };
        line.write(Uint8Array.of(1));
        await until(() => heard.length > 0);
        const seconds = (performance.now() - wall) / 1000;
        assert.ok(seconds > 0.49, `after ${seconds} s`);
        assert.ok(polls < 2000, `${polls} polls in half a second, a thousand would do`);
      } finally {
        running.close();
      }
    });

    it("says when the power is cut, and goes on when it comes back", async () => {
      const ends: (SimError | null)[] = [];
      const source = says("say(1)", "if (uart_read(word, 1) > 0) flash_erase(0, 4096); return 0;");
      const { running, line, heard } = await live(source, { speed, onOff: (error) => ends.push(error) });
      try {
        await until(() => heard.length === 4);
        running.board.flash.cutAt(1);
        line.write(Uint8Array.of(0));
        await until(() => ends.length > 0);
        assert.deepEqual(ends, [null]);
        line.write(Uint8Array.of(0)); // nobody hears it
        running.board.powerOn();
        running.wake();
        await until(() => heard.length === 8);
      } finally {
        running.close();
      }
    });

    it("says when the module stops", async () => {
      const ends: (SimError | null)[] = [];
      const { running } = await live(says("", "unreachable(); return 0;"), {
        speed,
        onOff: (error) => ends.push(error),
      });
      try {
        await until(() => ends.length > 0);
        assert.equal(ends[0]?.code, "E_SIM_TRAP");
      } finally {
        running.close();
      }
    });
  });
}

describe("simulated time beside the wall clock", () => {
  it("is never ahead at speed 1: 2000 bytes there and back take their time on the line", async () => {
    const { running, line, heard } = await live(ECHO, { speed: 1 });
    try {
      const wall = performance.now();
      line.write(numbers(2000));
      await until(() => heard.length >= 2000);
      const seconds = (performance.now() - wall) / 1000;
      assert.ok(seconds >= 2000 * (10 / 115200), `${seconds} s`);
      assert.deepEqual(heard, [...numbers(2000)]);
    } finally {
      running.close();
    }
  });

  it("is never ahead at speed 1: what follows half a second of erasing is not heard before", async () => {
    const source = says("", "if (uart_read(word, 1) == 0) return 0; flash_erase(0, 49152); say(1); return 1;");
    const { running, line, heard } = await live(source, { speed: 1 });
    try {
      const wall = performance.now();
      line.write(Uint8Array.of(1));
      await until(() => heard.length > 0);
      const ms = performance.now() - wall;
      assert.ok(ms >= 12 * 45, `${ms} ms`);
    } finally {
      running.close();
    }
  });

  it("is never ahead at speed 1 by more than the poll that runs", async () => {
    const wall = performance.now();
    const { running } = await live(says("", "wait(2000); return 1;"), { speed: 1 });
    try {
      await sleep(300);
      const [simulated, real] = [running.board.now / 1e6, performance.now() - wall];
      assert.ok(simulated <= real + 3 && simulated > 10, `${simulated} ms in ${real} ms`);
    } finally {
      running.close();
    }
  });

  it("follows the wall clock at full speed, too, while the firmware sleeps in wait()", async () => {
    const wall = performance.now();
    const { running } = await live(says("", "wait(5000); return 1;"));
    try {
      await until(() => running.board.now > 300e6);
      const [simulated, real] = [running.board.now / 1e6, performance.now() - wall];
      assert.ok(simulated <= real + 30, `${simulated} ms in ${real} ms`);
    } finally {
      running.close();
    }
  });

  it("runs ahead at full speed: an erase of a minute of simulated time is over at once", async () => {
    const source = says(
      "",
      "if (uart_read(word, 1) == 0) return 0; for (let i = 0; i < 448; i++) flash_erase(4096 * i, 4096); say(1); return 1;",
    );
    const { running, line, heard } = await live(source);
    try {
      const wall = performance.now();
      line.write(Uint8Array.of(1));
      await until(() => heard.length > 0);
      assert.ok(running.board.now > 20 * S);
      assert.ok(performance.now() - wall < 10_000);
    } finally {
      running.close();
    }
  });

  it("lets others have their turn between two polls of a busy board", async () => {
    const { running } = await live(says("", "return 1;"));
    try {
      for (let i = 0; i < 50; i++) await sleep(1);
      let turns = 0;
      const end = performance.now() + 200;
      while (performance.now() < end) {
        await new Promise((resolve) => setImmediate(resolve));
        turns++;
      }
      assert.ok(turns > 50, `${turns} turns in 200 ms`);
    } finally {
      running.close();
    }
  });
});

describe("the line of a live board", () => {
  it("has one host at a time", async () => {
    const { running, line } = await live(ECHO);
    try {
      assert.throws(() => openLine(running), { code: "E_SIM_LINE_BUSY" });
      line.close();
      openLine(running).close();
    } finally {
      running.close();
    }
  });

  it("garbles when the host's speed is not the board's, until it is", async () => {
    const { running, line, heard } = await live(ECHO);
    try {
      line.setBaud(9600);
      line.write(Uint8Array.of(1, 2, 3, 4));
      await sleep(100);
      assert.notDeepEqual(heard, [1, 2, 3, 4]);
      line.setBaud(115200);
      await sleep(50);
      heard.length = 0;
      line.write(Uint8Array.of(1, 2, 3, 4));
      await until(() => heard.length >= 4);
      assert.deepEqual(heard, [1, 2, 3, 4]);
    } finally {
      running.close();
    }
  });
});
