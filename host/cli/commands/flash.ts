import { listBoards } from "../../assets.ts";
import { arenaParts } from "../../engine/arena.ts";
import { EXIT_REFUSED, TritkitError } from "../../errors.ts";
import { readImage } from "../../image/reader.ts";
import { BAUD_OPTION, type Command, PORT_OPTION } from "../command.ts";
import { flashWithProgress } from "../flash_view.ts";
import { CONTEXT_OPTION, contextFrom, readModel } from "../model_file.ts";
import { withDevice } from "../port.ts";

export const flash: Command = {
  name: "flash",
  summary: "put a model into a device's flash: skips what is there, resumes, verifies, activates",
  usage: "MODEL",
  options: {
    port: PORT_OPTION,
    baud: BAUD_OPTION,
    board: { type: "string", value: "NAME", help: "refuse any other board (default: what the image says)" },
    context: {
      ...CONTEXT_OPTION,
      help: "positions of the context, one a token (default: the image's, else the most that fits)",
    },
    test: { type: "boolean", help: "use it until the next reset only; `tritkit models confirm` keeps it" },
    single: { type: "boolean", help: "use both slots for one large model; gives up the model that is there" },
  },
  examples: ["tritkit flash stories-1m --port /dev/ttyACM0", "tritkit flash stories-1m --port tcp://127.0.0.1:7000"],
  positionals: [1, 1],
  async run(context) {
    const { args, out, signal } = context;
    const bytes = await readModel(args.positionals[0]);
    // The whole file is checked here before a byte travels.
    const image = readImage(bytes);
    const positions = contextFrom(args, image.config.seqLen);
    await withDevice(context, async (device) => {
      const { board } = device.hello;
      const asked = args.text("board");
      const made = image.header.board;
      if (asked !== undefined && asked !== board) {
        const message = `The board at ${device.name} is ${board}, not ${asked} as --board says.`;
        throw new TritkitError("E_IMAGE_BOARD", message, "Choose another port or another --board.", EXIT_REFUSED);
      }
      if (made !== "" && made !== board) {
        const message = `The board at ${device.name} is ${board}, the model was made for ${made} only.`;
        const hint = "Convert it without --board, or choose another port.";
        throw new TritkitError("E_IMAGE_BOARD", message, hint, EXIT_REFUSED);
      }
      await checkSram(bytes, board, positions);
      const options = { confirm: !args.flag("test"), context: positions, single: args.flag("single"), signal };
      await flashWithProgress(out, device, bytes, options);
      const lasts = args.flag("test") ? " until the next reset; `tritkit models confirm` keeps it" : "";
      out.info(`model  ${device.hello.model} is active on ${board}, context ${device.hello.context} positions${lasts}`);
    });
    return 0;
  },
};

/** The device would refuse a model that its SRAM cannot hold, but only when all of it has arrived. A board of another make is not asked. */
async function checkSram(image: Uint8Array, name: string, positions: number): Promise<void> {
  const board = (await listBoards()).find((each) => each.name === name);
  if (board === undefined) return;
  const { fits, maxContext, least, available } = await arenaParts(image, board, positions);
  if (fits) return;
  if (maxContext > 0) {
    const message = `${positions} positions do not fit into the SRAM of ${name}.`;
    throw new TritkitError("E_NO_MEMORY", message, `${maxContext} do: --context ${maxContext}.`, EXIT_REFUSED);
  }
  const message = `The model needs ${least} bytes of SRAM, ${name} has ${available}.`;
  throw new TritkitError("E_NO_MEMORY", message, "`tritkit boards` lists larger ones.", EXIT_REFUSED);
}
