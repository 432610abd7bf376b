import { listBoards, loadBoard } from "../../assets.ts";
import {
  type ConvertReport,
  convert as convertModel,
  EMBED_PACKINGS,
  type EmbedPacking,
  type WriteProgress,
} from "../../convert/index.ts";
import { adviceText, fitText } from "../../fits/fit.ts";
import { fitsFile } from "../../fits/fits.ts";
import { type Command, usage } from "../command.ts";
import { measureFidelity, readFidelityText } from "../fidelity.ts";
import type { Output } from "../output.ts";
import { bytesText, ProgressLine, secondsText } from "../progress.ts";
import { SOURCE_OPTIONS, sourceOptions } from "../source_options.ts";

export const convert: Command = {
  name: "convert",
  summary: "make an image from a Hugging Face directory, a .safetensors, a GGUF or a llama2.c file",
  usage: "SRC",
  options: {
    out: { type: "string", short: "o", value: "FILE.trit", help: "where the image goes; must be given" },
    name: { type: "string", value: "NAME", help: "of the model, at most 32 bytes (default: the source's)" },
    board: { type: "string", value: "NAME", help: "for this board only (default: any)" },
    context: {
      type: "string",
      value: "N",
      help: "context the board uses unless told otherwise, in positions, one a token (default: the most that fits)",
    },
    ...SOURCE_OPTIONS,
    embed: {
      type: "string",
      value: "PACKING",
      help: `how embedding and output head are stored: ${Object.keys(EMBED_PACKINGS).join(", ")} (default auto: by their weights)`,
    },
    tools: {
      type: "string",
      value: "FILE",
      help: "tools.json of an assistant (default: the one beside the source; docs/tools.md)",
    },
    text: {
      type: "string",
      value: "FILE",
      help: "then tell the loss on the start of a text: of the model as published, and of the image",
    },
  },
  examples: [
    "tritkit convert examples/models/stories-1m/hf -o my-model.trit",
    "tritkit convert bitnet-b1.58-2B-4T -o bitnet.trit",
    "tritkit convert ggml-model-i2_s.gguf -o bitnet.trit --i2s x86",
    "tritkit convert stories15M.bin -o stories15M.trit --quantize absmean --text story.txt",
  ],
  positionals: [1, 1],
  async run({ args, out, signal }) {
    const embed = args.text("embed");
    if (embed !== undefined && !Object.hasOwn(EMBED_PACKINGS, embed))
      throw usage(`--embed knows ${Object.keys(EMBED_PACKINGS).join(", ")}, not "${embed}".`);
    const source = sourceOptions(args);
    const target = args.required("out");
    const boardName = args.text("board");
    // An image for a board that nobody has could never be flashed.
    const board = boardName === undefined ? null : await loadBoard(boardName);
    const context = args.text("context") === undefined ? undefined : args.integer("context", 16, 16);
    const textPath = args.text("text");
    const text = textPath === undefined ? null : await readFidelityText(textPath);
    const lines = new PhaseLines(out);
    const report = await convertModel(args.positionals[0], target, {
      name: args.text("name"),
      board: boardName,
      context,
      ...source,
      tools: args.text("tools"),
      embedPacking: embed as EmbedPacking | undefined,
      signal,
      onProgress: (progress) => lines.update(progress),
    });
    lines.end();
    const { image } = report;
    out.info(`image  ${target}  ${bytesText(report.bytes)}  sha256 ${report.sha256.slice(0, 8)}`);
    out.info(`model  ${image.name}  ${image.architecture}`);
    const bits = `${image.ternary_bits_per_weight.toFixed(2)} bits, ${image.bits_per_weight.toFixed(2)} over all`;
    out.info(`weights  ${image.ternary_weights.toLocaleString("en")} ternary at ${bits}`);
    if (image.assistant !== null) out.info(`assistant  ${assistantText(image.assistant)}`);
    for (const { tensor, relativeError } of report.quantised) {
      out.info(`quantised  ${tensor}: ${(100 * relativeError).toFixed(2)} % root mean square error`);
    }
    for (const { name, why } of report.dropped) out.info(`dropped  ${name}: ${why}`);
    for (const note of report.notes) out.info(`note  ${note}`);
    // Sizes only: `tritkit fits` simulates.
    const sizes = { others: await listBoards(), context, speed: false, signal };
    const fit = board && (await fitsFile(target, report.bytes, { ...sizes, boards: [board] }))[0];
    if (fit) out.info(fitText(fit) + adviceText(fit));
    const fidelity = text && (await measureFidelity(args.positionals[0], source, target, text, out, signal));
    out.event({
      event: "convert",
      file: target,
      ...report,
      ...(fit ? { fit } : {}),
      ...(fidelity ? { text: fidelity } : {}),
    });
    return 0;
  },
};

/** "13 tools, 3156 bytes; asks below a margin of 1.5" */
function assistantText({ tools, tools_bytes, gate }: NonNullable<ConvertReport["image"]["assistant"]>): string {
  const list = tools?.tools;
  const what = Array.isArray(list) ? `${list.length} tools, ${tools_bytes} bytes` : "no tools";
  return `${what}; asks below a margin of ${gate.toFixed(2)}`;
}

/** A line for each phase, one after the other: redrawn while it lasts, then what it came to. */
class PhaseLines {
  readonly #out: Output;
  #phase: WriteProgress["phase"] | null = null;
  #line: ProgressLine | null = null;
  #started = 0;
  /** What has been read or written so far, as text. */
  #done = "";

  constructor(out: Output) {
    this.#out = out;
  }

  update({ phase, bytes, total, tensor }: WriteProgress): void {
    const text = phase === "read" ? weightsText : bytesText;
    if (phase !== this.#phase) {
      this.end();
      this.#phase = phase;
      this.#line = new ProgressLine(this.#out, phase, undefined, text);
      this.#started = performance.now();
    }
    this.#done = text(phase === "read" ? bytes : total);
    this.#line?.update(bytes, total, tensor);
  }

  end(): void {
    this.#line?.end(`${this.#done}  ${secondsText((performance.now() - this.#started) / 1000)}`);
    this.#line = null;
  }
}

function weightsText(weights: number): string {
  return weights < 1e6 ? `${Math.round(weights / 1e3)}k weights` : `${(weights / 1e6).toFixed(1)}M weights`;
}
