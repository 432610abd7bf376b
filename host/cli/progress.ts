// A progress line with rate and ETA: redrawn on a terminal, a line per phase elsewhere.
import { bytesText } from "../fits/bytes_text.ts";
import type { Output } from "./output.ts";

export { bytesText };

/** Longest bar, and what stands beside it. */
const BAR = 38;
const BESIDE_BAR = 80;

export function secondsText(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

export class ProgressLine {
  readonly #out: Output;
  readonly #label: string;
  readonly #started: number;
  readonly #seconds: () => number;
  readonly #text: (amount: number) => string;
  #from: number | null = null;
  #drawn = 0;

  /**
   * @param seconds the clock that rate and ETA go by
   * @param text how amounts are written
   */
  constructor(
    out: Output,
    label: string,
    seconds: () => number = () => performance.now() / 1000,
    text: (amount: number) => string = bytesText,
  ) {
    this.#out = out;
    this.#label = label.padEnd(7);
    this.#seconds = seconds;
    this.#text = text;
    this.#started = seconds();
  }

  /** @param note what stands behind the figures, e.g. the speed of the line */
  update(done: number, total: number, note = ""): void {
    this.#from ??= done;
    const now = performance.now();
    if (done < total && now - this.#drawn < 80) return;
    this.#drawn = now;
    const share = total === 0 ? 1 : done / total;
    const seconds = this.#seconds() - this.#started;
    const rate = seconds > 0 ? (done - this.#from) / seconds : 0;
    const left = rate > 0 && done < total ? `ETA ${secondsText((total - done) / rate)}` : "";
    const width = Math.max(8, Math.min(BAR, this.#out.columns - BESIDE_BAR));
    const bar = "#".repeat(Math.round(share * width)).padEnd(width, ".");
    const rateText = rate > 0 ? `${this.#text(rate)}/s` : "";
    this.#out.status(
      [`${this.#label}${bar}`, `${this.#text(done)} of ${this.#text(total)}`, rateText, left, note]
        .filter(Boolean)
        .join("  "),
    );
  }

  /** Replaces the bar by what it came to. */
  end(text: string): void {
    this.#out.clearStatus();
    this.#out.info(`${this.#label}${text}`);
  }
}
