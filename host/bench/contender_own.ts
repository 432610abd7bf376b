// Our engine as a contender. Its threads are fixed when a model is opened.
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

export class OwnContender implements Contender {
  #engine: Engine | null = null;
  #digit = 0;

  async open({ path, context, threads }: ContenderOptions): Promise<Opened> {
    const started = performance.now();
    const atMost = ({ seqLen }: { seqLen: number }) => Math.min(context, seqLen);
    this.#engine = await Engine.openFile(path, { context: atMost, threads });
    return { about: this.#engine.label, seconds: (performance.now() - started) / 1000 };
  }

  async setThreads(): Promise<void> {}

  async prefill(tokens: number): Promise<number> {
    // Each digit is a word and a token of its own. Another digit each time: what a context begins with as the last one did is not computed again.
    this.#digit = (this.#digit + 1) % 10;
    let computed = tokens;
    const { firstTokenSeconds } = await this.engine.generate(String(this.#digit).repeat(tokens), {
      ...{ temperature: 0, maxTokens: 1 },
      onPrefill: (_, total) => {
        computed = total;
      },
    });
    return computed / firstTokenSeconds;
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
