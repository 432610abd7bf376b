/**
 * UART: the PL011 of the RP2040 (datasheet 4.2; Arm DDI 0183), in place of rp2040js's own, which sends a byte in no time, never overruns
 * and always has its transmit interrupt pending.
 *
 *     receive(bytes) ──line──> [ RX FIFO 32 ] ──> UARTDR        a character takes 10 bits at the line's speed
 *     onByte(byte)   <──line── [ TX FIFO 32 ] <── UARTDR
 *
 *     RIS/MIS/ICR/IMSC   10 OE | 9 BE | 8 PE | 7 FE | 6 RT | 5 TX | 4 RX
 *     TX rises when the FIFO falls *through* its level (never because it is empty), RX when it fills to its level, RT when something waits and
 *     nothing came for 32 bits.
 *
 * The sender at the other end has a speed of its own (`lineBaud`) or follows (null: what TCP and a pseudo-terminal are). More than 5 % apart,
 * characters arrive as noise with a framing error, and leave as noise.
 *
 * NOT IMPLEMENTED: parity, other than 8 data bits and 1 stop bit, break, flow control, loopback, IrDA, DMA, FIFOs off.
 */
import { atomic } from "./io_qspi.ts";

const DR = 0x00;
const RSR = 0x04;
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
const DMACR = 0x48;
const PERIPHID0 = 0xfe0;
const IDS = [0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

const FR_BUSY = 1 << 3;
const FR_RXFE = 1 << 4;
const FR_TXFF = 1 << 5;
const FR_RXFF = 1 << 6;
const FR_TXFE = 1 << 7;
const LCR_FEN = 1 << 4;
const LCR_8N1 = 0x60;
const CR_UARTEN = 1 << 0;
const CR_TXE = 1 << 8;
const CR_RXE = 1 << 9;
const INT_RX = 1 << 4;
const INT_TX = 1 << 5;
const INT_RT = 1 << 6;
const INT_FE = 1 << 7;
const INT_OE = 1 << 10;
const DR_FE = 1 << 8;
const DR_OE = 1 << 11;

const FIFO_DEPTH = 32;
const LEVELS = [4, 8, 16, 24, 28];
const BITS = 10;
const TIMEOUT_BITS = 32;
const TOLERANCE = 0.05;

interface Alarm {
  schedule(ns: number): void;
  cancel(): void;
}

export interface UartPins {
  readonly alarm: (run: () => void) => Alarm;
  /** clk_peri, Hz; 0: stopped. */
  readonly hz: () => number;
  readonly interrupt: (level: boolean) => void;
  readonly onMisuse: (what: string) => void;
  /** A character left the chip, whole. */
  readonly onByte: (byte: number) => void;
}

export class Uart {
  /** Speed of what is at the other end, bit/s; null: whatever the chip's is. */
  lineBaud: number | null = null;
  /** Characters that were lost because the RX FIFO was full. */
  overruns = 0;
  readonly #pins: UartPins;
  readonly #sending: Alarm;
  readonly #receiving: Alarm;
  readonly #timeout: Alarm;
  /** On their way to the chip. */
  #line: number[] = [];
  #rx: number[] = [];
  #tx: number[] = [];
  #shifting: number | null = null;
  #arriving = false;
  #overrun = false;
  #ibrd = 0;
  #fbrd = 0;
  /** In force since the last write of LCR_H. */
  #divisor = 0;
  #lcr = 0;
  #cr = CR_TXE | CR_RXE;
  #ifls = 0x12;
  #mask = 0;
  #raised = 0;

  constructor(pins: UartPins) {
    this.#pins = pins;
    this.#sending = pins.alarm(() => this.#sent());
    this.#receiving = pins.alarm(() => this.#arrived());
    this.#timeout = pins.alarm(() => this.#raise(INT_RT));
  }

  /** bit/s; 0: not set. */
  get baud(): number {
    return this.#divisor === 0 ? 0 : this.#pins.hz() / (16 * this.#divisor);
  }

  /** Bytes that the other end sends, at its speed, behind those on their way. */
  receive(bytes: Iterable<number>): void {
    for (const byte of bytes) this.#line.push(byte);
    this.#listen();
  }

  /** Bytes that the other end has still to send. */
  get pending(): number {
    return this.#line.length;
  }

  /** A character is on its way or in a FIFO, either direction. */
  get active(): boolean {
    return this.#line.length + this.#rx.length + this.#tx.length > 0 || this.#shifting !== null;
  }

  readUint32(offset: number): number {
    switch (offset) {
      case DR:
        return this.#take();
      case RSR:
        return 0;
      case FR:
        return (
          (this.#shifting !== null || this.#tx.length > 0 ? FR_BUSY : 0) |
          (this.#rx.length === 0 ? FR_RXFE : 0) |
          (this.#tx.length >= FIFO_DEPTH ? FR_TXFF : 0) |
          (this.#rx.length >= FIFO_DEPTH ? FR_RXFF : 0) |
          (this.#tx.length === 0 ? FR_TXFE : 0)
        );
      case IBRD:
        return this.#ibrd;
      case FBRD:
        return this.#fbrd;
      case LCR_H:
        return this.#lcr;
      case CR:
        return this.#cr;
      case IFLS:
        return this.#ifls;
      case IMSC:
        return this.#mask;
      case RIS:
        return this.#raised;
      case MIS:
        return this.#raised & this.#mask;
      case DMACR:
        return 0;
    }
    if (offset >= PERIPHID0) return IDS[(offset - PERIPHID0) >> 2];
    this.#pins.onMisuse(`a read of 0x${offset.toString(16)} of a UART, where nothing is`);
    return 0;
  }

  writeUint32(offset: number, value: number): void {
    switch (offset) {
      case DR:
        this.#give(value & 0xff);
        return;
      case RSR:
        this.#overrun = false;
        return;
      case IBRD:
      case FBRD:
        if (this.#enabled) this.#pins.onMisuse("a new speed while the UART is enabled");
        if (offset === IBRD) this.#ibrd = value & 0xffff;
        else this.#fbrd = value & 0x3f;
        return;
      case LCR_H:
        if (this.#enabled) this.#pins.onMisuse("a write to the line control register while the UART is enabled");
        this.#lcr = value & 0xff;
        this.#divisor = this.#ibrd + this.#fbrd / 64;
        return;
      case CR:
        this.#control(value & 0xff87);
        return;
      case IFLS:
        this.#ifls = value & 0x3f;
        return;
      case IMSC:
        this.#mask = value & 0x7ff;
        this.#signal();
        return;
      case ICR:
        this.#raised &= ~value;
        this.#signal();
        return;
      case DMACR:
        if (value !== 0) this.#pins.onMisuse("the UART's DMA, which is not modelled");
        return;
    }
    this.#pins.onMisuse(`a write to 0x${offset.toString(16)} of a UART, where nothing is`);
  }

  writeUint32Atomic(offset: number, value: number, atomicType: number): void {
    // ICR reads as nothing and clears what is written: its aliases would be of no use.
    const old = atomicType === 0 || offset === ICR || offset === DR ? 0 : this.readUint32(offset);
    this.writeUint32(offset, atomic(old, value, atomicType));
  }

  get #enabled(): boolean {
    return (this.#cr & CR_UARTEN) !== 0;
  }

  #control(value: number): void {
    this.#cr = value;
    if (!this.#enabled) return;
    if ((this.#lcr & 0xee) !== LCR_8N1 || (this.#lcr & LCR_FEN) === 0)
      this.#pins.onMisuse("a UART that is not 8N1 with FIFOs, which is not modelled");
    if (this.#divisor < 1) this.#pins.onMisuse("a UART enabled without a speed");
    this.#send();
    this.#listen();
  }

  #bitTime(baud: number): number {
    if (baud > 0 && Number.isFinite(baud)) return 1e9 / baud;
    this.#pins.onMisuse("a UART without a clock");
    return 1e9;
  }

  /** Both ends agree on the speed. */
  get #agrees(): boolean {
    return this.lineBaud === null || Math.abs(this.baud / this.lineBaud - 1) <= TOLERANCE;
  }

  #give(byte: number): void {
    if (this.#tx.length >= FIFO_DEPTH) {
      this.#pins.onMisuse("a byte for the UART's full transmit FIFO");
      return;
    }
    this.#tx.push(byte);
    if (this.#tx.length > LEVELS[this.#ifls & 7]) this.#lower(INT_TX);
    this.#send();
  }

  #send(): void {
    if (this.#shifting !== null || this.#tx.length === 0) return;
    if (!this.#enabled || (this.#cr & CR_TXE) === 0) return;
    this.#shifting = this.#tx.shift() ?? 0;
    if (this.#tx.length === LEVELS[this.#ifls & 7]) this.#raise(INT_TX);
    this.#sending.schedule(BITS * this.#bitTime(this.baud));
  }

  #sent(): void {
    const byte = this.#shifting ?? 0;
    this.#shifting = null;
    this.#pins.onByte(this.#agrees ? byte : noise(byte));
    this.#send();
  }

  #listen(): void {
    if (this.#arriving || this.#line.length === 0) return;
    if (!this.#enabled || (this.#cr & CR_RXE) === 0) return;
    this.#arriving = true;
    this.#receiving.schedule(BITS * this.#bitTime(this.lineBaud ?? this.baud));
  }

  #arrived(): void {
    this.#arriving = false;
    const byte = this.#line.shift() ?? 0;
    if (this.#enabled && (this.#cr & CR_RXE) !== 0) this.#accept(this.#agrees ? byte : DR_FE | noise(byte));
    this.#listen();
  }

  #accept(character: number): void {
    if (this.#rx.length >= FIFO_DEPTH) {
      this.overruns++;
      this.#overrun = true;
      this.#raise(INT_OE);
      return;
    }
    this.#rx.push(character | (this.#overrun ? DR_OE : 0));
    this.#overrun = false;
    if ((character & DR_FE) !== 0) this.#raise(INT_FE);
    if (this.#rx.length >= this.#rxLevel) this.#raise(INT_RX);
    this.#timeout.schedule(TIMEOUT_BITS * this.#bitTime(this.baud));
  }

  #take(): number {
    const character = this.#rx.shift();
    if (character === undefined) {
      this.#pins.onMisuse("a read of the UART's empty receive FIFO");
      return 0;
    }
    if (this.#rx.length < this.#rxLevel) this.#lower(INT_RX);
    if (this.#rx.length === 0) {
      this.#timeout.cancel();
      this.#lower(INT_RT);
    } else this.#timeout.schedule(TIMEOUT_BITS * this.#bitTime(this.baud));
    return character;
  }

  get #rxLevel(): number {
    return LEVELS[(this.#ifls >> 3) & 7];
  }

  #raise(bits: number): void {
    this.#raised |= bits;
    this.#signal();
  }

  #lower(bits: number): void {
    this.#raised &= ~bits;
    this.#signal();
  }

  #signal(): void {
    this.#pins.interrupt((this.#raised & this.#mask) !== 0);
  }
}

/** What a character looks like to somebody who samples it at another speed: not itself. */
function noise(byte: number): number {
  return (byte * 0x35 + 0x5b) & 0xff;
}
