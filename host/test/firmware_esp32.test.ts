/** Firmware into a simulated ESP32-S3 and ESP32-C3 through their boot ROMs, by Espressif's esptool-js. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import type { Board } from "../../boards/board.ts";
import { type BootOptions, SimBoard } from "../../firmware-sim/index.ts";
import { Device } from "../device/device.ts";
import { type Esp32Options, flashEsp32 } from "../device/firmware/esp32.ts";
import { espTransport, loadEsptool, SILENT } from "../device/firmware/esptool_port.ts";
import type { FirmwareProgress } from "../device/firmware/progress.ts";
import { RomLine } from "../device/firmware/rom_line.ts";
import type { FirmwareSegment } from "../device/firmware/segments.ts";
import { TritkitError } from "../errors.ts";
import { openPort } from "../transports/open.ts";
import { openSimLine, serveSim, startSim } from "../transports/sim.ts";
import type { Transport } from "../transports/transport.ts";
import { deviceWasm, scaledBoard } from "./bench_board.ts";
import { hasPty } from "./command.ts";
import { seeded } from "./seeded.ts";
import { inBoardTime, type LineFaults, type VirtualLine, virtualLine } from "./virtual_line.ts";

// Partitions of eight sectors: enough to see that models are left alone.
const S3 = scaledBoard("esp32-s3", { sectors: 8 });
const C3 = scaledBoard("esp32-c3", { sectors: 8 });
const SECTOR = 4096;
const MAGIC = [0x1d, 0x04, 0xdb, 0xae];

function noise(n: number, seed: number): Uint8Array {
  const random = seeded(seed);
  return Uint8Array.from({ length: n }, () => Math.floor(random() * 256));
}

/** A direct boot image longer than a piece, with a stretch that compresses, and a second one elsewhere. */
const firmwareOf = ({ flash }: Board): FirmwareSegment[] => [
  {
    address: flash.base,
    bytes: Uint8Array.of(...MAGIC, ...MAGIC, ...noise(20_000, 1), ...new Array(15_000).fill(0x55), ...noise(6003, 2)),
  },
  { address: flash.base + 0x10000, bytes: noise(333, 3) },
];
const TOTAL = 8 + 20_000 + 15_000 + 6003 + 333;

interface Chip {
  sim: SimBoard;
  line: VirtualLine;
}

function chip(board: Board, boot: Partial<BootOptions> = {}, faults?: LineFaults): Chip {
  const flash = new Uint8Array(board.flash.bytes).fill(0xff);
  flash.set(noise(board.flash.partition.bytes, 9), board.flash.partition.offset);
  const firmware = firmwareOf(board);
  const sim = SimBoard.create({ board, flash, wasm: deviceWasm(board), boot: { from: "flash", firmware, ...boot } });
  sim.powerOn();
  return { sim, line: virtualLine(sim, faults) };
}

const modelsOf = ({ flash }: SimBoard): Buffer => Buffer.from(flash.image());

function holds(sim: SimBoard, segments = firmwareOf(sim.board)): boolean {
  return segments.every(({ address, bytes }) => Buffer.compare(sim.flashBus.read(address, bytes.length), bytes) === 0);
}

const flashIt = (
  { sim, line }: { sim: SimBoard; line: Transport },
  options: Partial<Esp32Options> = {},
  segments = firmwareOf(sim.board),
) => inBoardTime(sim, () => flashEsp32(line, segments, { board: sim.board, ...options }));

/** Without modem lines, as over TCP. */
const withoutLines = ({ sim, line }: Chip) => ({ sim, line: { ...line, setSignals: undefined } as Transport });

/** The transport with its cable cut after `n` bytes in both directions together. */
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

