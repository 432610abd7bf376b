/** The ESP32's ROM on the breadboard: line, straps, modem lines, time. The protocol itself: esp32_rom.test.ts. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deflateSync } from "node:zlib";
import * as op from "../rom/esp32/commands.ts";
import { SlipReader, slipFrame } from "../rom/esp32/slip.ts";
import { type BootOptions, type Running, SimBoard } from "../sim_board.ts";
import { boardNamed, build, Ear, ECHO, numbers } from "./toy.ts";

const C3 = boardNamed("esp32-c3");
const IRAM = 0x4038_0000;
const BLOCK = 0x4000;
const SECOND = 1_000_000;
const FIRMWARE = [{ address: C3.flash.base, bytes: numbers(5000) }];

const u32 = (...values: number[]): number[] =>
  values.flatMap((v) => [v & 255, (v >>> 8) & 255, (v >>> 16) & 255, v >>> 24]);
const packet = (command: number, data: readonly number[], checksum = 0): Uint8Array =>
  slipFrame(Uint8Array.from([0, command, data.length & 255, data.length >> 8, ...u32(checksum), ...data]));
const dataPacket = (command: number, block: Uint8Array): Uint8Array =>
  packet(command, [...u32(block.length, 0, 0, 0), ...block], op.checksumOf(block));

interface Bench {
  sim: SimBoard;
  booted: Running[];
  ear: Ear;
  /** Frames that come back. */
  send(bytes: Uint8Array): Uint8Array[];
}

async function bench(boot: Partial<BootOptions> = {}, timing: "typ" | "max" = "typ"): Promise<Bench> {
  const booted: Running[] = [];
  const sim = SimBoard.create({
    board: C3,
    wasm: await build(ECHO, C3),
    timing,
    boot: { from: "rom", firmware: FIRMWARE, onBoot: (running) => booted.push(running), ...boot },
  });
  const ear = new Ear(sim);
  sim.uart.setHostBaud(115200);
  sim.powerOn();
  const reader = new SlipReader(BLOCK);
  const send = (bytes: Uint8Array): Uint8Array[] => {
    sim.uart.hostWrite(bytes);
    sim.run({ untilIdle: true, maxUs: 60 * SECOND });
    return reader.push(Uint8Array.from(ear.bytes.splice(0)));
  };
  send(new Uint8Array());
  return { sim, booted, ear, send };
}

function startStub({ send }: Bench): void {
  const code = numbers(100);
  send(packet(op.MEM_BEGIN, u32(code.length, 1, 0x1800, IRAM)));
  send(dataPacket(op.MEM_DATA, code));
  const frames = send(packet(op.MEM_END, u32(0, IRAM)));
  assert.equal(new TextDecoder().decode(frames.at(-1)), "OHAI");
}

const magicOf = (frames: Uint8Array[]): number => new DataView(frames[0].buffer).getUint32(4, true);
const MAGIC = packet(op.READ_REG, u32(0x40001000));

describe("an ESP32 on the breadboard", () => {
  it("answers at the line's speed, and at the new one after CHANGE_BAUDRATE", async () => {
    const { sim, send } = await bench();
    assert.equal(magicOf(send(MAGIC)), 0x1b31506f);
    const [answer] = send(packet(op.CHANGE_BAUDRATE, u32(921600, 0)));
    assert.equal(answer[1], op.CHANGE_BAUDRATE, "the answer still comes at the old speed");
    assert.deepEqual(send(MAGIC), [], "the old speed is not understood any more");
    sim.uart.setHostBaud(921600);
    send(Uint8Array.of(0xc0));
    assert.equal(magicOf(send(MAGIC)), 0x1b31506f);
  });

  it("answers more than its transmitter holds", async () => {
    const board = await bench();
    startStub(board);
    const frames = board.send(packet(op.READ_FLASH, u32(0, 4096, 4096, 1)));
    assert.equal(frames[1].length, 4096);
  });

  it("hears the next block while flash is busy with the one before, however slow", async () => {
    const board = await bench({}, "max");
    startStub(board);
    board.send(packet(op.CHANGE_BAUDRATE, u32(921600, 115200)));
    board.sim.uart.setHostBaud(921600);
    const image = Uint8Array.from({ length: 3 * 8192 }, (_, i) => (i * i * 7 + (i >> 5)) & 255);
    const stream = deflateSync(image, { level: 0 });
    const blocks = Math.ceil(stream.length / BLOCK);
    board.send(packet(op.FLASH_DEFL_BEGIN, u32(image.length, blocks, BLOCK, 0)));
    const start = board.sim.now;
    for (let i = 0; i < blocks; i++)
      board.sim.uart.hostWrite(dataPacket(op.FLASH_DEFL_DATA, stream.subarray(i * BLOCK, (i + 1) * BLOCK)));
    board.send(packet(op.FLASH_DEFL_END, u32(1)));
    assert.equal(board.sim.uart.counters.overruns, 0);
    assert.deepEqual(board.sim.flashBus.read(C3.flash.base, image.length), image);
    assert.ok(board.sim.now - start > 6 * 400 * 1e6, "six erases of 400 ms");
  });

  it("has a BOOT button: held at power-on, not at later resets", async () => {
    const { sim, booted } = await bench();
    sim.reset();
    assert.deepEqual(booted, ["rom", "nothing"]);
    for (const { address, bytes } of FIRMWARE) sim.flashBus.program(address, bytes);
    sim.reset();
    assert.deepEqual(booted, ["rom", "nothing", "module"]);
  });

  it("is reset into its ROM by DTR and RTS as esptool moves them, and out of it", async () => {
    const { sim, booted } = await bench({ from: "flash" });
    sim.setModemLines({ dtr: true, rts: true });
    assert.deepEqual(booted, ["nothing"], "both at once do nothing");
    sim.setModemLines({ dtr: false, rts: true });
    sim.setModemLines({ dtr: true, rts: false });
    assert.deepEqual(booted, ["nothing", "rom"]);
    sim.setModemLines({ dtr: false, rts: false });
    assert.equal(sim.running, "rom");
    sim.setModemLines({ dtr: false, rts: true });
    sim.setModemLines({ dtr: false, rts: false });
    assert.deepEqual(booted, ["nothing", "rom", "nothing"]);
  });

  it("runs what is in flash when the ROM's download ends, and starts anew when told so", async () => {
    for (const [stay, running] of [
      [0, "module"],
      [1, "module"],
    ] as const) {
      const { sim, send } = await bench();
      for (const { address, bytes } of FIRMWARE) sim.flashBus.program(address, bytes);
      send(packet(op.SPI_ATTACH, u32(0, 0)));
      send(packet(op.FLASH_BEGIN, u32(0, 0, 0x400, 0, 0)));
      send(packet(op.FLASH_END, u32(stay)));
      assert.equal(sim.running, running);
    }
  });

  it("goes on from a snapshot in the middle of a frame", async () => {
    const board = await bench();
    startStub(board);
    board.send(MAGIC.subarray(0, 6));
    const kept = board.sim.snapshot();
    const first = board.send(MAGIC.subarray(6));
    board.sim.reset();
    board.sim.restore(kept);
    assert.deepEqual(board.send(MAGIC.subarray(6)), first);
    assert.equal(magicOf(first), 0x1b31506f);
  });
});
