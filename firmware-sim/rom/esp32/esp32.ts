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
 *             FLASH_END in the ROM
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
import type { RomCodec } from "./codec.ts";
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
import { FlashReading } from "./flash_reading.ts";
import { FlashWriter, type RomFlash, SECTOR } from "./flash_writer.ts";
import { Registers } from "./registers.ts";
import { SlipReader, slipFrame } from "./slip.ts";

export interface RomLine {
  /** In order; the ROM waits for no room. */
  send(bytes: Uint8Array): void;
  /** Once everything that was sent has left. */
  setBaud(baud: number): void;
}

export interface Esp32RomOptions {
  readonly chip: Esp32Chip;
  readonly flash: RomFlash;
  readonly codec: RomCodec;
  readonly line: RomLine;
  /** Fuse ENABLE_SECURITY_DOWNLOAD: a chip that lets nobody read its memory or run code from the line. */
  readonly secureDownload?: boolean;
  /** A loader let go of the chip: it starts anew, or runs what is in flash. */
  readonly onLeave?: () => void;
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

export class Esp32Rom {
  /** Where the uploaded code was started; null: none was. */
  entry: number | null = null;
  readonly #options: Esp32RomOptions;
  readonly #slip = new SlipReader(LONGEST_FRAME);
  readonly #registers: Registers;
  #mode: RomMode = "rom";
  #attached = false;
  #ram: RamSegment[] = [];
  #loading: RamSegment | null = null;
  #writer: FlashWriter | null = null;
  #reading: FlashReading | null = null;
  /** The stub tells the next command what went wrong after the last answer. */
  #late: Failure | null = null;

  constructor(options: Esp32RomOptions) {
    this.#options = options;
    this.#registers = new Registers(options.chip, options.flash.bytes);
  }

  get mode(): RomMode {
    return this.#mode;
  }

  /** Reset with BOOT held: the ROM says so and waits for commands. */
  start(): void {
    this.#mode = "rom";
    this.#attached = false;
    this.#ram = [];
    this.entry = null;
    this.#loading = null;
    this.#writer = null;
    this.#reading = null;
    this.#late = null;
    this.#slip.reset();
    this.#registers.reset();
    this.#options.line.setBaud(ROM_BAUD);
    this.#options.line.send(new TextEncoder().encode(this.#options.chip.bootMessage));
  }

