/**
 * W25Q16JV: Winbond's 16-Mbit serial NOR flash, as its datasheet (rev. D) describes it; the flash of the Raspberry Pi Pico.
 *
 *              ┌───────────┐         select / deselect   /CS low, /CS high
 *     /CS  ───>│           │         transfer            8 bits on 1, 2 or 4 lines, most significant first
 *     CLK  ───>│  W25Q16JV │         dummy               clocks without data
 *     IO0  <──>│  2 MiB    │         now                 simulated time, ns, set by whoever clocks it
 *     IO1  <──>│           │
 *     IO2  <──>│ (/WP)     │         erase sets 0xFF, program only clears bits and wraps inside its page of 256 bytes;
 *     IO3  <──>│ (/HOLD)   │         both need WEL and take time, in which only status reads and a reset are heard
 *              └───────────┘
 *
 *     03 read            05 35 15 status 1 2 3     20 52 D8 C7 60 erase 4K 32K 64K chip     9F 90 AB 4B  who are you
 *     0B fast read       01 31 11 write status     02 page program                          B9 AB        sleep, wake
 *     EB quad I/O read   06 04 50 write enable     66 99 reset                              FF           leave continuous read
 *
 * A command that the device does not hear (while busy, without WEL, asleep, on the wrong number of lines) is ignored as the
 * datasheet says, and told to `onIgnored`: firmware that sends one has a defect that a real board shows as a corrupt flash.
 *
 * NOT IMPLEMENTED: dual reads, 6B, 77 (burst with wrap), suspend and resume, security registers, block protection (its bits are stored,
 * nothing is protected), the odd number of bits in a write command, wear.
 */
import { chooseTear, tearErase, tearProgram } from "../../../firmware-sim/faults/tear.ts";
import { Random } from "../../../firmware-sim/random.ts";

export type Lanes = 1 | 2 | 4;

export const FLASH_BYTES = 2 * 1024 * 1024;
const PAGE = 256;
const MS = 1e6;
const US = 1e3;

/** Nanoseconds, datasheet 9.6, AC electrical characteristics. */
export interface W25qTiming {
  readonly page: number;
  readonly sector: number;
  readonly block32: number;
  readonly block64: number;
  readonly chip: number;
  readonly status: number;
}
export const TYPICAL: W25qTiming = {
  page: 0.4 * MS,
  sector: 45 * MS,
  block32: 120 * MS,
  block64: 150 * MS,
  chip: 5000 * MS,
  status: 10 * MS,
};
export const WORST: W25qTiming = {
  page: 3 * MS,
  sector: 400 * MS,
  block32: 1600 * MS,
  block64: 2000 * MS,
  chip: 25000 * MS,
  status: 15 * MS,
};
/** tSHSL2: /CS stays high this long after an erase, a program or a write before the next command. (After a read, 10 ns: not checked.) */
const DESELECT_TIME = 50;
/** tRST. */
const RESET_TIME = 30 * US;
/** fR for 03, FR for everything else, Hz (2.7-3.6 V). */
const MAX_HZ_03 = 50e6;
const MAX_HZ = 133e6;

/** Status register 1. */
export const SR1_BUSY = 1 << 0;
export const SR1_WEL = 1 << 1;
/** Status register 2. */
export const SR2_QE = 1 << 1;
/** Bits of the status registers that a write changes: SRP, SEC, TB, BP2-0 | CMP, QE, SRL | DRV1-0, WPS. */
const SR_WRITABLE = [0xfc, 0x43, 0x64];

