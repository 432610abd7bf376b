/** Firmware into a simulated STM32 through its boot ROM, by our own client of AN3155. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Board } from "../../boards/board.ts";
import { type BootOptions, SimBoard } from "../../firmware-sim/index.ts";
import { Device } from "../device/device.ts";
import type { FirmwareProgress } from "../device/firmware/progress.ts";
import type { FirmwareSegment } from "../device/firmware/segments.ts";
import { flashStm32, type Stm32Options } from "../device/firmware/stm32.ts";
import { TritkitError } from "../errors.ts";
import { openPort } from "../transports/open.ts";
import { openSimLine, serveSim, startSim } from "../transports/sim.ts";
import type { Transport } from "../transports/transport.ts";
import { deviceWasm, scaledBoard } from "./bench_board.ts";
import { hasPty } from "./command.ts";
import { seeded } from "./seeded.ts";
import { inBoardTime, type VirtualLine, virtualLine } from "./virtual_line.ts";

const F405 = scaledBoard("stm32f405");
const H743 = scaledBoard("stm32h743");
const FLASH = 0x0800_0000;
const SECTOR_11 = FLASH + 0xe0000;

function noise(n: number, seed: number): Uint8Array {
  const random = seeded(seed);
  return Uint8Array.from({ length: n }, () => Math.floor(random() * 256));
}

/** Two segments, as the F405's release: the first ends in the middle of a block, and has a block of 0xFF. */
const FIRMWARE: FirmwareSegment[] = [
  { address: FLASH, bytes: Uint8Array.of(...noise(600, 1), ...new Array(512).fill(0xff), ...noise(130, 2)) },
  { address: SECTOR_11, bytes: noise(333, 3) },
];
const TOTAL = 600 + 512 + 130 + 333;

interface Chip {
  sim: SimBoard;
  line: VirtualLine;
}

function chip(boot: Partial<BootOptions> = {}, board: Board = F405, flash?: Uint8Array): Chip {
  const sim = SimBoard.create({
    board,
    flash,
    wasm: deviceWasm(board),
    boot: { from: "rom", firmware: FIRMWARE, ...boot },
  });
  sim.powerOn();
  return { sim, line: virtualLine(sim) };
}

/** Flash full of models: nothing of it may be lost. */
function withModels(board: Board = F405): Uint8Array {
  const flash = new Uint8Array(board.flash.bytes).fill(0xff);
  const { offset, bytes } = board.flash.partition;
  flash.set(noise(bytes, 9), offset);
  return flash;
}

const partitionOf = ({ flash }: SimBoard): Buffer => Buffer.from(flash.image());

function holds(sim: SimBoard, segments = FIRMWARE): boolean {
  return segments.every(({ address, bytes }) => Buffer.compare(sim.flashBus.read(address, bytes.length), bytes) === 0);
}

const flashIt = ({ sim, line }: Chip, options: Partial<Stm32Options> = {}, segments = FIRMWARE) =>
  inBoardTime(sim, () => flashStm32(line, segments, { board: sim.board, ...options }));

/** The transport with its cable cut after `n` bytes in both directions together, in the middle of a chunk as well. */
function cutAfter(line: VirtualLine, n: number): Transport {
  let left = n;
  const pass = (bytes: Uint8Array): Uint8Array => {
    const part = bytes.subarray(0, Math.max(left, 0));
    left -= bytes.length;
    return part;
  };
  return {
    ...line,
    async write(bytes) {
      await line.write(pass(bytes));
      if (left <= 0) line.unplug();
    },
    onData: (listener) =>
      line.onData((bytes) => {
        const part = pass(bytes);
        if (part.length > 0) listener(part);
        if (left <= 0) line.unplug();
      }),
  };
}

