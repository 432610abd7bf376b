/**
 * What a user can do something about. The command prints `tritkit: message hint` on one line and leaves with `exitStatus`;
 * a program branches on `code`, which never changes once released. Everything else that is thrown is a defect of tritkit.
 */

export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_REFUSED = 3;
export const EXIT_LINK_LOST = 4;
export const EXIT_INTERRUPTED = 130;

export class TritkitError extends Error {
  /** Stable name, e.g. "E_IMAGE_DIGEST". */
  readonly code: string;
  /** What to do about it, one sentence; "" when there is nothing to do. */
  readonly hint: string;
  /** Exit status of the command: 1 failed, 2 wrong usage, 3 device refused, 4 link lost, 130 interrupted. */
  readonly exitStatus: number;

  /** @param message what went wrong, one line, one sentence with its full stop; what it quotes from outside may be anything */
  constructor(code: string, message: string, hint = "", exitStatus = EXIT_FAILED, options?: ErrorOptions) {
    super(oneLine(message), options);
    this.name = "TritkitError";
    this.code = code;
    this.hint = hint;
    this.exitStatus = exitStatus;
  }
}

/** Longest message; of a longer one the start and the end are kept. */
const MESSAGE_MAX = 400;
const TAIL = 100;

/** Names out of a file can hold line breaks, escape sequences for the terminal, or a megabyte. */
function oneLine(message: string): string {
  const plain = message.replace(/\p{Cc}/gu, "\ufffd");
  return plain.length <= MESSAGE_MAX ? plain : `${plain.slice(0, MESSAGE_MAX - TAIL)} ... ${plain.slice(-TAIL)}`;
}

/** E_INTERRUPTED: the caller gave up. */
export function interruption(signal: AbortSignal | undefined): TritkitError {
  return new TritkitError("E_INTERRUPTED", "Interrupted.", "", EXIT_INTERRUPTED, { cause: signal?.reason });
}

/** @throws TritkitError E_INTERRUPTED once the caller has given up */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw interruption(signal);
}
