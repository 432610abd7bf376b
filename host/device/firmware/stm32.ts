// Firmware into an STM32 through its boot ROM (AN3155). Sector by sector: what holds the right bytes already is skipped, so a run
// that was cut off is finished by running it again; the rest is erased, written and read back. Only sectors that the segments touch are
// erased, and none of the model partition.
import { type Board, type Sector, sectorsOf } from "../../../boards/board.ts";
import { EXIT_LINK_LOST, EXIT_REFUSED, TritkitError, throwIfAborted } from "../../errors.ts";
import type { Transport } from "../../transports/transport.ts";
import { An3155, BLOCK_BYTES, EXTENDED_ERASE, GO, READ_MEMORY, WRITE_MEMORY } from "./an3155.ts";
import type { FirmwarePhase, FirmwareProgress } from "./progress.ts";
import { RomFault, RomLine } from "./rom_line.ts";
import { type FirmwareSegment, totalBytes } from "./segments.ts";
import { productIdOf, productName } from "./stm32_chips.ts";

/** A modem line, "!": where it counts when it is not asserted. */
export type ModemLine = "dtr" | "rts" | "!dtr" | "!rts";

/** What hangs on the adapter's modem lines (docs/firmware-stm32.md). */
export interface Stm32Wiring {
  /** Holds the chip in reset. */
  reset: ModemLine;
  /** Raises BOOT0. */
  boot0: ModemLine;
}

export interface Stm32Options {
  /** The board that the segments are for: its flash and its chip. */
  board: Board;
  /** Product id of the chip, where the board's `chip` does not tell it. */
  boardChipId?: number;
  /** The chip is reset into its ROM by the modem lines. Left out: it is in its ROM already, by BOOT0 and a reset by hand. */
  wiring?: Stm32Wiring;
  /** Reads back what was written (default true). */
  verify?: boolean;
  /** Starts the firmware at the end (default true). */
  go?: boolean;
  /** Default 115200, the highest that AN3155 vouches for. */
  baud?: number;
  signal?: AbortSignal;
  onProgress?: (progress: FirmwareProgress) => void;
}

const BAUD = 115200;
const REQUIRED = [READ_MEMORY, GO, WRITE_MEMORY, EXTENDED_ERASE];
/** A reset pulse, and a capacitor's time on either side of it. */
const RESET_MS = 50;
/** A sector is written so often before the flash counts as bad. */
const SECTOR_ATTEMPTS = 4;
/** A block is sent so often before its sector is erased again. */
const BLOCK_ATTEMPTS = 5;
/** Reading has no checksum: a difference counts when it is seen twice. */
const LOOKS = 2;
const BAD_SECTOR = "It may be write-protected (`stm32flash -u PORT` removes that), or worn out.";

/** A sector and what belongs into it. */
interface Job {
  readonly sector: Sector;
  readonly pieces: readonly FirmwareSegment[];
  readonly bytes: number;
}

/**
 * Takes over the transport's listeners; afterwards the line is 8N1 at the board's own speed, and whoever talks to the firmware listens anew.
 * @returns what was done; `skipped` equals `total` when everything was there already
 * @throws TritkitError E_FIRMWARE_RANGE, E_NO_MODEM_LINES, E_ROM_SYNC, E_WRONG_CHIP, E_READ_PROTECTED, E_ROM_UNSUPPORTED, E_FLASH_IO,
 *   E_VERIFY, E_LINK_LOST, E_INTERRUPTED
 */
