/** Sentences of the PL011's manual (Arm DDI 0183) and of the RP2040 Datasheet, 4.2. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Uart } from "../rp2040/uart.ts";
import { benchClock } from "./bench_clock.ts";

const DR = 0x00;
const FR = 0x18;
const IBRD = 0x24;
const FBRD = 0x28;
const LCR_H = 0x2c;
const CR = 0x30;
const IFLS = 0x34;
const IMSC = 0x38;
const RIS = 0x3c;
const MIS = 0x40;
const ICR = 0x44;
const BUSY = 8;
const RXFE = 16;
const TXFF = 32;
const TXFE = 128;
const RX = 16;
const TX = 32;
const RT = 64;
const OE = 1024;
/** 125 MHz / 16 / 7.8125 = 1 Mbit/s: a character takes 10 us. */
const CHARACTER = 10_000;

function bench() {
  const { clock, pass } = benchClock();
  const sent: number[] = [];
  const misuse: string[] = [];
  const pins = { interrupt: false };
  const uart = new Uart({
    alarm: (run) => clock.createAlarm(run),
    hz: () => 125e6,
    interrupt: (level) => {
      pins.interrupt = level;
    },
    onMisuse: (what) => misuse.push(what),
    onByte: (byte) => sent.push(byte),
  });
  uart.writeUint32(IBRD, 7);
  uart.writeUint32(FBRD, 52);
  uart.writeUint32(LCR_H, 0x70);
  uart.writeUint32(IFLS, 0);
  uart.writeUint32(CR, 0x301);
  const read = (offset: number): number => uart.readUint32(offset);
  const write = (offset: number, value: number): void => uart.writeUint32(offset, value);
  return { uart, pass, sent, misuse, pins, read, write };
}
const bytes = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

describe("UART", () => {
  it("sends a character in ten bits, BUSY until the last is out", () => {
    const { uart, pass, sent, read, write } = bench();
    assert.equal(Math.round(uart.baud), 1_000_000);
    write(DR, 0x41);
    assert.equal(read(FR), BUSY | TXFE | RXFE);
    pass(CHARACTER - 1);
    assert.deepEqual(sent, []);
    pass(1);
    assert.deepEqual(sent, [0x41]);
    assert.equal(read(FR), TXFE | RXFE);
  });

  it("holds 32 characters to send, and the one that it shifts", () => {
    const { pass, sent, misuse, read, write } = bench();
    for (const byte of bytes(33)) write(DR, byte);
    assert.equal(read(FR) & TXFF, TXFF);
    write(DR, 99);
    assert.equal(misuse.length, 1);
    pass(33 * CHARACTER);
    assert.deepEqual(sent, bytes(33));
  });

  it("raises TX when the FIFO falls through its level, not because it is empty", () => {
    const { pass, pins, read, write } = bench();
    write(IMSC, TX);
    assert.equal(pins.interrupt, false);
    write(DR, 1);
    pass(2 * CHARACTER);
    assert.equal(read(RIS), 0);
    for (const byte of bytes(6)) write(DR, byte);
    pass(CHARACTER - 1);
    assert.equal(pins.interrupt, false);
    pass(1);
    assert.equal(read(MIS), TX);
    assert.equal(pins.interrupt, true);
    write(ICR, TX);
    assert.equal(pins.interrupt, false);
  });

  it("raises RX at its level, and lowers it when the FIFO was read below", () => {
    const { uart, pass, pins, read, write } = bench();
    write(IMSC, RX);
    uart.receive(bytes(4));
    pass(3 * CHARACTER);
    assert.equal(pins.interrupt, false);
    pass(CHARACTER);
    assert.equal(read(MIS), RX);
    assert.equal(read(DR), 0);
    assert.equal(pins.interrupt, false);
  });

  it("raises RT when characters wait and none came for 32 bits, and lowers it when they are read", () => {
    const { uart, pass, read } = bench();
    uart.receive([7, 8]);
    pass(2 * CHARACTER + 31_999);
    assert.equal(read(RIS), 0);
    pass(1);
    assert.equal(read(RIS), RT);
    read(DR);
    assert.equal(read(RIS), RT);
    read(DR);
    assert.equal(read(RIS), 0);
    assert.equal(read(FR) & RXFE, RXFE);
  });

  it("loses what comes while its FIFO is full, and marks the next character", () => {
    const { uart, pass, read } = bench();
    uart.receive(bytes(34));
    pass(34 * CHARACTER);
    assert.equal(uart.overruns, 2);
    assert.equal(read(RIS) & OE, OE);
    for (const byte of bytes(32)) assert.equal(read(DR), byte);
    uart.receive([50]);
    pass(CHARACTER);
    assert.equal(read(DR), 50 | 0x800);
  });

  it("receives nothing that was sent at another speed", () => {
    const { uart, pass, read, write, sent } = bench();
    uart.lineBaud = 921_600;
    uart.receive([0x55]);
    pass(2 * CHARACTER);
    const character = read(DR);
    assert.equal(character & 0x100, 0x100);
    assert.notEqual(character & 0xff, 0x55);
    write(DR, 0x55);
    pass(CHARACTER);
    assert.notEqual(sent[0], 0x55);
    uart.lineBaud = 1_030_000;
    uart.receive([0x55]);
    pass(CHARACTER);
    assert.equal(read(DR), 0x55);
  });

  it("takes a new speed only while it is off, with a write of the line control register", () => {
    const { uart, misuse, write } = bench();
    write(IBRD, 4);
    assert.equal(misuse.length, 1);
    write(CR, 0);
    write(IBRD, 67);
    assert.equal(Math.round(uart.baud), 1_000_000);
    write(FBRD, 52);
    write(LCR_H, 0x70);
    assert.equal(Math.round(uart.baud), 115_207);
  });

  it("sets and clears the interrupt mask through its aliases", () => {
    const { uart, read } = bench();
    uart.writeUint32Atomic(IMSC, RX | TX, 2);
    uart.writeUint32Atomic(IMSC, TX, 3);
    assert.equal(read(IMSC), RX);
  });
});
