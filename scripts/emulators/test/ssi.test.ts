/** Sentences of the RP2040 Datasheet, 4.10 (SSI), 2.19.6 (IO_QSPI) and 4.10.13 (registers). */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { IoQspi } from "../rp2040/io_qspi.ts";
import { Ssi } from "../rp2040/ssi.ts";
import { SR2_QE, W25q } from "../rp2040/w25q.ts";

const CTRLR0 = 0x00;
const CTRLR1 = 0x04;
const SSIENR = 0x08;
const SER = 0x10;
const BAUDR = 0x14;
const TXFLR = 0x20;
const RXFLR = 0x24;
const SR = 0x28;
const RISR = 0x34;
const ICR = 0x48;
const DR0 = 0x60;
const SPI_CTRLR0 = 0xf4;
const BUSY = 1;
const TFNF = 2;
const TFE = 4;
const RFNE = 8;
const RFF = 16;
const SERIAL = 7 << 16;
const QUAD = (2 << 21) | (31 << 16) | (3 << 8);
const FIRST_READ = (4 << 11) | (2 << 8) | (8 << 2) | 1;
const LATER_READS = ((0xa0 << 24) | (4 << 11) | (8 << 2) | 2) >>> 0;
const HZ = 125e6;
/** ns of a byte on one line with BAUDR 4. */
const BYTE = (8 * 4 * 1e9) / HZ;

function bench(quadEnable = true) {
  const flash = new W25q({ quadEnable });
  const misuse: string[] = [];
  const ignored: string[] = [];
  flash.onIgnored = (what) => ignored.push(what);
  let now = 0;
  const ssi = new Ssi({ now: () => now, hz: () => HZ, flash, onMisuse: (what) => misuse.push(what) });
  const io = new IoQspi(ssi, (what) => misuse.push(what));
  const write = (offset: number, value: number): void => ssi.writeUint32(offset, value);
  const read = (offset: number): number => ssi.readUint32(offset);
  const setup = (settings: [number, number][]): void => {
    write(SSIENR, 0);
    for (const [offset, value] of settings) write(offset, value);
    write(SSIENR, 1);
  };
  const serial = (): void =>
    setup([
      [BAUDR, 4],
      [CTRLR0, SERIAL],
      [SER, 1],
    ]);
  const pass = (ns: number): void => {
    now += ns;
  };
  const csLow = (): void => io.writeUint32(0x0c, 2 << 8);
  const csNormal = (): void => io.writeUint32(0x0c, 0);
  /** One byte out, one in, as flash code does. */
  const exchange = (byte: number): number => {
    write(DR0, byte);
    pass(BYTE);
    return read(DR0);
  };
  const command = (bytes: number[]): number[] => {
    csLow();
    const answer = bytes.map(exchange);
    csNormal();
    pass(50);
    return answer;
  };
  const enterXip = (): void => {
    setup([
      [CTRLR0, QUAD],
      [CTRLR1, 0],
      [SPI_CTRLR0, FIRST_READ],
    ]);
    write(DR0, 0xeb);
    write(DR0, 0xa0);
    pass(10 * BYTE);
    setup([[SPI_CTRLR0, LATER_READS]]);
  };
  return {
    flash,
    ssi,
    misuse,
    ignored,
    write,
    read,
    setup,
    serial,
    pass,
    exchange,
    command,
    enterXip,
    csLow,
    csNormal,
  };
}