/** How a command goes on after its first byte: bytes of address, then dummy clocks, then data on so many lanes. */
interface Command {
  readonly name: string;
  readonly kind: "read" | "answer" | "program" | "erase" | "write status" | "at once";
  readonly address: number;
  readonly dummy: number;
  readonly lanes: Lanes;
}
const ERASES: Record<number, [bytes: number, time: keyof W25qTiming]> = {
  32: [4096, "sector"],
  82: [32768, "block32"],
  216: [65536, "block64"],
  199: [0, "chip"],
  96: [0, "chip"],
};
const COMMANDS: Record<number, Command> = {
  3: { name: "read", kind: "read", address: 3, dummy: 0, lanes: 1 },
  11: { name: "fast read", kind: "read", address: 3, dummy: 8, lanes: 1 },
  235: { name: "fast read quad I/O", kind: "read", address: 4, dummy: 4, lanes: 4 },
  5: { name: "read status 1", kind: "answer", address: 0, dummy: 0, lanes: 1 },
  53: { name: "read status 2", kind: "answer", address: 0, dummy: 0, lanes: 1 },
  21: { name: "read status 3", kind: "answer", address: 0, dummy: 0, lanes: 1 },
  159: { name: "JEDEC id", kind: "answer", address: 0, dummy: 0, lanes: 1 },
  144: { name: "manufacturer and device id", kind: "answer", address: 3, dummy: 0, lanes: 1 },
  171: { name: "release power-down, device id", kind: "answer", address: 3, dummy: 0, lanes: 1 },
  75: { name: "unique id", kind: "answer", address: 0, dummy: 32, lanes: 1 },
  2: { name: "page program", kind: "program", address: 3, dummy: 0, lanes: 1 },
  32: { name: "sector erase", kind: "erase", address: 3, dummy: 0, lanes: 1 },
  82: { name: "32 KiB block erase", kind: "erase", address: 3, dummy: 0, lanes: 1 },
  216: { name: "64 KiB block erase", kind: "erase", address: 3, dummy: 0, lanes: 1 },
  199: { name: "chip erase", kind: "erase", address: 0, dummy: 0, lanes: 1 },
  96: { name: "chip erase", kind: "erase", address: 0, dummy: 0, lanes: 1 },
  1: { name: "write status 1", kind: "write status", address: 0, dummy: 0, lanes: 1 },
  49: { name: "write status 2", kind: "write status", address: 0, dummy: 0, lanes: 1 },
  17: { name: "write status 3", kind: "write status", address: 0, dummy: 0, lanes: 1 },
  6: { name: "write enable", kind: "at once", address: 0, dummy: 0, lanes: 1 },
  80: { name: "write enable for volatile status", kind: "at once", address: 0, dummy: 0, lanes: 1 },
  4: { name: "write disable", kind: "at once", address: 0, dummy: 0, lanes: 1 },
  185: { name: "power-down", kind: "at once", address: 0, dummy: 0, lanes: 1 },
  102: { name: "enable reset", kind: "at once", address: 0, dummy: 0, lanes: 1 },
  153: { name: "reset", kind: "at once", address: 0, dummy: 0, lanes: 1 },
};
const QUAD_READ = 0xeb;
/** Heard while an erase or a program runs. */
const HEARD_WHILE_BUSY = [0x05, 0x35, 0x15, 0x66, 0x99];
const JEDEC_ID = [0xef, 0x40, 0x15];
const DEVICE_ID = 0x14;

export interface W25qOptions {
  /** The cells at power-up; blank when left out. Taken over, not copied. */
  readonly cells?: Uint8Array;
  readonly timing?: W25qTiming;
  /** Status register 2's QE as the part left the factory: the -IQ parts have it set, the -IM parts have not. */
  readonly quadEnable?: boolean;
  /** For what a broken operation leaves. */
  readonly seed?: number;
}

/** What the cells were before the operation that runs now, for a power cut in its middle. */
interface Running {
  readonly kind: "erase" | "program";
  readonly at: number;
  readonly before: Uint8Array;
  /** As it will be; program: the bytes to be cleared into `before`. */
  readonly after: Uint8Array;
}

export class W25q {
  readonly cells: Uint8Array;
  /** Simulated time, ns. Never goes back. */
  now = 0;
  /** Speed of CLK, Hz; 0: not told. */
  clockHz = 0;
  /** Erases and programs since the part was made. */
  operations = 0;
  /** Told when a command is not heard. The part itself stays silent. */
  onIgnored: (what: string) => void = () => {};
  /** An erase or a program has changed these cells. The array is only valid in the call. */
  onChange: (offset: number, bytes: Uint8Array) => void = () => {};
  /** A status read answers "busy". */
  onPoll: () => void = () => {};
  /** An erase or a program begins. */
  onOperation: (operation: number) => void = () => {};