describe("an STM32 in its boot ROM", () => {
  it("gets its firmware, sector by sector, keeps its models, and starts", async () => {
    const board = chip({}, F405, withModels());
    const before = partitionOf(board.sim);
    const steps: FirmwareProgress[] = [];
    const done = await flashIt(board, { onProgress: (progress) => steps.push(progress) });
    assert.ok(holds(board.sim));
    assert.equal(Buffer.compare(partitionOf(board.sim), before), 0);
    assert.deepEqual(
      board.sim.flash.wear.every((wear) => wear === 0),
      true,
    );
    assert.deepEqual(board.sim.firmwareFlash.wear, [1, 0, 1], "sector 1 is not touched");
    assert.equal(board.sim.running, "module");

    assert.deepEqual([done.phase, done.bytes, done.total, done.skipped], ["done", TOTAL, TOTAL, 0]);
    const phases = steps.map(({ phase }) => phase).filter((phase, i, all) => phase !== all[i - 1]);
    assert.deepEqual(phases, ["connect", "erase", "write", "erase", "write", "verify", "reset", "done"]);
    assert.ok(steps.every(({ bytes, total }) => bytes >= 0 && bytes <= total));
    assert.ok(steps.every(({ seconds }, i) => i === 0 || seconds >= steps[i - 1].seconds));
    assert.ok(done.seconds > 1.25, "two erases");
    await inBoardTime(board.sim, async () => {
      const device = await Device.connect(board.line);
      assert.equal(device.hello.board, "stm32f405");
      await device.close();
    });
  });

  it("is done at once when everything is there, and nothing is erased", async () => {
    const board = chip();
    await flashIt(board, { go: false });
    const done = await flashIt(board);
    assert.deepEqual([done.bytes, done.skipped], [TOTAL, TOTAL]);
    assert.deepEqual(board.sim.firmwareFlash.wear, [1, 0, 1]);
    assert.equal(board.sim.running, "module");
  });

  it("gets only the sectors that differ", async () => {
    const board = chip();
    await flashIt(board, { go: false });
    const [first, second] = FIRMWARE;
    const changed = [first, { ...second, bytes: noise(333, 77) }];
    const done = await flashIt(board, { go: false }, changed);
    assert.deepEqual(board.sim.firmwareFlash.wear, [1, 0, 2]);
    assert.equal(done.skipped, first.bytes.length);
    assert.ok(holds(board.sim, changed));
  });

  it("of another geometry: flash words of 32 bytes that take one program", async () => {
    const firmware = [{ address: FLASH, bytes: noise(2000, 4) }];
    const board = chip({ firmware }, H743, withModels(H743));
    const before = partitionOf(board.sim);
    await flashIt(board, {}, firmware);
    assert.ok(holds(board.sim, firmware));
    assert.equal(Buffer.compare(partitionOf(board.sim), before), 0);
    assert.equal(board.sim.running, "module");
  });

  it("is reset into its ROM by the adapter's lines when they are wired, and boots from flash at later resets", async () => {
    const board = chip({ from: "flash" });
    assert.equal(board.sim.running, "nothing");
    await flashIt(board, { wiring: { reset: "dtr", boot0: "rts" } });
    assert.equal(board.sim.running, "module");
    board.sim.reset();
    assert.equal(board.sim.running, "module");
  });
});

describe("a cable that is cut", () => {
  it("at any byte: the next run completes what is missing", async () => {
    const whole = chip();
    await flashIt(whole);
    const all = whole.line.sent;
    assert.ok(all > 2 * TOTAL);
    const random = seeded(20261126);
    let cuts = 0;
    let skips = 0;
    for (let i = 0; i < 80; i++) {
      const at = i < 30 ? 1 + i : 1 + Math.floor(random() * (all - 1));
      const board = chip({}, F405, withModels());
      const before = partitionOf(board.sim);
      const first = flashIt({ ...board, line: cutAfter(board.line, at) as VirtualLine });
      await assert.rejects(first, (error: TritkitError) => error.code === "E_LINK_LOST", `cut after ${at} bytes`);
      cuts++;
      const done = await flashIt({ ...board, line: virtualLine(board.sim) }).catch((cause) => {
        throw new Error(`after a cut at byte ${at} of ${all}: ${cause.code} ${cause.message}`, { cause });
      });
      assert.ok(holds(board.sim), `after a cut at byte ${at}`);
      assert.equal(Buffer.compare(partitionOf(board.sim), before), 0, `models after a cut at byte ${at}`);
      assert.equal(board.sim.running, "module", `after a cut at byte ${at}`);
      if (done.skipped > 0) skips++;
    }
    assert.equal(cuts, 80);
    assert.ok(skips > 10, "what is in flash is not written again");
  });

  it("and power that fails in the middle of an erase or a program: the next run completes it", async () => {
    for (const operation of [1, 2, 4, 6, 7]) {
      const board = chip({}, F405, withModels());
      board.sim.firmwareFlash.cutAt(operation);
      await assert.rejects(flashIt(board), { code: "E_ROM_SYNC" });
      assert.equal(board.sim.state, "off");
      board.sim.powerOn();
      await flashIt(board);
      assert.ok(holds(board.sim), `after operation ${operation}`);
      assert.equal(board.sim.running, "module");
    }
  });
});

