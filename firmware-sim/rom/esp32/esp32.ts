/**
 * ESP32-ROM: the serial boot loader of the ESP32-S3 and ESP32-C3, and the stub that a flasher puts in its place.
 *
 *                    ┌───────────────┐
 *     UART0 RX ─────>│ SLIP  command │<────> SPI flash (RomFlash)
 *     UART0 TX <─────│       state   │<────> registers: identity, fuses, SPI1
 *                    └───────────────┘
 *
 *     mode    begins with                      answers
 *     rom     reset with the strap BOOT low    status of 4 bytes; MD5 as hex text; FLASH_BEGIN erases at once
 *     stub    MEM_END with an entry point      "OHAI", then: status of 2 bytes; MD5 as 16 bytes; data is acknowledged
 *                                              before it is written, a failure is told to the next command
 *     gone    MEM_END that runs anything else, nothing until the next reset
 *             FLASH_END in the ROM, the watchdog
 *
 * After MEM_END the uploaded code is NOT executed: this model goes on in the stub's protocol. It checks only that the entry point lies
 * in executable RAM that was filled completely, as a stub's does, and keeps it (`entry`). Code that is no stub will look like one.
 *
 * Sources: esptool documentation, "Serial Protocol" and "Boot Mode Selection"; the behaviour of the stub is that of Espressif's
 * esp-flasher-stub (command_handler.c), whose builds esptool-js 0.7.0 uploads.
 *
 * NOT IMPLEMENTED: baud rate detection from SYNC (115200 until CHANGE_BAUDRATE), READ_FLASH_SLOW of the ROM, encrypted downloads,
 * NAND flash, USB, registers beyond registers.ts, the time that the CPU takes. In the ROM's mode the error numbers of commands that
 * come before SPI_ATTACH or out of order are from memory.
 */
import type { Esp32Chip, Range } from "./chips.ts";
import {
  CHANGE_BAUDRATE,
  dataBlock,
  ERASE_FLASH,
  ERASE_REGION,
  type Failure,
  FLASH_BEGIN,
  FLASH_DATA,
  FLASH_DEFL_BEGIN,
  FLASH_DEFL_DATA,
  FLASH_DEFL_END,
  FLASH_END,
  GET_SECURITY_INFO,
  MEM_BEGIN,
  MEM_DATA,
  MEM_END,
  parseRequest,
  READ_FLASH,
  READ_REG,
  type Request,
  ROM_ERROR,
  RUN_USER_CODE,
  response,
  SPI_ATTACH,
  SPI_FLASH_MD5,
  SPI_SET_PARAMS,
  STUB_ERROR,
  SYNC,
  WRITE_REG,
  words,
} from "./commands.ts";
import { nextPacket, type Reading } from "./flash_reading.ts";
import { beginDownload, type Download, eraseAhead, type RomFlash, SECTOR, writeBlock } from "./flash_writer.ts";
import { md5 } from "./md5.ts";
import { Registers } from "./registers.ts";
import { SlipReader, type SlipState, slipFrame } from "./slip.ts";

export interface RomLine {
  /** In order; the ROM waits for no room. */
  send(bytes: Uint8Array): void;
  /** Once everything that was sent has left. */
  setBaud(baud: number): void;
}

export interface Esp32RomOptions {
  readonly chip: Esp32Chip;
  readonly flash: RomFlash;
  readonly line: RomLine;
  /** Fuse ENABLE_SECURITY_DOWNLOAD: a chip that lets nobody read its memory or run code from the line. */
  readonly secureDownload?: boolean;
  /** The loader lets go of the chip: it starts anew, or runs what is in flash. */
  readonly onLeave?: (to: "reset" | "flash") => void;
}

export type RomMode = "rom" | "stub" | "gone";

/** What a command answers when it succeeds. */
interface Answer {
  readonly value?: number;
  readonly data?: Uint8Array;
  /** Happens when the answer is under way. */
  readonly after?: () => Failure | null;
}
type Outcome = Answer | Failure;

interface RamSegment extends Range {
  /** Up to here bytes came. */
  filled: number;
}

const ROM_BAUD = 115200;
/** The stub takes blocks of 16 KiB (esptool's FLASH_WRITE_SIZE) behind two headers; nobody sends the ROM longer ones. */
const LONGEST_FRAME = 0x4000 + 24;
/** The ROM's answer to SYNC carries the first bytes of what it heard; the stub's carries 0, which tells them apart. */
const ROM_SYNC_VALUE = 0x5520_1207;
const SYNC_ANSWERS = 8;
const SYNC_BYTES = 36;
const SECURE_DOWNLOAD_FLAG = 1 << 2;
const DONE: Answer = {};

