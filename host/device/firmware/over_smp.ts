// A running board gets new firmware over the line it talks on (spec/FIRMWARE.md): upload into the slot that does not run, verify, try, and keep it
// only once it has answered. Can be cut at any byte and run again; whatever happens, a reset starts a firmware that worked before.
import { createHash } from "node:crypto";
import { type Board, updateRegion } from "../../../boards/board.ts";
import {
  GROUP_IMAGE,
  GROUP_TRITKIT,
  IMAGE_NUMBER_FIRMWARE,
  IMG_STATE,
  IMG_UPLOAD,
  SMP_HEADER_BYTES,
  TK_HELLO,
} from "../../../spec/wire.ts";
import { EXIT_LINK_LOST, EXIT_REFUSED, TritkitError, throwIfAborted } from "../../errors.ts";
import { isTimeout } from "../../wire/session.ts";
import type { CborMap, CborValue } from "../../wire/smp.ts";
import type { Device } from "../device.ts";
import { parseHello } from "../hello.ts";
import { check } from "../refusals.ts";
import type { FirmwarePhase, FirmwareProgress } from "./progress.ts";
import type { UpdateFile } from "./update_file.ts";

export interface UpdateOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: FirmwareProgress) => void;
}

/** A firmware as the device lists it. */
export interface FirmwareState {
  readonly slot: number;
  readonly version: string;
  readonly hash: Uint8Array;
  readonly active: boolean;
  readonly confirmed: boolean;
  readonly pending: boolean;
}

/** Room that the CBOR map of a chunk needs beside its data. */
const CHUNK_OVERHEAD = SMP_HEADER_BYTES + 24;
/** A chunk may erase a sector; the first list and the last chunk hash whole images. */
const CHUNK_MS = 2500;
const HASH = { deadlineMs: 8000, attempts: 3 };
/** Smaller after a chunk that was lost, down to this. */
const CHUNK_MIN = 64;
const LOSSES_MAX = 12;
/** A firmware that hangs is reset by its watchdog after 8 s; then the old one starts and verifies its model. */
const RESTART_MS = 40_000;
/** How long a look for it waits: longer each time, for a board whose answers come late. */
const LOOK_MS = 400;
const LONGEST_LOOK_MS = 3000;

/** @throws TritkitError as Device.read() */
export async function listFirmware(device: Device, signal?: AbortSignal): Promise<FirmwareState[]> {
  const reply = check(await device.session.read(GROUP_IMAGE, IMG_STATE, {}, { ...HASH, signal }));
  return firmwareIn(reply);
}

function firmwareIn({ images }: CborMap): FirmwareState[] {
  const list = Array.isArray(images) ? images : [];
  const isFirmware = (entry: CborValue): entry is CborMap =>
    typeof entry === "object" && entry !== null && "image" in entry && entry.image === IMAGE_NUMBER_FIRMWARE;
  return list.filter(isFirmware).map((entry) => ({
    slot: Number(entry.slot),
    version: String(entry.version),
    hash: entry.hash instanceof Uint8Array ? entry.hash : new Uint8Array(),
    active: entry.active === true,
    confirmed: entry.confirmed === true,
    pending: entry.pending === true,
  }));
}

/**
 * @param files the same firmware, linked for each slot; the device says which it wants
 * @returns what was done; `skipped` equals `total` when the device runs it already
 * @throws TritkitError E_NO_UPDATE, E_FIRMWARE_BOARD, E_FIRMWARE_SLOT, E_FLASH_FULL, E_VERIFY, E_ROLLED_BACK, E_LINK_LOST, E_INTERRUPTED, ...
 */
