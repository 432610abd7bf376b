/**
 * A host without a clock for a simulated board: a request goes in, the board is stepped until the answer is there. No promise, no timer, no resend: the
 * line is clean. Some 20 times cheaper a request than a session (host/wire/session.ts), which is what lets thousands of prompts run.
 */
import { type SimBoard, TICK } from "../../firmware-sim/sim_board.ts";
import { consoleFraming } from "../../host/wire/console_framing.ts";
import { type CborMap, decodeMessage, encodeMessage, replyError } from "../../host/wire/smp.ts";
import { GROUP_TRITKIT, OP_READ, OP_WRITE } from "../../spec/wire.ts";

/** The board said no. */
export class Refused extends Error {
  readonly rc: number;

  constructor(command: number, rc: number) {
    super(`the board refused command ${command} (rc ${rc})`);
    this.rc = rc;
  }
}

/** Longer than any answer, ns. */
const SILENCE = 600e9;

export class BoardLine {
  readonly sim: SimBoard;
  #seq = 0;
  #answer: CborMap | null = null;
  #refused: number | null = null;
  readonly #decoder = consoleFraming.decoder({ frame: (message) => this.#frame(message), text: () => {} });

  /** The link is in the mode after reset. */
  constructor(sim: SimBoard) {
    this.sim = sim;
    sim.uart.setHostBaud(null);
    sim.uart.onHostData((bytes) => this.#decoder.push(bytes));
  }

  read(command: number, body: CborMap = {}): CborMap {
    return this.#ask(OP_READ, command, body);
  }

  write(command: number, body: CborMap): CborMap {
    return this.#ask(OP_WRITE, command, body);
  }

  #ask(op: number, command: number, body: CborMap): CborMap {
    const { sim } = this;
    this.#seq = (this.#seq + 1) & 0xff;
    this.#answer = null;
    this.#refused = null;
    const message = encodeMessage({ op, group: GROUP_TRITKIT, seq: this.#seq, command, body });
    sim.uart.hostWrite(consoleFraming.encode(message));
    const end = sim.now + SILENCE;
    while (this.#answer === null) {
      const step = sim.step();
      sim.uart.deliver(sim.now);
      if (step === "idle" && this.#answer === null) {
        sim.sleepUntil(Math.min(sim.nextEventAt(), sim.now + TICK));
        sim.uart.deliver(sim.now);
      }
      if (sim.now > end || sim.state === "off") throw new Error(`the board did not answer command ${command}`);
    }
    if (this.#refused !== null) throw new Refused(command, this.#refused);
    return this.#answer;
  }

  #frame(bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    if (message === null || message.seq !== this.#seq) return;
    this.#answer = message.body;
    this.#refused = replyError(message)?.rc ?? null;
  }
}
