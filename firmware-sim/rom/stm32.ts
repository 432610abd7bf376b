/**
 * STM32 BOOT ROM: the USART bootloader in system memory, as ST's AN3155 describes it (protocol) and AN2606 (chips).
 *
 *                       ┌──────────────┐
 *     PA10  USART1_RX ─>│              │      8E1, speed found by the first byte, 0x7F
 *     PA9   USART1_TX <─│ system memory│══ FLASH BUS      (PA9, PA10: AN2606, from memory)
 *     BOOT0 ───────────>│              │      high at reset: this ROM; low: flash
 *     NRST  ───────────>│              │      low: reset
 *                       └──────────────┘
 *     DTR asserted: NRST low        RTS asserted: BOOT0 high (docs/firmware-stm32.md draws it)
 *
 *     host sends                     ROM answers (ACK 0x79, NACK 0x1F)
 *     7F                             ACK, once after reset
 *     command, its complement        ACK; NACK when the complement is wrong, the command unknown or the chip protected
 *
 *     command                  then the host sends                        and the ROM answers
 *     00 Get                                                              N, version, commands, ACK
 *     01 Get Version                                                      version, 0, 0, ACK
 *     02 Get ID                                                           1, product id (2), ACK
 *     11 Read Memory           address (4), XOR                           ACK
 *                              N, its complement                          ACK, N + 1 bytes
 *     21 Go                    address (4), XOR                           ACK, jump
 *     31 Write Memory          address (4), XOR                           ACK
 *                              N, N + 1 bytes, XOR                        programs, ACK
 *     44 Extended Erase        N (2), N + 1 sectors (2 each), XOR         erases, ACK
 *                              FFFF all, FFFE bank 1, FFFD bank 2, XOR    erases, ACK
 *     63 Write Protect         N, N + 1 sectors, XOR                      ACK, reset
 *     73 Write Unprotect                                                  ACK, reset
 *     82 Readout Protect                                                  ACK, reset
 *     92 Readout Unprotect                                                erases everything, ACK, reset
 *
 * A protected chip answers Get, Get Version, Get ID and Readout Unprotect and NACKs the rest. Erasing or programming a
 * write-protected sector leaves it as it is and is acknowledged ("no error is returned", AN3155). Erase and program take the
 * flash's time, meanwhile the UART holds one byte and loses the others. AN3155 gives the ROM no timeout: in the middle of a command
 * it waits for the next byte for ever (from memory). A first byte that is not 0x7F is measured wrongly, and the ROM hears nothing
 * it understands until it is reset (from memory).
 *
 * NOT IMPLEMENTED: SRAM, option bytes and system memory as targets of Read, Write and Go (NACK); Erase 0x43, which chips with
 * Extended Erase do not have; Get Checksum and the Special commands of newer chips; the other interfaces of the ROM (USB DFU, CAN,
 * I2C, SPI) and other USARTs; what a parity error does (the byte is taken as it is); the ROM's start-up time; option bytes in a
 * flash file; readout protection level 2.
 */
import type { FlashBus } from "../bus/flash_bus.ts";
import type { BootRom, ModemLines, RomOptions, RomPins, Strap } from "./rom.ts";

const SYNC = 0x7f;
const ACK = 0x79;
const NACK = 0x1f;

const GET = 0x00;
const GET_VERSION = 0x01;
const GET_ID = 0x02;
const READ_MEMORY = 0x11;
const GO = 0x21;
const WRITE_MEMORY = 0x31;
const EXTENDED_ERASE = 0x44;
const WRITE_PROTECT = 0x63;
const WRITE_UNPROTECT = 0x73;
const READOUT_PROTECT = 0x82;
const READOUT_UNPROTECT = 0x92;
const COMMANDS = [
  ...[GET, GET_VERSION, GET_ID, READ_MEMORY, GO, WRITE_MEMORY, EXTENDED_ERASE],
  ...[WRITE_PROTECT, WRITE_UNPROTECT, READOUT_PROTECT, READOUT_UNPROTECT],
];
/** What a protected chip still does. */
const UNPROTECTED_COMMANDS = [GET, GET_VERSION, GET_ID, READOUT_UNPROTECT];

