/**
 * The USB drive that the boot ROM of an RP2040 or RP2350 shows while BOOTSEL is held at power-on (RP2040 Datasheet 2.8.4,
 * RP2350 Datasheet 5.5): it has a file INFO_UF2.TXT with a line "Board-ID: RPI-RP2" or "Board-ID: RP2350", programs the blocks
 * of a UF2 file as they are copied there, and when the last one has come it restarts: the drive goes away. That is its only
 * acknowledgement; it reads nothing back and says nothing about errors.
 *
 * NOT IMPLEMENTED: PICOBOOT, the ROM's other interface, which could verify, but needs a USB driver of its own.
 */
import { type FileHandle, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Board } from "../../../boards/board.ts";
import { EXIT_REFUSED, interruption, TritkitError, throwIfAborted } from "../../errors.ts";
import type { FirmwarePhase, FirmwareProgress } from "./progress.ts";
import { readUf2, UF2_BLOCK_BYTES, UF2_PAYLOAD_BYTES, uf2Chip } from "./uf2.ts";

const INFO = "INFO_UF2.TXT";
/** Name of the file on the drive; the ROM does not care. */
const TARGET = "tritkit.uf2";
/** Handed over and programmed at a time: a progress worth the name, and few round trips. */
const CHUNK_BYTES = 64 * UF2_BLOCK_BYTES;
/** A chunk takes about 0.4 s (8 pages of 4 KiB are erased and programmed). */
const CHUNK_MS = 30_000;
/** A drive that hangs is left alone after this. */
const CLEAN_MS = 1000;
const LOOK_MS = 100;
const RESTART_MS = 10_000;

export interface BootDrive {
  readonly path: string;
  /** As INFO_UF2.TXT says, "" when it does not. */
  readonly boardId: string;
  /** The block device, where the system tells. */
  readonly device: string | null;
}

/** Where a drive may be: a folder and its block device, null where the system does not tell. */
export interface MountPoint {
  readonly path: string;
  readonly device: string | null;
}

export interface CopyUf2Options {
  /** The drive's folder; without it the drives of this machine are searched. */
  drive?: string;
  /** How long to wait for the drive to appear, for a board that was asked to restart into its ROM. Default 0. */
  appearMs?: number;
  /** How long the ROM may take to restart after the last block. Default 10 s. */
  restartMs?: number;
  signal?: AbortSignal;
  onProgress?: (progress: FirmwareProgress) => void;
}

/**
 * Copies a UF2 file to a board in its boot ROM and waits until the ROM has restarted.
 * @returns what was done; `bytes` counts bytes of flash
 * @throws TritkitError E_NO_BOOT_DRIVE, E_FIRMWARE_BOARD, E_FIRMWARE_FILE, E_BOOT_DRIVE, E_INTERRUPTED
 */
export async function copyUf2(file: Uint8Array, board: Board, options: CopyUf2Options = {}): Promise<FirmwareProgress> {
  const { signal, restartMs = RESTART_MS } = options;
  // Refuses what this chip's ROM would not take: it would ignore the file without a word.
  readUf2(file, uf2Chip(board.chip).family);
  const started = performance.now();
  const total = (file.length / UF2_BLOCK_BYTES) * UF2_PAYLOAD_BYTES;
  const progress: FirmwareProgress = { phase: "connect", bytes: 0, total, skipped: 0, seconds: 0 };
  const report = (phase: FirmwarePhase): void => {
    progress.phase = phase;
    progress.seconds = (performance.now() - started) / 1000;
    options.onProgress?.({ ...progress });
  };
  report("connect");
  const drive = await waitForDrive(board, options);
  report("write");
  await writeBlocks(drive, file, signal, (done) => {
    progress.bytes = (done / UF2_BLOCK_BYTES) * UF2_PAYLOAD_BYTES;
    report("write");
  });
  report("reset");
  const deadline = performance.now() + restartMs;
  while (!(await isGone(drive))) {
    if (performance.now() >= deadline) {
      const message = `The drive ${drive.path} has the whole file, but the board did not restart.`;
      throw driveError(message, "Unplug the board, hold BOOTSEL while you plug it in, and try again.");
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => throwIfAborted(signal));
  }
  report("done");
  return progress;
}

async function waitForDrive(board: Board, { drive, appearMs = 0, signal }: CopyUf2Options): Promise<BootDrive> {
  const deadline = performance.now() + appearMs;
  for (;;) {
    throwIfAborted(signal);
    const found = await findBootDrive(board, drive);
    if (found !== null) return found;
    if (performance.now() >= deadline) throw noDrive(board, drive);
    await sleep(LOOK_MS, undefined, { signal }).catch(() => throwIfAborted(signal));
  }
}

function noDrive(board: Board, drive: string | undefined): TritkitError {
  const { boardId } = uf2Chip(board.chip);
  const message =
    drive === undefined ? `No ${boardId} drive is there.` : `${drive} is no ${boardId} drive: it has no ${INFO}.`;
  const hint = `Hold BOOTSEL while you plug ${board.title} in, and mount the drive where that does not happen by itself.`;
  return new TritkitError("E_NO_BOOT_DRIVE", message, hint);
}

function driveError(message: string, hint: string, cause?: unknown): TritkitError {
  return new TritkitError("E_BOOT_DRIVE", message, hint, undefined, { cause });
}

/**
 * The drive of a board of this kind that waits in its boot ROM; null when there is none.
 * @throws TritkitError E_FIRMWARE_BOARD when another chip's is there instead, E_BOOT_DRIVE when there are several
 */
