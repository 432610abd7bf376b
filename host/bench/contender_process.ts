// The parent's end of a contender in another process.
import { type ChildProcess, fork } from "node:child_process";
import { programPath } from "../assets.ts";
import { TritkitError } from "../errors.ts";
import type { Contender, ContenderOptions, Footprint, Opened, Reply, Request } from "./contender.ts";

/** What is kept of the child's words, for the case that it dies. */
const STDERR_KEPT = 4000;

export class ContenderProcess implements Contender {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  #next = 1;
  #stderr = "";

  constructor(kind: "own" | "llama") {
    this.#child = fork(programPath("bench_child.js"), [kind], { stdio: ["ignore", "ignore", "pipe", "ipc"] });
    this.#child.stderr?.on("data", (bytes: Buffer) => {
      this.#stderr = (this.#stderr + bytes).slice(-STDERR_KEPT);
    });
    this.#child.on("message", ({ id, result, error }: Reply) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) waiting?.reject(new TritkitError(error.code, error.message, error.hint));
      else waiting?.resolve(result);
    });
    const gone = (how: string) => {
      const last = this.#stderr.trim().split("\n").at(-1) ?? "";
      const name = kind === "own" ? "The engine's process" : "llama.cpp's process";
      const error = new TritkitError("E_BENCH", `${name} ended ${how}.`, last === "" ? "" : `It said: ${last}`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
    this.#child.on("error", (error) => gone(`(${error.message})`));
    this.#child.on("exit", (status, signal) => gone(signal === null ? `with status ${status}` : `by ${signal}`));
  }

  open(options: ContenderOptions): Promise<Opened> {
    return this.#ask("open", options) as Promise<Opened>;
  }

  async setThreads(threads: number): Promise<void> {
    await this.#ask("setThreads", threads);
  }

  prefill(tokens: number, batch: number): Promise<number> {
    return this.#ask("prefill", tokens, batch) as Promise<number>;
  }

  decode(tokens: number, limit: number): Promise<number> {
    return this.#ask("decode", tokens, limit) as Promise<number>;
  }

  footprint(): Promise<Footprint> {
    return this.#ask("footprint") as Promise<Footprint>;
  }

  close(): void {
    this.#child.kill("SIGKILL");
  }

  #ask(method: keyof Contender, ...args: unknown[]): Promise<unknown> {
    const request: Request = { id: this.#next++, method, args };
    return new Promise((resolve, reject) => {
      if (!this.#child.connected) return reject(new TritkitError("E_BENCH", "A contender's process is gone.", ""));
      this.#waiting.set(request.id, { resolve, reject });
      this.#child.send(request);
    });
  }
}
