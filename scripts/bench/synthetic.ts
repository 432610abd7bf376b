/**
 * node scripts/run_ts.mjs scripts/bench/synthetic.ts [--hf] [--gguf] [--image] [-o FOLDER] ...: models of random weights in the shape of BitNet b1.58 2B-4T, the same weights
 * in every format, for benchmarks and for trying importers on files of real size. They are written anew each time, and from the same seed they are the same, byte for byte.
 */
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bytesText } from "../../host/cli/progress.ts";
import { Steps } from "./steps.ts";
import { type Progress, writeGguf } from "./synthetic/gguf.ts";
import { writeHf } from "./synthetic/hf.ts";
import { writeSyntheticImage } from "./synthetic/image.ts";
import { SHAPE_2B4T, type SyntheticShape, shapeName } from "./synthetic/shape.ts";

const USAGE = `node scripts/run_ts.mjs scripts/bench/synthetic.ts [--hf] [--gguf] [--image] [-o FOLDER]

  --hf          a Hugging Face directory of bf16 latent weights (4.8 GB)
  --gguf        GGUF for llama.cpp: TQ2_0, embedding Q8_0 (0.9 GB)
  --image       a .trit image: 5 trits a byte, embedding int8 (0.8 GB)
  -o FOLDER     where (default: the folder for temporary files)
  --seed N      of the weights (default 1)
  --layers N --dim N --hidden N --heads N --kv-heads N --vocab N --context N
                another shape; GGUF wants --dim and --hidden to be multiples of 256
  --shard BYTES of a file of the directory, about (default 2e9)
`;

const NUMBERS = {
  seed: "seed",
  layers: "nLayers",
  dim: "dim",
  hidden: "hiddenDim",
  heads: "nHeads",
  "kv-heads": "nKvHeads",
  vocab: "vocabSize",
  context: "seqLen",
} as const satisfies Record<string, keyof SyntheticShape>;

async function main(): Promise<void> {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const { values } = parseArgs({
    options: {
      ...(Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, text])) as Record<
        keyof typeof NUMBERS,
        typeof text
      >),
      hf: flag,
      gguf: flag,
      image: flag,
      help: flag,
      shard: text,
      output: { type: "string", short: "o" },
    },
  });
  if (values.help || !(values.hf || values.gguf || values.image)) {
    process.stderr.write(USAGE);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const given = Object.entries(NUMBERS).flatMap(([name, field]) => {
    const value = values[name as keyof typeof NUMBERS];
    return value === undefined ? [] : [[field, whole(name, value)]];
  });
  const shape: SyntheticShape = { ...SHAPE_2B4T, ...Object.fromEntries(given) };
  const folder = values.output ?? tmpdir();
  await mkdir(folder, { recursive: true });
  const abort = new AbortController();
  process.once("SIGINT", () => abort.abort());
  process.once("SIGTERM", () => abort.abort());
  const steps = new Steps(process.stderr);
  const write = async (path: string, make: (path: string, onProgress: Progress) => Promise<void>) => {
    await steps.run(path, async (progress) => {
      let total = 0;
      await make(path, (done, all) => {
        total = all;
        progress(done / all, `${bytesText(done)} of ${bytesText(all)}`);
      });
      return bytesText(total);
    });
    process.stdout.write(`${path}\n`);
  };
  const { signal } = abort;
  const base = join(folder, shapeName(shape));
  const shardBytes = values.shard === undefined ? undefined : whole("shard", values.shard);
  if (values.image) await write(`${base}.trit`, (path, progress) => writeSyntheticImage(shape, path, progress, signal));
  if (values.gguf) await write(`${base}.gguf`, (path, progress) => writeGguf(shape, path, progress, signal));
  if (values.hf)
    await write(`${base}-hf`, (path, onProgress) => writeHf(shape, path, { shardBytes, onProgress, signal }));
}

function whole(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new RangeError(`--${name} takes a whole number, not "${text}"`);
  return number;
}

try {
  await main();
} catch (error) {
  process.stderr.write(`synthetic: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
