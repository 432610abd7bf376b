/**
 * Drives a board for a host that lives in simulated time: the board runs until something happened that the host may want to answer, the
 * host answers, the board goes on. Nothing looks at the wall clock, so that the same host does the same in every run.
 *
 *     host   ─ work ─┐        ┌─ hears, writes ─┐        ┌─ timer ─┐
 *     board          └ runs ──┘                 └ runs ──┘         └ runs ──          simulated time ───>
 *
 * The host's work must consist of promises, timers of this drive and calls to the board alone: a host that waits for a file would find
 * simulated time gone by.
 *
 * `speed` 1 holds simulated time back to the wall's, for who wants to watch; what happens is the same.
 */
import { Random } from "../random.ts";
import { type SimBoard, TICK } from "../sim_board.ts";
import { TokenTap } from "./token_tap.ts";

const MS = 1_000_000;
/** At speed 1 the wall clock is looked at this often, ns. */
const PACE = 10 * TICK;

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export interface DriveOptions {
  readonly speed?: 1 | "max";
  readonly seed?: number;
}

/** What ended `run`: the condition held, time was over, or the board went off. */
export type DriveEnd = "done" | "time" | "off";

export class Drive {
  readonly board: SimBoard;
  speed: 1 | "max";
  /** Polls since the drive was made. */
  polls = 0;
  readonly #tap = new TokenTap();
  readonly #random: Random;
  #timers: Timer[] = [];
  #order = 0;
  #heard = false;
  readonly #anchor = { sim: 0, wall: 0 };

  constructor(board: SimBoard, { speed = "max", seed = 0 }: DriveOptions = {}) {
    this.board = board;
    this.speed = speed;
    this.#random = new Random(seed);
    board.uart.onHostData((bytes) => {
      this.#heard = true;
      this.#tap.push(bytes);
    });
  }

  /** Tokens that the board has told its host. */
  get tokens(): number {
    return this.#tap.tokens;
  }

  // -- the host's world --

  /** Milliseconds. */
  now(): number {
    return this.board.now / MS;
  }

  later(ms: number, run: () => void): () => void {
    const timer = { at: this.board.now + Math.ceil(ms * MS), order: this.#order++, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  random(n: number): number {
    return this.#random.below(n);
  }

  // -- the bench's --

  /**
   * Lets time pass until `done` holds, which is asked whenever the host has had its turn.
   * @param until simulated time at which it ends, ns
   * @param offEnds a board without power ends it; otherwise time goes on without it
   * @throws SimError as SimBoard.step
   */
  async run(done: () => boolean, until: number, offEnds = false): Promise<DriveEnd> {
    for (;;) {
      await turn();
      if (done()) return "done";
      if (offEnds && this.board.state === "off") return "off";
      if (this.#fire()) continue;
      if (this.board.now >= until) return "time";
      this.#advance(Math.min(until, this.#nextTimer()));
      if (this.speed === 1) await this.#pace();
    }
  }

  /** Lets time pass until `work` is settled. @throws what `work` throws; `late()` at `until` */
  async settle<T>(work: Promise<T>, until: number, late: () => Error): Promise<T> {
    let settled = false;
    const end = (): void => {
      settled = true;
    };
    work.then(end, end);
    if ((await this.run(() => settled, until)) !== "done") throw late();
    return work;
  }

  /** One poll, and what the host makes of it. A CPU that sleeps is woken by what comes next, or the next tick. */
  async poll(): Promise<void> {
    if (this.board.state === "on") this.#poll(Number.POSITIVE_INFINITY);
    await turn();
    while (this.#fire()) await turn();
  }

  /** Until the host has something to do, or `until`. */
  #advance(until: number): void {
    this.#heard = false;
    const { board } = this;
    const begin = board.now;
    while (board.now < until && !this.#heard) {
      if (board.state === "off") {
        board.sleepUntil(until);
        return;
      }
      this.#poll(until);
      if (this.speed === 1 && board.now - begin > PACE) return;
    }
  }

  #poll(until: number): void {
    const { board } = this;
    this.polls++;
    const step = board.step();
    board.uart.deliver(board.now);
    if (step !== "idle") return;
    board.sleepUntil(Math.min(board.nextEventAt(), board.now + TICK, until));
    board.uart.deliver(board.now);
  }

  #nextTimer(): number {
    return this.#timers.reduce((first, { at }) => Math.min(first, at), Number.POSITIVE_INFINITY);
  }

  /** Calls the earliest timer that is due. @returns false when none is */
  #fire(): boolean {
    const due = this.#timers.filter(({ at }) => at <= this.board.now);
    if (due.length === 0) return false;
    const first = due.reduce((a, b) => (b.at < a.at || (b.at === a.at && b.order < a.order) ? b : a));
    this.#timers = this.#timers.filter((each) => each !== first);
    first.run();
    return true;
  }

  /** Sleeps as long as simulated time is ahead of the wall's. */
  async #pace(): Promise<void> {
    const wall = performance.now() * MS;
    const anchor = this.#anchor;
    const ahead = this.board.now - anchor.sim - (wall - anchor.wall);
    // At first, and where this machine cannot follow: from here on.
    if (anchor.wall === 0 || ahead < -1000 * MS) Object.assign(anchor, { sim: this.board.now, wall });
    else if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead / MS));
  }
}

/** Every promise that is settled has called whom it had to. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