describe("a line that damages bytes", () => {
  for (const [name, faults] of [
    ["flips one bit in 20,000", { bitErrors: 5e-5 }],
    ["loses one piece in 100", { drops: 0.01 }],
    ["does both", { bitErrors: 2e-5, drops: 0.005 }],
  ] as const) {
    it(`${name}: the firmware arrives whole, or the error is clear`, async () => {
      let arrived = 0;
      for (let seed = 1; seed <= 8; seed++) {
        for (const board of [F405, H743]) {
          const firmware = board === F405 ? FIRMWARE : [{ address: FLASH, bytes: noise(1500, seed) }];
          const { sim } = chip({ firmware }, board, withModels(board));
          const before = partitionOf(sim);
          const line = virtualLine(sim, { random: seeded(seed), ...faults });
          try {
            await flashIt({ sim, line }, { go: false }, firmware);
            assert.ok(holds(sim, firmware), `${board.name}, seed ${seed}`);
            arrived++;
          } catch (error) {
            assert.ok(error instanceof TritkitError, String(error));
            assert.ok(["E_ROM_SYNC", "E_VERIFY", "E_FLASH_IO"].includes(error.code), `${error.code} ${error.message}`);
          }
          assert.equal(Buffer.compare(partitionOf(sim), before), 0, `models, ${board.name}, seed ${seed}`);
        }
      }
      assert.ok(arrived >= 14, `${arrived} of 16 arrived`);
    });
  }
});

