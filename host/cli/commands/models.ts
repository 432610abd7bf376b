import type { Device } from "../../device/device.ts";
import { activateModel, confirmModel, eraseModel, listModels, rollBack, type SlotInfo } from "../../device/models.ts";
import { bundledImage, checkSlot, damageError, type FlashCheck, isWhole } from "../../device/verify.ts";
import { EXIT_REFUSED, TritkitError } from "../../errors.ts";
import { sameBytes, uploadSha } from "../../image/digest.ts";
import { BAUD_OPTION, type Command, type Context, PORT_OPTION, usage } from "../command.ts";
import { contextFrom, readModel } from "../model_file.ts";
import { withDevice } from "../port.ts";
import { bytesText } from "../progress.ts";
import { table } from "../table.ts";

const hex = (sha: Uint8Array) => Buffer.from(sha).toString("hex");

export const models: Command = {
  name: "models",
  summary: "list the models on a device; use, test, confirm, roll back, erase or verify one",
  usage: "[list | use SLOT | test SLOT | confirm | rollback | erase SLOT | verify [FILE]]",
  options: {
    port: PORT_OPTION,
    baud: BAUD_OPTION,
    context: { type: "string", value: "N", help: "with use and test: positions of the context, one a token" },
  },
  examples: [
    "tritkit models --port /dev/ttyACM0",
    "tritkit models rollback --port tcp://127.0.0.1:7000",
    "tritkit models verify --port /dev/ttyACM0",
  ],
  positionals: [0, 2],
  async run(context) {
    const [action = "list", slotText] = context.args.positionals;
    await withDevice(context, async (device) => {
      const find = async (): Promise<SlotInfo> => {
        const slot = Number(slotText);
        const infos = await listModels(device);
        const info = infos.find((each) => each.slot === slot);
        if (slotText === undefined || info === undefined) {
          throw usage(`${action} needs a slot: ${infos.map((each) => each.slot).join(" or ")}.`);
        }
        return info;
      };
      if (action === "use" || action === "test") {
        const { sha, bytes, slot, seqLen } = await find();
        if (bytes === 0) throw refused("E_NO_MODEL", `Slot ${slot} is empty.`, "`tritkit flash` puts a model there.");
        await activateModel(device, sha, action === "use", contextFrom(context.args, seqLen));
      } else if (action === "confirm") await confirmModel(device);
      else if (action === "rollback") await rollBack(device);
      else if (action === "erase") {
        const { slot, state } = await find();
        if (state === "active" || state === "test") {
          const hint = "Flash another model first, or `tritkit models use` the other slot.";
          throw refused("E_BAD_STATE", `The model in slot ${slot} is in use and cannot be erased.`, hint);
        }
        await eraseModel(device, slot);
      } else if (action === "verify") return verify(context, device, slotText);
      else if (action !== "list") throw usage(`models does not know "${action}".`);
      show(context, await listModels(device));
    });
    return 0;
  },
};

/**
 * Compares what is in flash with the image, block by block: FILE, or the bundled models.
 * @throws TritkitError E_FLASH_DAMAGED, E_NOTHING_TO_COMPARE
 */
async function verify(context: Context, device: Device, file: string | undefined): Promise<void> {
  const { out, signal } = context;
  const given = file === undefined ? null : await readModel(file);
  const checks: FlashCheck[] = [];
  const unknown: SlotInfo[] = [];
  for (const info of (await listModels(device, signal)).filter(isWhole)) {
    const image = given ?? (await bundledImage(info.sha));
    if (image === null) unknown.push(info);
    else if (given === null || sameBytes(uploadSha(image), info.sha))
      checks.push(await checkSlot(device, info.slot, image, signal));
  }
  for (const { slot, blocks, damaged, parts } of checks) {
    out.event({ event: "verify", slot, blocks, damaged, parts });
    if (damaged.length === 0) out.info(`slot ${slot}  all ${blocks} blocks are as they were verified`);
  }
  for (const { slot, name } of unknown)
    out.info(`slot ${slot}  not compared: ${name} is no bundled model; give its file`);
  const bad = checks.find(({ damaged }) => damaged.length > 0);
  if (bad !== undefined) throw damageError(bad);
  if (checks.length > 0) return;
  const hint = "Give the file it was flashed from; or `tritkit reset`: a device hashes its active model when it boots.";
  throw new TritkitError("E_NOTHING_TO_COMPARE", "No model of the device could be compared.", hint);
}

function refused(code: string, message: string, hint: string): TritkitError {
  return new TritkitError(code, message, hint, EXIT_REFUSED);
}

function show({ out }: Context, infos: SlotInfo[]): void {
  for (const info of infos) {
    const { slot, state, name, bytes, context } = info;
    out.event({
      event: "model",
      slot,
      state,
      name,
      bytes,
      sha256: hex(info.sha),
      context,
      arena_bytes: info.arena.need,
    });
  }
  const rows = infos.map((info) => [
    String(info.slot),
    info.state,
    info.name || "-",
    info.bytes === 0 ? "-" : bytesText(info.bytes),
    info.bytes === 0 ? "-" : hex(info.sha).slice(0, 8),
    info.context === 0 ? "-" : `${info.context} of ${info.seqLen}`,
  ]);
  out.text(table(["slot", "state", "model", "size", "sha256", "context"], rows));
}