for (const board of [S3, C3]) {
  describe(`an ${board.chip}`, () => {
    it("gets its firmware by esptool-js, keeps its models, and starts", async () => {
      const { sim, line } = chip(board);
      assert.equal(sim.running, "nothing", "a flash without firmware");
      const before = modelsOf(sim);
      const steps: FirmwareProgress[] = [];
      const done = await flashIt({ sim, line }, { onProgress: (progress) => steps.push(progress) });
      assert.ok(holds(sim));
      assert.equal(Buffer.compare(modelsOf(sim), before), 0);
      assert.ok(sim.flash.wear.every((wear) => wear === 0));
      assert.equal(sim.running, "module");
      assert.deepEqual([done.phase, done.bytes, done.total, done.skipped], ["done", TOTAL, TOTAL, 0]);
      const phases = steps.map(({ phase }) => phase).filter((phase, i, all) => phase !== all[i - 1]);
      assert.deepEqual(phases, ["connect", "write", "verify", "reset", "done"]);
      assert.ok(steps.every(({ bytes, total }) => bytes >= 0 && bytes <= total));
      assert.ok(steps.every(({ seconds }, i) => i === 0 || seconds >= steps[i - 1].seconds));
      assert.ok(done.seconds > 11 * 0.045, "eleven erases");
      await inBoardTime(sim, async () => {
        const device = await Device.connect(line);
        assert.equal(device.hello.board, board.name);
        await device.close();
      });
    });

    it("is done at once when everything is there, and nothing is erased", async () => {
      const { sim, line } = chip(board);
      await flashIt({ sim, line });
      const wear = [...sim.firmwareFlash.wear];
      const done = await flashIt({ sim, line });
      assert.deepEqual([done.bytes, done.skipped], [TOTAL, TOTAL]);
      assert.deepEqual(sim.firmwareFlash.wear, wear);
      assert.equal(sim.running, "module");
    });

    it("gets only the pieces that differ", async () => {
      const { sim, line } = chip(board);
      await flashIt({ sim, line });
      const [first, second] = firmwareOf(board);
      const changed = [first, { ...second, bytes: noise(333, 77) }];
      const done = await flashIt({ sim, line }, {}, changed);
      assert.equal(done.skipped, first.bytes.length);
      assert.ok(holds(sim, changed));
      assert.deepEqual([sim.firmwareFlash.wear[0], sim.firmwareFlash.wear[16]], [1, 2]);
    });

    it("without modem lines, when it is in its ROM already", async () => {
      const board_ = chip(board, { from: "rom" });
      await flashIt(withoutLines(board_));
      assert.ok(holds(board_.sim));
      assert.equal(board_.sim.running, "module", "restarted by its watchdog");
    });

    it("agrees with esptool-js about MD5, flash size and what it reads back", async () => {
      const { sim, line } = chip(board);
      await flashIt({ sim, line });
      const [{ bytes }] = firmwareOf(board);
      const esptool = await loadEsptool();
      const transport = espTransport(esptool, new RomLine(line), null);
      const loader = new esptool.ESPLoader({ transport, baudrate: 921600, romBaudrate: 115200, terminal: SILENT });
      await inBoardTime(sim, async () => {
        assert.match(await loader.main(), new RegExp(board.chip));
        assert.equal(await loader.detectFlashSize(), `${(2 ** Math.ceil(Math.log2(board.flash.bytes))) >> 20}MB`);
        assert.equal(await loader.flashMd5sum(0, bytes.length), createHash("md5").update(bytes).digest("hex"));
        assert.deepEqual(await loader.readFlash(0, 9000), bytes.slice(0, 9000));
      });
    });
  });
}

describe("an ESP32 whose cable is cut", () => {
  it("at any byte: the next run completes what is missing", async () => {
    const whole = chip(C3);
    await flashIt(whole);
    const all = whole.line.sent;
    const random = seeded(20261126);
    let skips = 0;
    for (let i = 0; i < 24; i++) {
      const at = 1 + Math.floor(random() * (all - 200));
      const { sim, line } = chip(C3);
      const before = modelsOf(sim);
      await assert.rejects(flashIt({ sim, line: cutAfter(line, at) }), { code: "E_LINK_LOST" }, `after ${at} bytes`);
      const done = await flashIt({ sim, line: virtualLine(sim) });
      assert.ok(holds(sim), `after a cut at byte ${at}`);
      assert.equal(Buffer.compare(modelsOf(sim), before), 0, `models after a cut at byte ${at}`);
      assert.equal(sim.running, "module", `after a cut at byte ${at}`);
      if (done.skipped > 0) skips++;
    }
    assert.ok(skips > 4, `${skips} runs found something`);
  });

  it("and without modem lines: the stub that still runs goes on", async () => {
    const board = chip(C3, { from: "rom" });
    const cut = cutAfter(board.line, 30_000);
    await assert.rejects(flashIt({ sim: board.sim, line: { ...cut, setSignals: undefined } }), { code: "E_LINK_LOST" });
    await flashIt(withoutLines({ sim: board.sim, line: virtualLine(board.sim) }));
    assert.ok(holds(board.sim));
  });

  it("power that fails in the middle of an erase or a program: the next run completes it", async () => {
    for (const operation of [1, 2, 30, 100]) {
      const { sim, line } = chip(C3);
      sim.firmwareFlash.cutAt(operation);
      await assert.rejects(flashIt({ sim, line }), { code: "E_ROM_SYNC" });
      assert.equal(sim.state, "off");
      sim.powerOn();
      await flashIt({ sim, line });
      assert.ok(holds(sim), `after operation ${operation}`);
      assert.equal(sim.running, "module");
    }
  });
});

