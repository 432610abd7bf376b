// What a device refuses, in a user's words (spec/WIRE.md rc codes, spec/IMAGE.md errors).
import {
  IMAGE_BAD_CONFIG,
  IMAGE_BAD_DIGEST,
  IMAGE_BAD_MAGIC,
  IMAGE_BAD_TENSOR,
  IMAGE_BAD_TOKENIZER,
  IMAGE_BAD_VERSION,
  IMAGE_NO_MEMORY,
  IMAGE_TRUNCATED,
  IMAGE_UNSUPPORTED,
  IMAGE_WRONG_BOARD,
} from "../../spec/image.ts";
import {
  GROUP_IMAGE,
  GROUP_TRITKIT,
  IMG_RC_BAD_STATE,
  IMG_RC_CORRUPT,
  IMG_RC_FLASH,
  IMG_RC_NO_ENTRY,
  IMG_RC_REFUSED,
  IMG_RC_TOO_LARGE,
  RC_NOT_SUPPORTED,
  TK_RC_BAD_STATE,
  TK_RC_BUSY,
  TK_RC_NO_MODEL,
  TK_RC_TOO_LONG,
} from "../../spec/wire.ts";
import { EXIT_REFUSED, TritkitError } from "../errors.ts";
import { type CborMap, replyError, type SmpMessage } from "../wire/smp.ts";

type Words = [code: string, message: string, hint: string];

const IMAGE_WORDS: Record<number, Words> = {
  [IMAGE_BAD_MAGIC]: [
    "E_IMAGE_MAGIC",
    "The device found no tritkit image.",
    "Convert the model with `tritkit convert`.",
  ],
  [IMAGE_BAD_VERSION]: ["E_IMAGE_VERSION", "The firmware does not know this image version.", "Update the firmware."],
  [IMAGE_TRUNCATED]: ["E_IMAGE_TRUNCATED", "The image on the device is cut short.", "Flash it again."],
  [IMAGE_BAD_DIGEST]: ["E_IMAGE_CORRUPT", "The image on the device is damaged.", "Flash it again."],
  [IMAGE_BAD_CONFIG]: [
    "E_IMAGE_CONFIG",
    "The device refuses the model's configuration.",
    "`tritkit inspect` shows it.",
  ],
  [IMAGE_BAD_TENSOR]: ["E_IMAGE_TENSOR", "The device refuses a tensor of the image.", "`tritkit inspect` checks them."],
  [IMAGE_BAD_TOKENIZER]: ["E_IMAGE_TOKENIZER", "The device refuses the tokenizer.", "`tritkit inspect` checks it."],
  [IMAGE_UNSUPPORTED]: ["E_UNSUPPORTED", "The firmware cannot run this kind of model.", "`tritkit run` may."],
  [IMAGE_WRONG_BOARD]: ["E_WRONG_BOARD", "The image was made for another board.", "Convert it for this board."],
  [IMAGE_NO_MEMORY]: [
    "E_NO_MEMORY",
    "The model does not fit into the board's SRAM.",
    "`tritkit boards` lists larger ones.",
  ],
};

const IMAGE_GROUP_WORDS: Record<number, Words> = {
  [IMG_RC_NO_ENTRY]: ["E_NO_MODEL", "The device has no such model.", "`tritkit models` lists what it has."],
  [IMG_RC_BAD_STATE]: ["E_BAD_STATE", "The device cannot do that now.", "`tritkit models` shows its state."],
  [IMG_RC_TOO_LARGE]: [
    "E_FLASH_FULL",
    "The image does not fit into a slot of the board's flash.",
    "Use --single to give up the model that is there, or a smaller model.",
  ],
  [IMG_RC_CORRUPT]: ["E_VERIFY", "What arrived in the device's flash is not what was sent.", "Flash it again."],
  [IMG_RC_FLASH]: ["E_FLASH_IO", "The board's flash failed.", "Try again; a worn-out chip fails again."],
};

const TRITKIT_WORDS: Record<number, Words> = {
  [TK_RC_NO_MODEL]: ["E_NO_MODEL", "The device has no model.", "`tritkit flash` puts one there."],
  [TK_RC_BAD_STATE]: ["E_BAD_STATE", "The device was reset or does something else.", "Ask again."],
  [TK_RC_TOO_LONG]: ["E_PROMPT_TOO_LONG", "The prompt does not fit into the context.", "Shorten it."],
  [TK_RC_BUSY]: ["E_BUSY", "The device answers somebody else.", "Wait, or reset it."],
};

/** The body of a good reply. @throws TritkitError (exit status 3) with what the device refused */
export function check(reply: SmpMessage): CborMap {
  const error = replyError(reply);
  if (error === null) return reply.body;
  throw new TritkitError(...words(error.rc, reply), EXIT_REFUSED);
}

function words(rc: number, reply: SmpMessage): Words {
  if (reply.group === GROUP_IMAGE && rc === IMG_RC_REFUSED) {
    const image = Number(reply.body.img ?? 0);
    return IMAGE_WORDS[image] ?? ["E_IMAGE_REFUSED", `The device refuses the image (error ${image}).`, ""];
  }
  const table = reply.group === GROUP_IMAGE ? IMAGE_GROUP_WORDS : reply.group === GROUP_TRITKIT ? TRITKIT_WORDS : {};
  const known = table[rc];
  if (known !== undefined) {
    const [code, , hint] = known;
    const { n, ctx } = reply.body;
    if (code === "E_PROMPT_TOO_LONG" && typeof n === "number" && typeof ctx === "number") {
      return [code, `The prompt has ${n} tokens, the context ${ctx} positions.`, hint];
    }
    return known;
  }
  if (rc === RC_NOT_SUPPORTED)
    return ["E_NOT_SUPPORTED", "The device does not know this command.", "Update its firmware."];
  return ["E_REFUSED", `The device refused (group ${reply.group}, command ${reply.command}, rc ${rc}).`, ""];
}
