import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { deflateSync } from "node:zlib";
import { Random } from "../random.ts";
import { ESP32_CHIPS, type Esp32Chip } from "../rom/esp32/chips.ts";
import * as op from "../rom/esp32/commands.ts";
import { Esp32Rom } from "../rom/esp32/esp32.ts";
import { SlipReader, slipFrame } from "../rom/esp32/slip.ts";
import { NorFlash } from "./nor_flash.ts";

const MIB = 1 << 20;
const BLOCK = 0x4000;
const u32 = (...values: number[]): Uint8Array =>
  Uint8Array.from(values.flatMap((v) => [v & 255, (v >>> 8) & 255, (v >>> 16) & 255, v >>> 24]));
const join = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));
const noise = (length: number, seed = 1): Uint8Array => {
  const random = new Random(seed);
  return Uint8Array.from({ length }, () => random.byte());
};
const md5 = (bytes: Uint8Array): Buffer => createHash("md5").update(bytes).digest();
const sync = join(Uint8Array.of(7, 7, 0x12, 0x20), new Uint8Array(32).fill(0x55));

interface Reply {
  command: number;
  value: number;
  /** Without the status bytes. */
  data: Uint8Array;
  status: number;
  error: number;
}

/** A host that speaks in whole packets. */
class Host {
  readonly flash = new NorFlash(MIB);
  readonly rom: Esp32Rom;
  /** Speeds that the chip was told, in order, with what it had sent by then. */
  readonly bauds: number[] = [];
  text = "";
  readonly left: string[] = [];
  #frames: Uint8Array[] = [];
  readonly #reader = new SlipReader(1 << 16);

  readonly #chip: Esp32Chip;

  constructor(chip: Esp32Chip, options: { secureDownload?: boolean } = {}) {
    this.#chip = chip;
    const line = {
      send: (bytes: Uint8Array) => {
        if (bytes[0] !== 0xc0) this.text += new TextDecoder().decode(bytes);
        this.#frames.push(...this.#reader.push(bytes));
      },
      setBaud: (baud: number) => void this.bauds.push(baud),
    };
    this.rom = new Esp32Rom({ chip, flash: this.flash, line, onLeave: (to) => this.left.push(to), ...options });
    this.rom.start();
  }

  statusBytes(): number {
    return this.rom.mode === "stub" ? 2 : 4;
  }

  frames(): Uint8Array[] {
    return this.#frames.splice(0);
  }

  packet(command: number, data: Uint8Array, checksum = 0): Uint8Array {
    return join(Uint8Array.of(0, command, data.length & 255, data.length >> 8), u32(checksum), data);
  }

  /** Sends a command and returns its one answer. */
  ask(command: number, data: Uint8Array = new Uint8Array(), checksum = 0): Reply {
    const statusBytes = this.statusBytes();
    this.rom.receive(slipFrame(this.packet(command, data, checksum)));
    const [frame, ...more] = this.frames();
    this.#frames.push(...more);
    return this.reply(frame, statusBytes);
  }

  reply(frame: Uint8Array, statusBytes = this.statusBytes()): Reply {
    assert.equal(frame[0], 1);
    assert.equal(frame[2] + 256 * frame[3], frame.length - 8);
    const end = frame.length - statusBytes;
    const value = new DataView(frame.buffer).getUint32(4, true);
    return { command: frame[1], value, data: frame.slice(8, end), status: frame[end], error: frame[end + 1] };
  }

  send(command: number, block: Uint8Array, sequence = 0): Reply {
    return this.ask(command, join(u32(block.length, sequence, 0, 0), block), op.checksumOf(block));
  }

