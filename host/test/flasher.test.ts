/** The flasher and the chat's device against the shipped device build: skip, resume, lost and damaged bytes, slots, link. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import { activateModel, confirmModel, eraseModel, listModels, rollBack, type SlotInfo } from "../device/models.ts";
import { TritkitError } from "../errors.ts";
import { DEFAULT_BAUD } from "../transports/serial.ts";
import { bench, deviceWasm, image, look, newBoard, scaledBoard, sha256, withBench } from "./bench_board.ts";
import { seeded } from "./seeded.ts";
import { inBoardTime, pass, virtualLine } from "./virtual_line.ts";

const BOARD = scaledBoard("rp2040-pico", { sectors: 26 });
const WASM = deviceWasm(BOARD);
const OLD = image("relu2");
const NEW = image("llama");
const OLD_SHA = sha256(OLD);
const NEW_SHA = sha256(NEW);
const SECTOR = 4096;

const hex = ({ sha }: SlotInfo): string => Buffer.from(sha).toString("hex");
const states = async (device: Device): Promise<string[]> => (await listModels(device)).map(({ state }) => state);
const code = (wanted: string) => (error: unknown) => error instanceof TritkitError && error.code === wanted;

/** A board on which the old model is active. */
async function withOld(): Promise<ReturnType<typeof newBoard>> {
  const sim = newBoard(BOARD, WASM);
  await withBench(sim, (device) => flashModel(device, OLD));
  return sim;
}

/** Fewer bytes on the line than any sector has: no content travelled, apart from the last sector's. */
const withoutContent = (bytes: number): boolean => bytes < SECTOR;

describe("what is there already does not travel", () => {
  it("the same model again: nothing is sent", async () => {
    const sim = await withOld();
    const operations = sim.flash.operations;
    await withBench(sim, async (device, line) => {
      const done = await flashModel(device, OLD);
      assert.deepEqual([done.phase, done.skipped, done.bytes], ["done", OLD.length, OLD.length]);
      assert.ok(withoutContent(line.toBoard), `${line.toBoard} bytes`);
    });
    assert.equal(sim.flash.operations, operations);
  });

  it("the other verified model: nothing is sent, it becomes active", async () => {
    const sim = await withOld();
    await withBench(sim, (device) => flashModel(device, NEW));
    await withBench(sim, async (device, line) => {
      assert.equal((await flashModel(device, OLD)).skipped, OLD.length);
      assert.ok(withoutContent(line.toBoard), `${line.toBoard} bytes`);
      assert.equal((await look(sim, device)).active, OLD_SHA);
    });
  });

  it("sectors that are equal: only the others are sent", async () => {
    const sim = await withOld();
    await withBench(sim, async (device) => {
      await flashModel(device, NEW);
      await activateModel(device, Buffer.from(OLD_SHA, "hex"), true);
      await eraseModel(device, 1);
      // The records are gone, the bytes are still there; one sector is spoilt.
      const content = sim.flash.image();
      content[content.length / 2 + SECTOR + 3 * SECTOR + 100] ^= 0xff;
      sim.flash.load(content);
      const done = await flashModel(device, NEW);
      const last = NEW.length % SECTOR;
      assert.equal(done.total - done.skipped, SECTOR + last);
      assert.equal((await look(sim, device)).inFlash, NEW_SHA);
    });
  });
});