  readonly #timing: W25qTiming;
  readonly #random: Random;
  /** SR1 (without BUSY and WEL), SR2, SR3; in cells, and as they count now. */
  readonly #stored: number[];
  #status: number[];
  #busyUntil = 0;
  #running: Running | null = null;
  #writeEnabled = false;
  #volatileWrite = false;
  #asleep = false;
  #resetEnabled = false;
  #continuous = false;

  #selected = false;
  #selectableAt = 0;
  #command: Command | null = null;
  #opcode = 0;
  /** The rest of this selection means nothing to the part. */
  #deaf = false;
  #addressLeft = 0;
  #address = 0;
  #dummyLeft = 0;
  /** Data bytes so far in this selection. */
  #count = 0;
  #page = new Uint8Array(PAGE);

  constructor(options: W25qOptions = {}) {
    this.cells = options.cells ?? new Uint8Array(FLASH_BYTES).fill(0xff);
    this.#timing = options.timing ?? TYPICAL;
    this.#random = new Random(options.seed ?? 1);
    this.#stored = [0, options.quadEnable ? SR2_QE : 0, 0x60];
    this.#status = [...this.#stored];
  }

  get busy(): boolean {
    return this.now < this.#busyUntil;
  }

  /** When the part is ready again, ns. */
  get busyUntil(): number {
    return this.#busyUntil;
  }

  /** In continuous read mode a selection begins with an address on four lines, not with a command. */
  get continuous(): boolean {
    return this.#continuous;
  }

