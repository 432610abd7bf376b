/** The STM32's boot ROM, in sentences of ST's AN3155. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FirmwareImage, Strap } from "../rom/rom.ts";
import { type BootOptions, type Running, SimBoard } from "../sim_board.ts";
import { boardNamed, build, Ear, ECHO, numbers, PICO } from "./toy.ts";

const F405 = boardNamed("stm32f405");
const H743 = boardNamed("stm32h743");
const ACK = 0x79;
const NACK = 0x1f;
const FLASH = 0x0800_0000;
const SECOND = 1_000_000;

/** Two pieces, as the F405's release: in sectors 0 and 11. */
const FIRMWARE: FirmwareImage[] = [
  { address: FLASH, bytes: numbers(300) },
  { address: FLASH + 0xe0000, bytes: numbers(40) },
];

interface Bench {
  sim: SimBoard;
  booted: Running[];
  /** What the ROM answers to these bytes. */
  send(...bytes: number[]): number[];
  /** A command and its complement. */
  command(code: number): number[];
}

async function bench(options: Partial<BootOptions> & { flash?: Uint8Array; board?: typeof F405 } = {}): Promise<Bench> {
  const { flash, board = F405, ...boot } = options;
  const booted: Running[] = [];
  const sim = SimBoard.create({
    board,
    flash,
    wasm: await build(ECHO, board),
    boot: { from: "rom", firmware: FIRMWARE, onBoot: (running) => booted.push(running), ...boot },
  });
  const ear = new Ear(sim);
  sim.uart.setHostBaud(115200);
  sim.uart.setHostParity("even");
  sim.powerOn();
  const send = (...bytes: number[]): number[] => {
    sim.uart.hostWrite(Uint8Array.from(bytes));
    sim.run({ untilIdle: true, maxUs: 60 * SECOND });
    return ear.bytes.splice(0);
  };
  return { sim, booted, send, command: (code) => send(code, code ^ 0xff) };
}

async function synced(options?: Parameters<typeof bench>[0]): Promise<Bench> {
  const each = await bench(options);
  assert.deepEqual(each.send(0x7f), [ACK]);
  return each;
}

const xor = (bytes: readonly number[]): number => bytes.reduce((sum, byte) => sum ^ byte, 0);
const checked = (...bytes: number[]): number[] => [...bytes, xor(bytes)];
const address = (at: number): number[] => checked(at >>> 24, (at >> 16) & 255, (at >> 8) & 255, at & 255);
const halves = (...words: number[]): number[] => words.flatMap((word) => [word >> 8, word & 255]);

function write({ command, send }: Bench, at: number, data: ArrayLike<number>): number[] {
  const answers = [command(0x31), send(...address(at))].flat();
  return answers.includes(NACK) ? answers : [...answers, ...send(...checked(data.length - 1, ...Array.from(data)))];
}

function read({ command, send }: Bench, at: number, n: number): number[] {
  command(0x11);
  send(...address(at));
  const [answer, ...data] = send(n - 1, (n - 1) ^ 0xff);
  assert.equal(answer, ACK);
  return data;
}

