/**
 * Commands for a board that runs beside other programs, one a line: `tritkit sim` reads them from its standard input.
 *
 *     pause                         p     holds the board; its time stands still
 *     step [N]                      s     N polls (1), then it is held
 *     step N us, step N ms                so much simulated time
 *     token [N]                     t     until N more tokens (1) have been told to the host
 *     resume                        r     runs
 *     speed 1|max
 *     reset                               presses the reset button
 *     power off|on
 *     pin PIN 0|1|open                    drives a pin from outside: a button
 *     sensor CHANNEL VALUE                what an ADC channel reads, 0..65535
 *     fault KIND[:name=value,...]         injects a fault; `fault clear` ends what goes on
 *     status                        ?
 *
 * A command is answered with one line. An empty line repeats the last command.
 */
import { channelTrouble } from "../../boards/pins.ts";
import { parseFault } from "../faults/kinds.ts";
import type { FaultPanel } from "../faults/panel.ts";
import type { LiveBoard } from "../live.ts";
import { SimError } from "../sim_error.ts";

const US = 1000;
const SHORT: Readonly<Record<string, string>> = { p: "pause", s: "step", t: "token", r: "resume", "?": "status" };

export const COMMANDS_HELP =
  "pause, step [N|N us|N ms], token [N], resume, speed 1|max, reset, power on|off, pin PIN 0|1|open, sensor CHANNEL VALUE, fault KIND, fault clear, status";

export class Commands {
  readonly #live: LiveBoard;
  readonly #faults: FaultPanel;
  #last = "status";

  constructor(live: LiveBoard, faults: FaultPanel) {
    this.#live = live;
    this.#faults = faults;
  }

  /**
   * Carries out one line.
   * @returns what to say, without a full stop
   * @throws SimError E_SIM_COMMAND for a line that is none, and what the board says
   */
  async execute(line: string): Promise<string> {
    const text = line.trim() === "" ? this.#last : line.trim();
    this.#last = text;
    const [first, ...words] = text.split(/\s+/);
    const name = SHORT[first] ?? first;
    const live = this.#live;
    if (name === "pause") live.pause();
    else if (name === "resume") live.resume();
    else if (name === "step") await this.#step(words);
    else if (name === "token") {
      const goal = live.tokens + count(words);
      await live.runUntil(() => live.tokens >= goal);
    } else if (name === "speed") this.#speed(words);
    else if (name === "reset") this.#reset();
    else if (name === "power") this.#power(words);
    else if (name === "pin") this.#pin(words);
    else if (name === "sensor") this.#sensor(words);
    else if (name === "fault") return this.#fault(words);
    else if (name === "help") return COMMANDS_HELP;
    else if (name !== "status") throw bad(`there is no command "${name}"; there are ${COMMANDS_HELP}`);
    return this.status;
  }

  /** "paused at 1.234567 s, 42 polls, 7 tokens, speed max". */
  get status(): string {
    const { board, paused, polls, tokens, speed } = this.#live;
    const state = board.state === "off" ? "off" : paused ? "paused" : "running";
    return `${state} at ${(board.now / 1e9).toFixed(6)} s, ${polls} polls, ${tokens} tokens, speed ${speed}`;
  }

  async #step(words: readonly string[]): Promise<void> {
    const live = this.#live;
    const [, number = "", unit] = /^(\d*) ?(us|ms)?$/.exec(words.join(" ")) ?? [];
    if (words.length > 0 && number === "") throw bad("step takes a number, and us or ms");
    if (unit === undefined) {
      const goal = live.polls + count(number === "" ? [] : [number]);
      await live.runUntil(() => live.polls >= goal);
    } else await live.runUntil(() => false, live.board.now + Number(number) * (unit === "us" ? US : US * US));
  }

  #speed([speed]: readonly string[]): void {
    if (speed !== "1" && speed !== "max") throw bad("speed is 1 or max");
    this.#live.speed = speed === "1" ? 1 : "max";
    this.#live.wake();
  }

  #reset(): void {
    this.#live.board.reset();
    this.#live.wake();
  }

  #power([what]: readonly string[]): void {
    const { board } = this.#live;
    if (what === "off") board.powerOff();
    else if (what !== "on") throw bad("power is on or off");
    else {
      board.powerOn();
      this.#live.wake();
    }
  }

  #pin([pin, level]: readonly string[]): void {
    const { gpio } = this.#live.board.board;
    const number = whole("pin", pin, gpio.pins - 1);
    if (level !== "0" && level !== "1" && level !== "open") throw bad("pin takes a number and 0, 1 or open");
    this.#live.board.gpio.drive(number, level === "open" ? null : level === "1" ? 1 : 0);
  }

  #sensor([channel, value]: readonly string[]): void {
    const { adc, board } = this.#live.board;
    const number = whole("sensor", channel, 255);
    const trouble = channelTrouble(board, number);
    if (trouble !== null) throw bad(trouble);
    adc.set(number, whole("sensor", value, 65535));
  }

  #fault([text]: readonly string[]): string {
    if (text === undefined) throw bad("fault takes a kind, or clear");
    if (text !== "clear") return this.#faults.inject(parseFault(text));
    this.#faults.clear();
    return "no fault goes on";
  }
}

function count([text = "1"]: readonly string[]): number {
  return whole("the count", text, Number.MAX_SAFE_INTEGER);
}

function whole(what: string, text: string | undefined, high: number): number {
  const number = /^\d+$/.test(text ?? "") ? Number(text) : Number.NaN;
  if (number <= high) return number;
  throw bad(`${what} takes a whole number up to ${high}, not "${text ?? ""}"`);
}

function bad(message: string): SimError {
  return new SimError("E_SIM_COMMAND", message);
}
