import { EXIT_REFUSED, TritkitError } from "../../errors.ts";
import { readImage } from "../../image/reader.ts";
import { BAUD_OPTION, type Command, PORT_OPTION, usage } from "../command.ts";
import { flashWithProgress } from "../flash_view.ts";
import { readModel } from "../model_file.ts";
import { withDevice } from "../port.ts";

export const flash: Command = {
  name: "flash",
  summary: "put a model into a device's flash: skips what is there, resumes, verifies, activates",
  usage: "FILE",
  options: {
    port: PORT_OPTION,
    baud: BAUD_OPTION,
    board: { type: "string", value: "NAME", help: "refuse any other board" },
    context: { type: "string", value: "N", help: "positions of the context (default: the image's, else what fits)" },
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
    const positions = args.integer("context", 0);
    if (positions > image.config.seqLen)
      throw usage(`--context is larger than the model's ${image.config.seqLen} positions.`);
    await withDevice(context, async (device) => {
      const { board } = device.hello;
      const wanted = [args.text("board"), image.header.board].find(
        (name) => name !== undefined && name !== "" && name !== board,
      );
      if (wanted !== undefined) {
        const message = `At ${device.name} is a ${board}, not a ${wanted}.`;
        throw new TritkitError(
          "E_IMAGE_BOARD",
          message,
          "Convert the model for this board, or choose another port.",
          EXIT_REFUSED,
        );
      }
      const options = { confirm: !args.flag("test"), context: positions, single: args.flag("single"), signal };
      await flashWithProgress(out, device, bytes, options);
      out.info(`model  ${device.hello.model} is active on ${board}, context ${device.hello.context} positions`);
    });
    return 0;
  },
};
