// Firmware into an ESP32-S3 or ESP32-C3 through its boot ROM, by Espressif's own library (esptool-js): the ROM is synchronised, the stub
// uploaded, the line made fast. Piece by piece: what flash holds already, by its MD5, is skipped, so a run that was cut off is
// finished by running it again; the rest is written compressed and its MD5 compared. Where the conversation is lost on the way, it is begun anew.
//
// Segments are raw bytes at their places, flash offset = address - flash.base: our ESP32-C3 image is started by the ROM's "direct boot"
// from the first bytes of flash and has no image header (github.com/espressif/esp32c3-direct-boot-example).
import { createHash } from "node:crypto";
import type { Board } from "../../../boards/board.ts";
import { EXIT_LINK_LOST, EXIT_REFUSED, TritkitError, throwIfAborted } from "../../errors.ts";
import type { Transport } from "../../transports/transport.ts";
import type { UsbId } from "../../transports/usb_id.ts";
import { type Chunk, planChunks } from "./esp32_plan.ts";
import { type Esptool, espTransport, loadEsptool, SILENT } from "./esptool_port.ts";
import type { FirmwarePhase, FirmwareProgress } from "./progress.ts";
import { RomLine } from "./rom_line.ts";
import { type FirmwareSegment, totalBytes } from "./segments.ts";

export interface Esp32Options {
  /** The board that the segments are for: its chip and its flash. */
  board: Board;
  /** Compares what was written with its MD5 (default true). */
  verify?: boolean;
  /** Starts the firmware at the end (default true). */
  restart?: boolean;
  /** Speed once the stub runs; the ROM speaks 115200. Default 921600; a line without modem lines (TCP) stays as it is. */
  baud?: number;
  /** Of the port, where it is USB: a chip's own USB is reset in another way than through a bridge. */
  usb?: UsbId;
  signal?: AbortSignal;
  onProgress?: (progress: FirmwareProgress) => void;
}

const ROM_BAUD = 115200;
const FAST_BAUD = 921600;
/** So many conversations in a row that bring nothing further: the line is no good. */
const CONVERSATIONS = 6;
/** A piece is written so often before the flash counts as bad. */
const PIECE_ATTEMPTS = 4;
/** So many answers to one piece may go wrong before the conversation is begun anew. */
const FAULTS = 3;
/** Until a stub that lost step has said all it has to say. */
const QUIET_MS = 100;
/** How long EN is held low, esptool's figure. */
const RESET_MS = 100;
/** Status of the stub: the flash did not do what it was told. */
const STUB_FLASH_FAILED = 0xc4;
/** Twice at the beginning of flash: the ROM starts the code behind it (Espressif's direct boot example, "Direct boot in ESP32-C3"). */
const DIRECT_BOOT_MAGIC = 0xaedb041d;

/** esptool, `watchdog_reset`: RTC_CNTL_WDTCONFIG0, WDTCONFIG1 and WDTWPROTECT of each chip. */
const WATCHDOG: Readonly<Record<string, { config: number; timeout: number; protect: number }>> = {
  "ESP32-S3": { config: 0x6000_8098, timeout: 0x6000_809c, protect: 0x6000_80b0 },
  "ESP32-C3": { config: 0x6000_8090, timeout: 0x6000_8094, protect: 0x6000_80a8 },
};
const WATCHDOG_KEY = 0x50d8_3aa1;
/** Clocks of about 140 kHz: 15 ms. */
const WATCHDOG_TICKS = 2000;
/** On, resets chip and RTC in its first stage, counts while the chip sleeps, the longest pulse. */
const WATCHDOG_RESET = 0xd000_0102;

const BY_HAND = "Hold BOOT, press RESET, let go of BOOT, and run it again: what is in flash already is kept.";

interface Piece extends Chunk {
  readonly md5: string;
  /** Flash holds it. */
  there: boolean;
  /** Something of it was sent. */
  touched: boolean;
  /** How often the chip took all of it, or could not write it. */
  attempts: number;
}

type Loader = InstanceType<Esptool["ESPLoader"]>;

/** What every chip's class of esptool-js has and its declarations of ROM lack. */
interface Versions {
  getMajorChipVersion(loader: Loader): Promise<number>;
  getMinorChipVersion(loader: Loader): Promise<number>;
}