describe("an upload that breaks off", () => {
  it(`goes on after the plug fell out anywhere: 120 times, old model untouched until the end`, async (t) => {
    const sim = await withOld();
    const before = sim.snapshot();
    let whole = 0;
    await withBench(sim, async (device, line) => {
      await flashModel(device, NEW);
      whole = line.toBoard;
    });
    const random = seeded(5);
    let resumed = 0;
    for (let i = 0; i < 120; i++) {
      sim.restore(before);
      const after = 1 + Math.floor(random() * whole);
      const cut = withBench(sim, (device) => flashModel(device, NEW), { unplugAfter: after });
      await assert.rejects(cut, code("E_LINK_LOST"), `unplugged after ${after} bytes`);
      await withBench(sim, async (device, line) => {
        const found = await look(sim, device);
        assert.equal(found.active, OLD_SHA, `after ${after} bytes`);
        assert.equal(found.inFlash, OLD_SHA);
        const { skipped } = await flashModel(device, NEW);
        if (skipped > 0) {
          resumed++;
          assert.ok(line.toBoard < whole, `${line.toBoard} of ${whole} bytes after ${after}`);
        }
        // Three sectors and what surrounds them: one at least is complete.
        assert.ok(skipped > 0 || after < 3 * SECTOR * 1.5, `nothing was left of ${after} bytes`);
        assert.deepEqual(await look(sim, device).then(({ active, inFlash }) => [active, inFlash]), [NEW_SHA, NEW_SHA]);
      });
    }
    t.diagnostic(`120 cuts, ${resumed} resumed with less than the whole, 0 wrong models`);
    assert.ok(resumed > 60);
  });

  it("comes to its end however often it breaks off", async () => {
    const sim = await withOld();
    const random = seeded(9);
    let tries = 0;
    for (let done = false; !done; tries++) {
      assert.ok(tries < 100);
      const unplugAfter = 9000 + Math.floor(random() * 3000);
      done = await withBench(sim, (device) => flashModel(device, NEW), { unplugAfter }).then(
        () => true,
        (error) => {
          assert.ok(code("E_LINK_LOST")(error), String(error));
          return false;
        },
      );
    }
    assert.ok(tries > 3);
    await withBench(sim, async (device) => assert.equal((await look(sim, device)).inFlash, NEW_SHA));
  });

  for (const how of ["reset", "power cut"] as const) {
    it(`goes on after a ${how}, with what is in flash by then`, async () => {
      const sim = await withOld();
      const base = sim.flash.operations;
      const ends = new AbortController();
      if (how === "power cut") sim.flash.cutAt(90);
      const onWrite = () => {
        if (how === "reset" && sim.flash.operations - base > 90) ends.abort();
      };
      const upload = withBench(sim, (device) => flashModel(device, NEW, { signal: ends.signal }), { onWrite });
      await assert.rejects(upload, code(how === "reset" ? "E_INTERRUPTED" : "E_LINK_LOST"));
      if (how === "reset") sim.reset();
      else sim.powerOn();
      await withBench(sim, async (device) => {
        assert.ok((device.hello.upload?.offset ?? 0) > 0, "a checkpoint is known");
        const { skipped } = await flashModel(device, NEW);
        assert.ok(skipped >= 4 * SECTOR, `${skipped} bytes were there`);
        assert.equal((await look(sim, device)).inFlash, NEW_SHA);
      });
    });
  }
});