export async function flashStm32(
  transport: Transport,
  segments: readonly FirmwareSegment[],
  options: Stm32Options,
): Promise<FirmwareProgress> {
  const { board, wiring, signal, verify = true, go = true } = options;
  const jobs = planJobs(board, segments);
  const chipId = options.boardChipId ?? productIdOf(board.chip);
  if (chipId === null) {
    const message = `The product id of ${board.chip} is not known, so a wrong chip could not be told.`;
    throw new TritkitError("E_ROM_UNSUPPORTED", message, "Use ST's own programmer for this chip.");
  }
  const started = transport.seconds();
  const progress: FirmwareProgress = {
    phase: "connect",
    bytes: 0,
    total: totalBytes(segments),
    skipped: 0,
    seconds: 0,
  };
  const report = (phase: FirmwarePhase): void => {
    progress.phase = phase;
    progress.seconds = transport.seconds() - started;
    options.onProgress?.({ ...progress });
  };

  report("connect");
  throwIfAborted(signal);
  const line = new RomLine(transport, signal);
  try {
    await transport.setBaud(options.baud ?? BAUD);
    await transport.setParity?.("even");
    if (wiring !== undefined) await enterRom(line, wiring);
    const rom = new An3155(line);
    await rom.sync();
    await identify(rom, board, chipId);
    const flasher = new Flasher(rom, board, progress, report);
    const written = await flasher.write(jobs);
    if (verify) await flasher.verify(written);
    report("reset");
    if (go) await romAnswers(() => rom.go(board.flash.base));
  } finally {
    // A line that is gone has nothing to go back to.
    await transport.setParity?.("none").catch(() => {});
    await transport.setBaud(board.uart.default_baud).catch(() => {});
    if (wiring !== undefined) await transport.setSignals?.(drive(wiring.boot0, false)).catch(() => {});
  }
  // The firmware runs already; but a port that was opened anew for its parity has moved its lines meanwhile, so it is reset once
  // more. (A pseudo-terminal has no lines, and the firmware goes on.)
  if (wiring !== undefined && go) await pulse(line, wiring, false);
  report("done");
  return progress;
}

/** @throws TritkitError E_NO_MODEM_LINES */
async function enterRom(line: RomLine, wiring: Stm32Wiring): Promise<void> {
  if (line.transport.setSignals === undefined) {
    const message = `${line.transport.name} has no modem lines.`;
    const hint = "Set BOOT0 high, reset the chip by hand, and leave the wiring out.";
    throw new TritkitError("E_NO_MODEM_LINES", message, hint);
  }
  await pulse(line, wiring, true);
}

/** A reset. BOOT0 counts at the end of the pulse where the line holds the chip in reset, at its beginning behind a capacitor. */
async function pulse(line: RomLine, { reset, boot0 }: Stm32Wiring, rom: boolean): Promise<void> {
  for (const active of [false, true, false]) {
    await line.transport.setSignals?.({ ...drive(boot0, rom), ...drive(reset, active) });
    await line.pause(RESET_MS);
  }
}

function drive(line: ModemLine, active: boolean): { dtr?: boolean; rts?: boolean } {
  const asserted = line.startsWith("!") ? !active : active;
  return line.endsWith("dtr") ? { dtr: asserted } : { rts: asserted };
}

/** Nothing is written before the chip is the right one and lets itself be read. */
async function identify(rom: An3155, board: Board, chipId: number): Promise<void> {
  const id = await romAnswers(() => rom.productId());
  if (id !== chipId) {
    const message = `The chip is ${productName(id)}, the firmware is for ${board.name}, ${productName(chipId)}.`;
    throw new TritkitError(
      "E_WRONG_CHIP",
      message,
      "Choose the firmware of the board that is connected.",
      EXIT_REFUSED,
    );
  }
  const commands = await romAnswers(() => rom.commands());
  const missing = REQUIRED.filter((code) => !commands.includes(code));
  if (missing.length > 0) {
    const names = missing.map((code) => `0x${code.toString(16)}`).join(", ");
    const message = `The chip's boot ROM lacks the commands ${names}.`;
    throw new TritkitError("E_ROM_UNSUPPORTED", message, "Use ST's own programmer for this chip.", EXIT_REFUSED);
  }
  try {
    await rom.read(board.flash.base, 4);
  } catch (error) {
    if (!(error instanceof RomFault)) throw error;
    if (error.kind !== "nack") throw lostStep(error);
    const message = "The chip is protected against reading, so its boot ROM refuses to read and write.";
    const hint =
      "Removing the protection erases the whole flash, models included: `stm32flash -k PORT`, or ST's own programmer.";
    throw new TritkitError("E_READ_PROTECTED", message, hint, EXIT_REFUSED, { cause: error });
  }
}