/** Plain data. */
interface Progress {
  mode: RomMode;
  /** Where the uploaded code was started; null: none was. */
  entry: number | null;
  /** SPI_ATTACH came. The stub attaches the flash by itself. */
  attached: boolean;
  ram: RamSegment[];
  /** The segment that MEM_DATA fills. */
  loading: RamSegment | null;
  download: Download | null;
  reading: Reading | null;
  /** The stub tells the next command what went wrong after the last answer. */
  late: Failure | null;
}

export interface Esp32RomState {
  progress: Progress;
  slip: SlipState;
  registers: Map<number, number>;
}

const AFTER_RESET: Progress = {
  mode: "rom",
  entry: null,
  attached: false,
  ram: [],
  loading: null,
  download: null,
  reading: null,
  late: null,
};

export class Esp32Rom {
  readonly #options: Esp32RomOptions;
  readonly #slip = new SlipReader(LONGEST_FRAME);
  readonly #registers: Registers;
  #now: Progress = structuredClone(AFTER_RESET);

  constructor(options: Esp32RomOptions) {
    this.#options = options;
    this.#registers = new Registers(options.chip, options.flash.bytes);
  }

  get mode(): RomMode {
    return this.#now.mode;
  }

  get entry(): number | null {
    return this.#now.entry;
  }

  get state(): Esp32RomState {
    const { state: slip } = this.#slip;
    return structuredClone({ progress: this.#now, slip, registers: this.#registers.values });
  }

  set state(state: Esp32RomState) {
    const { progress, slip, registers } = structuredClone(state);
    this.#now = progress;
    this.#slip.state = slip;
    this.#registers.values = registers;
  }

  /** Reset with BOOT held: the ROM says so and waits for commands. */
  start(): void {
    this.#now = structuredClone(AFTER_RESET);
    this.#slip.reset();
    this.#registers.reset();
    this.#options.line.setBaud(ROM_BAUD);
    this.#options.line.send(new TextEncoder().encode(this.#options.chip.bootMessage));
  }

  /** Bytes from the line; the answers have been sent when it returns. */
  receive(bytes: Uint8Array): void {
    for (const frame of this.#slip.push(bytes)) {
      const { mode, reading } = this.#now;
      if (mode === "gone") return;
      if (reading === null) this.#command(frame);
      else this.#readOn(reading, frame);
    }
  }

  #command(frame: Uint8Array): void {
    const request = parseRequest(frame);
    if (request === null) return;
    const late = request.whole ? this.#now.late : null;
    if (request.whole) this.#now.late = null;
    const outcome = request.whole ? (late ?? this.#act(request)) : "length";
    if (outcome === null) return;
    this.#answer(request.command, outcome);
    if (typeof outcome === "object" && outcome.after !== undefined) this.#now.late = outcome.after();
  }

  #answer(command: number, outcome: Outcome): void {
    const stub = this.#now.mode === "stub";
    const failure = typeof outcome === "string" ? outcome : null;
    const { value = 0, data = new Uint8Array() } = typeof outcome === "string" ? {} : outcome;
    const romStatus = failure === null ? [0, 0, 0, 0] : [1, ROM_ERROR[failure], 0, 0];
    const stubStatus = failure === null ? [0, 0] : [STUB_ERROR[failure], 0];
    this.#send(response(command, value, data, Uint8Array.from(stub ? stubStatus : romStatus)));
  }

  #send(payload: Uint8Array): void {
    this.#options.line.send(slipFrame(payload));
  }