describe("a line that damages and loses", () => {
  const LINES: [what: string, bitErrors: number, drops: number][] = [
    ["one bit in 30000 flipped", 1 / 30000, 0],
    ["one bit in 10000 flipped", 1e-4, 0],
    ["one piece in 200 lost", 0, 1 / 200],
    ["both", 3e-5, 1 / 400],
  ];
  for (const [what, bitErrors, drops] of LINES) {
    it(`${what}: the model arrives as it is`, async (t) => {
      const told: string[] = [];
      for (const seed of [1, 2, 3, 4, 5]) {
        const sim = newBoard(BOARD, WASM, seed);
        const line = virtualLine(sim, { random: seeded(seed), bitErrors, drops });
        const seconds = await inBoardTime(sim, async () => {
          const device = await Device.connect(line);
          const { seconds } = await flashModel(device, NEW);
          await device.close();
          return seconds;
        });
        sim.reset();
        await withBench(sim, async (device) => {
          const { active, inFlash } = await look(sim, device);
          assert.deepEqual([active, inFlash], [NEW_SHA, NEW_SHA]);
        });
        told.push(`${Math.round(line.sent / 1000)} kB ${seconds.toFixed(1)} s`);
      }
      t.diagnostic(`${NEW.length} bytes took ${told.join(", ")}`);
    });
  }

  it("one that lets hardly anything through: refused, and nothing false is accepted", async () => {
    for (const seed of [1, 2, 3]) {
      const sim = await withOld();
      const line = virtualLine(sim, { random: seeded(seed), bitErrors: 2e-3 });
      const attempt = inBoardTime(sim, async () => {
        const device = await Device.connect(line);
        await flashModel(device, NEW);
      });
      await assert.rejects(attempt, (error) => error instanceof TritkitError && error.exitStatus === 4);
      sim.reset();
      await withBench(sim, async (device) => assert.equal((await look(sim, device)).inFlash, OLD_SHA));
    }
  });

  it("damage that a frame's CRC would let pass is found by the digest", async () => {
    const sim = await withOld();
    await withBench(sim, async (device) => {
      const wrong = NEW.slice();
      wrong[20_000] ^= 4;
      // What a host sends that claims another file's digest.
      const { session } = device;
      const sha = Buffer.from(NEW_SHA, "hex");
      await session.write(1, 1, { image: 1, off: 0, len: NEW.length, sha, data: new Uint8Array() });
      let match: unknown;
      for (let off = 0; off < wrong.length; off += 1024) {
        const reply = await session.write(1, 1, { off, data: wrong.subarray(off, off + 1024) });
        match = reply.body.match;
      }
      assert.equal(match, false);
      await assert.rejects(activateModel(device, sha, true), code("E_NO_MODEL"));
      assert.deepEqual(await states(device), ["active", "empty"]);
      assert.equal((await look(sim, device)).inFlash, OLD_SHA);
    });
  });
});

describe("slots", () => {
  it("test, reset, test, confirm, roll back", async () => {
    const sim = await withOld();
    await withBench(sim, (device) => flashModel(device, NEW, { confirm: false }));
    await withBench(sim, async (device) => {
      assert.deepEqual(await states(device), ["active", "test"].sort());
      assert.equal(device.hello.model, "llama");
    });
    sim.reset();
    await withBench(sim, async (device) => {
      assert.equal((await look(sim, device)).active, OLD_SHA);
      await flashModel(device, NEW, { confirm: false });
      await confirmModel(device);
    });
    sim.reset();
    await withBench(sim, async (device) => {
      assert.equal((await look(sim, device)).active, NEW_SHA);
      assert.equal(hex(await rollBack(device)), OLD_SHA);
    });
    sim.reset();
    await withBench(sim, async (device) => assert.equal((await look(sim, device)).active, OLD_SHA));
  });

  it("erases the model that is not in use, and no other", async () => {
    const sim = await withOld();
    await withBench(sim, async (device) => {
      await flashModel(device, NEW);
      const [first, second] = await listModels(device);
      assert.deepEqual([hex(first), hex(second)], [OLD_SHA, NEW_SHA]);
      await assert.rejects(eraseModel(device, 1), code("E_BAD_STATE"));
      await eraseModel(device, 0);
      assert.deepEqual(await states(device), ["empty", "active"]);
      await assert.rejects(rollBack(device), code("E_NO_MODEL"));
    });
  });

  it("refuses a third model while one is under test and one confirmed", async () => {
    const sim = newBoard(scaledBoard("rp2040-pico", { sectors: 30 }), WASM);
    await withBench(sim, async (device) => {
      await flashModel(device, OLD);
      await flashModel(device, NEW, { confirm: false });
      await assert.rejects(flashModel(device, image("silu")), code("E_BAD_STATE"));
      assert.deepEqual(await states(device), ["active", "test"]);
    });
  });

  it("one large model: refused, with single it takes both slots, and two come back after it", async () => {
    // Slots of 8 sectors, 32 KiB.
    const board = scaledBoard("rp2040-pico", { sectors: 18 });
    const sim = newBoard(board, WASM);
    await withBench(sim, async (device) => {
      await assert.rejects(flashModel(device, OLD), code("E_FLASH_FULL"));
      await flashModel(device, OLD, { single: true });
      assert.deepEqual(await states(device), ["active", "empty"]);
      assert.equal((await look(sim, device)).inFlash, OLD_SHA);
    });
    sim.reset();
    await withBench(sim, async (device) => {
      assert.equal((await look(sim, device)).inFlash, OLD_SHA);
      // Another large one has to take its place.
      const large = image("silu");
      await assert.rejects(flashModel(device, large), code("E_FLASH_FULL"));
      await flashModel(device, large, { single: true });
      assert.equal((await look(sim, device)).inFlash, sha256(large));
      // A small one, too, but after that there is room for two.
      await flashModel(device, NEW, { single: true });
      assert.deepEqual(
        device.hello.slots.map(({ bytes }) => bytes),
        [8 * SECTOR, 8 * SECTOR],
      );
      assert.equal((await look(sim, device)).inFlash, NEW_SHA);
    });
  });
});

