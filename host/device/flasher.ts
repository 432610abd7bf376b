// A model into a device's flash: plan, write what differs, verify, activate. Can be cut at any byte and run again: the device keeps what
// arrived, the plan finds it. Nothing here makes a model active whose digest the device has not verified.
import { createHash } from "node:crypto";
import { CONSOLE_LINE_BYTES, GROUP_IMAGE, IMAGE_NUMBER_MODEL, IMG_UPLOAD, SMP_HEADER_BYTES } from "../../spec/wire.ts";
import { EXIT_LINK_LOST, EXIT_REFUSED, TritkitError, throwIfAborted } from "../errors.ts";
import { isTimeout, type RequestOptions } from "../wire/session.ts";
import type { CborMap } from "../wire/smp.ts";
import type { Device } from "./device.ts";
import { activateModel, eraseModel, listModels, type SlotInfo } from "./models.ts";
import { planSegments, type Segment, sectorBounds } from "./plan.ts";
import { check } from "./refusals.ts";
import { checkSlot, isWhole } from "./verify.ts";

export type FlashPhase = "plan" | "erase" | "write" | "verify" | "activate" | "done";

export interface FlashProgress {
  phase: FlashPhase;
  /** Bytes of the image that are in flash now, skipped ones included. */
  bytes: number;
  total: number;
  /** Bytes that were there already. */
  skipped: number;
  /** Since the start, at the device: simulated seconds when it is simulated. */
  seconds: number;
  /** SHA-256 of the file, hex. */
  sha256: string;
}

export interface FlashOptions {
  /** false: active only until the next reset (default true). */
  confirm?: boolean;
  /** Positions; 0: the image's default or the most that fits. */
  context?: number;
  /** Use the whole slot area and give up the model that is there. */
  single?: boolean;
  signal?: AbortSignal;
  onProgress?: (progress: FlashProgress) => void;
}

/** Room that the CBOR map of a chunk needs beside its data: {"off": u32, "data": bytes}. */
const CHUNK_OVERHEAD = SMP_HEADER_BYTES + 24;
/**
 * An answer may wait for the erase of a large sector (2 s on an STM32F4, 4 s worst case on an H743). Well below the 10 s
 * of silence after which the device gives up a negotiated link, so that resending keeps it.
 */
const ERASE_MS = 5000;
const OPEN = { deadlineMs: ERASE_MS, attempts: 8 };
/** The last chunk's answer waits until the device has hashed the whole slot. */
const VERIFY_ATTEMPTS = 12;
/** Where nothing is erased a chunk is answered in the time that the line takes and this much. */
const PROGRAM_MS = 400;
/** Chunks become smaller while they get lost, down to this, and larger again. */
const CHUNK_MIN = 64;
/** So many chunks lost without any progress between them: the link is gone. */
const LOSSES_MAX = 16;
/** After so many of them it is time to see whether the device was reset. */
const LOSSES_LOOK = 2;
/** A board that resets more often during one upload has another problem. */
const RESETS_MAX = 5;

/**
 * @returns what was done; `skipped` equals `total` when the model was there already
 * @throws TritkitError E_FLASH_FULL, E_VERIFY, E_WRONG_BOARD, E_NO_MEMORY, E_LINK_LOST, E_INTERRUPTED, ...
 */
export async function flashModel(
  device: Device,
  image: Uint8Array,
  options: FlashOptions = {},
): Promise<FlashProgress> {
  const { confirm = true, context = 0, signal } = options;
  const sha = createHash("sha256").update(image).digest();
  const { transport } = device.session;
  const started = transport.seconds();
  const progress: FlashProgress = {
    phase: "plan",
    bytes: 0,
    total: image.length,
    skipped: 0,
    seconds: 0,
    sha256: sha.toString("hex"),
  };
  const report = (phase: FlashPhase) => {
    progress.phase = phase;
    progress.seconds = transport.seconds() - started;
    options.onProgress?.({ ...progress });
  };

  report("plan");
  let models = await listModels(device, signal);
  const find = (): SlotInfo | undefined =>
    models.find((info) => isWhole(info) && info.bytes === image.length && Buffer.compare(info.sha, sha) === 0);
  let there = find();
  if (there !== undefined && (await checkSlot(device, there.slot, image, signal)).damaged.length > 0) {
    await giveUp(device, there, signal);
    models = await listModels(device, signal);
    there = find();
  }
  if (there !== undefined) {
    progress.bytes = image.length;
    progress.skipped = image.length;
  } else {
    await upload(
      device,
      image,
      sha,
      freeSlot(device, models, image.length, options.single ?? false),
      options,
      progress,
      report,
    );
  }
  report("verify");
  throwIfAborted(signal);
  const isActive = there?.state === "active" || (there?.state === "test" && !confirm);
  if (!isActive || (context !== 0 && there?.context !== context)) {
    report("activate");
    await activateModel(device, sha, confirm, context);
  }
  report("done");
  return progress;
}

