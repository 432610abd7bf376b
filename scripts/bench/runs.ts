/**
 * The benchmark as runs of `tritkit bench --json`, each by the Node it is to be measured with. What a run has told is kept until all of them are through, so that a
 * benchmark that was interrupted goes on where it was.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT } from "../lib/root.mjs";

export type BenchEvent = { event: string } & Record<string, unknown>;

export interface Run {
  /** "Node 24.21.0, kernels". */
  readonly name: string;
  /** The binary. */
  readonly node: string;
  readonly args: readonly string[];
  /** About, on a quiet machine; for the ETA. */
  readonly seconds: number;
}

const STATE = "unfinished.json";
/** Figures of one table should be of one machine in one state. */
const KEPT_MS = 2 * 3600 * 1000;

export class RunStore {
  readonly #path: string;
  #done: Record<string, { at: number; events: BenchEvent[] }> = {};

  private constructor(folder: string) {
    this.#path = join(folder, STATE);
  }

  static async open(folder: string, fresh: boolean): Promise<RunStore> {
    const store = new RunStore(folder);
    if (fresh) await store.clear();
    // A file that is damaged or not there: nothing is done yet.
    store.#done = await readFile(store.#path, "utf8")
      .then(JSON.parse)
      .catch(() => ({}));
    return store;
  }

  /** What this run told before, if nothing that it depends on has changed since. */
  known(run: Run): BenchEvent[] | null {
    const found = this.#done[keyOf(run)];
    return found && Date.now() - found.at < KEPT_MS ? found.events : null;
  }

  async keep(run: Run, events: BenchEvent[]): Promise<void> {
    this.#done[keyOf(run)] = { at: Date.now(), events };
    await writeFile(`${this.#path}.part`, JSON.stringify(this.#done));
    await rename(`${this.#path}.part`, this.#path);
  }

  async clear(): Promise<void> {
    this.#done = {};
    await rm(this.#path, { force: true });
  }
}

let program: string | null = null;

/** The run, and every byte of the program that it runs. */
function keyOf({ node, args }: Run): string {
  program ??= digestOf(["dist/cli.js", "dist/wasm/engine.wasm", "dist/wasm/engine-relaxed.wasm"]);
  return createHash("sha256")
    .update(JSON.stringify([node, args, program]))
    .digest("hex")
    .slice(0, 16);
}

/** dist/cli.js names its chunks by their content. */
function digestOf(files: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of files) {
    try {
      hash.update(readFileSync(join(ROOT, file)));
    } catch {
      hash.update(`no ${file}`);
    }
  }
  return hash.digest("hex");
}

/**
 * @param onProgress share of the run, as far as it tells
 * @throws Error with the run's own words
 */
export async function execute(
  run: Run,
  signal: AbortSignal,
  onProgress: (share: number, what: string) => void,
): Promise<BenchEvent[]> {
  const child = spawn(run.node, [join(ROOT, "dist/cli.js"), "bench", ...run.args, "--json"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stop = () => void child.kill("SIGINT");
  signal.addEventListener("abort", stop, { once: true });
  const events: BenchEvent[] = [];
  let stderr = "";
  child.stderr.on("data", (bytes: Buffer) => {
    stderr += bytes;
  });
  const status = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  // Nobody waits for it before the last line is read.
  status.catch(() => {});
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as BenchEvent;
    if (event.event === "progress") onProgress(Number(event.share), String(event.what));
    else events.push(event);
  }
  const code = await status;
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
  if (code !== 0) {
    const error = events.find(({ event }) => event === "error");
    throw new Error(`${run.name}: ${error ? `${error.message} ${error.hint}` : stderr.trim() || `ended with ${code}`}`);
  }
  return events;
}

/** Leaves of a cache folder only what `kept` says: another version's models take a gigabyte each. */
export async function makeFolder(folder: string, kept: (name: string) => boolean): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder))
    if (/^synthetic-.*\.(trit|gguf)(\.part)?$/.test(name) && !kept(name)) await rm(join(folder, name), { force: true });
}
