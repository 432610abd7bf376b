/**
 * The worker threads of an engine: each an instance of the same module on the same memory, which waits inside WebAssembly for its share of the work
 * (as/model/team.ts). They keep no process alive.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { TritkitError } from "../errors.ts";
import type { EngineInstance } from "./module.ts";

/** As text, not as a file of the package: it is found wherever this code was bundled to. */
const WORKER = `
const { parentPort, workerData } = require("node:worker_threads");
const { module, memory, index } = workerData;
WebAssembly.instantiate(module, { env: { memory } }).then(({ exports }) => {
  parentPort.once("message", (team) => {
    parentPort.close();
    exports.team_work(team, index);
  });
  parentPort.postMessage("ready");
});
`;

/** Most threads that are chosen when nobody says how many: memory feeds no more. */
const THREADS_DEFAULT_MAX = 4;
export const THREADS_MAX = 64;

/** Cores of this machine, at most THREADS_DEFAULT_MAX; a core that runs two threads counts once where the system says so (Linux). */
export function defaultThreads(): number {
  return Math.max(1, Math.min(THREADS_DEFAULT_MAX, Math.floor(availableParallelism() / (hasTwins() ? 2 : 1))));
}

function hasTwins(): boolean {
  try {
    return readFileSync("/sys/devices/system/cpu/smt/active", "utf8").trim() === "1";
  } catch {
    return false;
  }
}

export class Team {
  readonly #instance: EngineInstance;
  readonly #workers: Worker[];
  #failure: Error | null = null;

  private constructor(instance: EngineInstance, workers: Worker[]) {
    this.#instance = instance;
    this.#workers = workers;
  }

  /**
   * To be called before anything is reserved in the instance: a worker's instance lays down the module's data once more.
   * @param size threads, the caller's among them
   */
  static async start(instance: EngineInstance, size: number): Promise<Team> {
    const { build, memory, exports } = instance;
    const workers: Worker[] = [];
    const team = new Team(instance, workers);
    try {
      const ready: Promise<unknown>[] = [];
      for (let index = 1; index < size; index++) {
        const worker = new Worker(WORKER, { eval: true, workerData: { module: build.module, memory, index } });
        workers.push(worker);
        ready.push(once(worker, "message"));
      }
      await Promise.all(ready);
    } catch (cause) {
      for (const worker of workers) worker.terminate();
      throw new TritkitError("E_THREADS", "A thread of the engine could not be started.", "Run with --threads 1.", 1, {
        cause,
      });
    }
    if (size > 1) {
      const address = exports.team_open(size) >>> 0;
      for (const worker of workers) {
        worker.on("error", (error) => {
          team.#failure ??= error;
        });
        worker.postMessage(address);
        worker.unref();
      }
    }
    return team;
  }

  /** Threads, the caller's among them. */
  get size(): number {
    return this.#workers.length + 1;
  }

  /** @throws TritkitError E_THREADS when a thread has failed */
  check(): void {
    if (this.#failure === null) return;
    const message = "A thread of the engine failed.";
    throw new TritkitError("E_THREADS", message, "Run with --threads 1, and report it.", 1, { cause: this.#failure });
  }

  /** Ends the threads. The engine goes on with one. */
  async close(): Promise<void> {
    if (this.#workers.length === 0) return;
    const workers = this.#workers.splice(0);
    const gone = workers.map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
    for (const worker of workers) worker.ref();
    this.#instance.exports.team_dismiss();
    await Promise.all(gone);
  }
}
