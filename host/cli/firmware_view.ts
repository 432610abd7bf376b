// What a user sees while firmware is written, whatever writes it.
import { createHash } from "node:crypto";
import type { Board } from "../../boards/board.ts";
import type { FirmwareProgress } from "../device/firmware/progress.ts";
import type { FirmwareSegment } from "../device/firmware/segments.ts";
import type { Output } from "./output.ts";
import { bytesText, ProgressLine, secondsText } from "./progress.ts";

interface Shown {
  readonly segments: readonly FirmwareSegment[];
  readonly version: string | null;
}

/** What is said around the bytes. */
export interface Words {
  /** Who is looked for first. */
  readonly asked: string;
  /** What is known in the end when something was verified; null: nothing ever is. */
  readonly verified: string | null;
  readonly unverified: string;
  /** What to do next. */
  readonly next: string;
}

/** Says what happens, in the words of `tritkit flash MODEL`: one line for the bytes, one for what was verified. */
export class FirmwareView {
  readonly #out: Output;
  readonly #board: Board;
  readonly #firmware: Shown;
  readonly #sha256: string;
  readonly #line: ProgressLine;
  #verifyLine: ProgressLine | null = null;
  #last: FirmwareProgress | null = null;

  readonly #words: Words;

  constructor(out: Output, board: Board, firmware: Shown, words: Words) {
    this.#words = words;
    this.#out = out;
    this.#board = board;
    this.#firmware = firmware;
    const sha = createHash("sha256");
    for (const { bytes } of firmware.segments) sha.update(bytes);
    this.#sha256 = sha.digest("hex");
    this.#line = this.#newLine("flash");
  }

  show(progress: FirmwareProgress): void {
    const { phase, bytes, total, skipped, seconds } = progress;
    const rounded = Math.round(seconds * 1000) / 1000;
    const what = { board: this.#board.name, firmware: this.#firmware.version, sha256: this.#sha256 };
    this.#out.event({ event: "flash", phase, bytes, total, skipped, seconds: rounded, ...what });
    this.#last = progress;
    if (phase === "connect") this.#out.status(`flash  looking for ${this.#words.asked}`);
    if (phase === "erase") this.#out.status(`flash  erasing, ${bytesText(bytes)} of ${bytesText(total)} are there`);
    if (phase === "write") this.#line.update(bytes, total);
    if (phase === "verify") {
      this.#verifyLine ??= this.#newLine("verify");
      this.#verifyLine.update(bytes, total);
    }
    if (phase === "reset") this.#out.status("flash  restarting the board");
  }

  end(): void {
    if (this.#last === null) return;
    const { total, skipped, seconds } = this.#last;
    const sent = total - skipped;
    const there = skipped > 0 ? ` (${bytesText(skipped)} were there already)` : "";
    const rate = `in ${secondsText(seconds)}, ${bytesText(sent / seconds)}/s`;
    const what = sent === 0 ? `${bytesText(total)} were there already` : `${bytesText(sent)}${there} ${rate}`;
    const { verified, unverified, next } = this.#words;
    const isVerified = this.#verifyLine !== null && verified !== null;
    const check = isVerified ? `${verified}, sha256 ${this.#sha256.slice(0, 8)}` : unverified;
    const version = this.#firmware.version === null ? "" : ` ${this.#firmware.version}`;
    this.#line.end(`firmware${version} of ${this.#board.name}: ${what}  ${check}`);
    this.#out.info(next);
  }

  /** Rate and ETA count from here. The clock is the device's where it is simulated. */
  #newLine(label: string): ProgressLine {
    return new ProgressLine(this.#out, label, () => this.#last?.seconds ?? 0);
  }
}
