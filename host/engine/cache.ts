/**
 * Repacked weights in a file beside the image, so that the next start reads them instead of repacking. A cache file is a guess that is checked: it has
 * to be of this image, this build and this kernel, and its digest has to be right; otherwise it is as if it were not there.
 *
 *     4096 bytes   JSON {magic, version, build, kernel, image, skeleton, bytes, sha256}, padded with spaces, and a line feed
 *     bytes        the repacked weights, as they lie in the engine's memory
 */
import { createHash, randomBytes } from "node:crypto";
import { close, fstat, fsync, open, read, rename, rm, write } from "node:fs";
import { promisify } from "node:util";
import { TRAILER_BYTES, TRL_SHA256 } from "../../spec/image.ts";
import { throwIfAborted } from "../errors.ts";
import { hex, sha256 } from "../image/digest.ts";
import type { Positions } from "../image/positions.ts";
import type { Image } from "../image/reader.ts";
import type { LoadOptions } from "./load.ts";
import type { EngineExports } from "./module.ts";

const fs = {
  open: promisify(open),
  close: promisify(close),
  read: promisify(read),
  write: promisify(write),
  fstat: promisify(fstat),
  fsync: promisify(fsync),
  rename: promisify(rename),
  rm: promisify(rm),
};

const MAGIC = "tritkit weights";
const VERSION = 1;
const HEADER_BYTES = 4096;
const PIECE_BYTES = 4 * 2 ** 20;

/** What the weights were made from and by. */
export interface CacheKey {
  readonly build: string;
  readonly kernel: string;
  /** SHA-256 that the image's trailer names, and that of the skeleton (load.ts), which is not in the cache. */
  readonly image: string;
  readonly skeleton: string;
  readonly bytes: number;
}

export function cacheKey(
  file: Positions,
  image: Image,
  skeleton: Uint8Array,
  made: Pick<CacheKey, "build" | "kernel" | "bytes">,
): CacheKey {
  const trailer = file.read(image.header.imageBytes - TRAILER_BYTES, TRAILER_BYTES);
  return { ...made, image: hex(trailer.subarray(TRL_SHA256, TRL_SHA256 + 32)), skeleton: hex(sha256(skeleton)) };
}

/** "model.trit" -> "model.trit.simd-a3" */
export function cachePath(image: string, kernel: string): string {
  return `${image}.simd-${kernel}`;
}

/** Fills the engine's weights from the file; false when it is not there, not the right one or damaged. */
export async function readCache(
  path: string,
  key: CacheKey,
  engine: EngineExports,
  options: LoadOptions,
): Promise<boolean> {
  const fd = await fs.open(path, "r").catch(() => -1);
  if (fd < 0) return false;
  try {
    if ((await fs.fstat(fd)).size !== HEADER_BYTES + key.bytes) return false;
    const header = parse((await fs.read(fd, Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0)).buffer);
    if (
      header === null ||
      !Object.entries({ magic: MAGIC, version: VERSION, ...key }).every(([name, value]) => header[name] === value)
    )
      return false;
    const hash = createHash("sha256");
    for (let at = 0; at < key.bytes; ) {
      const target = weightsOf(engine, at, Math.min(PIECE_BYTES, key.bytes - at));
      const { bytesRead } = await fs.read(fd, target, 0, target.length, HEADER_BYTES + at);
      if (bytesRead === 0) return false;
      hash.update(target.subarray(0, bytesRead));
      at += bytesRead;
      throwIfAborted(options.signal);
      options.onProgress?.(at, key.bytes);
    }
    return hash.digest("hex") === header.sha256;
  } finally {
    await fs.close(fd);
  }
}

/** Writes the file under another name and renames it. @throws Node's errors */
export async function writeCache(
  path: string,
  key: CacheKey,
  engine: EngineExports,
  signal?: AbortSignal,
): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString("hex")}.part`;
  const fd = await fs.open(temporary, "wx");
  let open = true;
  try {
    const hash = createHash("sha256");
    for (let at = 0; at < key.bytes; ) {
      const source = weightsOf(engine, at, Math.min(PIECE_BYTES, key.bytes - at));
      const { bytesWritten } = await fs.write(fd, source, 0, source.length, HEADER_BYTES + at);
      hash.update(source.subarray(0, bytesWritten));
      at += bytesWritten;
      throwIfAborted(signal);
    }
    const header = JSON.stringify({ magic: MAGIC, version: VERSION, ...key, sha256: hash.digest("hex") });
    await fs.write(fd, Buffer.from(`${header.padEnd(HEADER_BYTES - 1)}\n`), 0, HEADER_BYTES, 0);
    await fs.fsync(fd);
    await fs.close(fd);
    open = false;
    await fs.rename(temporary, path);
  } catch (error) {
    if (open) await fs.close(fd);
    await fs.rm(temporary, { force: true });
    throw error;
  }
}

function weightsOf(engine: EngineExports, at: number, length: number): Uint8Array {
  return new Uint8Array(engine.memory.buffer, (engine.weights_address() >>> 0) + at, length);
}

function parse(header: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(header.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