/**
 * The slot's bytes are not what they were when they were verified, and the device is to take them anew. Of the model that runs it finds that
 * out at its boot; the other one's records go.
 */
async function giveUp(device: Device, { slot, state }: SlotInfo, signal?: AbortSignal): Promise<void> {
  if (state === "verified") await eraseModel(device, slot);
  else await device.restart(signal);
}

interface Target {
  slot: number;
  /** The model that is there is given up. */
  single: boolean;
}

/**
 * The slot an upload goes to: the one that is not in use; slot 0, whatever is there, when it has to be given up.
 * @throws TritkitError E_FLASH_FULL
 */
function freeSlot(device: Device, models: readonly SlotInfo[], bytes: number, single: boolean): Target {
  const area = device.hello.slots.reduce((sum, slot) => sum + slot.bytes, 0);
  const used = models.find((info) => info.state === "active" || info.state === "test")?.slot;
  const slot = used === 0 ? 1 : 0;
  if (bytes <= device.hello.slots[slot].bytes) return { slot, single: false };
  if (single && bytes <= area) return { slot: 0, single: true };
  const kib = (n: number) => `${Math.ceil(n / 1024)} KiB`;
  const message = `The image has ${kib(bytes)}, the free slot ${kib(device.hello.slots[slot].bytes)}.`;
  const hint =
    bytes <= area ? "--single gives up the model that is there and uses both slots." : "Convert a smaller model.";
  throw new TritkitError("E_FLASH_FULL", message, hint, EXIT_REFUSED);
}

async function upload(
  device: Device,
  image: Uint8Array,
  sha: Uint8Array,
  target: Target,
  options: FlashOptions,
  progress: FlashProgress,
  report: (phase: FlashPhase) => void,
): Promise<void> {
  for (let resets = 0; !(await uploadOnce(device, image, sha, target, options, progress, report)); resets++) {
    if (resets === RESETS_MAX) {
      const message = `The board reset itself ${resets + 1} times during the upload.`;
      throw new TritkitError("E_LINK_LOST", message, "Check its power supply.", EXIT_LINK_LOST);
    }
  }
}

/** Begins an upload, or goes on with it. Returns false when the board was reset meanwhile: what is in flash by then stays. */
async function uploadOnce(
  device: Device,
  image: Uint8Array,
  sha: Uint8Array,
  { slot, single }: Target,
  { signal }: FlashOptions,
  progress: FlashProgress,
  report: (phase: FlashPhase) => void,
): Promise<boolean> {
  const head = { image: IMAGE_NUMBER_MODEL, len: image.length, sha, single: single ? true : undefined };
  const opened = await device.writeImage(IMG_UPLOAD, { ...head, off: 0, data: new Uint8Array() }, { ...OPEN, signal });
  if (opened.match === true) {
    progress.skipped = image.length - (progress.bytes - progress.skipped);
    progress.bytes = image.length;
    return true;
  }
  if (single) await device.refresh(signal);
  const segments = await planSegments(device, slot, image, Number(opened.off), signal);
  const toSend = segments.reduce((sum, segment) => sum + segment.end - segment.start, 0);
  progress.skipped = image.length - toSend;
  progress.bytes = progress.skipped;
  report("write");
  const starts = new Set(sectorBounds(device.hello.runs, device.hello.slots[slot].offset, image.length));
  const sendChunk: SendChunk = async (offset, data, timing) => {
    const last = offset + data.length === image.length;
    const given = last ? { ...timing, deadlineMs: ERASE_MS, attempts: VERIFY_ATTEMPTS } : timing;
    const signals = [signal, timing.signal].filter((each) => each !== undefined);
    const options = { ...given, signal: AbortSignal.any(signals) };
    return check(await device.session.write(GROUP_IMAGE, IMG_UPLOAD, { off: offset, data }, options));
  };
  return sendSegments(
    device,
    image,
    segments,
    starts,
    sendChunk,
    () => device.revive(signal),
    (bytes) => {
      progress.bytes = progress.skipped + bytes;
      report("write");
    },
  );
}

type SendChunk = (offset: number, data: Uint8Array, timing: RequestOptions) => Promise<CborMap>;

