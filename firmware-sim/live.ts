/**
 * LiveBoard: a simulated board that runs by itself beside other programs, in slices between which the event loop turns.
 *
 *     speed   while the board works or the line is busy             while everything is silent
 *     "max"   simulated time passes as fast as this machine can     simulated time follows the wall clock
 *     1       simulated time never gets ahead of the wall clock     the same
 *
 * So the firmware's own timeouts happen at either speed, and a silent board costs next to nothing: it sleeps until somebody
 * writes, looking up every LOOK_MS. A slice ends when it has lasted SLICE_MS, or the host got bytes that it may want
 * to answer: what arrives meanwhile (a "stop" between two tokens) waits for one poll or SLICE_MS, whichever is longer.
 *
 * It can be held (`pause`), as by a debugger: its time stands still, what is on the line waits. From there it goes on to a condition (`runUntil`),
 * a time, or for good (`resume`).
 *
 * NOT IMPLEMENTED: catching up with a wall clock that ran more than CATCH_UP ahead (a suspended machine, speed 1 with a model
 * that this machine computes slower than the chip): the rest is forgotten.
 */
import { TokenTap } from "./control/token_tap.ts";
import type { SimBoard } from "./sim_board.ts";
import { type Step, TICK } from "./sim_board.ts";
import { SimError } from "./sim_error.ts";

export interface LiveOptions {
  /** Default "max". */
  readonly speed?: 1 | "max";
  /** The board went off: by a power cut (no error), or because the module stopped. */
  readonly onOff?: (error: SimError | null) => void;
}

const LOOK_MS = 20;
const SLICE_MS = 0.2;
const MS = 1_000_000;
const CATCH_UP = 1000 * MS;

export class LiveBoard {
  readonly board: SimBoard;
  #paced: boolean;
  readonly #onOff: (error: SimError | null) => void;
  /** Simulated and wall time that belong together, ns. */
  #anchor = { sim: 0, wall: 0 };
  #silent = 0;
  /** The next slice: null while none is to come. */
  #next: { cancel: () => void; asleep: boolean } | null = null;
  #inSlice = false;
  #closed = false;
  #paused = false;
  /** Where it is to be held again: a condition, a simulated time in ns, and who waits for it. */
  #stop: { holds: () => boolean; at: number; reached: () => void } | null = null;
  #polls = 0;
  readonly #tap = new TokenTap();