  /** Bytes from the line; the answers have been sent when it returns. */
  receive(bytes: Uint8Array): void {
    for (const frame of this.#slip.push(bytes)) {
      if (this.#mode === "gone") return;
      if (this.#reading === null) this.#command(frame);
      else this.#readOn(this.#reading, frame);
    }
  }

  #command(frame: Uint8Array): void {
    const request = parseRequest(frame);
    if (request === null) return;
    const late = request.whole ? this.#late : null;
    if (request.whole) this.#late = null;
    const outcome = request.whole ? (late ?? this.#act(request)) : "length";
    if (outcome === null) return;
    this.#answer(request.command, outcome);
    if (typeof outcome === "object" && outcome.after !== undefined) this.#late = outcome.after();
  }

  #answer(command: number, outcome: Outcome): void {
    const stub = this.#mode === "stub";
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
    if (this.#mode === "rom" && !inRom(command)) return "command";
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
        this.#attached = true;
        return data.length === (this.#mode === "stub" ? 4 : 8) ? DONE : "length";
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
    const value = this.#mode === "rom" ? ROM_SYNC_VALUE : 0;
    for (let i = 1; i < SYNC_ANSWERS; i++) this.#answer(SYNC, { value });
    return { value };
  }

  #writeRegisters(data: Uint8Array): Outcome {
    if (data.length === 0 || data.length % 16 !== 0) return "too-little";
    const all = words(data);
    // The fourth word is a delay, which takes no time here.
    for (let i = 0; i < all.length; i += 4) this.#registers.write(all[i], all[i + 1], all[i + 2]);
    return DONE;
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
    this.#loading = { start, end, filled: start };
    this.#ram.push(this.#loading);
    return DONE;
  }

  /** Uploaded code is counted, not kept: nobody runs it. */
  #memData(request: Request): Outcome {
    const segment = this.#loading;
    if (segment === null) return "not-begun";
    const block = dataBlock(request);
    if (typeof block === "string") return block;
    if (segment.filled + block.bytes.length > segment.end) return "too-much";
    segment.filled += block.bytes.length;
    return DONE;
  }

  #memEnd(data: Uint8Array): Outcome {
    const [stay, entry] = words(data);
    if (this.#loading === null) return "not-begun";
    this.#loading = null;
    return stay === 0 ? { after: () => this.#run(entry) } : DONE;
  }

  #run(entry: number): null {
    const { iram } = this.#options.chip;
    const plausible =
      this.#mode === "rom" &&
      entry >= iram.start &&
      entry < iram.end &&
      this.#ram.every(({ end, filled }) => filled === end) &&
      this.#ram.some(({ start, end }) => entry >= start && entry < end);
    this.entry = entry;
    this.#mode = plausible ? "stub" : "gone";
    if (plausible) this.#send(new TextEncoder().encode("OHAI"));
    return null;
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
    const [bytes, , , offset] = words(data);
    const { flash, codec } = this.#options;
    if (!this.#mayUseFlash(offset, bytes)) return "range";
    this.#writer = new FlashWriter(flash, offset, bytes, command === FLASH_DEFL_BEGIN ? codec.inflater() : null);
    return (this.#mode === "rom" ? this.#writer.eraseAll() : null) ?? DONE;
  }

  #flashData(request: Request): Outcome {
    const writer = this.#writer;
    if (writer === null || writer.compressed !== (request.command === FLASH_DEFL_DATA)) return "not-begun";
    if (writer.remaining === 0) return "too-much";
    const block = dataBlock(request);
    if (typeof block === "string") return block;
    // Neither loader looks at the sequence number: a block that is sent again is written again.
    if (this.#mode === "rom") return writer.take(block.bytes) ?? DONE;
    return { after: () => writer.take(block.bytes) };
  }

  #flashEnd(stay: number): Outcome {
    const writer = this.#writer;
    if (writer === null) return "not-begun";
    this.#writer = null;
    // The stub in use ignores the request to restart the chip.
    if (this.#mode === "stub") return writer.remaining === 0 ? DONE : "length";
    // 0: start anew, 1: run what is in flash. Either way the ROM is done.
    if (stay > 1) return "length";
    return {
      after: () => {
        this.#mode = "gone";
        this.#options.onLeave?.();
        return null;
      },
    };
  }

  #flashMd5(data: Uint8Array): Outcome {
    const [address, bytes] = words(data);
    if (!this.#mayUseFlash(address, bytes)) return "range";
    const digest = this.#options.codec.md5(this.#options.flash.read(address, bytes));
    if (this.#mode === "stub") return { data: digest };
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
    if (!this.#mayUseFlash(address, bytes) || packet === 0 || packet > SECTOR) return "length";
    return {
      after: () => {
        this.#reading = new FlashReading(this.#options.flash.read(address, bytes), packet);
        this.#readOn(this.#reading, null);
        return null;
      },
    };
  }

  /** The next packet, or the digest of all of them. @param ack null at the beginning */
  #readOn(reading: FlashReading, ack: Uint8Array | null): void {
    const step = ack === null ? reading.first() : reading.acknowledged(ack);
    if (step !== "packet") this.#reading = null;
    if (step === "packet") this.#send(reading.packet);
    else this.#send(this.#options.codec.md5(reading.bytes));
  }

  #mayUseFlash(address: number, bytes: number): boolean {
    return (this.#mode === "stub" || this.#attached) && address + bytes <= this.#options.flash.bytes;
  }
}

function inRom(command: number): boolean {
  return command < ERASE_FLASH;
}

/** What a ROM in secure download mode still does; the rest counts as unknown (esptool documentation, "Secure Download Mode"). */
function inSecureDownload(command: number): boolean {
  return ![READ_REG, WRITE_REG, MEM_BEGIN, MEM_DATA, MEM_END, READ_FLASH, SPI_FLASH_MD5].includes(command);
}