  /** Loads a stub-like program and starts it. */
  toStub(entry = this.#chip.iram.start + 16): Uint8Array[] {
    const code = noise(600);
    this.ask(op.MEM_BEGIN, u32(code.length, 1, 0x1800, this.#chip.iram.start));
    this.send(op.MEM_DATA, code);
    assert.equal(this.ask(op.MEM_END, u32(0, entry)).status, 0);
    return this.frames();
  }
}

const hostOf = (chip: Esp32Chip, options = {}): Host => new Host(chip, options);
const ok = ({ status, error }: Reply): void => assert.deepEqual({ status, error }, { status: 0, error: 0 });
const fails = ({ status, error }: Reply, code: number): void => assert.deepEqual([status, error], [1, code]);

for (const chip of ESP32_CHIPS) {
  describe(`ROM of the ${chip.name}`, () => {
    it("says at 115200 that it waits for a download", () => {
      const host = hostOf(chip);
      assert.deepEqual(host.bauds, [115200]);
      assert.match(host.text, /ESP-ROM:.*\(DOWNLOAD\(USB\/UART0.*waiting for download/s);
    });

    it("answers SYNC eight times with a value that is not zero", () => {
      const host = hostOf(chip);
      host.rom.receive(slipFrame(host.packet(op.SYNC, sync)));
      const replies = host.frames().map((frame) => host.reply(frame));
      assert.equal(replies.length, 8);
      for (const reply of replies) assert.equal(reply.value, 0x55201207);
    });

    it("tells its identity by magic register and by security information", () => {
      const host = hostOf(chip);
      assert.equal(host.ask(op.READ_REG, u32(0x40001000)).value, chip.magic);
      const { data } = host.ask(op.GET_SECURITY_INFO);
      assert.equal(data.length, 20);
      assert.equal(new DataView(data.buffer).getUint32(12, true), chip.id);
    });

    it("writes only the masked bits of a register", () => {
      const host = hostOf(chip);
      ok(host.ask(op.WRITE_REG, u32(0x60001000, 0x12345678, 0xffffffff, 0)));
      ok(host.ask(op.WRITE_REG, u32(0x60001000, 0xffffffff, 0x0000ff00, 0)));
      assert.equal(host.ask(op.READ_REG, u32(0x60001000)).value, 0x1234ff78);
      fails(host.ask(op.WRITE_REG, u32(0x60001000)), 0x05);
    });

    it("asks the flash for its id through SPI1", () => {
      const host = hostOf(chip);
      const write = (offset: number, value: number) =>
        host.ask(op.WRITE_REG, u32(0x60002000 + offset, value, 0xffffffff, 0));
      write(0x28, 23);
      write(0x18, 0x90000000);
      write(0x20, 0x7000009f);
      write(0x00, 1 << 18);
      assert.equal(host.ask(op.READ_REG, u32(0x60002000)).value, 0);
      assert.equal(host.ask(op.READ_REG, u32(0x60002058)).value, 0x1440ef);
    });

    it("refuses what only the stub does, and what nobody does", () => {
      const host = hostOf(chip);
      for (const command of [op.ERASE_FLASH, op.ERASE_REGION, op.READ_FLASH, 0x77]) fails(host.ask(command), 0x05);
    });

    it("needs SPI_ATTACH before it touches flash", () => {
      const host = hostOf(chip);
      fails(host.ask(op.FLASH_BEGIN, u32(4096, 4, 0x400, 0, 0)), 0x06);
      fails(host.ask(op.SPI_ATTACH, u32(0)), 0x05);
      fails(host.ask(op.FLASH_BEGIN, u32(4096, 4, 0x400, 0, 0)), 0x06);
      ok(host.ask(op.SPI_ATTACH, u32(0, 0)));
      ok(host.ask(op.SPI_SET_PARAMS, u32(0, MIB, 0x10000, 0x1000, 0x100, 0xffff)));
      ok(host.ask(op.FLASH_BEGIN, u32(4096, 4, 0x400, 0, 0)));
      fails(host.ask(op.FLASH_BEGIN, u32(4096, 4, 0x400, MIB, 0)), 0x06);
      fails(host.ask(op.FLASH_BEGIN, u32(4096, 4, 0x400, 0, 1)), 0x06);
    });

    it("erases when a download begins, and has written a block when it answers", () => {
      const host = hostOf(chip);
      ok(host.ask(op.SPI_ATTACH, u32(0, 0)));
      host.flash.cells.fill(0);
      ok(host.ask(op.FLASH_BEGIN, u32(8192, 8, 0x400, 0x3000, 0)));
      assert.equal(host.flash.erases, 2);
      const block = noise(0x400);
      ok(host.send(op.FLASH_DATA, block));
      assert.deepEqual(host.flash.read(0x3000, 0x400), block);
      assert.equal(host.flash.cells[0x2fff], 0);
      assert.equal(host.flash.cells[0x5000], 0);
    });

    it("answers a wrong checksum with error 07 and writes nothing", () => {
      const host = hostOf(chip);
      ok(host.ask(op.SPI_ATTACH, u32(0, 0)));
      ok(host.ask(op.FLASH_BEGIN, u32(4096, 4, 0x400, 0, 0)));
      const block = noise(64);
      fails(host.ask(op.FLASH_DATA, join(u32(64, 0, 0, 0), block), op.checksumOf(block) ^ 1), 0x07);
      assert.deepEqual(host.flash.read(0, 64), new Uint8Array(64).fill(0xff));
      ok(host.send(op.FLASH_DATA, block));
    });

    it("answers a length that is wrong with error 05, and a packet without a header not at all", () => {
      const host = hostOf(chip);
      const packet = host.packet(op.READ_REG, u32(0x40001000));
      host.rom.receive(slipFrame(packet.subarray(0, packet.length - 1)));
      fails(host.reply(host.frames()[0]), 0x05);
      host.rom.receive(slipFrame(packet.subarray(0, 7)));
      assert.deepEqual(host.frames(), []);
      fails(host.ask(op.SYNC, sync.subarray(1)), 0x05);
    });

    it("gives MD5 as 32 hex digits", () => {
      const host = hostOf(chip);
      ok(host.ask(op.SPI_ATTACH, u32(0, 0)));
      host.flash.cells.set(noise(5000), 1000);
      const { data } = host.ask(op.SPI_FLASH_MD5, u32(1000, 5000, 0, 0));
      assert.equal(new TextDecoder().decode(data), md5(noise(5000)).toString("hex"));
    });

    it("changes its speed after the answer, and leaves for the program when a download ends", () => {
      const host = hostOf(chip);
      ok(host.ask(op.CHANGE_BAUDRATE, u32(921600, 0)));
      assert.deepEqual(host.bauds, [115200, 921600]);
      ok(host.ask(op.SPI_ATTACH, u32(0, 0)));
      ok(host.ask(op.FLASH_BEGIN, u32(0, 0, 0x400, 0, 0)));
      const last = host.ask(op.FLASH_END, u32(1));
      ok(last);
      assert.deepEqual(host.left, ["flash"]);
      assert.equal(host.rom.mode, "gone");
      host.rom.receive(slipFrame(host.packet(op.SYNC, sync)));
      assert.deepEqual(host.frames(), []);
    });

    it("is reset by its watchdog, once that is unlocked", () => {
      const host = hostOf(chip);
      const write = (address: number, value: number) => ok(host.ask(op.WRITE_REG, u32(address, value, 0xffffffff, 0)));
      write(chip.watchdog.config, 0xd0000102);
      assert.deepEqual(host.left, []);
      write(chip.watchdog.protect, 0x50d83aa1);
      write(chip.watchdog.config, 0xd0000102);
      assert.deepEqual(host.left, ["reset"]);
    });

    it("in secure download mode reads no register, loads no code, and says so", () => {
      const host = hostOf(chip, { secureDownload: true });
      for (const command of [op.READ_REG, op.MEM_BEGIN, op.SPI_FLASH_MD5]) fails(host.ask(command, u32(0)), 0x05);
      assert.equal(host.ask(op.GET_SECURITY_INFO).data[0] & 4, 4);
      ok(host.ask(op.SPI_ATTACH, u32(0, 0)));
      ok(host.ask(op.FLASH_BEGIN, u32(4096, 4, 0x400, 0, 0)));
    });
  });

  describe(`stub of the ${chip.name}`, () => {
    it("greets with OHAI after MEM_END and keeps its entry point", () => {
      const host = hostOf(chip);
      const [greeting] = host.toStub();
      assert.equal(new TextDecoder().decode(greeting), "OHAI");
      assert.equal(host.rom.mode, "stub");
      assert.equal(host.rom.entry, chip.iram.start + 16);
    });

    it("does not start from an entry point outside of what was loaded: the chip is silent until reset", () => {
      for (const entry of [chip.iram.start + 600, 0x40000000, 0]) {
        const host = hostOf(chip);
        assert.deepEqual(host.toStub(entry), []);
        assert.equal(host.rom.mode, "gone");
        host.rom.start();
        assert.equal(host.ask(op.READ_REG, u32(0x40001000)).value, chip.magic);
      }
    });

    it("does not start when a segment was not filled", () => {
      const host = hostOf(chip);
      ok(host.ask(op.MEM_BEGIN, u32(100, 1, 0x1800, chip.ram[0].start)));
      ok(host.send(op.MEM_DATA, noise(99)));
      assert.deepEqual(host.toStub(), []);
      assert.equal(host.rom.mode, "gone");
    });

    it("takes code only for RAM, and no more than was announced", () => {
      const host = hostOf(chip);
      fails(host.ask(op.MEM_BEGIN, u32(64, 1, 0x1800, 0x40000000)), 0x06);
      fails(host.send(op.MEM_DATA, noise(8)), 0x06);
      ok(host.ask(op.MEM_BEGIN, u32(8, 1, 0x1800, chip.iram.start)));
      fails(host.send(op.MEM_DATA, noise(9)), 0x06);
    });

    it("answers SYNC eight times with zero", () => {
      const host = hostOf(chip);
      host.toStub();
      host.rom.receive(slipFrame(host.packet(op.SYNC, sync)));
      const replies = host.frames().map((frame) => host.reply(frame));
      assert.deepEqual(
        replies.map(({ value }) => value),
        new Array(8).fill(0),
      );
    });

    it("inflates what comes compressed into flash, sector by sector", () => {
      const host = hostOf(chip);
      host.toStub();
      host.flash.cells.fill(0);
      const image = Uint8Array.from([...noise(20000), ...new Uint8Array(9001)]);
      const stream = deflateSync(image, { level: 9 });
      const blocks = Math.ceil(stream.length / BLOCK);
      ok(host.ask(op.FLASH_DEFL_BEGIN, u32(image.length, blocks, BLOCK, 0x2000)));
      assert.equal(host.flash.erases, 0);
      for (let i = 0; i < blocks; i++)
        ok(host.send(op.FLASH_DEFL_DATA, stream.subarray(i * BLOCK, (i + 1) * BLOCK), i));
      ok(host.ask(op.FLASH_DEFL_END, u32(1)));
      assert.deepEqual(host.flash.read(0x2000, image.length), image);
      assert.equal(host.flash.erases, Math.ceil(image.length / 4096));
      assert.equal(host.flash.cells[0x1fff], 0);
      const { data } = host.ask(op.SPI_FLASH_MD5, u32(0x2000, image.length, 0, 0));
      assert.deepEqual(Buffer.from(data), md5(image));
    });

    it("tells the next command when the stream is damaged", () => {
      const host = hostOf(chip);
      host.toStub();
      const stream = deflateSync(noise(1000));
      stream[0] = 0x77;
      ok(host.ask(op.FLASH_DEFL_BEGIN, u32(1000, 1, BLOCK, 0)));
      ok(host.send(op.FLASH_DEFL_DATA, stream));
      const late = host.ask(op.READ_REG, u32(0x40001000));
      assert.deepEqual([late.status, late.error], [0xc7, 0]);
      assert.equal(host.ask(op.READ_REG, u32(0x40001000)).value, chip.magic);
    });

    it("refuses checksums, blocks without a beginning, blocks too many, and an end too early", () => {
      const host = hostOf(chip);
      host.toStub();
      const block = noise(256);
      const status = (reply: Reply): number => reply.status;
      assert.equal(status(host.send(op.FLASH_DATA, block)), 0xc6);
      ok(host.ask(op.FLASH_BEGIN, u32(512, 2, 256, 0)));
      assert.equal(status(host.ask(op.FLASH_DATA, join(u32(256, 0, 0, 0), block), 1)), 0xc1);
      assert.equal(status(host.send(op.FLASH_DEFL_DATA, block)), 0xc6);
      ok(host.send(op.FLASH_DATA, block));
      assert.equal(status(host.ask(op.FLASH_END, u32(1))), 0xc0);
      ok(host.ask(op.FLASH_BEGIN, u32(256, 1, 256, 0)));
      ok(host.send(op.FLASH_DATA, block));
      assert.equal(status(host.send(op.FLASH_DATA, block)), 0xc9);
      ok(host.ask(op.FLASH_END, u32(1)));
      assert.equal(status(host.ask(0x77)), 0xc3);
      assert.equal(status(host.ask(op.FLASH_BEGIN, u32(4096, 1, 256, MIB - 4095))), 0xc4);
    });

    it("passes on that the flash did not take the bytes", () => {
      const host = hostOf(chip);
      host.toStub();
      ok(host.ask(op.FLASH_BEGIN, u32(256, 1, 256, 0)));
      host.flash.worn = true;
      ok(host.send(op.FLASH_DATA, noise(256)));
      assert.equal(host.ask(op.FLASH_END, u32(1)).status, 0xc4);
    });

    it("erases a region of whole sectors, or everything", () => {
      const host = hostOf(chip);
      host.toStub();
      host.flash.cells.fill(0);
      assert.equal(host.ask(op.ERASE_REGION, u32(0x1000, 100)).status, 0xc0);
      ok(host.ask(op.ERASE_REGION, u32(0x1000, 0x2000)));
      assert.equal(host.flash.erases, 2);
      assert.deepEqual([host.flash.cells[0xfff], host.flash.cells[0x1000], host.flash.cells[0x3000]], [0, 0xff, 0]);
      ok(host.ask(op.ERASE_FLASH));
      assert.ok(host.flash.cells.every((cell) => cell === 0xff));
    });

    it("reads flash in packets that the host acknowledges, and ends with their MD5", () => {
      const host = hostOf(chip);
      host.toStub();
      const image = noise(2500);
      host.flash.cells.set(image, 500);
      ok(host.ask(op.READ_FLASH, u32(500, 2500, 1024, 64)));
      const got: number[] = [];
      for (let frames = host.frames(); got.length < 2500; frames = host.frames()) {
        assert.equal(frames.length, 1);
        got.push(...frames[0]);
        host.rom.receive(slipFrame(u32(got.length)));
      }
      assert.deepEqual(Uint8Array.from(got), image);
    });

    it("sends the digest after the last acknowledgement and is back at its commands", () => {
      const host = hostOf(chip);
      host.toStub();
      ok(host.ask(op.READ_FLASH, u32(0, 100, 1024, 1)));
      assert.equal(host.frames()[0].length, 100);
      host.rom.receive(slipFrame(u32(100)));
      assert.deepEqual(Buffer.from(host.frames()[0]), md5(new Uint8Array(100).fill(0xff)));
      assert.equal(host.ask(op.READ_REG, u32(0x40001000)).value, chip.magic);
    });

    it("does nothing and answers nothing to RUN_USER_CODE", () => {
      const host = hostOf(chip);
      host.toStub();
      host.rom.receive(slipFrame(host.packet(op.RUN_USER_CODE, new Uint8Array())));
      assert.deepEqual(host.frames(), []);
      assert.deepEqual(host.left, []);
    });

    it("goes on from a copy of its state in the middle of a download", () => {
      const host = hostOf(chip);
      host.toStub();
      const image = noise(30000);
      const stream = deflateSync(image);
      ok(host.ask(op.FLASH_DEFL_BEGIN, u32(image.length, 2, BLOCK, 0)));
      ok(host.send(op.FLASH_DEFL_DATA, stream.subarray(0, BLOCK)));
      const kept = host.rom.state;
      host.rom.start();
      host.rom.state = structuredClone(kept);
      ok(host.send(op.FLASH_DEFL_DATA, stream.subarray(BLOCK), 1));
      ok(host.ask(op.FLASH_DEFL_END, u32(1)));
      assert.deepEqual(host.flash.read(0, image.length), image);
    });
  });
}
