// Our engine as a contender. Its threads are fixed when a model is opened.
import { readFile } from "node:fs/promises";
import { Engine } from "../engine/engine.ts";
import {
  benchTokens,
  type Contender,
  type ContenderOptions,
  DECODE_AFTER,
  footprintOfThisProcess,
  type Opened,
  rateOf,
} from "./contender.ts";

const ONE_TOKEN = { temperature: 0, maxTokens: 1 };

export class OwnContender implements Contender {
  #engine: Engine | null = null;

  async open({ path, context }: ContenderOptions): Promise<Opened> {
    const started = performance.now();
    this.#engine = await Engine.open(new Uint8Array(await readFile(path)), { context });
    return { about: `engine ${this.#engine.kind}`, seconds: (performance.now() - started) / 1000 };
  }

  async setThreads(): Promise<void> {}

  async prefill(tokens: number): Promise<number> {
    // Each digit is a word and a token of its own, before them stands BOS.
    const { promptTokens, firstTokenSeconds } = await this.engine.generate("7".repeat(tokens - 1), ONE_TOKEN);
    return promptTokens / firstTokenSeconds;
  }

  async decode(tokens: number, limit: number): Promise<number> {
    const ids = benchTokens(DECODE_AFTER + tokens);
    for (let i = 0; i < DECODE_AFTER; i++) this.engine.forward(ids[i], i);
    return rateOf(ids.slice(DECODE_AFTER), limit, (id, i) => this.engine.forward(id, DECODE_AFTER + i));
  }

  async footprint() {
    return footprintOfThisProcess();
  }

  private get engine(): Engine {
    if (this.#engine === null) throw new Error("no model is open");
    return this.#engine;
  }
}
