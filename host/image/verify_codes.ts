/** Looks at every packed byte of an image for codes that stand for no weights (`BAD_CODE` of spec/IMAGE.md). */
import { PACK_ILLEGAL_REMAINDER, PACK_INT4, PACK_INT8, PACK_MAX, PACK_STRIDE } from "../../spec/packing.ts";
import { imageError } from "./errors.ts";
import type { Image } from "./reader.ts";
import { planesOf } from "./sizes.ts";

/** @throws TritkitError E_IMAGE_CODE naming tensor and byte */
export function verifyCodes(image: Image): void {
  for (const tensor of image.tensors) {
    const at = firstBadCode(tensor.packing, tensor.data);
    if (at >= 0) {
      const byte = `0x${tensor.data[at].toString(16).padStart(2, "0")}`;
      throw imageError(
        "E_IMAGE_CODE",
        `${tensor.name} has the illegal byte ${byte} at ${at} (image offset ${tensor.offset + at}).`,
      );
    }
  }
}

/** Index of the first illegal byte, -1 for none. Besides trits: -128 of int8 and -8 of int4, which no weight has. */
export function firstBadCode(packing: number, bytes: Uint8Array): number {
  const legal =
    planesOf(packing) > 0
      ? LEGAL_TRITS
      : packing === PACK_INT8
        ? LEGAL_INT8
        : packing === PACK_INT4
          ? LEGAL_INT4
          : null;
  if (legal === null) return -1;
  for (let i = 0; i < bytes.length; i++) if (legal[bytes[i]] === 0) return i;
  return -1;
}

/** 1 for each of the 256 bytes that is legal. */
function table(isLegal: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => Number(isLegal(byte)));
}

const LEGAL_TRITS = table((byte) => byte <= PACK_MAX && byte % PACK_STRIDE !== PACK_ILLEGAL_REMAINDER);
const LEGAL_INT8 = table((byte) => byte !== 0x80);
const LEGAL_INT4 = table((byte) => (byte & 15) !== 8 && byte >> 4 !== 8);
