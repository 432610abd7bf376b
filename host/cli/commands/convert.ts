import { loadBoard } from "../../assets.ts";
import { convert as convertModel, EMBED_PACKINGS, type EmbedPacking } from "../../convert/index.ts";
import { type Command, usage } from "../command.ts";
import { bytesText, ProgressLine } from "../progress.ts";

export const convert: Command = {
  name: "convert",
  summary: "make an image from a Hugging Face directory or .safetensors file",
  usage: "SRC",
  options: {
    out: { type: "string", short: "o", value: "FILE.trit", help: "where the image goes; must be given" },
    name: { type: "string", value: "NAME", help: "of the model, at most 32 bytes (default: the source's)" },
    board: { type: "string", value: "NAME", help: "for this board only" },
    context: {
      type: "string",
      value: "N",
      help: "context the board uses unless told otherwise, in positions, one a token",
    },
    quantize: {
      type: "string",
      value: "absmean",
      help: "round float weights to -1, 0, +1 by their mean magnitude; costs quality",
    },
    embed: {
      type: "string",
      value: "PACKING",
      help: `how embedding and output head are stored: ${Object.keys(EMBED_PACKINGS).join(", ")}`,
    },
  },
  examples: ["tritkit convert my-model/hf -o my-model.trit"],
  positionals: [1, 1],
  async run({ args, out, signal }) {
    const embed = args.text("embed");
    if (embed !== undefined && !Object.hasOwn(EMBED_PACKINGS, embed)) throw usage(`--embed does not know "${embed}".`);
    const quantize = args.text("quantize");
    if (quantize !== undefined && quantize !== "absmean") throw usage(`--quantize knows absmean, not "${quantize}".`);
    const target = args.required("out");
    const board = args.text("board");
    // An image for a board that nobody has could never be flashed.
    if (board !== undefined) await loadBoard(board);
    const line = new ProgressLine(out, "write");
    const report = await convertModel(args.positionals[0], target, {
      name: args.text("name"),
      board,
      context: args.text("context") === undefined ? undefined : args.integer("context", 16, 16),
      quantize,
      embedPacking: embed as EmbedPacking | undefined,
      signal,
      onProgress: ({ bytes, total, tensor }) => line.update(bytes, total, tensor),
    });
    line.end(`${target}  ${bytesText(report.bytes)}  sha256 ${report.sha256.slice(0, 8)}`);
    const { image } = report;
    out.info(`model  ${image.name}  ${image.architecture}`);
    const bits = `${image.ternary_bits_per_weight.toFixed(2)} bits, ${image.bits_per_weight.toFixed(2)} over all`;
    out.info(`weights  ${image.ternary_weights.toLocaleString("en")} ternary at ${bits}`);
    for (const { tensor, relativeError } of report.quantised) {
      out.info(`quantised  ${tensor}: ${(100 * relativeError).toFixed(2)} % root mean square error`);
    }
    for (const { name, why } of report.dropped) out.info(`dropped  ${name}: ${why}`);
    for (const note of report.notes) out.info(`note  ${note}`);
    out.event({ event: "convert", file: target, ...report });
    return 0;
  },
};
