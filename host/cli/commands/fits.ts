import { listBoards, loadBoard } from "../../assets.ts";
import { TritkitError } from "../../errors.ts";
import { adviceText, fitText } from "../../fits/fit.ts";
import { type Fits, fits as fitsOn } from "../../fits/fits.ts";
import { readImage } from "../../image/reader.ts";
import type { Command } from "../command.ts";
import { CONTEXT_OPTION, contextFrom, existing, holdsSource, readModel } from "../model_file.ts";
import type { Output } from "../output.ts";
import { bytesText } from "../progress.ts";
import { table } from "../table.ts";

export const fits: Command = {
  name: "fits",
  summary:
    "before anything is flashed: which boards an image fits, tokens/s and mJ/token there, and what would make it fit",
  usage: "MODEL",
  options: {
    board: {
      type: "string",
      short: "b",
      value: "NAME",
      help: "this board only (default: all; `tritkit boards` lists them)",
    },
    context: { ...CONTEXT_OPTION, help: "positions of the context, one a token (default: the most that fits)" },
    sizes: { type: "boolean", help: "sizes only: nothing is simulated, no speed and no energy" },
  },
  examples: [
    "tritkit fits stories-1m",
    "tritkit fits my-model.trit --board rp2040-pico --context 128",
    "tritkit fits stories-1m --sizes --json",
  ],
  positionals: [1, 1],
  async run({ args, out, signal }) {
    const file = await existing(args.positionals[0]);
    if (await holdsSource(file))
      throw new TritkitError(
        "E_NOT_CONVERTED",
        `${file} is a model that was not converted.`,
        "`tritkit convert` makes an image of it, and says with --board whether that fits.",
      );
    const name = args.text("board");
    const known = await listBoards();
    const boards = name === undefined ? known : [await loadBoard(name)];
    const bytes = await readModel(args.positionals[0]);
    const image = readImage(bytes);
    const context = contextFrom(args, image.config.seqLen);
    const found = await fitsOn(bytes, {
      ...{ boards, context, others: known, signal, speed: !args.flag("sizes") },
      onProgress: (board, share) => out.status(`simulating ${board}, ${Math.round(100 * share)} %`),
    });
    out.clearStatus();
    for (const each of found) out.event({ event: "fits", ...each });
    out.info(`${image.header.name}  ${bytesText(bytes.length)}\n`);
    show(found, out);
    return 0;
  },
};

const HEAD = [
  "board",
  "flash",
  "SRAM",
  "context",
  "KV cache",
  "tokens/s",
  "empty",
  "full",
  "waits",
  "mJ/token",
  "known by",
];

function show(found: readonly Fits[], out: Output): void {
  const fitting = found.filter((each) => each.fits);
  const others = found.filter((each) => !each.fits);
  if (fitting.length > 0) {
    const isMeasured = fitting.some(({ tok_s }) => tok_s !== null);
    const columns = HEAD.map((_, i) => i).filter((i) => isMeasured || i < 5);
    const rows = fitting.map(row);
    out.text(table(...chosen(HEAD, rows, columns)));
    if (isMeasured)
      out.info(
        "\ntokens/s: simulated, the mean until the context is full; empty and full: its first and its last token. " +
          "mJ/token: the chip at its supply, at the mean. waits: share of the time that the CPU waits for flash, derived from the board's data.",
      );
  }
  if (fitting.length > 0 && others.length > 0) out.text("\n");
  for (const each of others) out.text(`${fitText(each)}${adviceText(each)}.\n`);
}

function chosen(head: string[], rows: string[][], columns: number[]): [string[], string[][]] {
  const pick = (cells: string[]): string[] => columns.map((i) => cells[i]);
  return [pick(head), rows.map(pick)];
}

function row(fit: Fits): string[] {
  const share = (bytes: number, of: number): string => `${Math.round((100 * bytes) / of)} %`;
  const number = (value: number | null): string =>
    value === null ? "-" : value >= 100 ? value.toFixed(0) : value.toPrecision(3);
  const kinds = fit.tok_s_kind === null ? "" : `cycles ${fit.tok_s_kind}`;
  return [
    fit.board,
    share(fit.flash_bytes, fit.flash_available),
    share(fit.sram_bytes, fit.sram_available),
    String(fit.context),
    bytesText(fit.kv_bytes),
    number(fit.tok_s),
    number(fit.tok_s_first),
    number(fit.tok_s_last),
    fit.wait_share === null ? "-" : `${Math.round(100 * fit.wait_share)} %`,
    number(fit.mj_per_token),
    fit.mj_kind === null ? kinds : `${kinds}, energy ${fit.mj_kind}`,
  ];
}
