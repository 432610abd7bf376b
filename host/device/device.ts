// A tritkit board at the end of a line: finds it, says who it is, negotiates the fast mode.
import {
  FRAMING_COBS,
  FRAMING_CONSOLE,
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
import { cobsFraming } from "../wire/cobs_framing.ts";
import { consoleFraming } from "../wire/console_framing.ts";
import type { Framing } from "../wire/framing.ts";
import { isTimeout, type RequestOptions, SmpSession } from "../wire/session.ts";
import type { CborMap } from "../wire/smp.ts";
import { type Hello, parseHello } from "./hello.ts";
import { check } from "./refusals.ts";

/** Speed of the negotiated mode: the fastest that common USB bridges keep without errors. */
export const FAST_BAUD = 921600;
const PROBE = { deadlineMs: 400, attempts: 2 } satisfies RequestOptions;
const FIRST_PROBE = { deadlineMs: 700, attempts: 2 } satisfies RequestOptions;

/** In a mode that was agreed on. */
const HELLO_MS = 250;
/** Where something answers, but damaged, it is asked more often. */
const ROUNDS = 3;

export interface ConnectOptions {
  /** Speed to negotiate; 0 keeps the line as it is found. Default FAST_BAUD. */
  baud?: number;
  signal?: AbortSignal;
}

export class Device {
  readonly session: SmpSession;
  hello: Hello;
  #keepAlive: NodeJS.Timeout | undefined;
  #restBaud: number;
  #negotiated = false;

  private constructor(session: SmpSession, hello: Hello) {
    this.session = session;
    this.hello = hello;
    this.#restBaud = hello.baud;
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
      const device = new Device(session, hello);
      session.window = hello.window;
      if (baud !== 0) await device.#negotiate(Math.min(baud, hello.maxBaud), signal);
      return device;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  get name(): string {
    return this.session.transport.name;
  }

  async read(command: number, body: CborMap = {}, options?: RequestOptions): Promise<CborMap> {
    return check(await this.session.read(GROUP_TRITKIT, command, body, options));
  }

  async write(command: number, body: CborMap = {}, options?: RequestOptions): Promise<CborMap> {
    return check(await this.session.write(GROUP_TRITKIT, command, body, options));
  }

  /** Asks who it is again: the state of slots and model may have changed. */
  async refresh(signal?: AbortSignal): Promise<Hello> {
    this.hello = parseHello(await this.read(TK_HELLO, {}, { signal }));
    this.session.window = this.hello.window;
    return this.hello;
  }

  /** Resets the board; the line returns to the mode after reset. */
  async reset(): Promise<void> {
    check(await this.session.write(GROUP_OS, OS_RESET));
    this.#negotiated = false;
    clearInterval(this.#keepAlive);
    await this.session.transport.setBaud(this.#restBaud);
    this.session.setFraming(consoleFraming);
    this.session.window = 1;
  }

  /** Leaves the device in the mode after reset, so that any other program finds it. */
  async close(): Promise<void> {
    clearInterval(this.#keepAlive);
    if (this.#negotiated) {
      const back = { f: FRAMING_CONSOLE, b: this.#restBaud };
      await this.write(TK_LINK, back, { deadlineMs: 300, attempts: 2 }).catch(() => {});
    }
    await this.session.close();
  }

  async #negotiate(baud: number, signal?: AbortSignal): Promise<void> {
    if (this.session.framing !== cobsFraming || this.hello.baud !== baud) {
      const before: Framing = this.session.framing;
      await this.write(TK_LINK, { f: FRAMING_COBS, b: baud }, { signal });
      await this.session.transport.setBaud(baud);
      this.session.setFraming(cobsFraming);
      const rest = this.hello.restBaud;
      try {
        await this.#hello(signal);
      } catch (error) {
        if (!isTimeout(error)) throw error;
        // The line does not carry this speed: the device goes back after 1 s, and so do we. After 10 s, if it heard us.
        await this.session.transport.setBaud(rest);
        this.session.setFraming(before);
        await new Promise((resolve) => setTimeout(resolve, LINK_REVERT_US / 1000 + 200));
        await this.#hello(signal, Math.ceil(LINK_IDLE_US / 1000 / HELLO_MS) + 4);
        return;
      }
    }
    this.#restBaud = this.hello.restBaud;
    this.#negotiated = true;
    // Without a frame for 10 s the device would end the negotiated link (WIRE.md).
    this.#keepAlive = setInterval(() => {
      this.session.write(GROUP_OS, OS_ECHO, { d: "" }).catch(() => {});
    }, LINK_KEEP_ALIVE_US / 1000);
    this.#keepAlive.unref();
  }

  async #hello(signal?: AbortSignal, attempts = 3): Promise<void> {
    const reply = await this.read(TK_HELLO, {}, { deadlineMs: HELLO_MS, attempts, signal });
    this.hello = parseHello(reply);
    this.session.window = this.hello.window;
  }
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
