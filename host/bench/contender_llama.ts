// llama.cpp as a contender: its own defaults, file mapped, threads set anew as asked.
import { TritkitError } from "../errors.ts";
import {
  benchTokens,
  type Contender,
  type ContenderOptions,
  DECODE_AFTER,
  footprintOfThisProcess,
  type Opened,
  rateOf,
} from "./contender.ts";
import { Llama, type LlamaSession, PEER_HINT } from "./llama.ts";

/** What llama.cpp takes in one llama_decode by default (n_batch of llama_context_default_params). */
const WHOLE_BATCH = 2048;

export class LlamaContender implements Contender {
  #session: LlamaSession | null = null;

  async open({ path, threads, context }: ContenderOptions): Promise<Opened> {
    const llama = Llama.load();
    if (llama === null) throw new TritkitError("E_PEER", "llama.cpp is not installed.", PEER_HINT);
    const started = performance.now();
    const session = llama.open(path, context);
    this.#session = session;
    session.setThreads(threads);
    const { description, mapped } = session;
    const about = `llama.cpp ${llama.release}, CPU library ${llama.variant}, ${description}${mapped ? ", file mapped" : ""}`;
    return { about, seconds: (performance.now() - started) / 1000 };
  }

  async setThreads(threads: number): Promise<void> {
    this.session.setThreads(threads);
  }

  async prefill(tokens: number, batch: number): Promise<number> {
    const ids = benchTokens(tokens);
    const step = batch === 0 ? WHOLE_BATCH : batch;
    this.session.clear();
    const started = performance.now();
    for (let at = 0; at < ids.length; at += step) this.session.evaluate(ids.slice(at, at + step));
    return tokens / ((performance.now() - started) / 1000);
  }

  async decode(tokens: number, limit: number): Promise<number> {
    const ids = benchTokens(DECODE_AFTER + tokens);
    this.session.clear();
    this.session.evaluate(ids.slice(0, DECODE_AFTER));
    return rateOf(ids.slice(DECODE_AFTER), limit, (id) => this.session.evaluate([id]));
  }

  async footprint() {
    return footprintOfThisProcess();
  }

  private get session(): LlamaSession {
    if (this.#session === null) throw new Error("no model is open");
    return this.#session;
  }
}