describe("what goes wrong is said clearly", () => {
  const refused = async (board: Chip, expected: { code: string; message?: RegExp; hint?: RegExp }, options = {}) => {
    const before = Buffer.from(board.sim.flashBus.image());
    await assert.rejects(flashIt(board, options), (error: TritkitError) => {
      assert.equal(error.code, expected.code, error.message);
      if (expected.message !== undefined) assert.match(error.message, expected.message);
      if (expected.hint !== undefined) assert.match(error.hint, expected.hint);
      return true;
    });
    assert.equal(Buffer.compare(board.sim.flashBus.image(), before), 0, "nothing was written");
  };

  it("a wrong chip, before anything is written", async () => {
    const board = chip({}, H743, withModels(H743));
    const expected = { code: "E_WRONG_CHIP", message: /0x450 \(STM32H743\/753\).* stm32f405, 0x413/ };
    await refused(board, expected, { board: F405 });
  });

  it("a chip that is protected against reading", async () => {
    const hint = /erases the whole flash, models included/;
    await refused(chip({ protected: true }, F405, withModels()), { code: "E_READ_PROTECTED", hint });
  });

  it("a chip that is not in its ROM", async () => {
    await refused(chip({ from: "flash" }), { code: "E_ROM_SYNC", hint: /BOOT0 high/ });
  });

  it("a ROM whose speed was measured wrongly, until the chip is reset", async () => {
    const board = chip();
    await inBoardTime(board.sim, async () => {
      await board.line.setParity?.("even");
      await board.line.write(Uint8Array.of(0x06, 0x09));
    });
    await refused(board, { code: "E_ROM_SYNC", hint: /BOOT0 high and reset/ });
    board.sim.reset();
    await flashIt(board);
    assert.ok(holds(board.sim));
  });

  it("a ROM that goes silent in the middle: reset, and the next run goes on", async () => {
    const board = chip();
    let written = 0;
    const onProgress = ({ phase, bytes }: FirmwareProgress): void => {
      if (phase !== "write" || bytes === 0 || written++ > 0) return;
      board.sim.setStrap("flash");
      board.sim.reset();
    };
    await assert.rejects(flashIt(board, { onProgress }), {
      code: "E_ROM_SYNC",
      message: /stopped answering/,
      hint: /Reset the chip/,
    });
    board.sim.setStrap("rom");
    board.sim.reset();
    await flashIt(board);
    assert.ok(holds(board.sim));
  });

  it("a sector that is write-protected", async () => {
    const board = chip({}, F405, withModels());
    await inBoardTime(board.sim, async () => {
      await board.line.setParity?.("even");
      for (const bytes of [[0x7f], [0x63, 0x9c], [0, 11, 11]]) {
        await board.line.write(Uint8Array.from(bytes));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    });
    await assert.rejects(flashIt(board), (error: TritkitError) => {
      assert.equal(error.code, "E_VERIFY");
      assert.match(`${error.message} ${error.hint}`, /0x80e0000.*write-protected/);
      return true;
    });
  });

  it("segments that do not belong there: models' place, no flash, half a unit, one over the other, nothing", async () => {
    const at = (address: number, n = 8): FirmwareSegment => ({ address, bytes: new Uint8Array(n) });
    const wrong: [FirmwareSegment[], RegExp][] = [
      [[at(FLASH + 0x8000)], /where models lie/],
      [[at(FLASH + 0x7ffc)], /where models lie/],
      [[at(FLASH + 0xdfff8), at(SECTOR_11)], /where models lie/],
      [[at(0x0900_0000)], /has no flash for/],
      [[at(FLASH + 0xffffc)], /has no flash for/],
      [[at(FLASH + 2)], /program unit of 4 bytes/],
      [[at(FLASH), at(FLASH + 4)], /overlaps/],
      [[at(FLASH, 0)], /empty/],
    ];
    const { sim, line } = chip();
    for (const [segments, message] of wrong) {
      await assert.rejects(flashStm32(line, segments, { board: sim.board }), { code: "E_FIRMWARE_RANGE", message });
    }
    assert.equal(line.sent, 0);
  });

  it("modem lines where there are none", async () => {
    const { sim, line } = chip();
    const { setSignals: _, ...bare } = line;
    const wiring = { reset: "dtr", boot0: "rts" } as const;
    await assert.rejects(flashStm32(bare, FIRMWARE, { board: sim.board, wiring }), { code: "E_NO_MODEM_LINES" });
  });

  it("Ctrl-C, at any time", async () => {
    const board = chip();
    for (const phase of ["connect", "erase", "write", "verify"] as const) {
      const giveUp = new AbortController();
      const onProgress = (progress: FirmwareProgress): void => {
        if (progress.phase === phase) giveUp.abort();
      };
      await assert.rejects(flashIt(board, { onProgress, signal: giveUp.signal }), { code: "E_INTERRUPTED" });
    }
    await flashIt(board);
    assert.ok(holds(board.sim));
  });
});

describe("the same over ports of programs", () => {
  const boot = { boot: "rom", firmware: FIRMWARE } as const;

  it("sim: serialport's stream in this process, even parity and all, and the firmware's hello on the same line", async (t) => {
    const running = await startSim("stm32f405", boot);
    t.after(() => running.close());
    const transport = await openSimLine(running);
    t.after(() => transport.close());
    await flashStm32(transport, FIRMWARE, { board: running.board });
    const device = await Device.connect(transport);
    assert.equal(device.hello.board, "stm32f405");
  });

  it("a pseudo-terminal, through serialport", async (t) => {
    if (!(await hasPty())) return t.skip("no pseudo-terminals here: E_SIM_PORT_MISSING");
    const running = await startSim("stm32f405", boot);
    t.after(() => running.close());
    const served = await serveSim(running, "pty");
    t.after(() => served.close());
    const transport = await openPort(served.port);
    t.after(() => transport.close());
    const wiring = { reset: "dtr", boot0: "rts" } as const;
    await flashStm32(transport, FIRMWARE, { board: running.board, wiring });
    const device = await Device.connect(transport);
    assert.equal(device.hello.board, "stm32f405");
  });
});
