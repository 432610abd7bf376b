// Bytes to and from a boot ROM, each wait with a deadline. A ROM has no frames: an answer is so many bytes, or silence.
import { EXIT_LINK_LOST, interruption, TritkitError, throwIfAborted } from "../../errors.ts";
import type { Transport } from "../../transports/transport.ts";

/** What came is not what the protocol says: the conversation can be taken up again. The line itself is all right. */
export class RomFault extends Error {
  /** nack: the ROM refused. silence: less than expected came in time. garbage: something else came. */
  readonly kind: "nack" | "silence" | "garbage";

  constructor(kind: RomFault["kind"], message: string) {
    super(message);
    this.name = "RomFault";
    this.kind = kind;
  }
}

/** The operating system takes a few hundred bytes at once, unless nobody is there any more. */
const WRITE_MS = 5000;

export class RomLine {
  readonly transport: Transport;
  readonly #signal: AbortSignal | undefined;
  #received: number[] = [];
  #lost: Error | null = null;
  /** Looks again: bytes came, or the line is gone. */
  #wake: () => void = () => {};

  /** Takes the transport's bytes until somebody else listens to it. */
  constructor(transport: Transport, signal?: AbortSignal) {
    this.transport = transport;
    this.#signal = signal;
    transport.onData((bytes) => {
      for (const byte of bytes) this.#received.push(byte);
      this.#wake();
    });
    transport.onClose((error) => {
      this.#lost = error ?? new TritkitError("E_LINK_LOST", `${transport.name} is closed.`, "", EXIT_LINK_LOST);
      this.#wake();
    });
  }

  /** @throws TritkitError E_LINK_LOST, E_INTERRUPTED */
  async write(bytes: ArrayLike<number>): Promise<void> {
    this.check();
    let taken = false;
    let failure: unknown = null;
    this.transport.write(Uint8Array.from(bytes)).then(
      () => {
        taken = true;
        this.#wake();
      },
      (error: unknown) => {
        failure = error;
        this.#wake();
      },
    );
    await this.#until(() => taken || failure !== null, WRITE_MS);
    if (failure !== null) throw failure;
    if (taken) return;
    const message = `${this.transport.name} takes no more bytes.`;
    throw new TritkitError("E_LINK_LOST", message, "Check the cable and the board.", EXIT_LINK_LOST);
  }

  /** @throws RomFault silence; TritkitError E_LINK_LOST, E_INTERRUPTED */
  async read(n: number, ms: number): Promise<number[]> {
    await this.#until(() => this.#received.length >= n, ms);
    if (this.#received.length < n)
      throw new RomFault("silence", `${this.#received.length} of ${n} bytes came within ${ms / 1000} s`);
    return this.#received.splice(0, n);
  }

  /** Everything up to a silence of `ms`, at most a second's worth. @throws TritkitError E_LINK_LOST, E_INTERRUPTED */
  async drain(ms: number): Promise<number[]> {
    for (let waited = 0; waited < 1000; waited += ms) {
      const before = this.#received.length;
      await this.#until(() => false, ms);
      if (this.#received.length === before) break;
    }
    return this.#received.splice(0);
  }

  /** Forgets what came so far. */
  discard(): void {
    this.#received = [];
  }

  /** @throws TritkitError E_LINK_LOST, E_INTERRUPTED */
  async pause(ms: number): Promise<void> {
    await this.#until(() => false, ms);
  }

  /** @throws TritkitError E_LINK_LOST, E_INTERRUPTED */
  check(): void {
    throwIfAborted(this.#signal);
    if (this.#lost !== null) throw this.#lost;
  }

  /** Waits for `done`, at most `ms`. @throws TritkitError E_LINK_LOST, E_INTERRUPTED */
  async #until(done: () => boolean, ms: number): Promise<void> {
    this.check();
    if (done()) return;
    const signal = this.#signal;
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        this.#wake = () => {};
      };
      const onAbort = (): void => {
        leave();
        reject(interruption(signal));
      };
      const timer = setTimeout(() => {
        leave();
        resolve();
      }, ms);
      this.#wake = () => {
        if (this.#lost === null && !done()) return;
        leave();
        if (this.#lost === null) resolve();
        else reject(this.#lost);
      };
      signal?.addEventListener("abort", onAbort);
    });
  }
}
