// A tritkit board at the end of a line: finds it, says who it is, negotiates the fast mode.
import {
  FRAMING_COBS,
  FRAMING_CONSOLE,
  GROUP_IMAGE,
  GROUP_OS,
  GROUP_TRITKIT,
  LINK_IDLE_US,
  LINK_KEEP_ALIVE_US,
  LINK_REVERT_US,
  OS_ECHO,
  OS_RESET,
  TK_HELLO,
  TK_LINK,
} from "../../spec/wire.ts";
import { EXIT_LINK_LOST, TritkitError } from "../errors.ts";
import type { Transport } from "../transports/transport.ts";
import { pause } from "../transports/world.ts";
import { cobsFraming } from "../wire/cobs_framing.ts";
import { consoleFraming } from "../wire/console_framing.ts";
import type { Framing } from "../wire/framing.ts";
import { isTimeout, type RequestOptions, SmpSession } from "../wire/session.ts";
import type { CborMap, SmpMessage } from "../wire/smp.ts";
import { type Hello, parseHello } from "./hello.ts";
import { check } from "./refusals.ts";

/** Speed of the negotiated mode: the fastest that common USB bridges keep without errors. */
export const FAST_BAUD = 921600;
const PROBE = { deadlineMs: 400, attempts: 2 } satisfies RequestOptions;
const FIRST_PROBE = { deadlineMs: 700, attempts: 2 } satisfies RequestOptions;

/** In a mode that was agreed on. */
const HELLO_MS = 250;
/** How often a silent device is looked for in each mode: it may be busy with flash, or with its model after a reset. */
const LOOKS = 10;
/** As long as a device may hash its model at boot: half a minute. */
const BOOT_LOOKS = 120;
/** Where something answers, but damaged, it is asked more often. */
const ROUNDS = 3;

export interface ConnectOptions {
  /** Speed to negotiate; 0 keeps the line as it is found. Default FAST_BAUD. */
  baud?: number;
  signal?: AbortSignal;
}

interface Mode {
  framing: Framing;
  baud: number;
}

export class Device {
  readonly session: SmpSession;
  /** As it was read last; `baud` is the speed of the line now. */
  hello: Hello;
  /** Speed to negotiate, 0: none. */
  readonly #wanted: number;
  /** Ends the echoes that keep a negotiated link. */
  #endEchoes = () => {};
  #negotiated = false;
  #looking: Promise<boolean> | null = null;
  #resets = 0;

  private constructor(session: SmpSession, hello: Hello, wanted: number) {
    this.session = session;
    this.hello = hello;
    this.#wanted = wanted;
  }

