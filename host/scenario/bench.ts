// What a scenario has on its bench: the simulated board, the host that talks with it, and what arrived. All of it lives in simulated time:
// it passes while a step waits, and never between two steps.
import type { Board } from "../../boards/board.ts";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { TritkitError } from "../errors.ts";
import type { Answer, GenerateOptions } from "../generation.ts";
import type { ToolCall } from "../tools/call.ts";
import { Drive, FaultPanel, type SimBoard } from "../transports/sim.ts";
import { openDriven } from "../transports/sim_driven.ts";
import { Arrived } from "./arrived.ts";

/** An answer under way, or done. */
export interface Chat {
  readonly work: Promise<Answer>;
  readonly text: Arrived;
  /** Ids that were not expected yet, and when each token came, simulated ns. */
  readonly ids: number[];
  readonly times: number[];
  readonly begun: number;
  /** What the answer called and no step has expected yet; known when it has ended. */
  readonly calls: ToolCall[];
  readonly abort: AbortController;
  readonly ended: { answer: Answer | null; error: unknown } | null;
}

const MS = 1_000_000;
/** For what a host does in the end, simulated. */
const CLOSE_MS = 10_000;

export class Bench {
  readonly board: Board;
  readonly sim: SimBoard;
  readonly drive: Drive;
  readonly faults: FaultPanel;
  /** Every byte that the board sent, as one character each. */
  readonly line = new Arrived();
  paused = false;
  #device: Device | null = null;
  #stale = false;
  /** When the last byte from the board was complete, ns: it may be handed over when the board has gone on to the next token. */
  #heardAt = 0;
  #chat: Chat | null = null;

  constructor(sim: SimBoard, seed: number, speed: 1 | "max") {
    this.sim = sim;
    this.board = sim.board;
    this.drive = new Drive(sim, { seed, speed });
    this.faults = new FaultPanel(sim);
    sim.uart.setHostBaud(sim.board.uart.default_baud);
    sim.uart.onHostData((bytes, at) => {
      this.#heardAt = at;
      this.line.push(String.fromCharCode(...bytes));
    });
  }

  get chat(): Chat | null {
    return this.#chat;
  }

  /** Simulated time so many milliseconds from now, ns. */
  after(ms: number): number {
    return this.drive.board.now + Math.round(ms * MS);
  }

  /** The device at the end of the line, found and greeted when it is first wanted, or when the board was switched or reset since. */
  async device(until: number): Promise<Device> {
    const stale = this.#stale ? this.#device : null;
    this.#stale = false;
    if (stale !== null) {
      this.#device = null;
      await stale.session.close();
    }
    this.#device ??= await this.settle(Device.connect(openDriven(this.drive, this.board.uart.default_baud)), until, "");
    return this.#device;
  }

  /** The board was switched or reset: the next step that talks with it says hello anew. An answer under way finds out by silence, as in life. */
  switched(): void {
    this.#stale = true;
  }

  /** Begins a turn. An answer that still comes is waited for. */
  async begin(prompt: string, options: GenerateOptions, until: number): Promise<Chat> {
    // How the one before ended, its own steps have said.
    if (this.#chat?.ended === null) await this.answered(until);
    const device = await this.device(until);
    const text = new Arrived();
    const ids: number[] = [];
    const times: number[] = [];
    const calls: ToolCall[] = [];
    const abort = new AbortController();
    const onToken: GenerateOptions["onToken"] = (token) => {
      text.push(token.text);
      ids.push(token.id);
      times.push(this.#heardAt);
    };
    const work = generateOnDevice(device, prompt, { ...options, signal: abort.signal, onToken });
    const state: { ended: Chat["ended"] } = { ended: null };
    const chat: Chat = {
      ...{ work, text, ids, times, calls, abort, begun: this.sim.now },
      get ended() {
        return state.ended;
      },
    };
    work.then(
      (answer) => {
        calls.push(...(answer.calls ?? []));
        state.ended = { answer, error: null };
      },
      (error: unknown) => {
        state.ended = { answer: null, error };
      },
    );
    this.#chat = chat;
    return chat;
  }

  /** Waits for the answer under way. @throws what ended it */
  async answered(until: number): Promise<Answer | null> {
    const chat = this.#chat;
    if (chat === null || chat.ended !== null) {
      if (chat?.ended?.error != null) throw chat.ended.error;
      return chat?.ended?.answer ?? null;
    }
    return this.settle(chat.work, until, chat.text.shown);
  }

  /** Lets time pass until `work` is settled. @throws TritkitError E_STEP_TIMEOUT at `until`, and what the work throws */
  settle<T>(work: Promise<T>, until: number, shown: string): Promise<T> {
    this.mayPass();
    const begun = this.sim.now;
    return this.drive.settle(work, until, () => timeout(until - begun, shown));
  }

  /**
   * Lets time pass until `done` holds.
   * @param lost why it cannot come any more; null: it can
   * @throws TritkitError E_STEP_TIMEOUT, E_STEP_EXPECT
   */
  async until(done: () => boolean, until: number, shown: () => string, lost: () => string | null): Promise<void> {
    if (done()) return;
    this.mayPass();
    const begun = this.sim.now;
    const end = await this.drive.run(() => done() || lost() !== null, until);
    if (done()) return;
    const why = lost();
    if (why !== null) throw new TritkitError("E_STEP_EXPECT", `${why}; ${shown()}.`);
    if (end === "time") throw timeout(until - begun, shown());
  }

  /** @throws TritkitError E_STEP_PAUSED */
  mayPass(): void {
    if (!this.paused) return;
    const hint = 'A step "resume" lets it run, "step_polls", "step_us" and "step_tokens" go on a little.';
    throw new TritkitError("E_STEP_PAUSED", "The board is held by a pause, and this step needs time to pass.", hint);
  }

  /** Gives the line back. */
  async close(): Promise<void> {
    this.#chat?.abort.abort();
    this.#chat?.work.catch(() => {});
    const device = this.#device;
    this.#device = null;
    if (device === null) return;
    const late = () => new TritkitError("E_STEP_TIMEOUT", "The line was not given back.");
    await this.drive.settle(device.close(), this.after(CLOSE_MS), late).catch(() => {});
  }
}

function timeout(ns: number, shown: string): TritkitError {
  const what = shown === "" ? "" : `; ${shown}`;
  const hint = 'A longer "timeout_ms" waits longer, in simulated time.';
  return new TritkitError("E_STEP_TIMEOUT", `It did not come within ${ns / MS} ms of simulated time${what}.`, hint);
}