export async function updateFirmware(
  device: Device,
  board: Board,
  files: readonly UpdateFile[],
  options: UpdateOptions = {},
): Promise<FirmwareProgress> {
  const { signal } = options;
  const { transport } = device.session;
  const started = transport.seconds();
  const progress: FirmwareProgress = { phase: "connect", bytes: 0, total: 0, skipped: 0, seconds: 0 };
  const report = (phase: FirmwarePhase): void => {
    Object.assign(progress, { phase, seconds: transport.seconds() - started });
    options.onProgress?.({ ...progress });
  };
  checkBoard(device, board, files);
  report("connect");

  let states = await listFirmware(device, signal);
  if (!isKept(states) && !runs(states, files)) {
    // Another one is on trial and the slot behind it is its way back: it has had its chance.
    await restart(device, signal);
    states = await listFirmware(device, signal);
  }
  if (runs(states, files)) {
    // It may be on trial since an earlier run that was cut off: it has answered.
    const file = files.find(({ hash }) => same(hash, active(states)?.hash)) as UpdateFile;
    Object.assign(progress, { bytes: file.bytes.length, total: file.bytes.length, skipped: file.bytes.length });
    if (!isKept(states)) await keep(device, file, signal);
    report("done");
    return progress;
  }

  const file = fileFor(device, board, files);
  progress.total = file.bytes.length;
  if (states.some(({ hash }) => same(hash, file.hash))) {
    progress.bytes = progress.total;
    progress.skipped = progress.total;
  } else await upload(device, file, progress, report, signal);
  report("verify");
  throwIfAborted(signal);
  check(await device.session.write(GROUP_IMAGE, IMG_STATE, { hash: file.hash, confirm: false }, { ...HASH, signal }));
  report("reset");
  await restart(device, signal);
  if (!same(active(await listFirmware(device, signal))?.hash, file.hash)) throw rolledBack(device, file);
  await keep(device, file, signal);
  report("done");
  return progress;
}

const same = (a?: Uint8Array, b?: Uint8Array): boolean =>
  a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
const active = (states: readonly FirmwareState[]): FirmwareState | undefined => states.find((state) => state.active);
const isKept = (states: readonly FirmwareState[]): boolean => active(states)?.confirmed === true;
const runs = (states: readonly FirmwareState[], files: readonly UpdateFile[]): boolean =>
  files.some(({ hash }) => same(hash, active(states)?.hash));

/** Why a board that runs takes no firmware over its line, and how it gets one. */
export function noUpdate(board: Board): TritkitError {
  const message = `The firmware of ${board.name} cannot be replaced over its line.`;
  let hint = `\`tritkit flash --firmware --board ${board.name}\` uses its boot ROM.`;
  if (updateRegion(board) !== null)
    hint = `This one was started without its two slots: a simulator by \`tritkit sim --boot flash\`, a chip by its boot ROM.`;
  else if (board.rom === null) hint = "An emulator or a debug probe loads it (docs/porting.md).";
  return new TritkitError("E_NO_UPDATE", message, hint, EXIT_REFUSED);
}

function checkBoard(device: Device, board: Board, files: readonly UpdateFile[]): void {
  const { hello } = device;
  if (hello.firmwareSlot === null || updateRegion(board) === null) throw noUpdate(board);
  const wrong = files.find((file) => file.board !== hello.board);
  if (wrong === undefined) return;
  const message = `The firmware is for ${wrong.board}, the board at ${device.name} is ${hello.board}.`;
  throw new TritkitError("E_FIRMWARE_BOARD", message, "Choose another file or another port.", EXIT_REFUSED);
}

/** The one that was linked for the slot that does not run. @throws TritkitError E_FIRMWARE_SLOT */
function fileFor(device: Device, board: Board, files: readonly UpdateFile[]): UpdateFile {
  const slot = device.hello.firmwareSlot as number;
  const address = board.flash.base + (updateRegion(board)?.slots[slot] ?? 0);
  const file = files.find((each) => each.address === address);
  if (file !== undefined) return file;
  const message = `The board wants firmware for slot ${slot}, and this one was linked for the other.`;
  throw new TritkitError("E_FIRMWARE_SLOT", message, `Give firmware-slot${slot}.img, or the folder.`, EXIT_REFUSED);
}

