/**
 * Value change dump, the format that GTKWave and every waveform viewer reads: IEEE 1364-2005, clause 18 (four-state VCD).
 *
 *     $timescale 1 ps $end
 *     $scope module tgemv $end
 *     $var wire 8 ! fifo [7:0] $end          identifier codes are printable ASCII, 33 to 126
 *     $upscope $end
 *     $enddefinitions $end
 *     #1000                                  time, ascending
 *     $dumpvars  b00000101 !  $end           value of every variable at the first time
 *     #1200
 *     b110 !                                 a vector: leading zeros may be left out; a scalar is 0!, 1!, x!, z!
 *
 * $date is left out: it is optional, and two runs are to give the same bytes.
 */

/** null: unknown (x). */
export type VcdValue = number | null;

export interface VcdSignal {
  readonly scope: string;
  readonly name: string;
  readonly width: number;
}

interface Change {
  readonly at: number;
  readonly signal: number;
  readonly value: VcdValue;
}

export class Vcd {
  readonly #signals: VcdSignal[] = [];
  readonly #initial: VcdValue[] = [];
  readonly #changes: Change[] = [];
  readonly #comment: string;

  /** @param comment a line for people that open the file in an editor; no `$` in it */
  constructor(comment: string) {
    this.#comment = comment.replaceAll("$", "");
  }

  /**
   * @param scope modules from the outside in, joined by dots
   * @param initial value at the first time
   * @returns the signal's number
   */
  signal(scope: string, name: string, width = 1, initial: VcdValue = 0): number {
    this.#signals.push({ scope, name, width });
    this.#initial.push(initial);
    return this.#signals.length - 1;
  }

  /** @param at picoseconds, whole; in any order */
  change(at: number, signal: number, value: VcdValue): void {
    this.#changes.push({ at, signal, value });
  }

  /**
   * @param from,until picoseconds: what changed before the window shows as values at its beginning, what changes after it is left out
   */
  text(from: number, until: number): string {
    // Stable: of two changes of a signal at one time the later call counts.
    const changes = [...this.#changes].sort((a, b) => a.at - b.at);
    const values = [...this.#initial];
    let next = 0;
    for (; next < changes.length && changes[next].at <= from; next++) {
      const { signal, value } = changes[next];
      values[signal] = value;
    }
    const lines = [
      `$comment ${this.#comment} $end`,
      "$version tritkit $end",
      "$timescale 1 ps $end",
      ...this.#scopes(),
    ];
    lines.push("$enddefinitions $end", `#${from}`, "$dumpvars");
    for (const [i, value] of values.entries()) lines.push(this.#line(i, value));
    lines.push("$end");
    while (next < changes.length && changes[next].at <= until) {
      const { at } = changes[next];
      const now = new Map<number, VcdValue>();
      for (; next < changes.length && changes[next].at === at; next++)
        now.set(changes[next].signal, changes[next].value);
      const differ = [...now].filter(([signal, value]) => values[signal] !== value).sort(([a], [b]) => a - b);
      if (differ.length === 0) continue;
      lines.push(`#${at}`);
      for (const [signal, value] of differ) {
        values[signal] = value;
        lines.push(this.#line(signal, value));
      }
    }
    // Without a last time a viewer ends the window at the last change.
    if (lines.at(-1) !== `#${until}`) lines.push(`#${until}`);
    return `${lines.join("\n")}\n`;
  }

  #scopes(): string[] {
    const lines: string[] = [];
    const scopes = [...new Set(this.#signals.map(({ scope }) => scope))];
    for (const scope of scopes) {
      const names = scope.split(".");
      for (const name of names) lines.push(`$scope module ${name} $end`);
      for (const [i, signal] of this.#signals.entries()) {
        if (signal.scope !== scope) continue;
        const range = signal.width === 1 ? "" : ` [${signal.width - 1}:0]`;
        lines.push(`$var wire ${signal.width} ${code(i)} ${signal.name}${range} $end`);
      }
      for (const _ of names) lines.push("$upscope $end");
    }
    return lines;
  }

  #line(signal: number, value: VcdValue): string {
    const { width } = this.#signals[signal];
    if (width === 1) return `${value ?? "x"}${code(signal)}`;
    return `b${value === null ? "x" : value.toString(2)} ${code(signal)}`;
  }
}

/** Identifier codes: !, ", ... ~, then two characters. */
function code(n: number): string {
  const digit = String.fromCharCode(33 + (n % 94));
  return n < 94 ? digit : code(Math.floor(n / 94) - 1) + digit;
}