export async function findBootDrive(board: Board, path?: string): Promise<BootDrive | null> {
  const { boardId } = uf2Chip(board.chip);
  const places = await mountPoints();
  const device = places.find((place) => place.path === path)?.device ?? null;
  const drives = await bootDrives(path === undefined ? places : [{ path, device }]);
  const own = drives.filter((drive) => drive.boardId === boardId);
  if (own.length > 1) {
    const message = `There are ${own.length} ${boardId} drives: ${own.map((each) => each.path).join(", ")}.`;
    throw driveError(message, "Choose one with --drive, or unplug the others.");
  }
  const [other] = drives;
  if (own.length === 0 && other !== undefined) {
    const message = `The board behind ${other.path} calls itself "${other.boardId}"; ${board.name} is "${boardId}".`;
    throw new TritkitError("E_FIRMWARE_BOARD", message, "Choose another board or another --board.", EXIT_REFUSED);
  }
  return own[0] ?? null;
}

/** Those of the places that have an INFO_UF2.TXT. */
export async function bootDrives(places: readonly MountPoint[]): Promise<BootDrive[]> {
  const found: BootDrive[] = [];
  for (const { path, device } of places) {
    const info = await readFile(join(path, INFO), "latin1").catch(() => null);
    if (info === null) continue;
    found.push({ path, device, boardId: /^Board-ID:[ \t]*(.*?)\s*$/im.exec(info)?.[1] ?? "" });
  }
  return found;
}

/** Places where this system mounts USB drives. */
async function mountPoints(): Promise<MountPoint[]> {
  const inside = async (folder: string): Promise<MountPoint[]> =>
    (await readdir(folder).catch(() => [])).map((name) => ({ path: join(folder, name), device: null }));
  if (process.platform === "win32")
    return Array.from("DEFGHIJKLMNOPQRSTUVWXYZ", (letter) => ({ path: `${letter}:\\`, device: null }));
  if (process.platform === "darwin") return inside("/Volumes");
  const mounts = await readFile("/proc/mounts", "latin1").catch(() => null);
  if (mounts !== null) return fatMounts(mounts);
  const users = await Promise.all(["/media", "/run/media"].map(inside));
  return (await Promise.all(users.flat().map(({ path }) => inside(path)))).flat();
}

/** The FAT file systems in /proc/mounts (proc(5), fstab(5): blanks in names are written \040). Others, a network's among them, are not touched. */
export function fatMounts(mounts: string): MountPoint[] {
  const plain = (name: string): string =>
    name.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return mounts
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, , type]) => type === "vfat" || type === "msdos")
    .map(([device, path]) => ({ path: Buffer.from(plain(path), "latin1").toString("utf8"), device: plain(device) }));
}

/** A drive that was pulled stays mounted on some systems: there its block device is what goes. */
async function isGone({ path, device }: BootDrive): Promise<boolean> {
  const missing = async (name: string): Promise<boolean> =>
    stat(name).then(
      () => false,
      () => true,
    );
  return (await missing(join(path, INFO))) || (device?.startsWith("/dev/") === true && (await missing(device)));
}

async function writeBlocks(
  drive: BootDrive,
  file: Uint8Array,
  signal: AbortSignal | undefined,
  onBytes: (done: number) => void,
): Promise<void> {
  const target = join(drive.path, TARGET);
  let handle: FileHandle | null = null;
  let done = 0;
  try {
    handle = await open(target, "w");
    while (done < file.length) {
      throwIfAborted(signal);
      const chunk = file.subarray(done, done + CHUNK_BYTES);
      await inTime(writeThrough(handle, chunk, done), signal);
      done += chunk.length;
      onBytes(done);
    }
    await inTime(handle.close(), signal).catch(async (cause) => {
      // The drive that is gone by now has taken everything.
      if (!(await isGone(drive))) throw cause;
    });
  } catch (cause) {
    void handle?.close().catch(() => {});
    // The ROM restarts with the last block: the system may miss the drive before it has told that the block is there.
    if (
      done + CHUNK_BYTES >= file.length &&
      handle !== null &&
      !(cause instanceof TritkitError) &&
      (await isGone(drive))
    )
      return onBytes(file.length);
    await Promise.race([rm(target, { force: true }).catch(() => {}), sleep(CLEAN_MS)]);
    if (cause instanceof TritkitError) throw cause;
    const reason = (cause as Error).message.split(",")[0];
    const message = `The drive ${drive.path} took ${done} of ${file.length} bytes: ${reason}.`;
    throw driveError(message, "Unplug the board, hold BOOTSEL while you plug it in, and try again.", cause);
  }
}

/** Written and on the drive: what the system only keeps in mind is no progress. */
async function writeThrough(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
  await handle.datasync();
}

/** @throws TritkitError E_BOOT_DRIVE when the drive hangs, E_INTERRUPTED */
async function inTime(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  const over = new AbortController();
  const timeout = sleep(CHUNK_MS, undefined, { signal: over.signal }).then(() => {
    throw driveError("The drive does not answer any more.", "Unplug the board and plug it in again.");
  });
  const aborted = new Promise<never>((_, reject) => {
    signal?.addEventListener("abort", () => reject(interruption(signal)), { signal: over.signal });
  });
  try {
    await Promise.race([work, timeout, aborted]);
  } finally {
    over.abort();
    timeout.catch(() => {});
    work.catch(() => {});
  }
}