describe("a line to an ESP32 that damages bytes", () => {
  // The upload of the stub, 8 KB that are only checked, not sent again, is what a bad line does not let through.
  for (const [name, least, faults] of [
    ["flips one bit in 100,000", 5, { bitErrors: 1e-5 }],
    ["flips one bit in 30,000", 1, { bitErrors: 3e-5 }],
    ["loses one piece in 1,000", 5, { drops: 1e-3 }],
  ] as const) {
    it(`${name}: the firmware arrives whole, or the error is clear`, async () => {
      let arrived = 0;
      for (let seed = 1; seed <= 6; seed++) {
        const { sim, line } = chip(C3, {}, { random: seeded(seed), ...faults });
        try {
          await flashIt({ sim, line });
          assert.ok(holds(sim), `seed ${seed}`);
          arrived++;
        } catch (error) {
          assert.ok(error instanceof TritkitError, String(error));
          assert.ok(["E_ROM_SYNC", "E_VERIFY", "E_FLASH_IO"].includes(error.code), `${error.code} ${error.message}`);
        }
      }
      assert.ok(arrived >= least, `${arrived} of 6 arrived`);
    });
  }

  it("so badly that nothing gets through: an error that says so", async () => {
    const { sim, line } = chip(C3, {}, { random: seeded(1), bitErrors: 3e-3 });
    await assert.rejects(flashIt({ sim, line }), { code: "E_ROM_SYNC" });
  });
});

describe("a line to an ESP32 that is not as fast as it says", () => {
  it("is used at the ROM's speed", async () => {
    const { sim } = chip(C3);
    const line = virtualLine(sim, undefined, (baud) => (baud === 921600 ? 700_000 : baud));
    const done = await flashIt({ sim, line });
    assert.ok(holds(sim));
    assert.equal(sim.running, "module");
    assert.ok(done.seconds > (TOTAL * 10 * 0.6) / 115200, "it took its time");
  });
});

