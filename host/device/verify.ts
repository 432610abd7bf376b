// Does a device's flash still hold what was verified there? The device hashes its flash as it is now, block by block, and the host compares
// with the image: the check that finds a cell that lost a bit while the device runs, which the device itself looks for only when it boots.
import { readFile } from "node:fs/promises";
import {
  IMAGE_BLOCK_BYTES,
  KIND_FFN_DOWN,
  KIND_FFN_GATE,
  KIND_FFN_SUB_NORM,
  KIND_FFN_UP,
  ROW_SCALE_BYTES,
} from "../../spec/image.ts";
import { listModels as bundledModels, modelPath } from "../assets.ts";
import { EXIT_REFUSED, TritkitError } from "../errors.ts";
import { blockDigest, sameBytes, uploadSha } from "../image/digest.ts";
import { sectionName } from "../image/layout.ts";
import { readImage } from "../image/reader.ts";
import type { Device } from "./device.ts";
import { listModels, type SlotInfo } from "./models.ts";
import { slotHashes } from "./plan.ts";

export interface FlashCheck {
  readonly slot: number;
  /** Blocks of 4096 bytes of the image. */
  readonly blocks: number;
  /** Those whose bytes differ, ascending. */
  readonly damaged: readonly number[];
  /** The parts of the image that lie in them, e.g. "layer 2 FFN_DOWN". */
  readonly parts: readonly string[];
}

/**
 * Compares the slot that holds `image` with it.
 * @throws TritkitError E_NO_MODEL when no slot does, and as Device.read()
 */
export async function checkFlash(device: Device, image: Uint8Array, signal?: AbortSignal): Promise<FlashCheck> {
  const sha = uploadSha(image);
  const infos = await listModels(device, signal);
  const info = infos.find((each) => isWhole(each) && sameBytes(each.sha, sha));
  if (info === undefined) {
    const hint = "`tritkit models` lists what it has.";
    throw new TritkitError("E_NO_MODEL", "The device does not have this model.", hint, EXIT_REFUSED);
  }
  return checkSlot(device, info.slot, image, signal);
}

export function isWhole({ state }: SlotInfo): boolean {
  return state === "verified" || state === "active" || state === "test";
}

/** As checkFlash, of the slot that is known to hold it. */
export async function checkSlot(
  device: Device,
  slot: number,
  image: Uint8Array,
  signal?: AbortSignal,
): Promise<FlashCheck> {
  const hashes = await slotHashes(device, slot, image.length, signal);
  const damaged = hashes.flatMap((hash, block) => (sameBytes(hash, expected(image, block)) ? [] : [block]));
  // Behind the image's end its last sector is blank; where sectors are smaller than a block something older may follow.
  const smallest = Math.min(...device.hello.runs.map(({ bytes }) => bytes));
  const tail = image.length % IMAGE_BLOCK_BYTES;
  if (tail !== 0 && smallest < IMAGE_BLOCK_BYTES && damaged.at(-1) === hashes.length - 1) damaged.pop();
  return { slot, blocks: hashes.length, damaged, parts: damaged.length === 0 ? [] : partsOf(image, damaged) };
}

/** Digest of a block as flash should hold it: erased behind the image's end. */
function expected(image: Uint8Array, block: number): Uint8Array {
  const bytes = new Uint8Array(IMAGE_BLOCK_BYTES).fill(0xff);
  bytes.set(image.subarray(block * IMAGE_BLOCK_BYTES, (block + 1) * IMAGE_BLOCK_BYTES));
  return blockDigest(bytes, 0);
}

function partsOf(image: Uint8Array, blocks: readonly number[]): string[] {
  const { sections, config } = readImage(image);
  const perExpert = [KIND_FFN_GATE, KIND_FFN_UP, KIND_FFN_SUB_NORM, KIND_FFN_DOWN];
  const isHit = (offset: number, bytes: number): boolean =>
    blocks.some((block) => offset < (block + 1) * IMAGE_BLOCK_BYTES && offset + bytes > block * IMAGE_BLOCK_BYTES);
  const hit = sections.filter(
    ({ offset, bytes, scales, rows }) => isHit(offset, bytes) || (scales > 0 && isHit(scales, rows * ROW_SCALE_BYTES)),
  );
  return hit.map(({ kind, layer, expert }) =>
    sectionName(kind, layer, config.nExperts > 0 && perExpert.includes(kind) ? expert : null),
  );
}

/** What a damaged model means to its user. */
export function damageError({ slot, damaged, blocks, parts }: FlashCheck): TritkitError {
  const [first] = damaged;
  const bytes = `bytes ${first * IMAGE_BLOCK_BYTES} to ${(first + 1) * IMAGE_BLOCK_BYTES - 1}`;
  const more = damaged.length > 1 ? ` and ${damaged.length - 1} more` : "";
  const where = parts.length > 0 ? `: ${parts.slice(0, 3).join(", ")}${parts.length > 3 ? ", ..." : ""}` : "";
  return new TritkitError(
    "E_FLASH_DAMAGED",
    `The model in slot ${slot} changed in flash: block ${first} of ${blocks} (${bytes})${more}${where}.`,
    "`tritkit flash` with the same model mends it; a chip that does it again is worn out.",
    EXIT_REFUSED,
  );
}

/** The bundled model with this sha; null: it is none of them. */
export async function bundledImage(sha: Uint8Array): Promise<Uint8Array | null> {
  for (const name of await bundledModels()) {
    const image = new Uint8Array(await readFile(await modelPath(name)));
    if (sameBytes(uploadSha(image), sha)) return image;
  }
  return null;
}
