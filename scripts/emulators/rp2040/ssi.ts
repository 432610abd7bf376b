/**
 * XIP_SSI: the Synopsys DW_apb_ssi between the RP2040's bus and its flash (RP2040 Datasheet, 4.10), in place of rp2040js's own,
 * which answers every status read with "done".
 *
 *     DR0 ──> TX FIFO 16 x 32 ──> shifter ──> flash (w25q.ts)
 *     DR0 <── RX FIFO 16 x 32 <────┘   │
 *     XIP address ─────────────────────┘      /CS: low while a transfer runs, high when the TX FIFO ran empty;
 *                                             or as IO_QSPI's override says (io_qspi.ts)
 *
 *     CTRLR0     24 SSTE | 22:21 SPI_FRF | 20:16 DFS_32 | 9:8 TMOD | 7 SCPOL | 6 SCPH
 *     SPI_CTRLR0 31:24 XIP_CMD | 15:11 WAIT_CYCLES | 9:8 INST_L | 5:2 ADDR_L | 1:0 TRANS_TYPE
 *     SR         6 DCOL | 5 TXE | 4 RFF | 3 RFNE | 2 TFE | 1 TFNF | 0 BUSY
 *
 *     SPI_FRF 0 (one line)   TMOD 0: a frame in for each frame out | 1: only out | 3: out, then NDF+1 frames in
 *     SPI_FRF 2 (four lines) DR0 takes an instruction (INST_L) and an address (ADDR_L); then WAIT_CYCLES and, TMOD 3, NDF+1 frames in
 *
 * A frame takes its bits times BAUDR cycles of clk_sys, in simulated time; nothing happens between accesses, so the state is only
 * brought up to date when somebody looks. That the TX FIFO runs empty in the middle of a command, because an interrupt came, and
 * /CS rises, happens here as on the chip.
 *
 * What a driver must not do (writing settings while enabled, losing a byte, reading nothing, odd BAUDR) is told to `onMisuse`.
 *
 * NOT IMPLEMENTED: dual lines, TMOD 2, DDR, DMA, interrupts, thresholds, frames that are no whole bytes, RX_SAMPLE_DLY's effect.
 */
import type { Lanes, W25q } from "./w25q.ts";

const CTRLR0 = 0x00;
const CTRLR1 = 0x04;
const SSIENR = 0x08;
const MWCR = 0x0c;
const SER = 0x10;
const BAUDR = 0x14;
const TXFTLR = 0x18;
const RXFTLR = 0x1c;
const TXFLR = 0x20;
const RXFLR = 0x24;
const SR = 0x28;
const IMR = 0x2c;
const ISR = 0x30;
const RISR = 0x34;
const TXOICR = 0x38;
const RXOICR = 0x3c;
const RXUICR = 0x40;
const MSTICR = 0x44;
const ICR = 0x48;
const DMACR = 0x4c;
const DMATDLR = 0x50;
const DMARDLR = 0x54;
const IDR = 0x58;
const VERSION_ID = 0x5c;
const DR0 = 0x60;
const DR35 = 0xec;
const RX_SAMPLE_DLY = 0xf0;
const SPI_CTRLR0 = 0xf4;
const TXD_DRIVE_EDGE = 0xf8;

const SR_BUSY = 1 << 0;
const SR_TFNF = 1 << 1;
const SR_TFE = 1 << 2;
const SR_RFNE = 1 << 3;
const SR_RFF = 1 << 4;
const RISR_TXOIR = 1 << 1;
const RISR_RXUIR = 1 << 2;
const RISR_RXOIR = 1 << 3;

const FIFO_DEPTH = 16;
const TMOD_TX_ONLY = 1;
const TMOD_EEPROM = 3;
const SETTINGS = [CTRLR0, CTRLR1, BAUDR, SPI_CTRLR0, RX_SAMPLE_DLY];
const WRITE_MASK: Record<number, number> = {
  [CTRLR0]: 0x017fffff,
  [CTRLR1]: 0xffff,
  [SER]: 1,
  [BAUDR]: 0xffff,
  [SPI_CTRLR0]: 0xff07fb3f,
  [RX_SAMPLE_DLY]: 0xff,
};

export interface SsiPins {
  /** Simulated time, ns. */
  readonly now: () => number;
  /** clk_sys, Hz. */
  readonly hz: () => number;
  readonly flash: W25q;
  readonly onMisuse: (what: string) => void;
}

/** What the shifter does now: a frame, or in enhanced mode a whole transfer. */
interface Shift {
  readonly end: number;
  readonly words: number[];
  /** Frames read back. */
  readonly frames: number;
}

