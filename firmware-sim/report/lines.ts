/** Bytes on the serial line, with their times: as bursts for the trace, as levels for the waveforms. */
import type { LineBytes } from "../peripherals/uart.ts";

/** Bytes that followed one another without a gap. */
export interface Burst {
  readonly to: LineBytes["to"];
  readonly from: number;
  readonly until: number;
  readonly count: number;
}

interface Open {
  readonly from: number;
  until: number;
  count: number;
}

export class Lines {
  /** Bytes that were put on the line, by direction. */
  toBoard = 0;
  toHost = 0;
  readonly #open: Record<LineBytes["to"], Open | null> = { board: null, host: null };
  readonly #sent: LineBytes[] = [];

  /** @returns the burst that ended because these bytes do not follow it; null: none */
  add(sent: LineBytes): Burst | null {
    const { to, bytes, from, frame } = sent;
    if (to === "board") this.toBoard += bytes.length;
    else this.toHost += bytes.length;
    this.#sent.push(sent);
    const until = from + bytes.length * frame.ns;
    const open = this.#open[to];
    if (open !== null && open.until === from) {
      open.until = until;
      open.count += bytes.length;
      return null;
    }
    this.#open[to] = { from, until, count: bytes.length };
    return open === null ? null : { to, ...open };
  }

  /** The bursts that were still open. */
  end(): Burst[] {
    const found = (["board", "host"] as const).flatMap((to) => {
      const open = this.#open[to];
      return open === null ? [] : [{ to, ...open }];
    });
    this.#open.board = null;
    this.#open.host = null;
    return found;
  }

  /** Bytes that are on the line in a stretch of time. */
  within(from: number, until: number): LineBytes[] {
    return this.#sent.filter(({ from: at, bytes, frame }) => at < until && at + bytes.length * frame.ns > from);
  }
}
