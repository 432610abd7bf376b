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
  readonly strapIsButton = false;
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
    const { phase, got, need } = this.state;
    if (got.length === need && !this.#handlers[phase](got)) {
      // "Sends a NACK byte and goes back to command checking."
      this.#send(NACK);
      this.#expect("command", 2);
    }
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
  #acknowledge(...after: number[]): true {
    this.#send(ACK, ...after);
    this.#expect("command", 2);
    return true;
  }

  /** Goes on with the command. */
  #goOn(phase: Phase, need: number): true {
    this.#send(ACK);
    this.#expect(phase, need);
    return true;
  }

  /** The phase goes on under another name with the bytes that are there: their number is known now. */
  #more(phase: Phase, need: number): true {
    this.state.phase = phase;
    this.state.need = need;
    return true;
  }

  /** A handler answers false where the ROM refuses. */
  readonly #handlers: Record<Exclude<Phase, "sync" | "lost">, (bytes: readonly number[]) => boolean> = {
    command: (bytes) => this.#command(bytes[0], bytes[1]),
    address: (bytes) => this.#address(bytes),
    "read-count": (bytes) => this.#read(bytes[0], bytes[1]),
    "write-count": ([n]) => this.#more("write-data", n + 3),
    "write-data": (bytes) => this.#write(bytes),
    "erase-count": (bytes) => this.#eraseCount(word16(bytes, 0)),
    "erase-special": (bytes) => this.#eraseSpecial(bytes),
    "erase-sectors": (bytes) => this.#eraseSectors(bytes),
    "protect-count": ([n]) => this.#more("protect-sectors", n + 3),
    "protect-sectors": (bytes) => this.#protect(bytes),
  };

  readonly #commands = new Map<number, () => boolean>([
    [GET, () => this.#acknowledge(COMMANDS.length, VERSION, ...COMMANDS, ACK)],
    [GET_VERSION, () => this.#acknowledge(VERSION, 0, 0, ACK)],
    [GET_ID, () => this.#acknowledge(1, this.#chip.productId >> 8, this.#chip.productId & 255, ACK)],
    [READ_MEMORY, () => this.#goOn("address", 5)],
    [GO, () => this.#goOn("address", 5)],
    [WRITE_MEMORY, () => this.#goOn("address", 5)],
    [EXTENDED_ERASE, () => this.#goOn("erase-count", 2)],
    [WRITE_PROTECT, () => this.#goOn("protect-count", 1)],
    [WRITE_UNPROTECT, () => this.#setOptions({ writeProtected: [] })],
    [READOUT_PROTECT, () => this.#setOptions({ readoutProtected: true })],
    [READOUT_UNPROTECT, () => this.#unprotect()],
  ]);

  #command(command: number, complement: number): boolean {
    const run = this.#commands.get(command);
    if ((command ^ complement) !== 0xff || run === undefined) return false;
    if (this.state.readoutProtected && !UNPROTECTED_COMMANDS.includes(command)) return false;
    this.state.command = command;
    return run();
  }

  #address(bytes: readonly number[]): boolean {
    const address = bytes.slice(0, 4).reduce((sum, byte) => sum * 256 + byte, 0);
    const { command } = this.state;
    const aligned = command !== WRITE_MEMORY || address % Math.max(WORD, this.#pins.board.flash.program_unit) === 0;
    if (xor(bytes) !== 0 || !this.#flash.contains(address, 1) || !aligned) return false;
    this.state.address = address;
    if (command === READ_MEMORY) return this.#goOn("read-count", 2);
    if (command === WRITE_MEMORY) return this.#goOn("write-count", 1);
    this.#pins.requestJump(address);
    return this.#acknowledge();
  }

  #read(count: number, complement: number): boolean {
    const { address } = this.state;
    if ((count ^ complement) !== 0xff || !this.#flash.contains(address, count + 1)) return false;
    return this.#acknowledge(...this.#flash.read(address, count + 1));
  }

  #write(bytes: readonly number[]): boolean {
    const data = bytes.slice(1, -1);
    const { address } = this.state;
    if (xor(bytes) !== 0 || data.length % WORD !== 0 || !this.#flash.contains(address, data.length)) return false;
    // A whole number of program units: the rest of a flash word (32 bytes on an H743) stays erased (from memory).
    const unit = this.#pins.board.flash.program_unit;
    const padded = new Uint8Array(Math.ceil(data.length / unit) * unit).fill(0xff);
    padded.set(data);
    return this.#busy(() => this.#program(address, padded)) && this.#acknowledge();
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

  #eraseCount(n: number): boolean {
    if (n >= ERASE_SPECIAL) return this.#more("erase-special", 3);
    // "0 <= N < maximum number of pages"
    return n < this.#flash.sectors.length && this.#more("erase-sectors", 2 + 2 * (n + 1) + 1);
  }

  #eraseSpecial(bytes: readonly number[]): boolean {
    const sectors = this.#specialSectors(word16(bytes, 0));
    return xor(bytes) === 0 && sectors !== null && this.#erase(sectors);
  }

  /** null: a code that is reserved, or a bank that the chip does not have. */
  #specialSectors(code: number): number[] | null {
    const all = this.#flash.sectors.map(({ index }) => index);
    if (code === ERASE_ALL) return all;
    if (this.#chip.banks === 1) return null;
    if (code === ERASE_BANK_1) return all.slice(0, all.length / 2);
    return code === ERASE_BANK_2 ? all.slice(all.length / 2) : null;
  }

  #eraseSectors(bytes: readonly number[]): boolean {
    const sectors: number[] = [];
    for (let at = 2; at < bytes.length - 1; at += 2) sectors.push(word16(bytes, at));
    const known = sectors.every((index) => index < this.#flash.sectors.length);
    return xor(bytes) === 0 && known && this.#erase(sectors);
  }

  #erase(sectors: readonly number[]): boolean {
    const wanted = sectors.filter((index) => !this.#isWriteProtected(index));
    return this.#busy(() => wanted.every((index) => this.#flash.erase(index) === 0)) && this.#acknowledge();
  }

  #protect(bytes: readonly number[]): boolean {
    // "A second Write Protect command" replaces the first one's sectors; wrong numbers are not checked (AN3155).
    return xor(bytes) === 0 && this.#setOptions({ writeProtected: bytes.slice(1, -1) });
  }

  #unprotect(): boolean {
    this.#send(ACK);
    // Even write-protected sectors: leaving level 1 is an erase of the whole chip (RM0090 3.7.3).
    const erased = this.#busy(() => this.#flash.sectors.every(({ index }) => this.#flash.erase(index) === 0));
    return erased && this.#setOptions({ readoutProtected: false });
  }

  /** Writes option bytes, which count after the reset that follows. */
  #setOptions(options: Partial<Pick<Stm32State, "readoutProtected" | "writeProtected">>): true {
    Object.assign(this.state, options);
    this.#pins.requestReset();
    return this.#acknowledge();
  }

  #isWriteProtected(sector: number): boolean {
    return this.state.writeProtected.includes(sector);
  }

  /** Works on the flash while the receiver is on its own: what it cannot hold is lost. */
  #busy(work: () => boolean): boolean {
    const done = work();
    this.#pins.uart.loseBehind(RECEIVER_BYTES);
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
