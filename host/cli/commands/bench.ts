import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { bestDecile, contest } from "../../bench/contest.ts";
import { benchKernels, SHAPES } from "../../bench/kernels.ts";
import { PEER_HINT } from "../../bench/llama.ts";
import { describeMachine, machine } from "../../bench/machine.ts";
import { benchBoard, benchEngines } from "../../bench/models.ts";
import { benchProducts, type ProductResult } from "../../bench/products.ts";
import { median } from "../../bench/slices.ts";
import { instantiate } from "../../engine/module.ts";
import { describeImage } from "../../image/describe.ts";
import { FilePositions, type Positions } from "../../image/positions.ts";
import { readImage } from "../../image/reader.ts";
import { contestEvents, contestTables } from "../bench_contest.ts";
import { boardJson, originText, timesText } from "../board_figures.ts";
import { type Arguments, type Command, type Context, usage } from "../command.ts";
import { existing, explained, readModel } from "../model_file.ts";
import type { JsonEvent } from "../output.ts";
import { secondsText } from "../progress.ts";
import { table } from "../table.ts";

const THREADS_MAX = 64;

/** Weights of all matrices that a token is multiplied with, in 10^9; an embedding that is no head is only looked up. */
function gweightsPerToken(image: Uint8Array | Positions): number {
  const { weights, config } = describeImage(readImage(image, { verify: false }));
  return (weights - (config.tied ? 0 : config.vocab_size * config.dim)) / 1e9;
}

export const bench: Command = {
  name: "bench",
  summary: "kernels and whole models on this machine, beside a peer in the same run",
  usage: "[MODEL]",
  options: {
    peer: { type: "string", value: "GGUF", help: "the same model for llama.cpp, which runs it in turn with ours" },
    threads: { type: "string", value: "LIST", help: "of whole models, e.g. 1,2 (default 1)" },
    loaded: { type: "boolean", help: "measure decoding also while a process for every core does nothing but work" },
    rounds: { type: "string", value: "N", help: "of whole models (default 7)" },
    only: { type: "string", value: "PART", help: "kernels or models (default: both)" },
    quick: { type: "boolean", help: "whether it runs at all: short slices, whose figures say little" },
    board: { type: "string", short: "b", value: "NAME", help: "the simulated board (default rp2040-pico)" },
  },
  examples: [
    "tritkit bench",
    "tritkit bench --json",
    "tritkit bench stories-1m --threads 1,2 --only models",
    "tritkit bench model.trit --peer model.gguf --threads 1,2 --only models",
  ],
  positionals: [0, 1],
  async run(context) {
    const { args, out } = context;
    const only = args.text("only");
    if (only !== undefined && only !== "kernels" && only !== "models")
      throw usage(`--only takes kernels or models, not "${only}".`);
    const threads = threadList(args.text("threads"));
    out.text(`${machine()}\nmedians of alternating slices; only ratios compare with other machines\n\n`);
    out.event({ event: "machine", machine: machine(), ...describeMachine() });
    if (only !== "models") {
      // Whoever compiles the engine first decides whether kernel BR gets the instructions it is written for.
      await instantiate({ wide: true });
      await kernels(context);
      await products(context);
    }
    if (only !== "kernels") {
      const isContest = ["peer", "threads", "loaded", "rounds"].some((name) => args.given(name));
      await (isContest ? wholeModel(context, threads) : engines(context));
    }
    return 0;
  },
};

/** @throws TritkitError E_USAGE */
function threadList(text = "1"): number[] {
  const threads = text.split(",").map(Number);
  if (threads.some((count) => !Number.isInteger(count) || count < 1 || count > THREADS_MAX))
    throw usage(`--threads takes whole numbers from 1 to ${THREADS_MAX}, e.g. 1,2, not "${text}".`);
  return [...new Set(threads)].sort((a, b) => a - b);
}

async function kernels({ out }: Context): Promise<void> {
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
}

/** Rows and columns of 2B-4T's feed-forward, and a shape that is through at once. */
const PRODUCT_SHAPE = { rows: 6912, cols: 2560, rounds: 15, sliceMs: 200, coldBytes: 320e6 };
const QUICK_SHAPE = { rows: 768, cols: 512, rounds: 2, sliceMs: 5, coldBytes: 1e6 };