export class Ssi {
  readonly #pins: SsiPins;
  readonly #registers = new Map<number, number>();
  #enabled = false;
  #tx: number[] = [];
  #rx: number[] = [];
  #shift: Shift | null = null;
  #raised = 0;
  /** /CS as the shifter drives it, and as it is. */
  #wantsSelect = false;
  #selected = false;
  #override: "none" | "low" | "high" = "none";
  /** A register or /CS changed: whoever keeps "flash is readable in place" must ask again. */
  onChange: () => void = () => {};

  constructor(pins: SsiPins) {
    this.#pins = pins;
  }

  /** /CS as IO_QSPI's output override drives it. */
  overrideSelect(level: "none" | "low" | "high"): void {
    this.#advance();
    this.#override = level;
    this.#updateSelect(this.#pins.now());
    this.onChange();
  }

  get selected(): boolean {
    return this.#selected;
  }

  /**
   * Reads four bytes at `address` of flash as an access to the XIP window does, on the wire, as the registers say.
   * @returns the word, little-endian, or a sentence why there is none
   */
  xipRead(address: number): number | string {
    this.#advance();
    if (!this.#enabled) return "the SSI is disabled";
    if (this.#get(SER) === 0) return "the SSI selects no flash (SER)";
    if (this.#override !== "none") return `/CS is overridden ${this.#override}`;
    if (this.#shift !== null || this.#tx.length > 0) return "the SSI is busy";
    const ctrlr0 = this.#get(CTRLR0);
    if (this.#frameBits() !== 32) return `the SSI's frames have ${this.#frameBits()} bits`;
    if (((ctrlr0 >> 8) & 3) !== TMOD_EEPROM) return "the SSI's TMOD is not 3";
    const { instructionBits, addressBits, command } = this.#format();
    const words = instructionBits > 0 ? [command, address] : [((address << 8) | command) >>> 0];
    if (addressBits !== (instructionBits > 0 ? 24 : 32)) return `the SSI sends ${addressBits} bits of address`;
    const { flash } = this.#pins;
    if (flash.busy || this.#pins.now() < flash.busyUntil) return "the flash is busy";
    this.#setSelected(true, this.#pins.now());
    this.#sendEnhanced(words);
    const there = flash.reading;
    const word = this.#receive(32);
    this.#setSelected(false, this.#pins.now());
    if (there !== address) return "the flash is not in the mode that the SSI reads in";
    return ((word >>> 24) | ((word >>> 8) & 0xff00) | ((word << 8) & 0xff0000) | (word << 24)) >>> 0;
  }

  /** When the flash ends its operation, if the last status read said that it is busy: polling again before is no use. */
  busyUntil(): number {
    return this.#pins.flash.busyUntil;
  }

  readUint32(offset: number): number {
    this.#advance();
    switch (offset) {
      case SSIENR:
        return this.#enabled ? 1 : 0;
      case TXFLR:
        return this.#tx.length;
      case RXFLR:
        return this.#rx.length;
      case SR:
        return this.#status();
      case ISR:
      case RISR:
        return this.#raised;
      case TXOICR:
        return this.#clear(RISR_TXOIR);
      case RXOICR:
        return this.#clear(RISR_RXOIR);
      case RXUICR:
        return this.#clear(RISR_RXUIR);
      case MSTICR:
        return 0;
      case ICR:
        return this.#clear(RISR_TXOIR | RISR_RXOIR | RISR_RXUIR);
      case IDR:
        return 0x51535049;
      case VERSION_ID:
        return 0x3430312a;
    }
    if (offset >= DR0 && offset <= DR35) return this.#pop();
    return this.#get(offset);
  }

  writeUint32(offset: number, value: number): void {
    this.#advance();
    this.onChange();
    if (offset >= DR0 && offset <= DR35) {
      this.#push(value >>> 0);
      return;
    }
    switch (offset) {
      case SSIENR:
        this.#enable((value & 1) !== 0);
        return;
      case SR:
      case TXFLR:
      case RXFLR:
      case ISR:
      case RISR:
      case IDR:
      case VERSION_ID:
        this.#pins.onMisuse(`a write to the SSI's read-only register 0x${offset.toString(16)}`);
        return;
      case IMR:
      case DMACR:
        if (value !== 0) this.#pins.onMisuse("the SSI's interrupts and DMA, which are not modelled");
        return;
      case CTRLR0:
      case CTRLR1:
      case MWCR:
      case SER:
      case BAUDR:
      case TXFTLR:
      case RXFTLR:
      case DMATDLR:
      case DMARDLR:
      case RX_SAMPLE_DLY:
      case SPI_CTRLR0:
      case TXD_DRIVE_EDGE:
        this.#set(offset, value);
        return;
    }
    this.#pins.onMisuse(`a write to 0x${offset.toString(16)} of the SSI, where nothing is`);
  }

  /** The aliases of a register: 1 exclusive or, 2 set, 3 clear. (The SSI has none; RP2040 Datasheet 2.1.2.) */
  writeUint32Atomic(offset: number, value: number, atomicType: number): void {
    if (atomicType !== 0) this.#pins.onMisuse("an atomic alias of the SSI, which has none");
    else this.writeUint32(offset, value);
  }

  #get(offset: number): number {
    return this.#registers.get(offset) ?? 0;
  }

  #set(offset: number, value: number): void {
    if (this.#enabled && SETTINGS.includes(offset)) {
      this.#pins.onMisuse(`a write to 0x${offset.toString(16)} of the SSI while it is enabled`);
      return;
    }
    if (offset === BAUDR && (value & 1) !== 0) this.#pins.onMisuse(`BAUDR ${value}, which is odd`);
    this.#registers.set(offset, (value & (WRITE_MASK[offset] ?? 0xff)) >>> 0);
    if (offset === SER) this.#next(this.#pins.now());
  }

  #clear(bits: number): number {
    const was = (this.#raised & bits) === 0 ? 0 : 1;
    this.#raised &= ~bits;
    return was;
  }

  #enable(on: boolean): void {
    if (!on) {
      if (this.#shift !== null) this.#pins.onMisuse("the SSI disabled in the middle of a transfer");
      this.#tx = [];
      this.#rx = [];
      this.#shift = null;
      this.#wantsSelect = false;
      this.#updateSelect(this.#pins.now());
    }
    this.#enabled = on;
  }

  #status(): number {
    return (
      (this.#shift !== null ? SR_BUSY : 0) |
      (this.#tx.length < FIFO_DEPTH ? SR_TFNF : 0) |
      (this.#tx.length === 0 ? SR_TFE : 0) |
      (this.#rx.length > 0 ? SR_RFNE : 0) |
      (this.#rx.length >= FIFO_DEPTH ? SR_RFF : 0)
    );
  }

  #pop(): number {
    const word = this.#rx.shift();
    if (word !== undefined) return word;
    this.#raised |= RISR_RXUIR;
    this.#pins.onMisuse("a read of the SSI's empty receive FIFO");
    return 0;
  }

  #push(value: number): void {
    if (!this.#enabled) {
      this.#pins.onMisuse("a byte for the SSI while it is disabled");
      return;
    }
    if (this.#tx.length >= FIFO_DEPTH) {
      this.#raised |= RISR_TXOIR;
      this.#pins.onMisuse("a byte for the SSI's full transmit FIFO");
      return;
    }
    this.#tx.push(value);
    this.#next(this.#pins.now());
  }

  #frameBits(): number {
    return ((this.#get(CTRLR0) >> 16) & 0x1f) + 1;
  }

  #lanes(): Lanes {
    return ((this.#get(CTRLR0) >> 21) & 3) === 0 ? 1 : 4;
  }

  #format(): { instructionBits: number; addressBits: number; wait: number; type: number; command: number } {
    const spi = this.#get(SPI_CTRLR0);
    return {
      instructionBits: [0, 4, 8, 16][(spi >> 8) & 3],
      addressBits: ((spi >> 2) & 15) * 4,
      wait: (spi >> 11) & 31,
      type: spi & 3,
      command: spi >>> 24,
    };
  }

  /** Lets time pass up to now: frames that ended have ended. */
  #advance(): void {
    const now = this.#pins.now();
    while (this.#shift !== null && this.#shift.end <= now) {
      this.#finish(this.#shift);
    }
    this.#pins.flash.now = Math.max(this.#pins.flash.now, now);
  }

  /** Starts what the TX FIFO holds, if nothing runs. */
  #next(at: number): void {
    if (this.#shift !== null || !this.#enabled || this.#get(SER) === 0) return;
    const divider = this.#get(BAUDR);
    if (divider < 2) {
      if (this.#tx.length > 0) this.#pins.onMisuse("a transfer of the SSI without BAUDR");
      return;
    }
    const ns = (clocks: number): number => (clocks * divider * 1e9) / this.#pins.hz();
    const tmod = (this.#get(CTRLR0) >> 8) & 3;
    if (tmod === 2) {
      this.#pins.onMisuse("the SSI's TMOD 2, which is not modelled");
      return;
    }
    const frames = tmod === TMOD_EEPROM ? this.#get(CTRLR1) + 1 : 0;
    const bits = this.#frameBits();

    if (this.#lanes() === 4) {
      const { instructionBits, addressBits, wait, type } = this.#format();
      const needed = (instructionBits > 0 ? 1 : 0) + (addressBits > 0 ? 1 : 0);
      if (this.#tx.length < needed || needed === 0) return;
      const words = this.#tx.splice(0, needed);
      const clocks =
        instructionBits / (type === 2 ? 4 : 1) + addressBits / (type === 0 ? 1 : 4) + wait + (frames * bits) / 4;
      this.#wants(true, at);
      this.#shift = { end: at + ns(clocks), words, frames };
      return;
    }
    const word = this.#tx.shift();
    if (word === undefined) return;
    this.#wants(true, at);
    this.#shift = { end: at + ns(bits), words: [word], frames };
  }

  #finish(shift: Shift): void {
    const bits = this.#frameBits();
    const tmod = (this.#get(CTRLR0) >> 8) & 3;
    this.#pins.flash.now = shift.end;
    this.#shift = null;
    if (this.#lanes() === 4) {
      this.#sendEnhanced(shift.words);
      for (let i = 0; i < shift.frames; i++) this.#keep(this.#receive(bits));
    } else if (shift.words.length > 0) {
      const word = this.#exchange(shift.words[0], bits, 1);
      if (tmod === 0) this.#keep(word);
      // EEPROM read: everything is out, now the answer comes in.
      if (tmod === TMOD_EEPROM && this.#tx.length === 0) {
        const ns = (shift.frames * bits * this.#get(BAUDR) * 1e9) / this.#pins.hz();
        this.#shift = { end: shift.end + ns, words: [], frames: shift.frames };
        return;
      }
    } else {
      for (let i = 0; i < shift.frames; i++) this.#keep(this.#exchange(0, bits, 1));
    }
    if (tmod === TMOD_TX_ONLY || this.#tx.length === 0 || this.#lanes() === 1) this.#next(shift.end);
    if (this.#shift === null) this.#wants(false, shift.end);
  }

  /** Instruction, address and wait cycles, as SPI_CTRLR0 says. */
  #sendEnhanced(words: number[]): void {
    const { instructionBits, addressBits, wait, type } = this.#format();
    const quad = this.#lanes();
    const rest = [...words];
    if (instructionBits > 0) this.#exchange(rest.shift() ?? 0, instructionBits, type === 2 ? quad : 1);
    if (addressBits > 0) this.#exchange(rest.shift() ?? 0, addressBits, type === 0 ? 1 : quad);
    if (wait > 0) this.#wait(wait, quad);
  }

  /** Wait cycles: a quad read's mode bits are two of them when the address did not bring them; the lines float (high). */
  #wait(clocks: number, lanes: Lanes): void {
    const { flash } = this.#pins;
    if (lanes === 4 && this.#format().addressBits === 24) {
      flash.transfer(0xff, 4);
      flash.dummy(clocks - 2);
    } else flash.dummy(clocks);
  }

  #receive(bits: number): number {
    return this.#exchange(0, bits, this.#lanes());
  }

  /** Shifts `bits` of `word`, most significant first. */
  #exchange(word: number, bits: number, lanes: Lanes): number {
    if (bits % 8 !== 0) {
      this.#pins.onMisuse(`a transfer of ${bits} bits, which is not modelled`);
      return 0;
    }
    let read = 0;
    for (let shift = bits - 8; shift >= 0; shift -= 8)
      read = ((read << 8) | this.#pins.flash.transfer((word >>> shift) & 0xff, lanes)) >>> 0;
    return read;
  }

  #keep(word: number): void {
    if (this.#rx.length < FIFO_DEPTH) {
      this.#rx.push(word);
      return;
    }
    this.#raised |= RISR_RXOIR;
    this.#pins.onMisuse("a frame lost because the SSI's receive FIFO is full");
  }

  #wants(selected: boolean, at: number): void {
    this.#wantsSelect = selected;
    this.#updateSelect(at);
  }

  #updateSelect(at: number): void {
    const level = this.#override === "none" ? this.#wantsSelect : this.#override === "low";
    this.#setSelected(level, at);
  }

  #setSelected(selected: boolean, at: number): void {
    if (selected === this.#selected) return;
    this.#selected = selected;
    const { flash } = this.#pins;
    flash.now = Math.max(flash.now, at);
    flash.clockHz = this.#get(BAUDR) === 0 ? 0 : this.#pins.hz() / this.#get(BAUDR);
    if (selected) flash.select();
    else flash.deselect();
  }
}