/** Of the protocol: 3.1 (AN2606, bootloader V9.1 of STM32F40xxx and V9.0 of STM32H74xxx; from memory). */
const VERSION = 0x31;
/** A write's address and length are multiples of a word. */
const WORD = 4;
/** The USART's data register. */
const RECEIVER_BYTES = 1;

/** Special codes in the place of Extended Erase's N. */
const ERASE_SPECIAL = 0xfff0;
const ERASE_ALL = 0xffff;
const ERASE_BANK_1 = 0xfffe;
const ERASE_BANK_2 = 0xfffd;

interface Chip {
  /** Beginning of the part number. */
  readonly part: string;
  /** AN2606, table of device-dependent parameters. */
  readonly productId: number;
  readonly banks: 1 | 2;
}

const CHIPS: readonly Chip[] = [
  { part: "STM32F405", productId: 0x413, banks: 1 },
  { part: "STM32H743", productId: 0x450, banks: 2 },
];

const chipOf = (part: string): Chip | undefined => CHIPS.find((chip) => part.startsWith(chip.part));

/** @param part a board's `chip` */
export function isStm32(part: string): boolean {
  return chipOf(part) !== undefined;
}

/** What the ROM waits for. */
type Phase =
  | "sync"
  | "lost"
  | "command"
  | "address"
  | "read-count"
  | "write-count"
  | "write-data"
  | "erase-count"
  | "erase-special"
  | "erase-sectors"
  | "protect-count"
  | "protect-sectors";

interface Stm32State {
  phase: Phase;
  /** Bytes of this phase so far, and how many it takes. */
  got: number[];
  need: number;
  command: number;
  address: number;
  /** Option bytes: they outlive a reset. */
  readoutProtected: boolean;
  writeProtected: number[];
}

export class Stm32Rom implements BootRom {
  state: Stm32State;
  readonly #pins: RomPins;
  readonly #flash: FlashBus;
  readonly #chip: Chip;

  constructor(pins: RomPins, options: RomOptions) {
    const chip = chipOf(pins.board.chip);
    if (chip === undefined) throw new RangeError(`no STM32: ${pins.board.chip}`);
    this.#pins = pins;
    this.#flash = pins.flash;
    this.#chip = chip;
    this.state = {
      phase: "sync",
      got: [],
      need: 0,
      command: 0,
      address: 0,
      readoutProtected: options.protected === true,
      writeProtected: [],
    };
  }

  start(): void {
    this.#expect("sync", 0);
    this.#pins.uart.measure();
  }

  wiring({ dtr, rts }: ModemLines): { reset: boolean; strap: Strap } {
    return { reset: dtr, strap: rts ? "rom" : "flash" };
  }

  poll(): number {
    if (this.state.phase === "sync") return this.#sync() ? 1 : 0;
    const [byte] = this.#pins.uart.read(1);
    if (byte === undefined) return 0;
    if (this.state.phase === "lost") return 1;
    this.state.got.push(byte);
    if (this.state.got.length === this.state.need) this.#received(this.state.got);
    return 1;
  }

