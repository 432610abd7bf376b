/** A board that is reset under a host, or heard nothing while the host's machine slept: the same Device goes on with it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import { listModels } from "../device/models.ts";
import { TritkitError } from "../errors.ts";
import { DEFAULT_BAUD } from "../transports/serial.ts";
import { deviceWasm, greedy, image, look, newBoard, scaledBoard, sha256, withBench } from "./bench_board.ts";
import { inBoardTime, pass, type VirtualLine, virtualLine } from "./virtual_line.ts";

const BOARD = scaledBoard("rp2040-pico", { sectors: 26 });
const WASM = deviceWasm(BOARD);
const OLD = image("relu2");
const NEW = image("llama");
const FAST = 921600;

const code = (wanted: string) => (error: unknown) => error instanceof TritkitError && error.code === wanted;

async function withOld(): Promise<ReturnType<typeof newBoard>> {
  const sim = newBoard(BOARD, WASM);
  await withBench(sim, (device) => flashModel(device, OLD));
  return sim;
}

/** A line that carries nothing while `asleep`: the machine at its end is suspended. */
function sleepy(line: VirtualLine): { line: VirtualLine; sleep(seconds: number): Promise<void> } {
  let asleep = false;
  const { write, onData } = line;
  line.write = async (bytes) => {
    if (!asleep) await write(bytes);
  };
  line.onData = (listener) => onData((bytes) => asleep || listener(bytes));
  return {
    line,
    async sleep(seconds) {
      asleep = true;
      await pass(seconds);
      asleep = false;
    },
  };
}

describe("a board that was reset", () => {
  it("is found again by the next request, in the fast mode within 10 s", async (t) => {
    const sim = await withOld();
    await inBoardTime(sim, async () => {
      const device = await Device.connect(virtualLine(sim));
      const before = await greedy(device);
      sim.reset();
      const started = sim.now;
      assert.deepEqual(
        (await listModels(device)).map(({ state }) => state),
        ["active", "empty"],
      );
      t.diagnostic(`${((sim.now - started) / 1e9).toFixed(1)} s`);
      assert.ok(sim.now - started < 10e9);
      assert.deepEqual([device.hello.baud, sim.uart.baud, device.session.framing.name], [FAST, FAST, "cobs"]);
      assert.deepEqual(await greedy(device), before);
      // The sign of life goes on, and closing gives the line back.
      await pass(30);
      assert.equal(sim.uart.baud, FAST);
      await device.close();
      await pass(0.1);
      assert.equal(sim.uart.baud, DEFAULT_BAUD);
    });
  });

  it("in the middle of an answer: says so within 20 s, and answers the next prompt", async (t) => {
    const sim = await withOld();
    await inBoardTime(sim, async () => {
      const device = await Device.connect(virtualLine(sim));
      const before = await greedy(device);
      let tokens = 0;
      const onToken = () => {
        if (++tokens === 20) sim.reset();
      };
      const started = sim.now;
      await assert.rejects(
        generateOnDevice(device, "ab", { temperature: 0, maxTokens: 400, onToken }),
        code("E_BOARD_RESET"),
      );
      t.diagnostic(`${((sim.now - started) / 1e9).toFixed(1)} s`);
      assert.ok(sim.now - started < 20e9);
      assert.deepEqual(await greedy(device), before);
      await device.close();
    });
  });

  it("in the middle of an upload: the upload goes on, and what was there does not travel again", async (t) => {
    const sim = await withOld();
    await inBoardTime(sim, async () => {
      const device = await Device.connect(virtualLine(sim));
      let done = false;
      const started = sim.now;
      const after = await flashModel(device, NEW, {
        onProgress: ({ phase, bytes }) => {
          if (phase === "write" && bytes > NEW.length / 2 && !done) {
            done = true;
            sim.reset();
          }
        },
      });
      t.diagnostic(`${((sim.now - started) / 1e9).toFixed(1)} s, ${after.skipped} of ${NEW.length} bytes were there`);
      assert.equal(after.phase, "done");
      assert.ok(sim.now - started < 15e9);
      assert.ok(after.skipped >= 3 * 4096);
      assert.equal((await look(sim, device)).inFlash, sha256(NEW));
      await device.close();
    });
  });

  it("by the host's own request, whose answer got lost: no error", async () => {
    const sim = await withOld();
    const line = virtualLine(sim);
    const { onData } = line;
    let deaf = false;
    line.onData = (listener) => onData((bytes) => deaf || listener(bytes));
    await inBoardTime(sim, async () => {
      const device = await Device.connect(line);
      deaf = true;
      setTimeout(() => {
        deaf = false;
      }, 500);
      await device.reset();
      assert.equal(sim.uart.baud, DEFAULT_BAUD);
      await device.refresh();
      await device.close();
    });
  });
});