interface Chunk {
  lost: AbortController;
  settled: Promise<void>;
  /** A sector is erased when it arrives. */
  erases: boolean;
}

/**
 * Keeps as many chunks under way as the device's window allows. The device answers in order with the offset it wants next: whatever
 * was sent before an answered chunk and has no answer itself is lost and given up; when the offset is not the end of the
 * chunk just answered, sending starts again from there. So it does when no answer comes in time, with smaller chunks: they
 * pass where the line damages large ones.
 * @param revive whether the device had to be found anew
 * @returns false when it had: then the upload has to be opened again
 */
async function sendSegments(
  device: Device,
  image: Uint8Array,
  segments: readonly Segment[],
  sectorStarts: ReadonlySet<number>,
  send: SendChunk,
  revive: () => Promise<boolean>,
  onBytes: (sent: number) => void,
): Promise<boolean> {
  const { mtu, page, baud } = device.hello;
  // Whole program pages where possible: each page is then programmed once, from one chunk.
  const room = mtu - CHUNK_OVERHEAD;
  const largest = Math.min(room, Math.max(page, room - (room % page)));
  let size = largest;
  let losses = 0;
  let slowestMs = 0;
  let done = 0;
  const erases = (from: number, to: number): boolean => {
    for (let at = from; at < to; at++) if (sectorStarts.has(at)) return true;
    return false;
  };
  /** For a chunk that nothing keeps waiting: twice what a full window takes on the line, thrice the slowest answer so far. */
  const patience = (): number => {
    const lineMs = (2 * device.session.window * CONSOLE_LINE_BYTES * 10_000) / baud;
    return Math.min(ERASE_MS, Math.max(PROGRAM_MS + lineMs, 3 * slowestMs) * 2 ** Math.min(losses, 4));
  };
  for (const { start, end } of segments) {
    const flight = new Map<number, Chunk>();
    let failure: unknown = null;
    let silent = false;
    let next = 0;
    let at = start;
    let acknowledged = start;
    const giveUp = (before: number) => {
      const lost = [...flight].filter(([number]) => number < before);
      for (const [, chunk] of lost) chunk.lost.abort();
      if (lost.length > 0) size = Math.max(CHUNK_MIN, size >> 1);
    };
    const answered = (number: number, chunkEnd: number, reply: CborMap, ms: number) => {
      const off = Number(reply.off);
      if (reply.match === false) throw verifyError();
      giveUp(number);
      if (off > acknowledged) {
        losses = 0;
        size = Math.min(size + CHUNK_MIN, largest);
      }
      slowestMs = Math.max(slowestMs * 0.9, ms);
      acknowledged = Math.min(Math.max(acknowledged, off), end);
      if (off < chunkEnd) at = Math.min(at, Math.max(off, start));
      onBytes(done + acknowledged - start);
    };
    const launch = () => {
      const number = next++;
      const chunkStart = at;
      const chunkEnd = Math.min(at + size, end);
      const lost = new AbortController();
      const waits = erases(chunkStart, chunkEnd) || [...flight.values()].some((chunk) => chunk.erases);
      const { world } = device.session;
      const sentAt = world.now();
      const timing = { deadlineMs: waits ? ERASE_MS : patience(), attempts: 1, signal: lost.signal };
      const settled = send(chunkStart, image.subarray(chunkStart, chunkEnd), timing)
        .then((reply) => answered(number, chunkEnd, reply, waits ? 0 : world.now() - sentAt))
        .catch((error) => {
          if (lost.signal.aborted) return;
          if (!isTimeout(error) || ++losses > LOSSES_MAX) {
            failure ??= error;
            return;
          }
          giveUp(next);
          at = acknowledged;
          silent = losses % LOSSES_LOOK === 0;
        })
        .finally(() => flight.delete(number));
      flight.set(number, { lost, settled, erases: waits });
      at = chunkEnd;
    };
    while (acknowledged < end && failure === null) {
      while (at < end && flight.size < device.session.window) launch();
      await Promise.race([...flight.values()].map((chunk) => chunk.settled));
      if (flight.size === 0 && at >= end) at = acknowledged;
      if (silent && failure === null) {
        silent = false;
        if (await revive()) return false;
      }
    }
    giveUp(next);
    await Promise.allSettled([...flight.values()].map((chunk) => chunk.settled));
    if (failure !== null) throw failure;
    done += end - start;
  }
  return true;
}

function verifyError(): TritkitError {
  const message = "What arrived in the device's flash is not what was sent; the model that was active still is.";
  return new TritkitError("E_VERIFY", message, "Flash it again.", EXIT_REFUSED);
}