describe("the baud rate", () => {
  it("is found by the first byte, 0x7F, which is acknowledged", async () => {
    for (const baud of [1200, 9600, 57600, 115200]) {
      const { sim, send, command } = await bench();
      sim.uart.setHostBaud(baud);
      assert.deepEqual(send(0x7f), [ACK], `${baud} baud`);
      assert.deepEqual(command(0x02), [ACK, 1, 0x04, 0x13, ACK], `${baud} baud`);
    }
  });

  it("is lost for ever when the first byte is another one, until the chip is reset", async () => {
    const { sim, send } = await bench();
    assert.deepEqual(send(0x06), []);
    assert.deepEqual(send(0x7f), []);
    sim.reset();
    assert.deepEqual(send(0x7f), [ACK]);
  });

  it("is found without even parity as well, but then no command is understood", async () => {
    const { sim, send, command } = await bench();
    sim.uart.setHostParity("none");
    assert.deepEqual(send(0x7f), [ACK]);
    assert.notDeepEqual(command(0x02), [ACK, 1, 0x04, 0x13, ACK]);
    assert.ok(sim.uart.counters.parityErrors > 0);
  });

  it("is taken as agreed where no speed is on the wire", async () => {
    const { sim, send, command } = await bench();
    sim.uart.setHostBaud(null);
    assert.deepEqual([...send(0x7f), ...command(0x01)], [ACK, ACK, 0x31, 0, 0, ACK]);
  });

  it("byte is a wrong command once the ROM is in step: the second one is answered by NACK", async () => {
    const { send } = await synced();
    assert.deepEqual(send(0x7f), []);
    assert.deepEqual(send(0x7f), [NACK]);
  });
});

describe("a command", () => {
  it("is refused when its complement is wrong or nobody knows it", async () => {
    const { send, command } = await synced();
    assert.deepEqual(send(0x00, 0x00), [NACK]);
    assert.deepEqual(send(0x02, 0xfc), [NACK]);
    assert.deepEqual(command(0x43), [NACK], "Erase, which a chip with Extended Erase does not have");
    assert.deepEqual(command(0x02).length, 5, "and the next one is heard");
  });

  it("Get tells the protocol's version and the commands", async () => {
    const { command } = await synced();
    const commands = [0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x44, 0x63, 0x73, 0x82, 0x92];
    assert.deepEqual(command(0x00), [ACK, commands.length, 0x31, ...commands, ACK]);
  });

  it("Get ID tells the product: 0x413 for an F405, 0x450 for an H743", async () => {
    const f405 = await synced();
    assert.deepEqual(f405.command(0x02), [ACK, 1, 0x04, 0x13, ACK]);
    const h743 = await synced({ board: H743 });
    assert.deepEqual(h743.command(0x02), [ACK, 1, 0x04, 0x50, ACK]);
  });

  it("waits for its bytes for ever", async () => {
    const { sim, send, command } = await synced();
    assert.deepEqual(command(0x31), [ACK]);
    sim.run({ maxUs: 3600 * SECOND });
    assert.deepEqual(send(...address(FLASH)), [ACK]);
  });
});

