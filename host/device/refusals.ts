// What a device refuses, in a user's words (rc codes of spec/WIRE.md).
import {
  GROUP_IMAGE,
  GROUP_TRITKIT,
  IMG_RC_ADDRESS,
  IMG_RC_BAD_STATE,
  IMG_RC_CORRUPT,
  IMG_RC_FLASH,
  IMG_RC_NO_ENTRY,
  IMG_RC_REFUSED,
  IMG_RC_TOO_LARGE,
  RC_NOT_SUPPORTED,
  TK_RC_BAD_STATE,
  TK_RC_BUSY,
  TK_RC_CORRUPT,
  TK_RC_NO_MODEL,
  TK_RC_NO_ROOM,
  TK_RC_TOO_LONG,
  TK_TOOLS,
} from "../../spec/wire.ts";
import { EXIT_REFUSED, TritkitError } from "../errors.ts";
import { imageErrorOf } from "../image/errors.ts";
import { type CborMap, replyError, type SmpMessage } from "../wire/smp.ts";

type Words = [code: string, message: string, hint: string];

const IMAGE_GROUP_WORDS: Record<number, Words> = {
  [IMG_RC_NO_ENTRY]: ["E_NO_MODEL", "The device has no such model.", "`tritkit models` lists what it has."],
  [IMG_RC_BAD_STATE]: ["E_BAD_STATE", "The device cannot do that now.", "`tritkit models` shows its state."],
  [IMG_RC_TOO_LARGE]: [
    "E_FLASH_FULL",
    "The image does not fit into a slot of the board's flash.",
    "Use --single to give up the model that is there, or a smaller model.",
  ],
  [IMG_RC_CORRUPT]: ["E_VERIFY", "What arrived in the device's flash is not what was sent.", "Flash it again."],
  [IMG_RC_ADDRESS]: [
    "E_FIRMWARE_SLOT",
    "The firmware was linked for the other slot.",
    "Give the folder of a release: it has one for each.",
  ],
  [IMG_RC_FLASH]: ["E_FLASH_IO", "The board's flash failed.", "Try again; a worn-out chip fails again."],
};

const TRITKIT_WORDS: Record<number, Words> = {
  [TK_RC_NO_MODEL]: ["E_NO_MODEL", "The device has no model.", "`tritkit flash` puts one there."],
  [TK_RC_BAD_STATE]: ["E_BAD_STATE", "The device was reset or does something else.", "Ask again."],
  [TK_RC_TOO_LONG]: ["E_PROMPT_TOO_LONG", "The prompt does not fit into the context.", "Shorten it."],
  [TK_RC_BUSY]: ["E_BUSY", "The device answers somebody else.", "Wait, or reset it."],
};

/** Of the command `tools`, where they mean something else. */
const TOOLS_WORDS: Record<number, Words> = {
  [TK_RC_BAD_STATE]: [
    "E_NOT_ASSISTANT",
    "The device runs no assistant, which is what tools are for.",
    "`tritkit flash assistant` puts one there.",
  ],
  [TK_RC_NO_ROOM]: [
    "E_TOOLS_NO_ROOM",
    "There is no room for a table behind the model in its slot.",
    "`tritkit convert --tools` makes the image anew with this table.",
  ],
  [TK_RC_CORRUPT]: ["E_TOOLS_TABLE", "The device refuses the table.", "Update its firmware, or this tritkit."],
};

/** The body of a good reply. @throws TritkitError (exit status 3) with what the device refused */
export function check(reply: SmpMessage): CborMap {
  const error = replyError(reply);
  // The last `next` of an answer that failed carries an rc, too, and says so by `why`.
  const isAnswer = reply.group === GROUP_TRITKIT && reply.body.st !== undefined;
  if (error === null || isAnswer) return reply.body;
  if (reply.group === GROUP_IMAGE && error.rc === IMG_RC_REFUSED)
    throw imageErrorOf(Number(reply.body.img), EXIT_REFUSED);
  throw new TritkitError(...words(error.rc, reply), EXIT_REFUSED);
}

function words(rc: number, reply: SmpMessage): Words {
  const table = reply.group === GROUP_IMAGE ? IMAGE_GROUP_WORDS : reply.group === GROUP_TRITKIT ? TRITKIT_WORDS : {};
  const isTools = reply.group === GROUP_TRITKIT && reply.command === TK_TOOLS;
  const known = (isTools ? TOOLS_WORDS[rc] : undefined) ?? table[rc];
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
