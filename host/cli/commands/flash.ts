import type { Board } from "../../../boards/board.ts";
import { listBoards, loadBoard } from "../../assets.ts";
import { arenaParts } from "../../engine/arena.ts";
import { EXIT_REFUSED, TritkitError } from "../../errors.ts";
import { type Image, readImage } from "../../image/reader.ts";
import { BAUD_OPTION, type Command, type Context, PORT_OPTION, usage } from "../command.ts";
import { FIRMWARE_OPTIONS, flashFirmware } from "../firmware_flash.ts";
import { flashWithProgress } from "../flash_view.ts";
import { CONTEXT_OPTION, contextFrom, readModel } from "../model_file.ts";
import { withDevice } from "../port.ts";
import { bytesText } from "../progress.ts";
import { tellPins } from "../tools_view.ts";
import { writeWhole } from "../whole_file.ts";

export const flash: Command = {
  name: "flash",
  summary: "put a model into a device's flash: skips what is there, resumes, verifies, activates; or its firmware",
  usage: "[MODEL]",
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
    uf2: { type: "string", value: "FILE", help: "write the model as a UF2 file for the drive of --board instead" },
    ...FIRMWARE_OPTIONS,
  },
  examples: [
    "tritkit flash stories-1m --port /dev/ttyACM0",
    "tritkit flash stories-1m --port tcp://127.0.0.1:7000",
    "tritkit flash stories-1m --board rp2040-pico --uf2 model.uf2",
    "tritkit flash --firmware --board stm32f405 --port /dev/ttyUSB0",
    "tritkit flash --firmware --board rp2040-pico",
  ],
  positionals: [0, 1],
  async run(context) {
    const { args, out, signal } = context;
    if (args.flag("firmware")) return flashFirmware(context);
    for (const name of Object.keys(FIRMWARE_OPTIONS)) if (args.given(name)) throw usage(`--${name} is for --firmware.`);
    const [model] = args.positionals;
    if (model === undefined) throw usage("flash needs MODEL or --firmware.");
    const bytes = await readModel(model);
    // The whole file is checked here before a byte travels.
    const image = readImage(bytes);
    const positions = contextFrom(args, image.config.seqLen);
    if (args.given("uf2")) return writeModelUf2(context, bytes, image, positions);
    await withDevice(context, async (device) => {
      const { board } = device.hello;
      const asked = args.text("board");
      if (asked !== undefined && asked !== board) {
        const message = `The board at ${device.name} is ${board}, not ${asked} as --board says.`;
        throw new TritkitError("E_IMAGE_BOARD", message, "Choose another port or another --board.", EXIT_REFUSED);
      }
      checkMadeFor(image, board, `The board at ${device.name} is ${board}`, "choose another port");
      await checkSram(bytes, board, positions);
      const options = { confirm: !args.flag("test"), context: positions, single: args.flag("single"), signal };
      await flashWithProgress(out, device, bytes, options);
      const lasts = args.flag("test") ? " until the next reset; `tritkit models confirm` keeps it" : "";
      out.info(`model  ${device.hello.model} is active on ${board}, context ${device.hello.context} positions${lasts}`);
      const known = (await listBoards()).find(({ name }) => name === board);
      if (known !== undefined) tellPins(out, image, known);
    });
    return 0;
  },
};

/** Boards whose boot ROM is a drive take a model by drag and drop, without a line. */
async function writeModelUf2(
  { args, out, signal }: Context,
  bytes: Uint8Array,
  image: Image,
  positions: number,
): Promise<number> {
  const target = args.required("uf2");
  for (const name of ["port", "baud", "test"]) if (args.given(name)) throw usage(`--${name} does not go with --uf2.`);
  const board: Board = await loadBoard(args.required("board", "It is for one kind of board."));
  if (board.rom !== "uf2") {
    const boards = (await listBoards()).filter(({ rom }) => rom === "uf2").map(({ name }) => name);
    throw usage(`${board.name} takes no UF2 files.`, `These do: ${boards.join(", ")}.`);
  }
  checkMadeFor(image, board.name, `--board is ${board.name}`, "choose another --board");
  await checkSram(bytes, board.name, positions);
  out.status("flash  a simulated board");
  const { modelUf2 } = await import("../../device/model_uf2.ts");
  const made = await modelUf2(bytes, board, { context: positions, single: args.flag("single"), signal });
  await writeWhole(target, made.uf2);
  const { sha256, context } = made;
  out.event({ event: "uf2", file: target, board: board.name, bytes: made.uf2.length, flash_bytes: made.bytes, sha256 });
  out.clearStatus();
  out.info(
    `uf2    ${target}  ${bytesText(made.uf2.length)}, ${bytesText(made.bytes)} of flash  sha256 ${sha256.slice(0, 8)}`,
  );
  out.info(
    `model  ${image.header.name}, active with ${context} positions once it is copied to the drive of ${board.title}`,
  );
  return 0;
}

/** @throws TritkitError E_IMAGE_BOARD for an image that was converted for another board */
function checkMadeFor(image: Image, board: string, here: string, otherwise: string): void {
  const made = image.header.board;
  if (made === "" || made === board) return;
  const message = `${here}, the model was made for ${made} only.`;
  throw new TritkitError("E_IMAGE_BOARD", message, `Convert it without --board, or ${otherwise}.`, EXIT_REFUSED);
}

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