describe("Write Memory", () => {
  it("programs up to 256 bytes, and Read Memory shows them, in the partition and around it", async () => {
    const board = await synced();
    for (const at of [FLASH, FLASH + 0x7fc0, FLASH + 0xe0000]) {
      const data = numbers(256);
      assert.deepEqual(write(board, at, data), [ACK, ACK, ACK]);
      assert.deepEqual(read(board, at, 256), [...data]);
      assert.deepEqual(board.sim.flashBus.read(at, 256), data);
    }
    assert.equal(board.sim.flash.image()[0], numbers(256)[64], "the device module's partition begins at 0x08008000");
  });

  it("clears bits, as flash does", async () => {
    const board = await synced();
    write(board, FLASH, [0xf0, 0xf0, 0xf0, 0xf0]);
    assert.deepEqual(write(board, FLASH, [0x3c, 0x3c, 0x3c, 0x3c]), [ACK, ACK, ACK]);
    assert.deepEqual(read(board, FLASH, 4), [0x30, 0x30, 0x30, 0x30]);
  });

  it("takes the flash's time before it acknowledges", async () => {
    const board = await synced();
    board.command(0x31);
    board.send(...address(FLASH));
    const before = board.sim.now;
    board.send(...checked(255, ...numbers(256)));
    const line = (258 + 1) * 11 * (1e9 / 115200);
    assert.ok(board.sim.now - before > line + 64 * 16_000, "64 words of 16 us");
  });

  it("refuses a wrong checksum, and nothing is programmed", async () => {
    const { sim, command, send } = await synced();
    command(0x31);
    send(...address(FLASH));
    assert.deepEqual(send(3, 1, 2, 3, 4, 0), [NACK]);
    assert.deepEqual([...sim.flashBus.read(FLASH, 4)], [255, 255, 255, 255]);
    assert.deepEqual(command(0x02).length, 5, "and the next command is heard");
  });

  it("refuses addresses that are no flash, not aligned to a word, or not what their checksum says", async () => {
    const { command, send } = await synced();
    for (const bytes of [address(0x2000_0000), address(FLASH + 0x10_0000), address(FLASH + 2), [8, 0, 0, 0, 9]]) {
      assert.deepEqual(command(0x31), [ACK]);
      assert.deepEqual(send(...bytes), [NACK]);
    }
  });

  it("refuses what leaves flash or is no whole number of words", async () => {
    const board = await synced();
    assert.deepEqual(write(board, FLASH + 0x10_0000 - 4, numbers(8)), [ACK, ACK, NACK]);
    assert.deepEqual(write(board, FLASH, numbers(6)), [ACK, ACK, NACK]);
  });

  it("refuses to program a flash word of an H743 twice", async () => {
    const board = await synced({ board: H743 });
    assert.deepEqual(write(board, FLASH, numbers(32)), [ACK, ACK, ACK]);
    assert.deepEqual(write(board, FLASH, numbers(32)), [ACK, ACK, NACK]);
    assert.deepEqual(write(board, FLASH + 32, numbers(16)), [ACK, ACK, ACK], "half a word: the rest stays 0xFF");
    assert.deepEqual(read(board, FLASH + 32, 32), [...numbers(16), ...new Array(16).fill(255)]);
  });

  it("loses what arrives while it programs, but for the byte in the data register", async () => {
    const { sim, command, send } = await synced();
    command(0x31);
    send(...address(FLASH));
    // Get ID comes at once behind the data: 0x02 is held, 0xFD, 0x02 and 0xFD are lost.
    const answers = send(...checked(255, ...numbers(256)), 0x02, 0xfd, 0x02, 0xfd);
    assert.deepEqual(answers, [ACK]);
    assert.equal(sim.uart.counters.overruns, 3);
    assert.deepEqual(send(0xfd), [ACK, 1, 0x04, 0x13, ACK]);
  });
});

describe("Read Memory", () => {
  it("refuses a wrong complement of the length, and what is no flash", async () => {
    const { command, send } = await synced();
    command(0x11);
    assert.deepEqual(send(...address(FLASH)), [ACK]);
    assert.deepEqual(send(3, 3), [NACK]);
    command(0x11);
    assert.deepEqual(send(...address(0x1000_0000)), [NACK]);
    command(0x11);
    send(...address(FLASH + 0x10_0000 - 4));
    assert.deepEqual(send(4, 4 ^ 0xff), [NACK], "five bytes where four are left");
  });
});