/** The kernels beside ggml's. */
async function products({ args, out, signal }: Context): Promise<void> {
  const shape = args.flag("quick") ? QUICK_SHAPE : PRODUCT_SHAPE;
  const onProgress = (what: string) => out.status(`bench  ${what}`);
  const results = await benchProducts({ ...shape, signal, onProgress });
  out.clearStatus();
  if (results.length === 0) {
    out.info(`ggml is not installed: no kernel stands beside it. ${PEER_HINT}\n`);
    return;
  }
  for (const result of results) out.event(productEvent(result));
  const rows = results.map(({ name, mode, shape: size, own, peer, theirs }) => [
    ...[name, size, mode, (median(own) / 1e9).toFixed(2), (median(theirs) / 1e9).toFixed(2)],
    `${(median(own) / median(theirs)).toFixed(2)} x ${peer}`,
  ]);
  out.text(`${table(["kernel", "rows x cols", "", "Gweights/s", "peer", "against the peer"], rows)}\n`);
}

function productEvent({ name, mode, shape, own, peer, theirs }: ProductResult): JsonEvent {
  return {
    ...{ event: "bench", name, shape, mode, threads: 1, gweights_s: median(own) / 1e9 },
    ...{ peer, peer_gweights_s: median(theirs) / 1e9, ratio: median(own) / median(theirs) },
    ...{ best_gweights_s: bestDecile(own) / 1e9, best_peer_gweights_s: bestDecile(theirs) / 1e9 },
    best_ratio: bestDecile(own) / bestDecile(theirs),
  };
}

async function describe(path: string): Promise<{ imageBytes: number; gweights: number }> {
  const image = new FilePositions(path);
  try {
    return { imageBytes: image.size, gweights: gweightsPerToken(image) };
  } finally {
    image.close();
  }
}

/** One model in processes of their own: ours with each number of threads, and llama.cpp. */
async function wholeModel({ args, out, signal }: Context, threads: readonly number[]): Promise<void> {
  const file = args.positionals[0] ?? "stories-1m";
  const path = await existing(file);
  // Only what describes it is read here: the weights are the contenders'.
  const described = await describe(path).catch((error: unknown) => explained(error, file));
  const peer = args.text("peer");
  if (peer !== undefined) await stat(peer);
  const quick = args.flag("quick");
  const started = performance.now();
  const report = await contest({
    image: path,
    peer,
    threads,
    rounds: args.integer("rounds", quick ? 2 : 7, 1, 1000),
    ...(quick ? { slice: 0.05, prompt: 32 } : {}),
    loaded: args.flag("loaded"),
    signal,
    onProgress: (what, share) => {
      const seconds = (performance.now() - started) / 1000;
      const left = share > 0.1 ? `  ETA ${secondsText((seconds / share) * (1 - share))}` : "";
      out.status(`bench  ${what}${left}`);
      out.event({ event: "progress", what, share });
    },
  });
  out.clearStatus();
  const contested = { name: basename(file, ".trit"), ...described, report };
  for (const event of contestEvents(contested)) out.event(event);
  out.text(contestTables(contested));
  if (peer === undefined) out.info(`llama.cpp runs beside it with --peer MODEL.gguf. ${PEER_HINT}`);
}

/** Our engines among themselves, and a simulated board. */
async function engines({ args, out }: Context): Promise<void> {
  const file = args.positionals[0] ?? "stories-1m";
  const image = await readModel(file);
  const gweights = gweightsPerToken(image);
  out.status("bench  engines");
  const measured = await benchEngines(image);
  const board = boardName(args);
  out.status(`bench  sim:${board}`);
  const results = [...measured, await benchBoard(image, board)];
  const peer = measured.find(({ name }) => name === "scalar") ?? measured[0];
  for (const { name, decode, tokens, board } of results) {
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
      ...(board === undefined ? {} : { board: { ...boardJson(board), tok_s: board.decode } }),
    });
  }
  out.clearStatus();
  const lines = results.map(({ name, decode }) => [
    name,
    decode.toFixed(0),
    `${(decode / peer.decode).toFixed(2)} x engine ${peer.name}`,
  ]);
  out.text(table([`${file}, greedy`, "tok/s", "against the peer"], lines));
  for (const { name, board } of results)
    if (board !== undefined)
      out.info(
        `${name} above is how fast this machine simulates it, ${timesText(board.timesReal)} real time. The board itself: ` +
          `${board.decode.toFixed(1)} tok/s with the prompt, ${originText(board)}`,
      );
}

function boardName(args: Arguments): string {
  return args.text("board") ?? "rp2040-pico";
}
