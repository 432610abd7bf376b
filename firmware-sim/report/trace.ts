/**
 * Trace events in the JSON Object Format that Perfetto and chrome://tracing open, as documented in Google's "Trace Event Format":
 *
 *     { "traceEvents": [ ... ], "displayTimeUnit": "ns", "otherData": { ... } }
 *
 *     ph "X"   complete event   name, cat, ts, dur, pid, tid, args       a slice of a track
 *     ph "i"   instant event    name, ts, pid, tid, s ("t": of its thread)
 *     ph "C"   counter event    name, ts, pid, args: the series' values
 *     ph "M"   metadata         process_name, thread_name, thread_sort_index
 *
 * ts and dur are microseconds; ours have three decimals, so that they are whole nanoseconds of the simulated clock. Slices of a track nest and never overlap
 * otherwise. Events are written in the order of their time, longer slices first: a slice stands before those inside it.
 */

export interface TraceTrack {
  readonly id: number;
  readonly name: string;
}

export interface Slice {
  readonly track: number;
  readonly name: string;
  /** ns of the simulated clock. */
  readonly from: number;
  readonly until: number;
  /** Slices around it on its track: of two with the same times the outer one is written first. */
  readonly depth?: number;
  readonly args?: Readonly<Record<string, string | number>>;
}

export interface Instant {
  readonly track: number;
  readonly name: string;
  readonly at: number;
}

export interface Sample {
  readonly counter: string;
  readonly at: number;
  readonly values: Readonly<Record<string, number>>;
}

const PID = 1;

export class Trace {
  readonly #process: string;
  readonly #tracks: TraceTrack[];
  readonly #slices: Slice[] = [];
  readonly #instants: Instant[] = [];
  readonly #samples: Sample[] = [];
  readonly #limit: number;
  /** Events that came when the trace was full. */
  dropped = 0;

  /** @param limit events that are kept: a viewer opens a few hundred thousand with ease */
  constructor(process: string, tracks: readonly TraceTrack[], limit = 300_000) {
    this.#process = process;
    this.#tracks = [...tracks];
    this.#limit = limit;
  }

  slice(slice: Slice): void {
    if (this.#room()) this.#slices.push(slice);
  }

  instant(instant: Instant): void {
    if (this.#room()) this.#instants.push(instant);
  }

  sample(sample: Sample): void {
    if (this.#room()) this.#samples.push(sample);
  }

  get events(): number {
    return this.#slices.length + this.#instants.length + this.#samples.length;
  }

  /** @param about what else a reader of the file wants to know */
  text(about: Readonly<Record<string, string>>): string {
    const lines = [...this.#metadata(), ...this.#sorted()].map((event) => JSON.stringify(event));
    const other = JSON.stringify({ ...about, dropped_events: String(this.dropped) });
    return `{"displayTimeUnit":"ns","otherData":${other},"traceEvents":[\n${lines.join(",\n")}\n]}\n`;
  }

  #room(): boolean {
    if (this.events < this.#limit) return true;
    this.dropped++;
    return false;
  }

  #metadata(): object[] {
    const of = (name: string, tid: number, args: object) => ({ ph: "M", name, pid: PID, tid, args });
    return [
      of("process_name", 0, { name: this.#process }),
      ...this.#tracks.flatMap(({ id, name }) => [
        of("thread_name", id, { name }),
        of("thread_sort_index", id, { sort_index: id }),
      ]),
    ];
  }

  #sorted(): object[] {
    const slices = this.#slices.map(({ track, name, from, until, depth = 0, args }) => ({
      at: from,
      length: until - from,
      depth,
      event: {
        ...{ ph: "X", name, cat: this.#category(track), pid: PID, tid: track, ts: us(from), dur: us(until - from) },
        ...(args === undefined ? {} : { args }),
      },
    }));
    const instants = this.#instants.map(({ track, name, at }) => ({
      ...{ at, length: 0, depth: 0 },
      event: { ph: "i", name, cat: this.#category(track), pid: PID, tid: track, ts: us(at), s: "t" },
    }));
    const samples = this.#samples.map(({ counter, at, values }) => ({
      ...{ at, length: 0, depth: 0 },
      event: { ph: "C", name: counter, pid: PID, tid: 0, ts: us(at), args: values },
    }));
    const all = [...slices, ...instants, ...samples];
    return all.sort((a, b) => a.at - b.at || b.length - a.length || a.depth - b.depth).map(({ event }) => event);
  }

  #category(track: number): string {
    return this.#tracks.find(({ id }) => id === track)?.name ?? "";
  }
}

function us(ns: number): number {
  return ns / 1000;
}