  /** null: this command has no answer. */
  #act(request: Request): Outcome | null {
    const { command, data } = request;
    if (this.#now.mode === "rom" && !inRom(command)) return "command";
    if (this.#options.secureDownload === true && !inSecureDownload(command)) return "command";
    switch (command) {
      case SYNC:
        return this.#sync(data);
      case READ_REG:
        return data.length === 4 ? { value: this.#registers.read(words(data)[0]) } : "length";
      case WRITE_REG:
        return this.#writeRegisters(data);
      case GET_SECURITY_INFO:
        return data.length === 0 ? { data: this.#securityInfo() } : "length";
      case MEM_BEGIN:
        return data.length === 16 ? this.#memBegin(data) : "length";
      case MEM_DATA:
        return this.#memData(request);
      case MEM_END:
        return data.length === 8 ? this.#memEnd(data) : "length";
      case SPI_ATTACH:
        // One word for the stub, two for the ROM.
        return data.length === (this.#now.mode === "stub" ? 4 : 8) ? this.#attach() : "length";
      case SPI_SET_PARAMS:
        return data.length === 24 ? DONE : "length";
      case CHANGE_BAUDRATE:
        return data.length === 8 ? this.#changeBaud(words(data)[0]) : "length";
      case FLASH_BEGIN:
      case FLASH_DEFL_BEGIN:
        // A fifth word says whether the download is encrypted.
        return data.length === 16 || data.length === 20 ? this.#flashBegin(request) : "length";
      case FLASH_DATA:
      case FLASH_DEFL_DATA:
        return this.#flashData(request);
      case FLASH_END:
      case FLASH_DEFL_END:
        return data.length === 4 ? this.#flashEnd(words(data)[0]) : "length";
      case SPI_FLASH_MD5:
        return data.length === 16 ? this.#flashMd5(data) : "length";
      case ERASE_FLASH:
        return this.#erase(0, this.#options.flash.bytes);
      case ERASE_REGION:
        return data.length === 8 ? this.#eraseRegion(data) : "length";
      case READ_FLASH:
        return data.length === 16 ? this.#readFlash(data) : "length";
      case RUN_USER_CODE:
        // The document says that it leaves the stub; the stub that is in use does nothing and does not answer.
        return null;
      default:
        return "command";
    }
  }

  #sync(data: Uint8Array): Outcome {
    if (data.length !== SYNC_BYTES) return "length";
    const value = this.#now.mode === "rom" ? ROM_SYNC_VALUE : 0;
    for (let i = 1; i < SYNC_ANSWERS; i++) this.#answer(SYNC, { value });
    return { value };
  }

  #writeRegisters(data: Uint8Array): Outcome {
    if (data.length === 0 || data.length % 16 !== 0) return "too-little";
    const all = words(data);
    // The fourth word is a delay, which takes no time here.
    for (let i = 0; i < all.length; i += 4) this.#registers.write(all[i], all[i + 1], all[i + 2]);
    return this.#registers.watchdogBites ? { after: () => this.#leave("reset") } : DONE;
  }

  /** flags u32, flash encryption count u8, key purposes 7 x u8, chip id u32, version u32. */
  #securityInfo(): Uint8Array {
    const info = new Uint8Array(20);
    const view = new DataView(info.buffer);
    view.setUint32(0, this.#options.secureDownload === true ? SECURE_DOWNLOAD_FLAG : 0, true);
    view.setUint32(12, this.#options.chip.id, true);
    return info;
  }

  #memBegin(data: Uint8Array): Outcome {
    const [bytes, , , start] = words(data);
    const end = start + bytes;
    if (!this.#options.chip.ram.some((range) => start >= range.start && end <= range.end)) return "range";
    this.#now.loading = { start, end, filled: start };
    this.#now.ram.push(this.#now.loading);
    return DONE;
  }

  /** Uploaded code is counted, not kept: nobody runs it. */
  #memData(request: Request): Outcome {
    const segment = this.#now.loading;
    if (segment === null) return "not-begun";
    const block = dataBlock(request);
    if (typeof block === "string") return block;
    if (segment.filled + block.bytes.length > segment.end) return "too-much";
    segment.filled += block.bytes.length;
    return DONE;
  }

  #memEnd(data: Uint8Array): Outcome {
    const [stay, entry] = words(data);
    if (this.#now.loading === null) return "not-begun";
    this.#now.loading = null;
    return stay === 0 ? { after: () => this.#run(entry) } : DONE;
  }

  #run(entry: number): null {
    const { iram } = this.#options.chip;
    const plausible =
      this.#now.mode === "rom" &&
      entry >= iram.start &&
      entry < iram.end &&
      this.#now.ram.every(({ end, filled }) => filled === end) &&
      this.#now.ram.some(({ start, end }) => entry >= start && entry < end);
    this.#now.entry = entry;
    this.#now.mode = plausible ? "stub" : "gone";
    if (plausible) this.#send(new TextEncoder().encode("OHAI"));
    return null;
  }

  #attach(): Outcome {
    this.#now.attached = true;
    return DONE;
  }

  #changeBaud(baud: number): Outcome {
    const { line } = this.#options;
    return {
      after: () => {
        line.setBaud(baud);
        return null;
      },
    };
  }