describe("Extended Erase", () => {
  const full = (board = F405): Uint8Array => new Uint8Array(board.flash.bytes);
  const blank = ({ sim }: Bench): number[] =>
    sim.flashBus.sectors.filter((each) => sim.flashBus.read(each.address, 1)[0] === 255).map(({ index }) => index);

  it("erases the sectors that are named, each in its time", async () => {
    const board = await synced({ flash: full() });
    assert.deepEqual(board.command(0x44), [ACK]);
    const before = board.sim.now;
    assert.deepEqual(board.send(...checked(...halves(2 - 1, 0, 11))), [ACK]);
    assert.deepEqual(blank(board), [0, 11]);
    assert.ok(board.sim.now - before > 1_250_000_000, "0.25 s and 1 s");
    assert.deepEqual([board.sim.firmwareFlash.wear, board.sim.flash.wear[0]], [[1, 0, 1], 0]);
  });

  it("erases everything for 0xFFFF", async () => {
    const board = await synced({ flash: full() });
    board.command(0x44);
    assert.deepEqual(board.send(...checked(0xff, 0xff)), [ACK]);
    assert.equal(blank(board).length, 12);
  });

  it("erases a bank for 0xFFFE and 0xFFFD where there are two", async () => {
    const board = await synced({ board: H743, flash: full(H743) });
    board.command(0x44);
    assert.deepEqual(board.send(...checked(0xff, 0xfd)), [ACK]);
    assert.deepEqual(blank(board), [8, 9, 10, 11, 12, 13, 14, 15]);
    const f405 = await synced({ flash: full() });
    f405.command(0x44);
    assert.deepEqual(f405.send(...checked(0xff, 0xfe)), [NACK]);
    assert.deepEqual(blank(f405), []);
  });

  it("refuses sectors that are not there, too many of them, reserved codes and wrong checksums", async () => {
    const board = await synced({ flash: full() });
    const wrong = [
      checked(...halves(0, 12)),
      halves(12),
      checked(0xff, 0xf3),
      [...halves(0, 1), 0x55],
      [0xff, 0xff, 1],
    ];
    for (const bytes of wrong) {
      assert.deepEqual(board.command(0x44), [ACK]);
      assert.deepEqual(board.send(...bytes), [NACK], bytes.join());
    }
    assert.deepEqual(blank(board), []);
  });
});

describe("Go", () => {
  it("starts the module when flash holds the firmware", async () => {
    const board = await synced();
    for (const { address: at, bytes } of FIRMWARE) {
      board.sim.flashBus.program(at, bytes.slice(0, 256));
      if (bytes.length > 256) board.sim.flashBus.program(at + 256, bytes.slice(256));
    }
    board.command(0x21);
    assert.deepEqual(board.send(...address(FLASH)), [ACK]);
    assert.deepEqual(board.booted, ["rom", "module"]);
    board.sim.uart.setHostParity("none");
    assert.deepEqual(board.send(1, 2, 3), [1, 2, 3], "the module's echo, 8N1");
  });

  it("to anything else leaves the chip silent", async () => {
    const board = await synced();
    board.command(0x21);
    assert.deepEqual(board.send(...address(FLASH)), [ACK]);
    assert.deepEqual(board.booted, ["rom", "nothing"]);
    assert.deepEqual(board.send(0x7f, 1, 2, 3), []);
    assert.equal(board.sim.state, "on");
  });

  it("refuses an address that is no flash", async () => {
    const { command, send } = await synced();
    command(0x21);
    assert.deepEqual(send(...address(0x2000_0000)), [NACK]);
  });
});

describe("Write Protect", () => {
  it("keeps sectors as they are without an error, after the reset that follows it", async () => {
    const board = await synced({ flash: new Uint8Array(F405.flash.bytes) });
    board.command(0x63);
    assert.deepEqual(board.send(...checked(0, 11)), [ACK]);
    assert.deepEqual(board.booted, ["rom", "rom"]);
    assert.deepEqual(board.send(0x7f), [ACK]);
    board.command(0x44);
    assert.deepEqual(board.send(...checked(...halves(1, 10, 11))), [ACK], "no error is returned");
    assert.deepEqual([read(board, FLASH + 0xc0000, 1), read(board, FLASH + 0xe0000, 1)], [[255], [0]]);

    assert.deepEqual(board.command(0x73), [ACK]);
    assert.deepEqual(board.send(0x7f), [ACK]);
    board.command(0x44);
    board.send(...checked(...halves(0, 11)));
    assert.deepEqual(read(board, FLASH + 0xe0000, 1), [255]);
  });
});