describe("an upload that stopped in the middle of a sector", () => {
  it("goes on although flash holds already what the rest of that sector is to hold", async () => {
    const sim = await withOld();
    // Erased flash is what two sectors of this file are, so the plan finds nothing to send there.
    const file = NEW.slice();
    file.fill(0xff, 4096, 3 * 4096);
    await inBoardTime(sim, async () => {
      const device = await Device.connect(virtualLine(sim));
      const sha = Buffer.from(sha256(file), "hex");
      await device.writeImage(1, { image: 1, off: 0, len: file.length, sha, data: new Uint8Array() });
      for (let off = 0; off < 5 * 1024; off += 1024)
        await device.writeImage(1, { off, data: file.subarray(off, off + 1024) });
      // All of it arrives; what it is then is another matter.
      const phases: string[] = [];
      const upload = flashModel(device, file, { onProgress: ({ phase }) => phases.push(phase) });
      await assert.rejects(upload, (error) => error instanceof TritkitError && error.exitStatus === 3);
      assert.equal(phases.at(-1), "activate");
      await device.close();
    });
  });
});

describe("a machine that slept for a minute", () => {
  it("finds the board where it waits and goes on", async () => {
    const sim = await withOld();
    const { line, sleep } = sleepy(virtualLine(sim));
    await inBoardTime(sim, async () => {
      const device = await Device.connect(line);
      await sleep(60);
      assert.equal(sim.uart.baud, DEFAULT_BAUD);
      assert.equal((await greedy(device)).length, 5);
      assert.equal(sim.uart.baud, FAST);
      await device.close();
    });
  });

  it("in the middle of an answer gets the whole of it", async () => {
    const sim = await withOld();
    const { line, sleep } = sleepy(virtualLine(sim));
    await inBoardTime(sim, async () => {
      const device = await Device.connect(line);
      const options = { temperature: 0, maxTokens: 200 };
      const whole = (await generateOnDevice(device, "ab", options)).tokenIds;
      let tokens = 0;
      let slept: Promise<void> | null = null;
      const onToken = () => {
        if (++tokens === 20) slept = sleep(11);
      };
      assert.deepEqual((await generateOnDevice(device, "ab", { ...options, onToken })).tokenIds, whole);
      await slept;
      assert.equal(sim.uart.baud, FAST);
      await device.close();
    });
  });
});

describe("a board that an earlier host left in the fast mode", () => {
  const left = async () => {
    const sim = await withOld();
    return { sim, first: virtualLine(sim) };
  };

  it("and a host that leaves the line as it is: found at rest when it fell back, and after a reset", async () => {
    const { sim, first } = await left();
    await inBoardTime(sim, async () => {
      await Device.connect(first);
      first.unplug();
      const device = await Device.connect(virtualLine(sim), { baud: 0 });
      assert.deepEqual([device.hello.baud, device.session.framing.name], [FAST, "cobs"]);
      await pass(15);
      assert.equal((await listModels(device)).length, 2);
      assert.deepEqual([device.hello.baud, device.session.framing.name], [DEFAULT_BAUD, "console"]);
      await device.close();

      const second = virtualLine(sim);
      await Device.connect(second);
      second.unplug();
      const again = await Device.connect(virtualLine(sim), { baud: 0 });
      await again.reset();
      await again.refresh();
      assert.equal(again.hello.baud, DEFAULT_BAUD);
      await again.close();
    });
  });

  it("and a host whose own speed the line does not carry: stays in that mode, and keeps it", async () => {
    const { sim, first } = await left();
    await inBoardTime(sim, async () => {
      await Device.connect(first);
      first.unplug();
      const line = virtualLine(sim, undefined, (baud) => (baud === 460800 ? 500000 : baud));
      const device = await Device.connect(line, { baud: 460800 });
      assert.deepEqual([device.hello.baud, device.session.framing.name], [FAST, "cobs"]);
      await pass(30);
      assert.equal((await device.refresh()).baud, FAST);
      await device.close();
      await pass(0.1);
      assert.equal(sim.uart.baud, DEFAULT_BAUD);
    });
  });
});

describe("a board that is gone", () => {
  for (const what of ["chat", "flash"] as const) {
    it(`is given up within 30 s: ${what}`, async (t) => {
      const sim = await withOld();
      await inBoardTime(sim, async () => {
        const device = await Device.connect(virtualLine(sim));
        let gone = 0;
        const off = () => {
          if (sim.state === "on") sim.powerOff();
          gone ||= sim.now;
        };
        const onProgress = ({ bytes, skipped }: { bytes: number; skipped: number }) => {
          if (bytes > skipped + 8000) off();
        };
        if (what === "chat") off();
        const work = what === "chat" ? generateOnDevice(device, "ab") : flashModel(device, NEW, { onProgress });
        await assert.rejects(work, code("E_LINK_TIMEOUT"));
        t.diagnostic(`${((sim.now - gone) / 1e9).toFixed(1)} s`);
        assert.ok(sim.now - gone < 30e9);
        await device.close();
      });
    });
  }
});