  #flashBegin({ command, data }: Request): Outcome {
    const [bytes, , , address, encrypted = 0] = words(data);
    if (!this.#mayUseFlash(address, bytes) || encrypted !== 0) return "range";
    const download = beginDownload(address, bytes, command === FLASH_DEFL_BEGIN);
    this.#now.download = download;
    return (this.mode === "rom" ? eraseAhead(this.#options.flash, download) : null) ?? DONE;
  }

  #flashData(request: Request): Outcome {
    const { download } = this.#now;
    if (download === null || (download.stream !== null) !== (request.command === FLASH_DEFL_DATA)) return "not-begun";
    if (download.stream === null ? download.remaining === 0 : download.stream.phase === "done") return "too-much";
    const block = dataBlock(request);
    if (typeof block === "string") return block;
    const { flash } = this.#options;
    // Neither loader looks at the sequence number: a block that is sent again is written again.
    if (this.mode === "rom") return writeBlock(flash, download, block.bytes) ?? DONE;
    return { after: () => writeBlock(flash, download, block.bytes) };
  }

  #flashEnd(stay: number): Outcome {
    const { download } = this.#now;
    if (download === null) return "not-begun";
    this.#now.download = null;
    // The stub in use ignores the request to restart the chip.
    if (this.mode === "stub") return download.remaining === 0 ? DONE : "length";
    // 0: start anew, 1: run what is in flash. Either way the ROM is done.
    if (stay > 1) return "length";
    return { after: () => this.#leave(stay === 0 ? "reset" : "flash") };
  }

  #leave(to: "reset" | "flash"): null {
    this.#now.mode = "gone";
    this.#options.onLeave?.(to);
    return null;
  }

  #flashMd5(data: Uint8Array): Outcome {
    const [address, bytes] = words(data);
    if (!this.#mayUseFlash(address, bytes)) return "range";
    const digest = md5(this.#options.flash.read(address, bytes));
    if (this.mode === "stub") return { data: digest };
    const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return { data: new TextEncoder().encode(hex) };
  }

  #eraseRegion(data: Uint8Array): Outcome {
    const [address, bytes] = words(data);
    if (address % SECTOR !== 0 || bytes % SECTOR !== 0) return "length";
    return this.#mayUseFlash(address, bytes) ? this.#erase(address, bytes) : "range";
  }

  #erase(address: number, bytes: number): Outcome {
    for (let at = address; at < address + bytes; at += SECTOR)
      if (!this.#options.flash.erase(at, SECTOR)) return "flash";
    return DONE;
  }

  #readFlash(data: Uint8Array): Outcome {
    const [address, bytes, packet] = words(data);
    if (!this.#mayUseFlash(address, bytes)) return "range";
    if (packet === 0 || packet > SECTOR) return "length";
    const reading = { address, bytes, packet, sent: 0 };
    return {
      after: () => {
        this.#now.reading = reading;
        this.#readOn(reading);
        return null;
      },
    };
  }

  /** The next packet, or the digest of all of them. @param ack what the host says to the packet before */
  #readOn(reading: Reading, ack?: Uint8Array): void {
    const { flash } = this.#options;
    // Anything but an acknowledgement ends the reading.
    const next = ack === undefined || ack.length === 4 ? nextPacket(reading) : null;
    if (next === null) this.#now.reading = null;
    const packet =
      next === null ? md5(flash.read(reading.address, reading.sent)) : flash.read(next.address, next.bytes);
    this.#send(packet);
  }

  #mayUseFlash(address: number, bytes: number): boolean {
    return (this.#now.mode === "stub" || this.#now.attached) && address + bytes <= this.#options.flash.bytes;
  }
}

function inRom(command: number): boolean {
  return command < ERASE_FLASH;
}

/**
 * A ROM in secure download mode keeps "simple flash read, write and erase operations, plus a command to return a summary of
 * currently enabled security features" (ESP-IDF, esp_efuse_enable_rom_secure_download_mode). esptool expects no MD5 from it.
 */
function inSecureDownload(command: number): boolean {
  return ![READ_REG, WRITE_REG, MEM_BEGIN, MEM_DATA, MEM_END, READ_FLASH, SPI_FLASH_MD5].includes(command);
}