describe("a chip that is protected against reading", () => {
  it("answers Get, Get Version and Get ID, and NACKs memory commands", async () => {
    const { command } = await synced({ protected: true });
    for (const code of [0x00, 0x01, 0x02]) assert.equal(command(code)[0], ACK);
    for (const code of [0x11, 0x21, 0x31, 0x44, 0x63, 0x73, 0x82]) assert.deepEqual(command(code), [NACK]);
  });

  it("becomes so by Readout Protect, and is blank and open after Readout Unprotect", async () => {
    const board = await synced({ flash: new Uint8Array(F405.flash.bytes) });
    assert.deepEqual(board.command(0x82), [ACK]);
    assert.deepEqual(board.send(0x7f), [ACK]);
    assert.deepEqual(board.command(0x11), [NACK]);
    assert.deepEqual(board.command(0x92), [ACK, ACK]);
    assert.deepEqual(board.send(0x7f), [ACK]);
    assert.deepEqual(read(board, FLASH + 0x8000, 4), [255, 255, 255, 255], "the models are gone as well");
  });
});

describe("straps and reset", () => {
  const programmed = (strap: Strap) => {
    const flash = new Uint8Array(F405.flash.bytes).fill(255);
    for (const { address: at, bytes } of FIRMWARE) flash.set(bytes, at - FLASH);
    return bench({ flash, from: strap });
  };

  it("decide where the chip starts", async () => {
    const { sim, booted } = await programmed("flash");
    sim.setStrap("rom");
    assert.deepEqual(booted, ["module"], "not before a reset");
    sim.reset();
    sim.setStrap("flash");
    sim.reset();
    assert.deepEqual(booted, ["module", "rom", "module"]);
  });

  it("start nothing from a flash that differs from the firmware in one bit", async () => {
    const { sim, booted, send } = await programmed("flash");
    sim.powerOff();
    sim.flashBus.program(FLASH + 0xe0000 + 36, Uint8Array.of(0, 0, 0, 0));
    sim.powerOn();
    assert.deepEqual(booted, ["module", "nothing"]);
    assert.deepEqual(send(1), []);
  });

  it("hang on a serial adapter's lines: DTR holds the chip in reset, RTS raises BOOT0", async () => {
    const { sim, booted, send } = await programmed("flash");
    sim.setModemLines({ dtr: false, rts: true });
    assert.deepEqual(booted, ["module"]);
    sim.setModemLines({ dtr: true, rts: true });
    assert.deepEqual([sim.running, send(1)], ["nothing", []]);
    sim.setModemLines({ dtr: false, rts: true });
    assert.deepEqual([sim.running, send(0x7f)], ["rom", [ACK]]);
    sim.setModemLines({ dtr: true, rts: false });
    sim.setModemLines({ dtr: false, rts: false });
    assert.equal(sim.running, "module");
  });

  it("and a power cut while the ROM erases leaves the board off, its flash torn", async () => {
    const board = await synced({ flash: new Uint8Array(F405.flash.bytes) });
    board.sim.firmwareFlash.cutAt(1);
    board.command(0x44);
    assert.deepEqual(board.send(...checked(...halves(0, 0))), []);
    assert.equal(board.sim.state, "off");
    board.sim.powerOn();
    assert.deepEqual(board.send(0x7f), [ACK]);
  });

  it("and the ROM's state are part of a snapshot", async () => {
    const board = await synced();
    board.command(0x31);
    const snapshot = board.sim.snapshot();
    board.send(...address(FLASH));
    board.send(...checked(3, 1, 2, 3, 4));
    board.sim.restore(snapshot);
    assert.deepEqual(board.sim.flashBus.read(FLASH, 4), Uint8Array.of(255, 255, 255, 255));
    assert.deepEqual(board.send(...address(FLASH)), [ACK]);
    assert.deepEqual(board.send(...checked(3, 5, 6, 7, 8)), [ACK]);
    assert.deepEqual(read(board, FLASH, 4), [5, 6, 7, 8]);
  });

  it("are refused for a chip whose boot ROM is not modelled", async () => {
    const wasm = await build(ECHO, PICO);
    const boot = { from: "rom", firmware: null } as const;
    assert.throws(() => SimBoard.create({ board: PICO, wasm, boot }), { code: "E_SIM_ROM" });
  });
});