/** Sends what is missing, one chunk after the other; a board that was reset meanwhile is asked where it stands. */
async function upload(
  device: Device,
  { bytes }: UpdateFile,
  progress: FirmwareProgress,
  report: (phase: FirmwarePhase) => void,
  signal?: AbortSignal,
): Promise<void> {
  const sha = createHash("sha256").update(bytes).digest();
  const head = { image: IMAGE_NUMBER_FIRMWARE, len: bytes.length, sha };
  const open = (): Promise<CborMap> =>
    device.writeImage(IMG_UPLOAD, { ...head, off: 0, data: new Uint8Array() }, { ...HASH, signal });
  const largest = Math.floor((device.hello.mtu - CHUNK_OVERHEAD) / 256) * 256;
  let size = largest;
  let losses = 0;
  const lost = (cause?: unknown): void => {
    if (++losses <= LOSSES_MAX) return;
    const hint = "Run it again: it goes on where it stopped.";
    throw new TritkitError("E_LINK_LOST", `${device.name} fell silent.`, hint, EXIT_LINK_LOST, { cause });
  };
  let reply = await open();
  progress.skipped = Number(reply.off);
  for (;;) {
    const off = Number(reply.off);
    progress.bytes = off;
    report("write");
    if (reply.match === true) return;
    if (reply.match === false || !(off < bytes.length)) {
      const message = "What arrived in the board's flash is not what was sent; the firmware that runs stays.";
      throw new TritkitError("E_VERIFY", message, "Flash it again.", EXIT_REFUSED);
    }
    const data = bytes.subarray(off, off + size);
    const last = off + data.length === bytes.length;
    const body = { image: IMAGE_NUMBER_FIRMWARE, off, data };
    try {
      const timing = { deadlineMs: last ? HASH.deadlineMs : CHUNK_MS, attempts: 1, signal };
      reply = check(await device.session.write(GROUP_IMAGE, IMG_UPLOAD, body, timing));
      if (Number(reply.off) > off) losses = 0;
      else lost();
      size = Math.min(size + CHUNK_MIN, largest);
    } catch (error) {
      // A board that was reset between two chunks knows of no upload: it is opened again, too.
      const forgotten = error instanceof TritkitError && error.code === "E_BAD_STATE";
      if (!isTimeout(error) && !forgotten) throw error;
      lost(error);
      size = Math.max(CHUNK_MIN, size >> 1);
      // Finds it where a reset leaves it, too; then the upload has to be opened again.
      await device.revive(signal);
      reply = await open();
    }
  }
}

/** Resets the board and waits until a firmware answers. @throws TritkitError E_LINK_LOST */
async function restart(device: Device, signal?: AbortSignal): Promise<void> {
  await device.reset();
  const end = performance.now() + RESTART_MS;
  for (let deadlineMs = LOOK_MS; ; deadlineMs = Math.min(deadlineMs * 1.2, LONGEST_LOOK_MS)) {
    try {
      const options = { deadlineMs, attempts: 1, signal };
      device.hello = parseHello(check(await device.session.read(GROUP_TRITKIT, TK_HELLO, {}, options)));
      return;
    } catch (error) {
      if (!isTimeout(error)) throw error;
      if (performance.now() < end) continue;
      const message = `${device.name} does not answer after its reset.`;
      const hint = "Switch the board off and on: it starts the firmware that it had before.";
      throw new TritkitError("E_LINK_LOST", message, hint, EXIT_LINK_LOST, { cause: error });
    }
  }
}

async function keep(device: Device, file: UpdateFile, signal?: AbortSignal): Promise<void> {
  const body = { hash: file.hash, confirm: true };
  const states = firmwareIn(check(await device.session.write(GROUP_IMAGE, IMG_STATE, body, { ...HASH, signal })));
  if (!isKept(states)) throw rolledBack(device, file);
}

function rolledBack(device: Device, file: UpdateFile): TritkitError {
  const message = `Firmware ${file.version} did not come up on ${device.name}; the board went back to the one before, ${device.hello.firmware}.`;
  return new TritkitError("E_ROLLED_BACK", message, "Its models are as they were. Try another build.", EXIT_REFUSED);
}
