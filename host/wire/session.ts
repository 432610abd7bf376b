// Request and reply over a line that may lose or damage frames: sequence numbers, deadlines, resends, a window.
// Every command of WIRE.md may be repeated, so resending is always safe.
import { OP_READ, OP_WRITE } from "../../spec/wire.ts";
import { EXIT_LINK_LOST, interruption, TritkitError, throwIfAborted } from "../errors.ts";
import type { Transport } from "../transports/transport.ts";
import { REAL_WORLD, type World } from "../transports/world.ts";
import { consoleFraming } from "./console_framing.ts";
import type { Decoder, Framing } from "./framing.ts";
import { type CborMap, decodeMessage, encodeMessage, type SmpMessage } from "./smp.ts";

export interface RequestOptions {
  /** Time for one answer before the request is sent again, milliseconds; default 1000. */
  deadlineMs?: number;
  /** How often it is sent in all; default 5. */
  attempts?: number;
  signal?: AbortSignal;
}

export interface SessionCounters {
  sent: number;
  received: number;
  resent: number;
  damaged: number;
}

const DEADLINE_MS = 1000;
const ATTEMPTS = 5;

/** A request that waits for a place in the window. */
interface Waiting {
  enter(): void;
  fail(error: Error): void;
}

interface Pending {
  group: number;
  command: number;
  op: number;
  settle(reply: SmpMessage): void;
  fail(error: Error): void;
}

/** No answer came; the line itself may be all right. */
export function isTimeout(error: unknown): boolean {
  return error instanceof TritkitError && error.code === "E_LINK_TIMEOUT";
}

export class SmpSession {
  readonly transport: Transport;
  readonly world: World;
  readonly counters: SessionCounters = { sent: 0, received: 0, resent: 0, damaged: 0 };
  /** Text that shares the line with frames (console framing). */
  onText: (bytes: Uint8Array) => void = () => {};

  #framing: Framing = consoleFraming;
  #decoder: Decoder;
  #seq: number;
  readonly #pending = new Map<number, Pending>();
  #window = 1;
  /** Places of the window that are taken. A place is taken in the moment in which it is given, not when its request is sent. */
  #taken = 0;
  #waiting: Waiting[] = [];
  #lost: Error | null = null;

  constructor(transport: Transport) {
    this.transport = transport;
    this.world = transport.world ?? REAL_WORLD;
    this.#seq = this.world.random(256);
    this.#decoder = this.#makeDecoder();
    transport.onData((bytes) => this.#decoder.push(bytes));
    transport.onClose((error) => this.#close(error));
  }

  /** Requests that may be unanswered at the same time; 1 until a hello allowed more. */
  get window(): number {
    return this.#window;
  }

  set window(frames: number) {
    this.#window = frames;
    this.#admit();
  }

  get framing(): Framing {
    return this.#framing;
  }

  /** Changes how both directions are framed, between two requests. */
  setFraming(framing: Framing): void {
    this.counters.damaged += this.#decoder.damaged;
    this.#framing = framing;
    this.#decoder = this.#makeDecoder();
  }

  /**
   * @param body of the request; a key with the value undefined is left out
   * @throws TritkitError E_LINK_TIMEOUT when no attempt was answered, E_LINK_LOST, E_INTERRUPTED. An answer that carries an error is an
   *   answer.
   */
  read(group: number, command: number, body: CborMap = {}, options?: RequestOptions): Promise<SmpMessage> {
    return this.#request(OP_READ, group, command, body, options);
  }

  /** As read(). */
  write(group: number, command: number, body: CborMap = {}, options?: RequestOptions): Promise<SmpMessage> {
    return this.#request(OP_WRITE, group, command, body, options);
  }

  /** Frames dropped so far because they arrived damaged. */
  get damaged(): number {
    return this.counters.damaged + this.#decoder.damaged;
  }

  async close(): Promise<void> {
    await this.transport.close();
    this.#close();
  }

  #makeDecoder(): Decoder {
    return this.#framing.decoder({
      frame: (bytes) => this.#receive(bytes),
      text: (bytes) => this.onText(bytes),
    });
  }

  #receive(bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    if (message === null) return;
    const pending = this.#pending.get(message.seq);
    // A second answer to a request that was sent twice finds nothing here and is dropped.
    if (pending === undefined || pending.group !== message.group || pending.command !== message.command) return;
    if (message.op !== pending.op + 1) return;
    this.counters.received++;
    pending.settle(message);
  }

  #close(error?: Error): void {
    if (this.#lost !== null) return;
    this.#lost = error ?? new TritkitError("E_LINK_LOST", `${this.transport.name} is closed.`, "", EXIT_LINK_LOST);
    for (const pending of [...this.#pending.values()]) pending.fail(this.#lost);
    for (const waiting of [...this.#waiting]) waiting.fail(this.#lost);
  }

  /** Takes a place in the window, in the order of asking. @throws what ends the line, or E_INTERRUPTED */
  #place(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        signal?.removeEventListener("abort", onAbort);
        this.#waiting = this.#waiting.filter((each) => each !== waiting);
      };
      const waiting: Waiting = {
        enter: () => {
          leave();
          resolve();
        },
        fail: (error) => {
          leave();
          reject(error);
        },
      };
      const onAbort = () => waiting.fail(interruption(signal));
      if (signal?.aborted) return onAbort();
      if (this.#lost !== null) return waiting.fail(this.#lost);
      signal?.addEventListener("abort", onAbort);
      this.#waiting.push(waiting);
      this.#admit();
    });
  }

  #admit(): void {
    while (this.#taken < this.#window && this.#waiting.length > 0) {
      this.#taken++;
      this.#waiting[0].enter();
    }
  }

  #nextSeq(): number {
    do this.#seq = (this.#seq + 1) & 255;
    while (this.#pending.has(this.#seq));
    return this.#seq;
  }

  async #request(op: number, group: number, command: number, body: CborMap, options: RequestOptions = {}) {
    await this.#place(options.signal);
    try {
      return await this.#exchange(op, group, command, body, options);
    } finally {
      this.#taken--;
      this.#admit();
    }
  }

  async #exchange(op: number, group: number, command: number, body: CborMap, options: RequestOptions) {
    const { deadlineMs = DEADLINE_MS, attempts = ATTEMPTS, signal } = options;
    throwIfAborted(signal);
    if (this.#lost !== null) throw this.#lost;
    const seq = this.#nextSeq();
    const bytes = encodeMessage({ op, group, seq, command, body });
    return new Promise<SmpMessage>((resolve, reject) => {
      let callOff = () => {};
      let sent = 0;
      const done = () => {
        callOff();
        signal?.removeEventListener("abort", onAbort);
        this.#pending.delete(seq);
      };
      const fail = (error: Error) => {
        done();
        reject(error);
      };
      const onAbort = () => fail(interruption(signal));
      const send = () => {
        if (sent === attempts) {
          const message = `${this.transport.name} did not answer within ${(deadlineMs * attempts) / 1000} s.`;
          return fail(new TritkitError("E_LINK_TIMEOUT", message, "Check the cable and the board.", EXIT_LINK_LOST));
        }
        if (sent > 0) this.counters.resent++;
        sent++;
        this.counters.sent++;
        this.transport.write(this.#framing.encode(bytes)).catch(fail);
        callOff = this.world.later(deadlineMs, send);
      };
      this.#pending.set(seq, {
        group,
        command,
        op,
        fail,
        settle: (reply) => {
          done();
          resolve(reply);
        },
      });
      signal?.addEventListener("abort", onAbort);
      send();
    });
  }
}