  /**
   * Says hello in the mode after reset, then in the fast mode, in which an earlier host may have left the device.
   * @throws TritkitError E_NOT_TRITKIT when nothing answers, E_LINK_LOST, E_INTERRUPTED
   */
  static async connect(transport: Transport, options: ConnectOptions = {}): Promise<Device> {
    const { baud = FAST_BAUD, signal } = options;
    const session = new SmpSession(transport);
    try {
      const hello = await findHello(session, signal);
      const device = new Device(session, hello, Math.min(baud, hello.maxBaud));
      session.window = hello.window;
      await device.#negotiate(signal);
      return device;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /** How often it was found in the mode after reset since the connection was made. */
  get resets(): number {
    return this.#resets;
  }

  get name(): string {
    return this.session.transport.name;
  }

  /**
   * A command of the TRITKIT group; returns the body of a good answer. Where the line stays silent, the device is looked for once
   * (see revive) and asked again.
   * @throws TritkitError what it refused (exit status 3), E_LINK_TIMEOUT, E_LINK_LOST, E_INTERRUPTED
   */
  read(command: number, body: CborMap = {}, options?: RequestOptions): Promise<CborMap> {
    return this.#asked(() => this.session.read(GROUP_TRITKIT, command, body, options), options);
  }

  /** As read(). */
  write(command: number, body: CborMap = {}, options?: RequestOptions): Promise<CborMap> {
    return this.#asked(() => this.session.write(GROUP_TRITKIT, command, body, options), options);
  }

  /** As read(), a write to the image group. */
  writeImage(command: number, body: CborMap, options?: RequestOptions): Promise<CborMap> {
    return this.#asked(() => this.session.write(GROUP_IMAGE, command, body, options), options);
  }

  async #asked(ask: () => Promise<SmpMessage>, options: RequestOptions = {}): Promise<CborMap> {
    try {
      return check(await ask());
    } catch (error) {
      if (!isTimeout(error) || !(await this.revive(options.signal))) throw error;
      return check(await ask());
    }
  }

  /**
   * For a line that fell silent: the board was reset, or heard nothing for 10 s because this machine slept. Looks for the device where
   * it was and where that leaves it, and negotiates anew. What a reset ended (an answer, an upload in SRAM) is gone.
   * @returns true when it was found in the mode after reset, false when it is where it was
   * @throws TritkitError E_LINK_TIMEOUT when it is in neither
   */
  revive(signal?: AbortSignal): Promise<boolean> {
    this.#looking ??= this.#look(signal).finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #look(signal?: AbortSignal): Promise<boolean> {
    const here = this.#mode();
    const rest = this.#rest();
    if (same(here, rest)) return false;
    if ((await this.#find([here, rest], LOOKS, signal)) === here) return false;
    this.#resets++;
    await this.#negotiate(signal);
    return true;
  }

  /** Asks who it is again: the state of slots and model may have changed. @throws TritkitError as read() */
  async refresh(signal?: AbortSignal): Promise<Hello> {
    this.hello = parseHello(await this.read(TK_HELLO, {}, { signal }));
    this.session.window = this.hello.window;
    return this.hello;
  }

  /** Resets the board; the line returns to the mode after reset. @throws TritkitError as read() */
  async reset(): Promise<void> {
    this.#endEchoes();
    const here = this.#mode();
    const rest = this.#rest();
    try {
      check(await this.session.write(GROUP_OS, OS_RESET, {}, { attempts: 3 }));
    } catch (error) {
      // The answer may have got lost: then the board was reset all the same.
      if (!isTimeout(error) || same(here, rest) || (await this.#find([here, rest], LOOKS)) === here) throw error;
    }
    this.#negotiated = false;
    await this.#enter(rest);
    this.hello = { ...this.hello, baud: rest.baud };
    this.session.window = 1;
  }

  /** Resets the board and waits until it has booted, which takes as long as the hash of its model. @throws TritkitError as read() */
  async restart(signal?: AbortSignal): Promise<void> {
    await this.reset();
    await this.#find([this.#rest()], BOOT_LOOKS, signal);
    await this.#negotiate(signal);
  }

  /** Leaves the device in the mode after reset, so that any other program finds it. */
  async close(): Promise<void> {
    this.#endEchoes();
    if (this.#negotiated) {
      const back = { f: FRAMING_CONSOLE, b: this.hello.restBaud };
      await this.session.write(GROUP_TRITKIT, TK_LINK, back, { deadlineMs: 300, attempts: 2 }).catch(() => {});
    }
    await this.session.close();
  }

  #mode(): Mode {
    return { framing: this.session.framing, baud: this.hello.baud };
  }

  /** The mode after reset. */
  #rest(): Mode {
    return { framing: consoleFraming, baud: this.hello.restBaud };
  }

  /** Changes this end of the line. */
  async #enter({ framing, baud }: Mode): Promise<void> {
    await this.session.transport.setBaud(baud);
    this.session.setFraming(framing);
  }

  async #negotiate(signal?: AbortSignal): Promise<void> {
    this.#endEchoes();
    this.#negotiated = false;
    if (this.#wanted === 0) return;
    const before = this.#mode();
    const rest = this.#rest();
    const fast = { framing: cobsFraming, baud: this.#wanted };
    if (!same(before, fast)) {
      check(await this.session.write(GROUP_TRITKIT, TK_LINK, { f: FRAMING_COBS, b: fast.baud }, { signal }));
      await this.#enter(fast);
      try {
        await this.#hello(3, signal);
      } catch (error) {
        if (!isTimeout(error)) throw error;
        // The line does not carry this speed: the device goes back after 1 s, and so do we. After 10 s, if it heard us.
        await this.#enter(before);
        await pause(this.session.world, LINK_REVERT_US / 1000 + 200);
        const modes = same(before, rest) ? [rest] : [before, rest];
        if ((await this.#find(modes, Math.ceil(LINK_IDLE_US / 1000 / HELLO_MS) + 4, signal)) === rest) return;
      }
    }
    this.#negotiated = true;
    // Without a frame for 10 s the device would end the negotiated link (WIRE.md). One that gets lost is not sent again: the next one comes.
    this.#echoLater();
  }

  #echoLater(): void {
    const echo = (): void => {
      this.#echoLater();
      this.session.write(GROUP_OS, OS_ECHO, { d: "" }, { attempts: 1 }).catch(() => {});
    };
    this.#endEchoes = this.session.world.later(LINK_KEEP_ALIVE_US / 1000, echo, { background: true });
  }

  /** Says hello in each of the modes by turns until it is answered; returns that mode. @throws TritkitError E_LINK_TIMEOUT */
  async #find(modes: readonly Mode[], rounds: number, signal?: AbortSignal): Promise<Mode> {
    for (let turn = 1; ; turn++) {
      const mode = modes[(turn - 1) % modes.length];
      await this.#enter(mode);
      try {
        await this.#hello(1, signal);
        return mode;
      } catch (error) {
        if (!isTimeout(error)) throw error;
        if (turn === rounds * modes.length) {
          const hint = "Check the cable and the board.";
          throw new TritkitError("E_LINK_TIMEOUT", `${this.name} fell silent.`, hint, EXIT_LINK_LOST, { cause: error });
        }
      }
    }
  }

  async #hello(attempts: number, signal?: AbortSignal): Promise<void> {
    const options = { deadlineMs: HELLO_MS, attempts, signal };
    this.hello = parseHello(check(await this.session.read(GROUP_TRITKIT, TK_HELLO, {}, options)));
    this.session.window = this.hello.window;
  }
}

function same(a: Mode, b: Mode): boolean {
  return a.framing === b.framing && a.baud === b.baud;
}

async function findHello(session: SmpSession, signal?: AbortSignal): Promise<Hello> {
  const { transport } = session;
  const modes: [Framing, number | null, RequestOptions][] = [
    [consoleFraming, null, FIRST_PROBE],
    [cobsFraming, FAST_BAUD, PROBE],
    [cobsFraming, null, PROBE],
  ];
  for (let round = 1; round <= ROUNDS; round++) {
    const { damaged } = session;
    for (const [framing, baud, probe] of modes) {
      session.setFraming(framing);
      if (baud !== null) await transport.setBaud(baud);
      try {
        const reply = await session.read(GROUP_TRITKIT, TK_HELLO, {}, { ...probe, signal });
        return parseHello(check(reply));
      } catch (error) {
        if (!isTimeout(error) && !isUnknownGroup(error)) throw error;
        if (isUnknownGroup(error)) throw notTritkit(transport.name, "an SMP server that is no tritkit");
      }
      if (baud !== null) await transport.setBaud(115200);
    }
    if (session.damaged === damaged) break;
  }
  throw notTritkit(transport.name, "nothing that speaks tritkit");
}

function isUnknownGroup(error: unknown): boolean {
  return error instanceof TritkitError && error.code === "E_NOT_SUPPORTED";
}

function notTritkit(name: string, what: string): TritkitError {
  const hint = "Is the tritkit firmware on the board? `tritkit monitor` shows what it prints.";
  return new TritkitError("E_NOT_TRITKIT", `${name} has ${what} at its end.`, hint, EXIT_LINK_LOST);
}
