import { benchKernels, SHAPES } from "../../bench/kernels.ts";
import { machine } from "../../bench/machine.ts";
import { benchBoard, benchEngines } from "../../bench/models.ts";
import { describeImage } from "../../image/describe.ts";
import { readImage } from "../../image/reader.ts";
import type { Command } from "../command.ts";
import { readModel } from "../model_file.ts";
import { table } from "../table.ts";

/** Weights of all matrices that a token is multiplied with; an embedding that is no head is only looked up. */
function weightsPerToken(bytes: Uint8Array): number {
  const { weights, config } = describeImage(readImage(bytes));
  return weights - (config.tied ? 0 : config.vocab_size * config.dim);
}

export const bench: Command = {
  name: "bench",
  summary: "kernels and whole models on this machine, beside a peer in the same run",
  usage: "[MODEL]",
  options: {
    board: { type: "string", short: "b", value: "NAME", help: "the simulated board (default rp2040-pico)" },
  },
  examples: ["tritkit bench", "tritkit bench --json"],
  positionals: [0, 1],
  async run({ args, out }) {
    out.text(`${machine()}\nmedians of alternating slices; only ratios compare with other machines\n\n`);
    out.event({ event: "machine", machine: machine() });
    const rows: string[][] = [];
    for (const [matrixRows, cols] of SHAPES) {
      out.status(`bench  kernels ${matrixRows}x${cols}`);
      for (const { name, shape, gweights, peer, peerGweights } of await benchKernels(matrixRows, cols)) {
        const ratio = gweights / peerGweights;
        out.event({
          event: "bench",
          name,
          shape,
          mode: "hot",
          threads: 1,
          gweights_s: gweights,
          peer,
          peer_gweights_s: peerGweights,
          ratio,
        });
        rows.push([name, shape, gweights.toFixed(2), `${ratio.toFixed(2)} x ${peer}`]);
      }
    }
    out.clearStatus();
    out.text(`${table(["kernel", "rows x cols", "Gweights/s", "against the peer"], rows)}\n`);

    const file = args.positionals[0] ?? "stories-1m";
    const image = await readModel(file);
    const gweights = weightsPerToken(image) / 1e9;
    out.status("bench  engines");
    const engines = await benchEngines(image);
    const board = args.text("board") ?? "rp2040-pico";
    out.status(`bench  sim:${board}`);
    const results = [...engines, await benchBoard(image, board)];
    const peer = engines.find(({ name }) => name === "scalar") ?? engines[0];
    for (const { name, decode, tokens } of results) {
      out.event({
        event: "bench",
        name: `${file} ${name}`,
        shape: `${tokens} tokens`,
        mode: "decode",
        threads: 1,
        gweights_s: decode * gweights,
        tok_s: decode,
        peer: `engine ${peer.name}`,
        peer_gweights_s: peer.decode * gweights,
        peer_tok_s: peer.decode,
        ratio: decode / peer.decode,
      });
    }
    out.clearStatus();
    const lines = results.map(({ name, decode }) => [
      name,
      decode.toFixed(0),
      `${(decode / peer.decode).toFixed(2)} x engine ${peer.name}`,
    ]);
    out.text(table([`${file}, greedy`, "tok/s", "against the peer"], lines));
    out.info(
      "sim: is how fast this machine simulates the board, not how fast the chip is: cycles are not modelled yet",
    );
    return 0;
  },
};