/** A fault that outlasted its retries is an error of the line. */
async function romAnswers<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof RomFault ? lostStep(error) : error;
  }
}

function lostStep(fault: RomFault): TritkitError {
  const message = `The boot ROM's answers make no sense: ${fault.message}.`;
  const hint = "Check the cable; a line that damages bytes may pass them at a lower speed.";
  return new TritkitError("E_ROM_SYNC", message, hint, EXIT_LINK_LOST, { cause: fault });
}

class Flasher {
  readonly #rom: An3155;
  readonly #board: Board;
  readonly #progress: FirmwareProgress;
  readonly #report: (phase: FirmwarePhase) => void;

  constructor(rom: An3155, board: Board, progress: FirmwareProgress, report: (phase: FirmwarePhase) => void) {
    this.#rom = rom;
    this.#board = board;
    this.#progress = progress;
    this.#report = report;
  }

  /** @returns the jobs whose sectors were written, the others held their bytes already */
  async write(jobs: readonly Job[]): Promise<Job[]> {
    const written: Job[] = [];
    for (const job of jobs) {
      if (await this.#holds(job)) {
        this.#progress.bytes += job.bytes;
        this.#progress.skipped += job.bytes;
        this.#report("write");
      } else {
        await this.#writeSector(job);
        written.push(job);
      }
    }
    return written;
  }

  /** Reads everything back that was written, and writes a sector again that differs. @throws TritkitError E_VERIFY */
  async verify(written: readonly Job[]): Promise<void> {
    this.#progress.bytes = this.#progress.skipped;
    this.#report("verify");
    for (const job of written) {
      for (let attempt = 1; !(await this.#holds(job, (n) => this.#verified(n))); attempt++) {
        if (attempt === SECTOR_ATTEMPTS) {
          const at = `0x${(this.#board.flash.base + job.sector.offset).toString(16)}`;
          const message = `What the sector at ${at} holds is not what was written.`;
          throw new TritkitError("E_VERIFY", message, BAD_SECTOR, EXIT_REFUSED);
        }
        const { bytes } = this.#progress;
        await this.#writeSector(job);
        this.#progress.bytes = bytes;
        this.#report("verify");
      }
    }
  }

  #verified(bytes: number): void {
    this.#progress.bytes += bytes;
    this.#report("verify");
  }