  /** Switches the board on when it is off, and runs it until `close`. @throws SimError as SimBoard.powerOn */
  constructor(board: SimBoard, { speed = "max", onOff = () => {} }: LiveOptions = {}) {
    this.board = board;
    this.#paced = speed === 1;
    this.#onOff = onOff;
    board.uart.onHostData((bytes) => this.#tap.push(bytes));
    if (board.state === "off") board.powerOn();
    this.wake();
  }

  /** Goes on at once: after bytes were put on the line, or the board was switched on again. */
  wake(): void {
    if (this.#closed || this.#inSlice || this.#paused) return;
    if (this.#next === null) this.#anchor = { sim: this.board.now, wall: wallNow() };
    else if (!this.#next.asleep) return;
    else if (this.board.state === "on") this.#follow(this.#allowed());
    this.#schedule(0);
  }

  /**
   * ns of simulated time that passed only because the wall's did, at full speed: how long the host took to answer, which says nothing about the board.
   */
  get silent(): number {
    return this.#silent;
  }

  #follow(at: number): void {
    const from = this.board.now;
    this.board.sleepUntil(at);
    if (!this.#paced) this.#silent += this.board.now - from;
  }

  /** Stops running; the board stays as it is. */
  close(): void {
    this.#closed = true;
    this.#next?.cancel();
    this.#next = null;
  }

  get speed(): 1 | "max" {
    return this.#paced ? 1 : "max";
  }

  set speed(speed: 1 | "max") {
    this.#paced = speed === 1;
    this.#anchor = { sim: this.board.now, wall: wallNow() };
  }

  /** Polls and told tokens since it was made. */
  get polls(): number {
    return this.#polls;
  }

  get tokens(): number {
    return this.#tap.tokens;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Holds the board where it is, between two polls. What `runUntil` waited for is given up. */
  pause(): void {
    this.#paused = true;
    this.#next?.cancel();
    this.#next = null;
    this.#stop?.reached();
    this.#stop = null;
  }

  resume(): void {
    this.pause();
    this.#paused = false;
    this.wake();
  }

  /**
   * Goes on until `holds`, asked after each poll, or until simulated time `at`, ns; then it is held.
   * @returns when it is, or the board went off
   */
  runUntil(holds: () => boolean, at = Number.POSITIVE_INFINITY): Promise<void> {
    this.resume();
    return new Promise((reached) => {
      this.#stop = { holds, at, reached };
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Simulated time at which the wall clock is now. */
  #allowed(): number {
    const at = this.#anchor.sim + wallNow() - this.#anchor.wall;
    if (at - this.board.now <= CATCH_UP) return at;
    this.#anchor = { sim: this.board.now + CATCH_UP, wall: wallNow() };
    return this.#anchor.sim;
  }

  #schedule(ms: number): void {
    this.#next?.cancel();
    const run = (): void => this.#slice();
    this.#next = { cancel: ms <= 0 ? soon(run) : later(run, ms), asleep: ms > 0 };
  }

  #slice(): void {
    this.#next = null;
    if (this.board.state === "off") return;
    this.#inSlice = true;
    let wait: number | null = null;
    try {
      wait = this.#paced ? this.#runPaced() : this.#runFast();
    } catch (error) {
      if (!(error instanceof SimError)) throw error;
      this.#onOff(error);
    } finally {
      this.#inSlice = false;
    }
    if (this.#isOff()) {
      this.#stop?.reached();
      this.#stop = null;
    }
    if (wait !== null && !this.#closed && !this.#paused) this.#schedule(wait);
  }

  #isOff(): boolean {
    return this.board.state === "off";
  }

  /** @returns ms to sleep; null: the board went off, or is held */
  #runFast(): number | null {
    const { board } = this;
    const end = performance.now() + SLICE_MS;
    do {
      const step = this.#step();
      if (step === null) return null;
      if (step === "power-cut") return this.#off();
      const heard = board.uart.deliver(board.now);
      const next = board.nextEventAt();
      if (
        step === "idle" &&
        next === Number.POSITIVE_INFINITY &&
        (this.#stop?.at ?? Number.POSITIVE_INFINITY) === Number.POSITIVE_INFINITY
      ) {
        // Silence: from here on simulated time follows the wall.
        const allowed = this.#allowed();
        if (board.now >= allowed) return LOOK_MS;
        const from = board.now;
        this.#sleepUntil(Math.min(board.now + TICK, allowed));
        this.#silent += board.now - from;
        continue;
      }
      if (step === "idle") this.#sleepUntil(Math.min(next, board.now + TICK));
      this.#anchor = { sim: board.now, wall: wallNow() };
      if (heard) return 0;
    } while (performance.now() < end);
    return 0;
  }

  /** As runFast. */
  #runPaced(): number | null {
    const { board } = this;
    const end = performance.now() + SLICE_MS;
    do {
      const allowed = this.#allowed();
      const heard = board.uart.deliver(Math.min(board.now, allowed));
      if (board.now > allowed) return (board.now - allowed) / MS;
      if (heard) return 0;
      const step = this.#step();
      if (step === null) return null;
      if (step === "power-cut") return this.#off();
      if (step === "busy") continue;
      const next = Math.min(board.nextEventAt(), board.now + TICK);
      this.#sleepUntil(Math.min(next, allowed));
      if (next > allowed) {
        const silent = board.nextEventAt() === Number.POSITIVE_INFINITY;
        return silent ? LOOK_MS : (next - allowed) / MS;
      }
    } while (performance.now() < end);
    return 0;
  }

  #off(): null {
    this.#onOff(null);
    return null;
  }

  /** One poll. @returns null when the board is to be held now */
  #step(): Step | null {
    if (this.#stop !== null && (this.board.now >= this.#stop.at || this.#stop.holds())) {
      this.pause();
      return null;
    }
    this.#polls++;
    return this.board.step();
  }

  /** Sleeps, but not past the time at which the board is to be held. */
  #sleepUntil(at: number): void {
    this.board.sleepUntil(Math.min(at, this.#stop?.at ?? at));
  }
}

/** ns. */
function wallNow(): number {
  return Math.floor(performance.now() * MS);
}

/** After the events that wait already. */
function soon(run: () => void): () => void {
  if (typeof setImmediate !== "function") return later(run, 0);
  const handle = setImmediate(run);
  return () => clearImmediate(handle);
}

function later(run: () => void, ms: number): () => void {
  const handle = setTimeout(run, Math.ceil(ms));
  return () => clearTimeout(handle);
}