/**
 * Takes over the transport's listeners; afterwards the line is at the board's own speed, and whoever talks to the firmware listens anew.
 * @returns what was done; `skipped` equals `total` when everything was there already
 * @throws TritkitError E_FIRMWARE_RANGE, E_ROM_UNSUPPORTED, E_NO_ESPTOOL, E_ROM_SYNC, E_WRONG_CHIP, E_READ_PROTECTED, E_FLASH_IO, E_VERIFY,
 *   E_LINK_LOST, E_INTERRUPTED
 */
export async function flashEsp32(
  transport: Transport,
  segments: readonly FirmwareSegment[],
  options: Esp32Options,
): Promise<FirmwareProgress> {
  const { board, signal } = options;
  const chunks = planChunks(board, segments);
  if (!Object.hasOwn(WATCHDOG, board.chip)) {
    const message = `The boot ROM of ${board.chip} is none that is known here.`;
    throw new TritkitError("E_ROM_UNSUPPORTED", message, "Use Espressif's esptool for this chip.");
  }
  throwIfAborted(signal);
  const esptool = await loadEsptool();
  const line = new RomLine(transport, signal);
  const flasher = new Flasher(esptool, line, chunks, totalBytes(segments), options);
  try {
    return await flasher.run();
  } finally {
    // A line that is gone has nothing to go back to.
    await transport.setBaud(board.uart.default_baud).catch(() => {});
  }
}

class Flasher {
  readonly #esptool: Esptool;
  readonly #line: RomLine;
  readonly #options: Esp32Options;
  readonly #pieces: Piece[];
  readonly #progress: FirmwareProgress;
  readonly #started: number;
  /** A boot ROM or stub answered once. */
  #met = false;