describe("the link", () => {
  it("is fast while it is used, kept by a sign of life, and given back", async () => {
    const sim = await withOld();
    await inBoardTime(sim, async () => {
      const device = await Device.connect(virtualLine(sim));
      assert.deepEqual([device.hello.baud, device.session.framing.name, sim.uart.baud], [921600, "cobs", 921600]);
      await pass(30);
      assert.equal(sim.uart.baud, 921600);
      assert.equal((await device.refresh()).baud, 921600);
      await device.close();
      await pass(0.1);
      assert.equal(sim.uart.baud, DEFAULT_BAUD);
    });
  });

  it("comes back by itself 10 s after a host that vanished", async () => {
    const sim = await withOld();
    const line = virtualLine(sim);
    await inBoardTime(sim, async () => {
      await Device.connect(line);
      line.unplug();
      await pass(9);
      assert.equal(sim.uart.baud, 921600);
      await pass(2);
      assert.equal(sim.uart.baud, DEFAULT_BAUD);
    });
  });

  it("is found at once by the next host, in whatever mode the last one left it", async () => {
    const sim = await withOld();
    const line = virtualLine(sim);
    await inBoardTime(sim, async () => {
      await Device.connect(line);
      line.unplug();
      const device = await Device.connect(virtualLine(sim));
      assert.equal((await look(sim, device)).active, OLD_SHA);
      await device.close();
    });
  });

  it("stays at a speed that works when the line does not carry a faster one", async () => {
    const sim = await withOld();
    // An adapter that says yes to 921600 and does something else.
    const line = virtualLine(sim, undefined, (baud) => (baud > 460800 ? 500000 : baud));
    await inBoardTime(sim, async () => {
      const device = await Device.connect(line);
      assert.deepEqual([device.session.framing.name, sim.uart.baud], ["console", DEFAULT_BAUD]);
      await flashModel(device, NEW);
      assert.equal((await look(sim, device)).inFlash, NEW_SHA);
      await device.close();
    });
  });

  it("and one that carries it towards the board only", async () => {
    const sim = await withOld();
    const line = virtualLine(sim);
    let deaf = false;
    const onData = line.onData;
    line.onData = (listener) => onData((bytes) => deaf || listener(bytes));
    const { setBaud } = line;
    line.setBaud = async (baud) => {
      deaf = baud > DEFAULT_BAUD;
      await setBaud(baud);
    };
    await inBoardTime(sim, async () => {
      const device = await Device.connect(line);
      assert.deepEqual([device.session.framing.name, sim.uart.baud], ["console", DEFAULT_BAUD]);
      await device.close();
    });
  });

  it("is lost with a clear error when nobody is there", async () => {
    const sim = await withOld();
    sim.powerOff();
    await assert.rejects(
      inBoardTime(sim, () => Device.connect(virtualLine(sim))),
      code("E_NOT_TRITKIT"),
    );
    await assert.rejects(Device.connect(bench(sim)), code("E_LINK_LOST"));
  });
});