  #sync(): boolean {
    const { uart } = this.#pins;
    const first = uart.measure();
    if (first === null) return false;
    if (first.byte !== SYNC || uart.setBaud(first.baud) !== 0) {
      this.#expect("lost", 0);
      return true;
    }
    uart.setParity("even");
    this.#acknowledge();
    return true;
  }

  #expect(phase: Phase, need: number): void {
    this.state.phase = phase;
    this.state.need = need;
    this.state.got = [];
  }

  #send(...bytes: number[]): void {
    this.#pins.uart.write(Uint8Array.from(bytes));
  }

  /** Ends a command well. */
  #acknowledge(...after: number[]): void {
    this.#send(ACK, ...after);
    this.#expect("command", 2);
  }

  /** Ends a command badly: "sends a NACK byte and goes back to command checking". */
  #refuse(): void {
    this.#send(NACK);
    this.#expect("command", 2);
  }

  /** Goes on with the command. */
  #goOn(phase: Phase, need: number): void {
    this.#send(ACK);
    this.#expect(phase, need);
  }

  #received(bytes: readonly number[]): void {
    switch (this.state.phase) {
      case "command":
        return this.#command(bytes[0], bytes[1]);
      case "address":
        return this.#address(bytes);
      case "read-count":
        return this.#read(bytes[0], bytes[1]);
      case "write-count":
        return this.#more("write-data", bytes[0] + 3);
      case "write-data":
        return this.#write(bytes);
      case "erase-count":
        return this.#eraseCount(word16(bytes, 0));
      case "erase-special":
        return this.#eraseSpecial(bytes);
      case "erase-sectors":
        return this.#eraseSectors(bytes);
      case "protect-count":
        return this.#more("protect-sectors", bytes[0] + 3);
      case "protect-sectors":
        return this.#protect(bytes);
    }
  }

  /** The phase goes on under another name with the bytes that are there: their number is known now. */
  #more(phase: Phase, need: number): void {
    this.state.phase = phase;
    this.state.need = need;
  }

  #command(command: number, complement: number): void {
    const { readoutProtected } = this.state;
    const known = (command ^ complement) === 0xff && COMMANDS.includes(command);
    if (!known || (readoutProtected && !UNPROTECTED_COMMANDS.includes(command))) return this.#refuse();
    this.state.command = command;
    switch (command) {
      case GET:
        return this.#acknowledge(COMMANDS.length, VERSION, ...COMMANDS, ACK);
      case GET_VERSION:
        return this.#acknowledge(VERSION, 0, 0, ACK);
      case GET_ID:
        return this.#acknowledge(1, this.#chip.productId >> 8, this.#chip.productId & 255, ACK);
      case READ_MEMORY:
      case GO:
      case WRITE_MEMORY:
        return this.#goOn("address", 5);
      case EXTENDED_ERASE:
        return this.#goOn("erase-count", 2);
      case WRITE_PROTECT:
        return this.#goOn("protect-count", 1);
      case WRITE_UNPROTECT:
        return this.#setOptions({ writeProtected: [] });
      case READOUT_PROTECT:
        return this.#setOptions({ readoutProtected: true });
      case READOUT_UNPROTECT:
        return this.#unprotect();
    }
  }

  #address(bytes: readonly number[]): void {
    const address = bytes.slice(0, 4).reduce((sum, byte) => sum * 256 + byte, 0);
    const { command } = this.state;
    const aligned = command !== WRITE_MEMORY || address % Math.max(WORD, this.#pins.board.flash.program_unit) === 0;
    if (xor(bytes) !== 0 || !this.#flash.contains(address, 1) || !aligned) return this.#refuse();
    this.state.address = address;
    if (command === READ_MEMORY) return this.#goOn("read-count", 2);
    if (command === WRITE_MEMORY) return this.#goOn("write-count", 1);
    this.#acknowledge();
    this.#pins.requestJump(address);
  }

  #read(count: number, complement: number): void {
    const { address } = this.state;
    if ((count ^ complement) !== 0xff || !this.#flash.contains(address, count + 1)) return this.#refuse();
    this.#acknowledge(...this.#flash.read(address, count + 1));
  }

  #write(bytes: readonly number[]): void {
    const data = bytes.slice(1, -1);
    const { address } = this.state;
    if (xor(bytes) !== 0 || data.length % WORD !== 0 || !this.#flash.contains(address, data.length))
      return this.#refuse();
    // A whole number of program units: the rest of a flash word (32 bytes on an H743) stays erased (from memory).
    const unit = this.#pins.board.flash.program_unit;
    const padded = new Uint8Array(Math.ceil(data.length / unit) * unit).fill(0xff);
    padded.set(data);
    if (!this.#busy(() => this.#program(address, padded))) return this.#refuse();
    this.#acknowledge();
  }

  #program(address: number, data: Uint8Array): boolean {
    for (let at = address; at < address + data.length; ) {
      const sector = this.#flash.sectorAt(at);
      if (sector === null) return false;
      const end = Math.min(address + data.length, sector.address + sector.bytes);
      const piece = data.subarray(at - address, end - address);
      if (!this.#isWriteProtected(sector.index) && this.#flash.program(at, piece) !== 0) return false;
      at = end;
    }
    return true;
  }

  #eraseCount(n: number): void {
    if (n >= ERASE_SPECIAL) return this.#more("erase-special", 3);
    if (n >= this.#flash.sectors.length) return this.#refuse();
    this.#more("erase-sectors", 2 + 2 * (n + 1) + 1);
  }

  #eraseSpecial(bytes: readonly number[]): void {
    const code = word16(bytes, 0);
    const all = this.#flash.sectors.map(({ index }) => index);
    const perBank = all.length / this.#chip.banks;
    const bank = (i: number) => (this.#chip.banks === 2 ? all.slice(i * perBank, (i + 1) * perBank) : null);
    const sectors = code === ERASE_ALL ? all : code === ERASE_BANK_1 ? bank(0) : code === ERASE_BANK_2 ? bank(1) : null;
    if (xor(bytes) !== 0 || sectors === null) return this.#refuse();
    this.#erase(sectors);
  }

  #eraseSectors(bytes: readonly number[]): void {
    const sectors: number[] = [];
    for (let at = 2; at < bytes.length - 1; at += 2) sectors.push(word16(bytes, at));
    if (xor(bytes) !== 0 || sectors.some((index) => index >= this.#flash.sectors.length)) return this.#refuse();
    this.#erase(sectors);
  }

  #erase(sectors: readonly number[]): void {
    const wanted = sectors.filter((index) => !this.#isWriteProtected(index));
    if (!this.#busy(() => wanted.every((index) => this.#flash.erase(index) === 0))) return this.#refuse();
    this.#acknowledge();
  }

  #protect(bytes: readonly number[]): void {
    if (xor(bytes) !== 0) return this.#refuse();
    // "A second Write Protect command" replaces the first one's sectors; wrong numbers are not checked (AN3155).
    this.#setOptions({ writeProtected: bytes.slice(1, -1) });
  }

  #unprotect(): void {
    this.#send(ACK);
    // Even write-protected sectors: leaving level 1 is an erase of the whole chip (RM0090 3.7.3).
    const erased = this.#busy(() => this.#flash.sectors.every(({ index }) => this.#flash.erase(index) === 0));
    if (!erased) return this.#refuse();
    this.#setOptions({ readoutProtected: false });
  }

  /** Writes option bytes, which count after the reset that follows. */
  #setOptions(options: Partial<Pick<Stm32State, "readoutProtected" | "writeProtected">>): void {
    Object.assign(this.state, options);
    this.#acknowledge();
    this.#pins.requestReset();
  }

  #isWriteProtected(sector: number): boolean {
    return this.state.writeProtected.includes(sector);
  }

  /** Works on the flash while the receiver is on its own: what it cannot hold is lost. */
  #busy(work: () => boolean): boolean {
    const { uart } = this.#pins;
    const waiting = uart.available;
    const done = work();
    uart.loseBehind(Math.max(waiting, RECEIVER_BYTES));
    return done;
  }
}

function xor(bytes: readonly number[]): number {
  return bytes.reduce((sum, byte) => sum ^ byte, 0);
}

/** Most significant byte first, as everything of AN3155. */
function word16(bytes: readonly number[], at: number): number {
  return bytes[at] * 256 + bytes[at + 1];
}