describe("XIP_SSI", () => {
  it("sends a byte in 8 times BAUDR cycles, BUSY meanwhile, and has one to read afterwards", () => {
    const { serial, write, read, pass, misuse } = bench();
    serial();
    assert.equal(read(SR), TFE | TFNF);
    write(DR0, 0x9f);
    assert.equal(read(SR), BUSY | TFE | TFNF);
    pass(BYTE - 1);
    assert.equal(read(SR), BUSY | TFE | TFNF);
    pass(1);
    assert.equal(read(SR), RFNE | TFE | TFNF);
    assert.equal(read(RXFLR), 1);
    assert.equal(read(DR0), 0xff);
    assert.equal(read(SR), TFE | TFNF);
    assert.deepEqual(misuse, []);
  });

  it("keeps /CS low from the first byte until its FIFO ran empty", () => {
    const { ssi, serial, write, read, pass } = bench();
    serial();
    for (const byte of [0x9f, 0, 0, 0]) write(DR0, byte);
    assert.equal(ssi.selected, true);
    assert.equal(read(TXFLR), 3);
    pass(4 * BYTE);
    assert.deepEqual([read(DR0), read(DR0), read(DR0), read(DR0)], [0xff, 0xef, 0x40, 0x15]);
    assert.equal(ssi.selected, false);
  });

  it("breaks a command off when the FIFO runs empty in its middle", () => {
    const { serial, write, read, pass } = bench();
    serial();
    write(DR0, 0x9f);
    pass(2 * BYTE);
    write(DR0, 0);
    pass(BYTE);
    assert.deepEqual([read(DR0), read(DR0)], [0xff, 0xff]);
  });

  it("leaves /CS to IO_QSPI's output override", () => {
    const { ssi, serial, command, pass, csLow, exchange, csNormal } = bench();
    serial();
    assert.deepEqual(command([0x9f, 0, 0, 0]), [0xff, 0xef, 0x40, 0x15]);
    csLow();
    exchange(0x9f);
    pass(100 * BYTE);
    assert.equal(ssi.selected, true);
    assert.equal(exchange(0), 0xef);
    csNormal();
    assert.equal(ssi.selected, false);
  });

  it("starts nothing while SER selects nobody", () => {
    const { setup, write, read, pass } = bench();
    setup([
      [BAUDR, 4],
      [CTRLR0, SERIAL],
      [SER, 0],
    ]);
    write(DR0, 0x9f);
    pass(BYTE);
    assert.equal(read(TXFLR), 1);
    write(SER, 1);
    pass(BYTE);
    assert.equal(read(RXFLR), 1);
  });

  it("holds 16 frames in each FIFO; what comes beyond is lost", () => {
    const { serial, setup, write, read, pass, misuse } = bench();
    serial();
    for (let i = 0; i < 17; i++) write(DR0, i);
    assert.equal(read(SR) & TFNF, 0);
    write(DR0, 99);
    assert.equal(read(RISR), 2);
    pass(20 * BYTE);
    assert.equal(read(RXFLR), 16);
    assert.equal(read(SR) & RFF, RFF);
    assert.equal(read(RISR), 2 | 8);
    assert.equal(read(ICR), 1);
    assert.equal(read(RISR), 0);
    assert.equal(misuse.length, 2);
    setup([]);
    assert.equal(read(RXFLR), 0);
    read(DR0);
    assert.equal(misuse.length, 3);
  });

  it("takes settings only while it is disabled", () => {
    const { serial, write, read, misuse } = bench();
    serial();
    write(BAUDR, 8);
    write(CTRLR0, QUAD);
    assert.equal(read(BAUDR), 4);
    assert.equal(read(CTRLR0), SERIAL);
    assert.equal(misuse.length, 2);
  });

  it("sends first and receives NDF + 1 frames then, with TMOD 3", () => {
    const { flash, setup, write, read, pass } = bench();
    flash.cells.set([1, 2, 3, 4], 0x10);
    setup([
      [BAUDR, 4],
      [CTRLR0, SERIAL | (3 << 8)],
      [CTRLR1, 3],
      [SER, 1],
    ]);
    for (const byte of [0x03, 0, 0, 0x10]) write(DR0, byte);
    pass(8 * BYTE);
    assert.equal(read(RXFLR), 4);
    assert.deepEqual([read(DR0), read(DR0), read(DR0), read(DR0)], [1, 2, 3, 4]);
  });

  it("puts the flash into continuous read with an instruction on one line, and reads in place after that", () => {
    const { flash, ssi, serial, enterXip, misuse, ignored } = bench();
    flash.cells.set([0x78, 0x56, 0x34, 0x12], 0x1000);
    serial();
    enterXip();
    assert.equal(flash.continuous, true);
    assert.equal(ssi.xipRead(0x1000), 0x12345678);
    assert.equal(ssi.xipRead(0x1004), 0xffffffff);
    assert.deepEqual([misuse, ignored], [[], []]);
  });

  it("cannot read in place while it is set up for commands, /CS is held, or it is off", () => {
    const { ssi, serial, enterXip, csLow, csNormal, write } = bench();
    serial();
    assert.match(String(ssi.xipRead(0)), /frames have 8 bits/);
    enterXip();
    assert.equal(ssi.xipRead(0), 0xffffffff);
    csLow();
    assert.match(String(ssi.xipRead(0)), /overridden low/);
    csNormal();
    assert.equal(ssi.xipRead(0), 0xffffffff);
    write(SSIENR, 0);
    assert.match(String(ssi.xipRead(0)), /disabled/);
  });

  it("reads nothing in place from a flash that is not in continuous read", () => {
    const { ssi, serial, setup } = bench();
    serial();
    setup([
      [CTRLR0, QUAD],
      [SPI_CTRLR0, LATER_READS],
    ]);
    assert.match(String(ssi.xipRead(0x1000)), /not in the mode/);
  });

  it("reads nothing in place from a busy flash", () => {
    const { ssi, serial, command, enterXip, pass, ignored } = bench();
    serial();
    command([0x06]);
    command([0x20, 0, 0, 0]);
    pass(44e6);
    enterXip();
    assert.match(String(ssi.xipRead(0)), /busy/);
    assert.deepEqual(ignored, ["fast read quad I/O while busy"]);
    pass(2e6);
    enterXip();
    assert.equal(ssi.xipRead(0), 0xffffffff);
  });

  it("erases and programs as the Pico's flash code does", () => {
    const { flash, serial, command, pass, enterXip, ssi, misuse, ignored } = bench();
    flash.cells.fill(0, 0x2000, 0x3000);
    serial();
    command([0xff]);
    command([0x06]);
    command([0x20, 0, 0x20, 0]);
    assert.equal(command([0x05, 0])[1], 3);
    pass(45e6);
    assert.equal(command([0x05, 0])[1], 0);
    command([0x06]);
    command([0x02, 0, 0x20, 0, 0xef, 0xbe, 0xad, 0xde]);
    pass(0.4e6);
    enterXip();
    assert.equal(ssi.xipRead(0x2000), 0xdeadbeef);
    assert.deepEqual([misuse, ignored], [[], []]);
  });

  it("cannot read on four lines from a flash without QE, until that is set", () => {
    const { ssi, serial, enterXip, command, pass, ignored } = bench(false);
    serial();
    enterXip();
    assert.match(String(ssi.xipRead(0)), /not in the mode/);
    assert.match(ignored[0], /without QE/);
    serial();
    command([0x06]);
    command([0x31, SR2_QE]);
    pass(10e6);
    enterXip();
    assert.equal(ssi.xipRead(0), 0xffffffff);
  });

  it("tells of an odd divider", () => {
    const { setup, misuse } = bench();
    setup([[BAUDR, 3]]);
    assert.equal(misuse.length, 1);
  });
});
