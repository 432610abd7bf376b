import { activateModel, confirmModel, eraseModel, listModels, rollBack, type SlotInfo } from "../../device/models.ts";
import { EXIT_REFUSED, TritkitError } from "../../errors.ts";
import { BAUD_OPTION, type Command, type Context, PORT_OPTION, usage } from "../command.ts";
import { contextFrom } from "../model_file.ts";
import { withDevice } from "../port.ts";
import { bytesText } from "../progress.ts";
import { table } from "../table.ts";

const hex = (sha: Uint8Array) => Buffer.from(sha).toString("hex");

export const models: Command = {
  name: "models",
  summary: "list the models on a device; use, test, confirm, roll back or erase one",
  usage: "[list | use SLOT | test SLOT | confirm | rollback | erase SLOT]",
  options: {
    port: PORT_OPTION,
    baud: BAUD_OPTION,
    context: { type: "string", value: "N", help: "with use and test: positions of the context, one a token" },
  },
  examples: ["tritkit models --port /dev/ttyACM0", "tritkit models rollback --port tcp://127.0.0.1:7000"],
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
      } else if (action !== "list") throw usage(`models does not know "${action}".`);
      show(context, await listModels(device));
    });
    return 0;
  },
};

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
