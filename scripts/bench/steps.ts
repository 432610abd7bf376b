/** Steps of a long program, told on stderr: a line that is redrawn on a terminal, a line a step elsewhere. */
import { secondsText } from "../../host/cli/progress.ts";

/** @param share 0..1 @param note what stands behind it */
export type StepProgress = (share: number, note: string) => void;

const REDRAW_MS = 100;

export class Steps {
  readonly #stream: NodeJS.WriteStream;
  #drawn = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  /** @param work returns what it came to */
  async run(name: string, work: (progress: StepProgress) => Promise<string>): Promise<void> {
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    const result = await work((share, note) => {
      const left = share > 0.02 && share < 1 ? `  ETA ${secondsText((seconds() / share) * (1 - share))}` : "";
      this.status(`${name}  ${(share * 100).toFixed(0)} %  ${note}${left}`);
    });
    this.line(`${name}  ${result}${result === "" ? "" : " in "}${secondsText(seconds())}`);
  }

  /** Replaced by what comes next; only on a terminal. */
  status(text: string): void {
    if (!this.#stream.isTTY || performance.now() - this.#drawn < REDRAW_MS) return;
    this.#drawn = performance.now();
    this.#stream.write(`\r\x1b[2K${text.slice(0, (this.#stream.columns ?? 80) - 1)}`);
  }

  line(text: string): void {
    this.#stream.write(`${this.#stream.isTTY ? "\r\x1b[2K" : ""}${text}\n`);
  }
}