  /** Whether flash has the job's bytes. A difference is looked at twice. */
  async #holds({ pieces }: Job, onBytes: (n: number) => void = () => {}): Promise<boolean> {
    let counted = 0;
    for (const { address, bytes } of blocksOf(pieces)) {
      let same = false;
      for (let look = 0; look < LOOKS && !same; look++)
        same = equal(await romAnswers(() => this.#rom.read(address, bytes.length)), bytes);
      if (!same) {
        onBytes(-counted);
        return false;
      }
      counted += bytes.length;
      onBytes(bytes.length);
    }
    return true;
  }

  /** Erases the sector and programs it, again from the start when a block cannot be repeated. */
  async #writeSector(job: Job): Promise<void> {
    const before = this.#progress.bytes;
    for (let attempt = 1; ; attempt++) {
      this.#progress.bytes = before;
      this.#report("erase");
      await this.#erase(job.sector);
      if (await this.#program(job)) return;
      if (attempt === SECTOR_ATTEMPTS) throw flashFailed("programmed", this.#board, job.sector);
    }
  }

  async #erase(sector: Sector): Promise<void> {
    const time = this.#board.flash.timing.erase_us.find(({ bytes }) => bytes === sector.bytes);
    // Twice what the datasheet allows, and the line.
    const ms = 1000 + (2 * (time?.max ?? 0)) / 1000;
    try {
      await this.#rom.eraseSector(sector.index, ms);
    } catch (error) {
      if (!(error instanceof RomFault)) throw error;
      throw error.kind === "nack" ? flashFailed("erased", this.#board, sector, error) : lostStep(error);
    }
  }

  /** @returns false when the sector must be erased before it can be tried again */
  async #program({ pieces }: Job): Promise<boolean> {
    for (const { address, bytes } of blocksOf(pieces)) {
      // Erased flash has these bytes.
      if (bytes.some((byte) => byte !== 0xff) && !(await this.#programBlock(address, bytes))) return false;
      this.#progress.bytes += bytes.length;
      this.#report("write");
    }
    return true;
  }

  async #programBlock(address: number, bytes: Uint8Array): Promise<boolean> {
    const unit = Math.max(4, this.#board.flash.program_unit);
    const padded = new Uint8Array(Math.ceil(bytes.length / unit) * unit).fill(0xff);
    padded.set(bytes);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#rom.writeOnce(address, padded);
        return true;
      } catch (error) {
        if (!(error instanceof RomFault)) throw error;
        await this.#rom.recover(error);
        // Was it programmed, and only the answer was lost? Half of it would have to be erased.
        const held = await romAnswers(() => this.#rom.read(address, padded.length));
        if (equal(held, padded)) return true;
        if (held.some((byte) => byte !== 0xff)) return false;
        if (attempt === BLOCK_ATTEMPTS) throw lostStep(error);
      }
    }
  }
}

function flashFailed(verb: string, board: Board, sector: Sector, cause?: Error): TritkitError {
  const at = `0x${(board.flash.base + sector.offset).toString(16)}`;
  const message = `The sector at ${at} could not be ${verb}.`;
  return new TritkitError("E_FLASH_IO", message, BAD_SECTOR, EXIT_REFUSED, { cause });
}

/** What each sector is to hold. @throws TritkitError E_FIRMWARE_RANGE for segments that do not belong into this board's firmware */
function planJobs(board: Board, segments: readonly FirmwareSegment[]): Job[] {
  const { base, bytes: flashBytes, partition, program_unit: unit } = board.flash;
  const wrong = (segment: FirmwareSegment, why: string): TritkitError => {
    const where = `${segment.bytes.length} bytes at 0x${segment.address.toString(16)}`;
    const hint = `Use the firmware that was built for ${board.name}.`;
    return new TritkitError("E_FIRMWARE_RANGE", `The firmware has ${where}, which ${why}.`, hint, EXIT_REFUSED);
  };
  if (totalBytes(segments) === 0)
    throw new TritkitError("E_FIRMWARE_RANGE", "The firmware is empty.", "", EXIT_REFUSED);
  const sorted = [...segments].sort((a, b) => a.address - b.address);
  sorted.forEach((segment, i) => {
    const start = segment.address - base;
    const end = start + segment.bytes.length;
    const next = sorted[i + 1];
    if (!Number.isInteger(start) || start < 0 || end > flashBytes)
      throw wrong(segment, `${board.name} has no flash for`);
    if (end > partition.offset && start < partition.offset + partition.bytes)
      throw wrong(segment, "is where models lie");
    if (start % unit !== 0) throw wrong(segment, `does not begin with a program unit of ${unit} bytes`);
    if (next !== undefined && next.address < segment.address + segment.bytes.length)
      throw wrong(next, "overlaps another piece");
  });
  return sectorsOf(board)
    .map((sector) => {
      const pieces = sorted.flatMap((segment) => within(segment, base + sector.offset, sector.bytes));
      return { sector, pieces, bytes: totalBytes(pieces) };
    })
    .filter(({ bytes }) => bytes > 0);
}

/** The part of the segment that lies in the range. */
function within({ address, bytes }: FirmwareSegment, start: number, length: number): FirmwareSegment[] {
  const from = Math.max(address, start);
  const to = Math.min(address + bytes.length, start + length);
  return to > from ? [{ address: from, bytes: bytes.subarray(from - address, to - address) }] : [];
}

/** Pieces of at most a block, cut at multiples of a block. */
function* blocksOf(pieces: readonly FirmwareSegment[]): Generator<FirmwareSegment> {
  for (const { address, bytes } of pieces) {
    for (let at = 0; at < bytes.length; ) {
      const size = Math.min(BLOCK_BYTES - ((address + at) % BLOCK_BYTES), bytes.length - at);
      yield { address: address + at, bytes: bytes.subarray(at, at + size) };
      at += size;
    }
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