describe("what goes wrong with an ESP32 is said clearly", () => {
  const refused = async (
    board: { sim: SimBoard; line: Transport },
    expected: { code: string; message?: RegExp; hint?: RegExp },
    options: Partial<Esp32Options> = {},
    segments?: FirmwareSegment[],
  ) => {
    const before = Buffer.from(board.sim.flashBus.image());
    await assert.rejects(flashIt(board, options, segments), (error: TritkitError) => {
      assert.equal(error.code, expected.code, error.message);
      if (expected.message !== undefined) assert.match(error.message, expected.message);
      if (expected.hint !== undefined) assert.match(error.hint, expected.hint);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
    assert.equal(Buffer.compare(board.sim.flashBus.image(), before), 0, "nothing was written");
  };

  it("a wrong chip, before anything is written", async () => {
    const board = chip(S3);
    await refused(board, { code: "E_WRONG_CHIP", message: /ESP32-S3.*esp32-c3/ }, { board: C3 }, firmwareOf(C3));
  });

  it("a chip with less flash than the board", async () => {
    const big = { ...C3, flash: { ...C3.flash, bytes: 4 * C3.flash.bytes } };
    await refused(chip(C3), { code: "E_WRONG_CHIP", message: /of flash, esp32-c3 has 16MB/ }, { board: big });
  });

  it("a chip in secure download mode", async () => {
    await refused(chip(C3, { protected: true }), { code: "E_READ_PROTECTED" });
  });

  it("nobody at the other end, with modem lines and without", async () => {
    const board = chip(C3);
    board.sim.powerOff();
    await refused(board, { code: "E_ROM_SYNC", hint: /BOOT.*RESET/ });
    const dark = chip(C3);
    await refused(withoutLines(dark), { code: "E_ROM_SYNC", message: /no modem lines/, hint: /BOOT.*RESET/ });
  });

  it("somebody at the other end who talks of something else", async () => {
    let hear: (bytes: Uint8Array) => void = () => {};
    const chatty: Transport = {
      name: "chatty",
      simulated: true,
      seconds: () => 0,
      write: async () => void setImmediate(() => hear(new TextEncoder().encode("log line\n".repeat(1000)))),
      onData: (listener) => {
        hear = listener;
      },
      onClose() {},
      async setBaud() {},
      async close() {},
    };
    await assert.rejects(flashEsp32(chatty, firmwareOf(C3), { board: C3 }), { code: "E_ROM_SYNC" });
  });

  it("firmware that does not belong there", async () => {
    const { base, partition } = C3.flash;
    for (const [address, message] of [
      [base + partition.offset - SECTOR, /where models lie/],
      [base - SECTOR, /no flash/],
      [base + 100, /sector/],
    ] as const) {
      const segments = [{ address, bytes: noise(SECTOR + 1, 5) }];
      await refused(chip(C3), { code: "E_FIRMWARE_RANGE", message }, {}, segments);
    }
    const twice = [
      { address: base, bytes: noise(SECTOR + 1, 5) },
      { address: base + SECTOR, bytes: noise(10, 6) },
    ];
    await refused(chip(C3), { code: "E_FIRMWARE_RANGE", message: /overlaps/ }, {}, twice);
    await refused(chip(C3), { code: "E_FIRMWARE_RANGE", message: /empty/ }, {}, []);
  });

  it("an ESP32-C3 that is too old to start firmware without a boot loader", async () => {
    const { sim, line } = chip(C3);
    // The fuse word with the revision is asked for in one frame; this one asks for another, which is zero.
    const older: Transport = {
      ...line,
      write: (bytes) =>
        line.write(bytes.length === 14 && bytes[2] === 0x0a ? bytes.map((b) => (b === 0x50 ? 0x58 : b)) : bytes),
    };
    await refused({ sim, line: older }, { code: "E_WRONG_CHIP", message: /v0\.0, and only v0\.3/ });
  });

  it("a flash that fails once is written again, one that always fails is said to", async () => {
    const once = chip(C3);
    once.sim.firmwareFlash.failAt(1);
    await flashIt(once);
    assert.ok(holds(once.sim));
    const always = chip(C3);
    const onProgress = () => always.sim.firmwareFlash.failAt(1);
    await assert.rejects(flashIt(always, { onProgress }), { code: "E_FLASH_IO" });
  });

  it("a flash that does not keep what it got", async () => {
    const { sim, line } = chip(C3);
    let looks = 0;
    const onProgress = ({ phase }: FirmwareProgress) => {
      if (phase === "verify" && ++looks > 0) sim.firmwareFlash.program(0, new Uint8Array(16));
    };
    await assert.rejects(flashIt({ sim, line }, { onProgress }), { code: "E_VERIFY" });
    assert.ok(looks >= 4, "it was written several times");
  });

  it("whoever gives up is heard at once, and the next run goes on", async () => {
    const { sim, line } = chip(C3);
    const abort = new AbortController();
    const onProgress = ({ phase, bytes }: FirmwareProgress) => {
      if (phase === "write" && bytes > 0) abort.abort();
    };
    await assert.rejects(flashIt({ sim, line }, { signal: abort.signal, onProgress }), { code: "E_INTERRUPTED" });
    await assert.rejects(flashIt({ sim, line }, { signal: abort.signal }), { code: "E_INTERRUPTED" });
    await flashIt({ sim, line });
    assert.ok(holds(sim));
  });
});

describe("a running simulated ESP32", () => {
  it("is flashed through its own transport, and nothing is printed", async (t) => {
    const printed = [t.mock.method(console, "log"), t.mock.method(console, "error")];
    const firmware = firmwareOf(C3);
    const running = await startSim("esp32-c3", { boot: "rom", firmware });
    const line = await openSimLine(running);
    try {
      const done = await flashEsp32(line, firmware, { board: running.board });
      assert.equal(done.bytes, TOTAL);
      assert.equal(running.sim.running, "module");
      for (const method of printed) assert.equal(method.mock.callCount(), 0);
    } finally {
      await line.close();
      running.close();
    }
  });

  it("is flashed over TCP", async () => {
    const firmware = firmwareOf(S3);
    const running = await startSim("esp32-s3", { boot: "rom", firmware });
    const served = await serveSim(running, { tcp: 0 });
    const line = await openPort(served.port);
    try {
      await flashEsp32(line, firmware, { board: running.board });
      assert.ok(holds(running.sim, firmware));
    } finally {
      await line.close();
      await served.close();
      running.close();
    }
  });

  it("is flashed through a pseudo-terminal, whose modem lines do nothing", async (t) => {
    if (!(await hasPty())) return t.skip("no pseudo-terminals here: E_SIM_PORT_MISSING");
    const firmware = firmwareOf(C3);
    const running = await startSim("esp32-c3", { boot: "rom", firmware });
    const served = await serveSim(running, "pty");
    const line = await openPort(served.port);
    try {
      await flashEsp32(line, firmware, { board: running.board });
      assert.ok(holds(running.sim, firmware));
    } finally {
      await line.close();
      await served.close();
      running.close();
    }
  });
});