  constructor(esptool: Esptool, line: RomLine, chunks: readonly Chunk[], total: number, options: Esp32Options) {
    this.#esptool = esptool;
    this.#line = line;
    this.#options = options;
    this.#started = line.transport.seconds();
    this.#progress = { phase: "connect", bytes: 0, total, skipped: 0, seconds: 0 };
    this.#pieces = chunks.map((chunk) => ({
      ...chunk,
      md5: md5(chunk.bytes),
      there: false,
      touched: false,
      attempts: 0,
    }));
  }

  async run(): Promise<FirmwareProgress> {
    for (let failures = 0; ; ) {
      const before = this.#bytesThere();
      try {
        await this.#converse();
        break;
      } catch (error) {
        if (error instanceof TritkitError) throw error;
        failures = this.#bytesThere() > before ? 1 : failures + 1;
        if (failures >= CONVERSATIONS) throw lostStep(error);
      }
    }
    this.#report("done");
    return this.#progress;
  }

  /** From the reset into the ROM to the reset into the firmware. What esptool-js throws on the way can be tried again. */
  async #converse(): Promise<void> {
    const { verify = true, restart = true } = this.#options;
    const loader = await this.#connect();
    do await this.#write(loader);
    while (verify && !(await this.#verify(loader)));
    this.#report("reset");
    if (restart) await this.#restart(loader);
  }

  async #connect(): Promise<Loader> {
    this.#report("connect");
    const { board, usb = null, baud = FAST_BAUD } = this.#options;
    const { transport } = this.#line;
    const canReset = transport.setSignals !== undefined;
    const loader = new this.#esptool.ESPLoader({
      transport: espTransport(this.#esptool, this.#line, usb),
      baudrate: Math.min(baud, board.uart.max_baud),
      romBaudrate: ROM_BAUD,
      terminal: SILENT,
    });
    try {
      await loader.detectChip(canReset ? "default_reset" : "no_reset");
    } catch (error) {
      throw await this.#notDetected(loader, error);
    }
    this.#met = true;
    await this.#checkChip(loader);
    await loader.runStub();
    if (canReset && baud !== ROM_BAUD) await loader.changeBaud();
    await this.#checkFlash(loader);
    return loader;
  }

  /** What went wrong before it was known which chip this is. */
  async #notDetected(loader: Loader, error: unknown): Promise<unknown> {
    const { UnexpectedChipIdError, UnexpectedChipMagicError } = this.#esptool;
    const { board } = this.#options;
    const unknown = `none that Espressif's library knows, the firmware is for ${board.name}`;
    if (error instanceof UnexpectedChipMagicError) return wrongChip(unknown, error);
    if (error instanceof UnexpectedChipIdError) {
      const first = Number(/value (\d+)/.exec(error.message)?.[1]);
      return (await this.#says(loader, first)) ? wrongChip(unknown, error) : error;
    }
    if (!(error instanceof Error) || !/Failed to connect/.test(error.message)) return error;
    const { name, setSignals } = this.#line.transport;
    const silent = this.#met ? "stopped answering" : "does not answer";
    const why = setSignals === undefined ? ", and this port has no modem lines that could reset the chip into it" : "";
    const message = `The boot ROM at ${name} ${silent}${why}.`;
    return new TritkitError("E_ROM_SYNC", message, BY_HAND, EXIT_LINK_LOST, { cause: error });
  }

  /** Nothing on this line has a checksum: a wrong chip counts when it is said twice. */
  async #says(loader: Loader, id: number | undefined): Promise<boolean> {
    return (await loader.getSecurityInfo(false)).chipId === id;
  }

  /** Nothing is written before the chip is the right one. */
  async #checkChip(loader: Loader): Promise<void> {
    const { board } = this.#options;
    const { CHIP_NAME: found, IMAGE_CHIP_ID, USES_MAGIC_VALUE } = loader.chip;
    if (found !== board.chip) {
      // Older chips have no number to say.
      if (!USES_MAGIC_VALUE && !(await this.#says(loader, IMAGE_CHIP_ID)))
        throw new this.#esptool.ESPError("the chip's id came damaged");
      throw wrongChip(`an ${found}, the firmware is for ${board.name}, an ${board.chip}`);
    }
    if (loader.secureDownloadMode) {
      const message = "The chip is in secure download mode: its boot ROM runs no flasher and reads nothing back.";
      throw new TritkitError("E_READ_PROTECTED", message, "This is a fuse; it cannot be undone.", EXIT_REFUSED);
    }
    if (board.chip !== "ESP32-C3" || !this.#isDirectBoot()) return;
    const versions = loader.chip as unknown as Versions;
    const major = await versions.getMajorChipVersion(loader);
    const minor = await versions.getMinorChipVersion(loader);
    if (major > 0 || minor >= 3) return;
    throw wrongChip(`an ESP32-C3 v${major}.${minor}, and only v0.3 and later start firmware without a boot loader`);
  }

  #isDirectBoot(): boolean {
    const first = this.#pieces[0];
    if (first.offset !== 0 || first.bytes.length < 8) return false;
    const view = new DataView(first.bytes.buffer, first.bytes.byteOffset);
    return view.getUint32(0, true) === DIRECT_BOOT_MAGIC && view.getUint32(4, true) === DIRECT_BOOT_MAGIC;
  }

  async #checkFlash(loader: Loader): Promise<void> {
    const { board } = this.#options;
    const size = loader.DETECTED_FLASH_SIZES[((await loader.readFlashId()) >> 16) & 0xff];
    if (size === undefined) throw new this.#esptool.ESPError("the flash does not say how large it is");
    const bytes = loader.flashSizeBytes(size as Parameters<Loader["flashSizeBytes"]>[0]);
    if (bytes < board.flash.bytes)
      throw wrongChip(`one with ${size} of flash, ${board.name} has ${board.flash.bytes >> 20}MB`);
  }

  /** Everything that flash does not hold. */
  async #write(loader: Loader): Promise<void> {
    for (const piece of this.#pieces) {
      this.#report("write");
      for (let faults = 0; !piece.there; ) {
        try {
          await this.#provide(loader, piece);
        } catch (error) {
          if (error instanceof TritkitError || ++faults === FAULTS) throw error;
          await this.#line.drain(QUIET_MS);
        }
      }
    }
    this.#report("write");
  }

  async #provide(loader: Loader, piece: Piece): Promise<void> {
    const found = await this.#holds(loader, piece);
    if (found && !piece.touched) this.#progress.skipped += piece.bytes.length;
    if (!found) await this.#writePiece(loader, piece);
    piece.there = true;
  }

  async #writePiece(loader: Loader, piece: Piece): Promise<void> {
    if (piece.attempts === PIECE_ATTEMPTS) throw notTaken();
    piece.touched = true;
    try {
      await loader.writeFlash({
        fileArray: [{ data: piece.bytes, address: piece.offset }],
        flashMode: "keep",
        flashFreq: "keep",
        flashSize: "keep",
        eraseAll: false,
        compress: true,
        reportProgress: (_, sent, total) => this.#report("write", Math.floor((piece.bytes.length * sent) / total)),
      });
    } catch (error) {
      // "failed with status 196,0"
      const status = error instanceof Error ? Number(/status (\d+)/.exec(error.message)?.[1]) : 0;
      if (status === STUB_FLASH_FAILED && ++piece.attempts === PIECE_ATTEMPTS) throw flashFailed(piece, error);
      throw error;
    }
    piece.attempts++;
  }

  /** @returns false when a piece has to be written again */
  async #verify(loader: Loader): Promise<boolean> {
    let compared = this.#progress.skipped;
    this.#report("verify", compared - this.#bytesThere());
    for (const piece of this.#pieces.filter(({ touched }) => touched)) {
      piece.there = await this.#holds(loader, piece);
      if (!piece.there) return false;
      compared += piece.bytes.length;
      this.#report("verify", compared - this.#bytesThere());
    }
    return true;
  }

  async #holds(loader: Loader, { offset, bytes, md5 }: Piece): Promise<boolean> {
    return (await loader.flashMd5sum(offset, bytes.length)) === md5;
  }

  /**
   * By the watchdog, which needs no wire, and by the modem lines where there are some (esptool-js's own hard reset does not pull EN low).
   * Everything is in flash by now: a chip that goes away with its USB port is no failure.
   */
  async #restart(loader: Loader): Promise<void> {
    const { transport } = this.#line;
    const { config, timeout, protect } = WATCHDOG[this.#options.board.chip];
    try {
      await loader.writeReg(protect, WATCHDOG_KEY);
      await loader.writeReg(timeout, WATCHDOG_TICKS);
      await loader.writeReg(config, WATCHDOG_RESET);
      await transport.setSignals?.({ dtr: false, rts: true });
      await this.#line.pause(RESET_MS);
      await transport.setSignals?.({ dtr: false, rts: false });
    } catch (error) {
      throwIfAborted(this.#options.signal);
      if (!(error instanceof Error)) throw error;
    }
  }

  #bytesThere(): number {
    return this.#pieces.reduce((sum, { there, bytes }) => sum + (there ? bytes.length : 0), 0);
  }

  /** @param more bytes beside the pieces that are there */
  #report(phase: FirmwarePhase, more = 0): void {
    this.#progress.phase = phase;
    this.#progress.bytes = this.#bytesThere() + more;
    this.#progress.seconds = this.#line.transport.seconds() - this.#started;
    this.#options.onProgress?.({ ...this.#progress });
  }
}

function md5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

function wrongChip(what: string, cause?: Error): TritkitError {
  const hint = "Choose the firmware of the board that is connected.";
  return new TritkitError("E_WRONG_CHIP", `The chip is ${what}.`, hint, EXIT_REFUSED, { cause });
}

function notTaken(): TritkitError {
  const message = "What arrived in the chip's flash is not what was sent, again and again.";
  return new TritkitError(
    "E_VERIFY",
    message,
    "Flash it again; if that does not help, the flash is bad.",
    EXIT_REFUSED,
  );
}

function flashFailed({ offset }: Piece, cause: unknown): TritkitError {
  const message = `The flash at 0x${offset.toString(16)} could not be written.`;
  return new TritkitError("E_FLASH_IO", message, "It may be write-protected or worn out.", EXIT_REFUSED, { cause });
}

function lostStep(error: unknown): TritkitError {
  const why = error instanceof Error ? error.message.split("\n")[0].replace(/\.$/, "") : String(error);
  const message = `The conversation with the boot ROM broke off again and again: ${why}.`;
  const hint = "Check the cable; a line that damages bytes may pass them at a lower speed.";
  return new TritkitError("E_ROM_SYNC", message, hint, EXIT_LINK_LOST, { cause: error });
}
