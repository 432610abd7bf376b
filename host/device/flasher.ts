// A model into a device's flash: plan, write what differs, verify, activate. Can be cut at any byte and run again: the device keeps what
// arrived, the plan finds it. Nothing here makes a model active whose digest the device has not verified.
import { createHash } from "node:crypto";
import { GROUP_IMAGE, IMAGE_NUMBER_MODEL, IMG_UPLOAD, SMP_HEADER_BYTES } from "../../spec/wire.ts";
import { EXIT_REFUSED, TritkitError, throwIfAborted } from "../errors.ts";
import type { CborMap } from "../wire/smp.ts";
import type { Device } from "./device.ts";
import { activateModel, listModels, type SlotInfo } from "./models.ts";
import { planSegments, type Segment } from "./plan.ts";
import { check } from "./refusals.ts";

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
/** A chunk may wait for the erase of a large sector (2 s on an STM32F4, 4 s worst case on an H743). */
const CHUNK = { deadlineMs: 10_000, attempts: 4 };
/** The last chunk's answer waits until the device has hashed the whole slot. */
const VERIFY = { deadlineMs: 60_000, attempts: 3 };

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
  const models = await listModels(device, signal);
  const there = models.find((info) => info.bytes === image.length && Buffer.compare(info.sha, sha) === 0);
  if (there !== undefined && there.state !== "uploading" && there.state !== "empty") {
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
  const isActive = there !== undefined && (there.state === "active" || (there.state === "test" && !confirm));
  if (!isActive || (context !== 0 && there.context !== context)) {
    report("activate");
    await activateModel(device, sha, confirm, context);
  }
  report("done");
  return progress;
}

/** The slot an upload goes to: the one that is not in use. @throws TritkitError E_FLASH_FULL */
function freeSlot(device: Device, models: readonly SlotInfo[], bytes: number, single: boolean): number {
  const area = device.hello.slots.reduce((sum, slot) => sum + slot.bytes, 0);
  const used = models.find((info) => info.state === "active" || info.state === "test")?.slot;
  const slot = used === 0 ? 1 : 0;
  if (bytes <= device.hello.slots[slot].bytes) return slot;
  if (single && bytes <= area) return 0;
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
  slot: number,
  options: FlashOptions,
  progress: FlashProgress,
  report: (phase: FlashPhase) => void,
): Promise<void> {
  const { signal } = options;
  const single = options.single && image.length > device.hello.slots[slot].bytes;
  const send = async (offset: number, data: Uint8Array, lost?: AbortSignal, first?: CborMap) => {
    const timing = offset + data.length === image.length ? VERIFY : CHUNK;
    const signals = [signal, lost].filter((each) => each !== undefined);
    const given = { ...timing, signal: signals.length > 0 ? AbortSignal.any(signals) : undefined };
    return check(await device.session.write(GROUP_IMAGE, IMG_UPLOAD, { ...first, off: offset, data }, given));
  };
  const head = { image: IMAGE_NUMBER_MODEL, len: image.length, sha, single: single ? true : undefined };
  const opened = await send(0, new Uint8Array(), undefined, head);
  if (opened.match === true) {
    progress.bytes = image.length;
    progress.skipped = image.length;
    return;
  }
  if (single) await device.refresh(signal);
  const segments = await planSegments(device, slot, image, signal);
  const toSend = segments.reduce((sum, segment) => sum + segment.end - segment.start, 0);
  progress.skipped = image.length - toSend;
  progress.bytes = progress.skipped;
  report("write");
  await sendSegments(device, image, segments, send, (bytes) => {
    progress.bytes = progress.skipped + bytes;
    report("write");
  });
}

/**
 * Keeps as many chunks under way as the device's window allows. The device answers in order with the offset it wants next: whatever
 * was sent before an answered chunk and has no answer itself is lost and given up; when the offset is not the end of the
 * chunk just answered, sending starts again from there.
 */
async function sendSegments(
  device: Device,
  image: Uint8Array,
  segments: readonly Segment[],
  send: (offset: number, data: Uint8Array, signal: AbortSignal) => Promise<CborMap>,
  onBytes: (sent: number) => void,
): Promise<void> {
  // Whole program pages where possible: each page is then programmed once, from one chunk.
  const room = device.hello.mtu - CHUNK_OVERHEAD;
  const size = Math.min(room, Math.max(device.hello.page, room - (room % device.hello.page)));
  let done = 0;
  for (const { start, end } of segments) {
    const flight = new Map<number, { lost: AbortController; settled: Promise<void> }>();
    let failure: unknown = null;
    let next = 0;
    let at = start;
    let acknowledged = start;
    const launch = () => {
      const number = next++;
      const chunkEnd = Math.min(at + size, end);
      const lost = new AbortController();
      const settled = send(at, image.subarray(at, chunkEnd), lost.signal)
        .then((reply) => {
          const off = Number(reply.off);
          if (reply.match === false) throw verifyError();
          for (const [earlier, chunk] of flight) if (earlier < number) chunk.lost.abort();
          acknowledged = Math.min(Math.max(acknowledged, off), end);
          if (off < chunkEnd) at = Math.min(at, Math.max(off, start));
          onBytes(done + acknowledged - start);
        })
        .catch((error) => {
          if (!lost.signal.aborted) failure ??= error;
        })
        .finally(() => flight.delete(number));
      flight.set(number, { lost, settled });
      at = chunkEnd;
    };
    while (acknowledged < end && failure === null) {
      while (at < end && flight.size < device.session.window) launch();
      await Promise.race([...flight.values()].map((chunk) => chunk.settled));
      if (flight.size === 0 && at >= end) at = acknowledged;
    }
    for (const chunk of flight.values()) chunk.lost.abort();
    await Promise.allSettled([...flight.values()].map((chunk) => chunk.settled));
    if (failure !== null) throw failure;
    done += end - start;
  }
}

function verifyError(): TritkitError {
  const message = "What arrived in the device's flash is not what was sent; the model that was active still is.";
  return new TritkitError("E_VERIFY", message, "Flash it again.", EXIT_REFUSED);
}