  get quadEnabled(): boolean {
    return (this.#status[1] & SR2_QE) !== 0;
  }

  /** Address of the byte that the next transfer would read out of the array; null when it would not read the array. */
  get reading(): number | null {
    const reads = this.#selected && !this.#deaf && this.#command?.kind === "read";
    return reads && this.#addressLeft === 0 && this.#dummyLeft === 0 ? this.#address : null;
  }

  /** /CS low. */
  select(): void {
    if (this.#selected) return;
    this.#selected = true;
    this.#settle();
    this.#deaf = false;
    this.#command = null;
    this.#count = 0;
    if (this.now < this.#selectableAt) {
      this.#refuse(`a command less than ${DESELECT_TIME} ns after a write`);
      return;
    }
    if (!this.#continuous) return;
    this.#opcode = QUAD_READ;
    this.#begin(COMMANDS[QUAD_READ]);
  }

  /** /CS high: what writes starts now. */
  deselect(): void {
    if (!this.#selected) return;
    this.#selected = false;
    const command = this.#command;
    if (command !== null && !["read", "answer"].includes(command.kind)) this.#selectableAt = this.now + DESELECT_TIME;
    // Wakes with or without the three bytes that ask for the id.
    if (this.#opcode === 0xab && command !== null && !this.#deaf) this.#asleep = false;
    if (command === null || this.#deaf || this.#addressLeft > 0) {
      if (command !== null && !this.#deaf && ["erase", "program"].includes(command.kind))
        this.#ignore(`${command.name} without its whole address`);
      return;
    }
    if (command.kind === "erase") this.#erase(command);
    else if (command.kind === "program") this.#program(command);
    else if (command.kind === "write status") this.#writeStatus(command);
    else if (command.kind === "at once") this.#atOnce();
  }

  /** Clocks 8 bits. @returns what the part drives meanwhile, 0xFF while it drives nothing */
  transfer(out: number, lanes: Lanes = 1): number {
    if (!this.#selected || this.#deaf) return 0xff;
    const command = this.#command;
    if (command === null) return this.#instruction(out, lanes);
    if (this.#continuous && this.#addressLeft === command.address && lanes === 1) return this.#modeReset(out);
    if (lanes !== command.lanes) return this.#refuse(`${command.name} on ${lanes} instead of ${command.lanes} lines`);
    if (this.#addressLeft > 0) return this.#addressByte(out);
    if (this.#dummyLeft > 0) {
      this.dummy(8 / lanes);
      return 0xff;
    }
    return this.#data(out, command);
  }

  /** Clocks without data. */
  dummy(clocks: number): void {
    if (!this.#selected || this.#deaf || this.#command === null) return;
    if (this.#addressLeft > 0 || clocks > this.#dummyLeft) this.#refuse(`${clocks} dummy clocks at the wrong place`);
    else this.#dummyLeft -= clocks;
  }

  /**
   * Power fails now. An operation that runs is left as it may be in its middle (firmware-sim/faults/tear.ts), and what was
   * volatile is lost; the next select finds the part as after power-up.
   */
  cutPower(): void {
    if (this.busy && this.#running !== null) this.#tear(this.#running);
    this.#busyUntil = 0;
    this.#selectableAt = 0;
    this.#running = null;
    this.#reset();
    this.#status = [...this.#stored];
  }

  #reset(): void {
    this.#writeEnabled = false;
    this.#volatileWrite = false;
    this.#asleep = false;
    this.#resetEnabled = false;
    this.#continuous = false;
    this.#selected = false;
    this.#command = null;
  }

  /** What ended meanwhile has ended: WEL is cleared by the end of a write. */
  #settle(): void {
    if (this.#running === null || this.busy) return;
    this.#running = null;
    this.#writeEnabled = false;
  }

  #begin(command: Command): void {
    this.#command = command;
    this.#addressLeft = command.address;
    this.#address = 0;
    this.#dummyLeft = command.dummy;
  }

  #instruction(opcode: number, lanes: Lanes): number {
    if (lanes !== 1) return this.#refuse(`an instruction on ${lanes} lines`);
    const name = `command ${opcode.toString(16).toUpperCase().padStart(2, "0")}`;
    // FF is the mode reset. Outside continuous read it means nothing, and drivers send it to be sure.
    if (opcode === 0xff && !this.busy) {
      this.#deaf = true;
      return 0xff;
    }
    const command = COMMANDS[opcode];
    if (command === undefined) return this.#refuse(`${name}, which this part lacks`);
    if (this.busy && !HEARD_WHILE_BUSY.includes(opcode)) return this.#refuse(`${command.name} while busy`);
    if (this.#asleep && opcode !== 0xab) return this.#refuse(`${command.name} in power-down`);
    if (opcode === QUAD_READ && !this.quadEnabled) return this.#refuse(`${command.name} without QE`);
    const limit = opcode === 0x03 ? MAX_HZ_03 : MAX_HZ;
    if (this.clockHz > limit) return this.#refuse(`${command.name} at ${this.clockHz / 1e6} MHz`);
    this.#opcode = opcode;
    if (opcode !== 0x99) this.#resetEnabled = false;
    this.#begin(command);
    return 0xff;
  }

  /**
   * A byte on IO0 alone where continuous read expects six clocks of address and two of mode bits: its bit 1 is M4, which a 1 makes
   * leave the mode (datasheet, "Continuous Read Mode Reset (FFh)"). IO1 to IO3 float, so there is nothing else to hear.
   */
  #modeReset(out: number): number {
    if ((out & 0b10) !== 0) this.#continuous = false;
    else this.#ignore("a command on one line in continuous read mode");
    this.#deaf = true;
    return 0xff;
  }

  #addressByte(out: number): number {
    this.#addressLeft--;
    if (this.#opcode === QUAD_READ && this.#addressLeft === 0) {
      // M7-0: M5-4 = 10 keeps the part in continuous read.
      this.#continuous = ((out >> 4) & 3) === 2;
      this.#address %= this.cells.length;
      return 0xff;
    }
    this.#address = (this.#address << 8) | out;
    if (this.#addressLeft === 0) this.#address %= this.cells.length;
    return 0xff;
  }

  #data(out: number, command: Command): number {
    const index = this.#count++;
    switch (command.kind) {
      case "read": {
        const byte = this.cells[this.#address];
        this.#address = (this.#address + 1) % this.cells.length;
        return byte;
      }
      case "program":
      case "write status":
        this.#page[index % PAGE] = out;
        return 0xff;
      case "answer":
        return this.#answer(index);
      default:
        return this.#refuse(`${command.name} with bytes behind it`);
    }
  }

  #answer(index: number): number {
    switch (this.#opcode) {
      case 0x05: {
        this.#settle();
        const wel = this.#writeEnabled ? SR1_WEL : 0;
        if (!this.busy) return this.#status[0] | wel;
        this.onPoll();
        return this.#status[0] | wel | SR1_BUSY;
      }
      case 0x35:
        return this.#status[1];
      case 0x15:
        return this.#status[2];
      case 0x9f:
        return JEDEC_ID[index] ?? 0xff;
      case 0x90:
        return index % 2 === 0 ? JEDEC_ID[0] : DEVICE_ID;
      case 0xab:
        return DEVICE_ID;
      default:
        // A unique id that is the same for every simulated part.
        return index < 8 ? 0xa0 + index : 0xff;
    }
  }

  #mayWrite(command: Command): boolean {
    if (this.#writeEnabled) return true;
    this.#ignore(`${command.name} without write enable`);
    return false;
  }

  #erase(command: Command): void {
    if (!this.#mayWrite(command)) return;
    const [size, time] = ERASES[this.#opcode];
    const bytes = size === 0 ? this.cells.length : size;
    const at = this.#address - (this.#address % bytes);
    const before = this.cells.slice(at, at + bytes);
    this.#start({ kind: "erase", at, before, after: new Uint8Array(bytes).fill(0xff) }, this.#timing[time]);
  }

  /** The bytes go round inside the page; of more than 256 the last 256 count. */
  #program(command: Command): void {
    if (this.#count === 0) {
      this.#ignore(`${command.name} without data`);
      return;
    }
    if (!this.#mayWrite(command)) return;
    const base = this.#address - (this.#address % PAGE);
    const before = this.cells.slice(base, base + PAGE);
    const data = new Uint8Array(PAGE).fill(0xff);
    const first = Math.max(0, this.#count - PAGE);
    for (let i = first; i < this.#count; i++) data[(this.#address + i) % PAGE] = this.#page[i % PAGE];
    const after = before.map((byte, i) => byte & data[i]);
    this.#start({ kind: "program", at: base, before, after }, this.#timing.page);
  }

  #start(running: Running, ns: number): void {
    this.operations++;
    this.#running = running;
    this.#busyUntil = this.now + ns;
    this.cells.set(running.after, running.at);
    this.onChange(running.at, running.after);
    this.onOperation(this.operations);
  }

  #tear({ kind, at, before, after }: Running): void {
    const tear = chooseTear(this.#random);
    if (tear === "everything") return;
    const torn = before.slice();
    if (tear === "partly" && kind === "erase") tearErase(torn, this.#random);
    else if (tear === "partly") tearProgram(torn, after, this.#random);
    this.cells.set(torn, at);
    this.onChange(at, torn);
  }

  /** 01 with two bytes writes SR1 and SR2. */
  #writeStatus(command: Command): void {
    if (this.#count === 0) {
      this.#ignore(`${command.name} without data`);
      return;
    }
    if (!this.#volatileWrite && !this.#mayWrite(command)) return;
    const first = this.#opcode === 0x01 ? 0 : this.#opcode === 0x31 ? 1 : 2;
    const registers = first === 0 ? Math.min(this.#count, 2) : 1;
    for (let i = 0; i < registers; i++) {
      const mask = SR_WRITABLE[first + i];
      const value = (this.#status[first + i] & ~mask) | (this.#page[i] & mask);
      this.#status[first + i] = value;
      if (this.#writeEnabled) this.#stored[first + i] = value;
    }
    if (this.#writeEnabled) this.#busyUntil = this.now + this.#timing.status;
    this.#writeEnabled = false;
    this.#volatileWrite = false;
  }

  #atOnce(): void {
    switch (this.#opcode) {
      case 0x66:
        this.#resetEnabled = true;
        return;
      case 0x06:
        this.#writeEnabled = true;
        return;
      case 0x50:
        this.#volatileWrite = true;
        return;
      case 0x04:
        this.#writeEnabled = false;
        return;
      case 0xb9:
        this.#asleep = true;
        return;
      case 0x99:
        if (!this.#resetEnabled) {
          this.#ignore("reset without enable reset");
          return;
        }
        this.cutPower();
        this.#busyUntil = this.now + RESET_TIME;
    }
  }

  #refuse(what: string): number {
    this.#deaf = true;
    this.#ignore(what);
    return 0xff;
  }

  #ignore(what: string): void {
    this.onIgnored(what);
  }
}
