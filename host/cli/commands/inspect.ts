import { loadBoard } from "../../assets.ts";
import { arenaParts } from "../../engine/arena.ts";
import { describeImage } from "../../image/describe.ts";
import { type Assistant, readImage } from "../../image/reader.ts";
import { verifyCodes } from "../../image/verify_codes.ts";
import type { Command } from "../command.ts";
import { CONTEXT_OPTION, contextFrom, readModel } from "../model_file.ts";
import { bytesText } from "../progress.ts";
import { table } from "../table.ts";
import { toolNames } from "../tools_view.ts";

function assistantText({ gate, tools }: Assistant): string {
  return `asks below a margin of ${gate.toFixed(2)}, ${tools === null ? "no tools" : `tools ${toolNames(tools)}`}`;
}

export const inspect: Command = {
  name: "inspect",
  summary: "what is in an image: architecture, tensors, tokenizer, digests, bytes of flash and SRAM by part",
  usage: "MODEL",
  options: {
    board: { type: "string", value: "NAME", help: "count SRAM as this board has it (default rp2040-pico)" },
    context: { ...CONTEXT_OPTION, help: "positions of the context, one a token (default: the most that fits)" },
    tensors: { type: "boolean", help: "list every tensor" },
  },
  examples: ["tritkit inspect stories-1m", "tritkit inspect my-model.trit --tensors --json"],
  positionals: [1, 1],
  async run({ args, out }) {
    const board = await loadBoard(args.text("board") ?? "rp2040-pico");
    const image = readImage(await readModel(args.positionals[0]));
    verifyCodes(image);
    const about = describeImage(image);
    const sram = await arenaParts(image.bytes, board, contextFrom(args, image.config.seqLen));
    out.event({ event: "image", ...about, sram });

    const { digests, tokenizer } = about;
    const { assistant } = image;
    out.text(
      `${about.name}  ${about.architecture}\n${about.ternary_weights.toLocaleString("en")} ternary weights at ` +
        `${about.ternary_bits_per_weight.toFixed(2)} bits, ${about.weights.toLocaleString("en")} weights in all at ` +
        `${about.bits_per_weight.toFixed(2)} bits\n` +
        `made for ${about.board || "any board"}, tokenizer ${tokenizer.kind}, ${tokenizer.vocab_size} tokens\n` +
        `${assistant === null ? "" : `assistant, ${assistantText(assistant)}\n`}` +
        `sha256 ${digests.upload_sha256}, ${digests.blocks} blocks and all packed codes are intact\n\n`,
    );
    const share = (bytes: number, of: number) => `${((100 * bytes) / of).toFixed(1)} %`;
    const partition = board.flash.partition.bytes;
    const flash = about.parts.map((part) => [part.name, String(part.bytes), share(part.bytes, about.bytes)]);
    flash.push([
      "image",
      String(about.bytes),
      `${share(about.bytes, partition)} of ${board.name}'s ${bytesText(partition)}`,
    ]);
    out.text(`${table(["flash", "bytes", ""], flash)}\n`);
    const rows = sram.parts.map((part) => [part.name, String(part.bytes), share(part.bytes, sram.total)]);
    rows.push([
      "all",
      String(sram.total),
      `${share(sram.total, sram.available)} of ${board.name}'s ${bytesText(sram.available)}`,
    ]);
    out.text(`${table([`SRAM, ${sram.context} positions`, "bytes", ""], rows)}`);
    if (sram.least < sram.total) out.text(`at least ${sram.least} bytes: the kernel's tables take what is left\n`);
    if (!sram.fits) out.text(`does not fit ${board.name}: ${sram.why}\n`);
    if (args.flag("tensors")) {
      const tensors = about.tensors.map((tensor) => [
        tensor.name,
        `${tensor.rows} x ${tensor.cols}`,
        tensor.packing,
        tensor.scales,
        String(tensor.bytes),
        tensor.bits_per_weight.toFixed(2),
      ]);
      out.text(`\n${table(["tensor", "rows x cols", "packing", "scales", "bytes", "bits/weight"], tensors)}`);
    }
    return 0;
  },
};
