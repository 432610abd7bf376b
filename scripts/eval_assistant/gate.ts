/**
 * The gate of an assistant (spec/TOOLS.md), opened and closed for an evaluation. Judging needs the values of all calls, and a call below the gate has none; what a
 * gate would have held back, its margins say. A dialogue in which the board asks needs a closed one. So the image is flashed with the highest gate, which holds every
 * call back, and opened on the board by clearing the word's bits in flash, as any program operation does.
 */
import type { SimBoard } from "../../firmware-sim/sim_board.ts";
import { blockDigest, sha256 } from "../../host/image/digest.ts";
import { readImage } from "../../host/image/reader.ts";
import {
  DIGEST_BYTES,
  HDR_BYTES,
  IMAGE_BLOCK_BYTES,
  KIND_ASSISTANT,
  TRAILER_BYTES,
  TRL_SHA256,
} from "../../spec/image.ts";
import { ASSISTANT_BASE, ASSISTANT_GATE, ASSISTANT_TEXT_MAX } from "../../spec/tools.ts";

/** No margin reaches it. */
export const GATE_CLOSED = 0xffffffff;
export const GATE_OPEN = 0;

/** Offset of section ASSISTANT. @throws Error when the image has none */
function assistantAt(image: Uint8Array): number {
  const section = readImage(image, { verify: false }).sections.find(({ kind }) => kind === KIND_ASSISTANT);
  if (section === undefined) throw new Error("the model is no assistant: its image has no section ASSISTANT");
  return section.offset;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The gate of an image, 1/65536. */
export function gateOf(image: Uint8Array): number {
  return view(image).getUint32(assistantAt(image) + ASSISTANT_GATE, true);
}

/** Id of the first special token. */
export function baseOf(image: Uint8Array): number {
  return view(image).getUint32(assistantAt(image) + ASSISTANT_BASE, true);
}

/**
 * A copy with another gate, whose digests are right.
 * @param gate 1/65536
 * @param textMax most tokens of text in an answer; left out: as it is
 */
export function withAssistant(
  image: Uint8Array,
  { gate, textMax }: { gate: number; textMax?: number },
): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(image);
  const at = assistantAt(image);
  view(copy).setUint32(at + ASSISTANT_GATE, gate, true);
  if (textMax !== undefined) view(copy).setUint32(at + ASSISTANT_TEXT_MAX, textMax, true);
  const { digestOffset } = readImage(image, { verify: false }).header;
  const block = Math.floor(at / IMAGE_BLOCK_BYTES);
  copy.set(blockDigest(copy, block), digestOffset + block * DIGEST_BYTES);
  const trailer = copy.length - TRAILER_BYTES;
  copy.set(sha256(copy.subarray(0, trailer)), trailer + TRL_SHA256);
  return copy;
}

/** Opens the gate of a board that was flashed with the image of a closed one. */
export function openGate(sim: SimBoard, image: Uint8Array): void {
  const { base, partition } = sim.board.flash;
  const start = base + partition.offset;
  const found = Buffer.from(sim.flashBus.read(start, partition.bytes)).indexOf(image.subarray(0, HDR_BYTES));
  const code =
    found < 0 ? -1 : sim.flashBus.program(start + found + assistantAt(image) + ASSISTANT_GATE, new Uint8Array(4));
  if (code !== 0) throw new Error(`the board's gate could not be opened (${code})`);
}
