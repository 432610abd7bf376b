// Where the command's words go: people read stderr, programs read stdout (text, or one JSON object a line with --json).
import type { WriteStream } from "node:tty";
import { TritkitError } from "../errors.ts";

export interface OutputStreams {
  stdout: NodeJS.WritableStream & Partial<WriteStream>;
  stderr: NodeJS.WritableStream & Partial<WriteStream>;
  env: NodeJS.ProcessEnv;
}

export type JsonEvent = { event: string } & Record<string, unknown>;

const STYLES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;
export type Style = keyof typeof STYLES;

export class Output {
  json = false;
  quiet = false;
  debug = false;
  readonly #streams: OutputStreams;
  #lineOpen = false;
  #textOpen = false;

  constructor(streams: OutputStreams) {
    this.#streams = streams;
  }

  /** A terminal reads stderr: lines may be redrawn. */
  get live(): boolean {
    return this.#streams.stderr.isTTY === true && !this.json && !this.quiet;
  }

  get columns(): number {
    return this.#streams.stderr.columns ?? 80;
  }

  style(style: Style, text: string): string {
    const { env, stderr } = this.#streams;
    if (env.NO_COLOR || stderr.isTTY !== true) return text;
    const [on, off] = STYLES[style];
    return `\x1b[${on}m${text}\x1b[${off}m`;
  }

  /** A line for people; not shown with --json or --quiet. */
  info(line = ""): void {
    if (this.json || this.quiet) return;
    this.endLine();
    this.#streams.stderr.write(`${line}\n`);
  }

  /** A line that the next one replaces on a terminal; elsewhere nothing. */
  status(line: string): void {
    if (!this.live) return;
    // A line that wraps could not be taken back.
    this.#streams.stderr.write(`\r\x1b[2K${line.slice(0, this.columns - 1)}`);
    this.#lineOpen = true;
  }

  /** Takes a status line away, if there is one. */
  clearStatus(): void {
    if (!this.#lineOpen) return;
    this.#lineOpen = false;
    this.#streams.stderr.write("\r\x1b[2K");
  }

  /** Leaves a status line standing. */
  endLine(): void {
    if (!this.#lineOpen) return;
    this.#lineOpen = false;
    this.#streams.stderr.write("\n");
  }

  /** The result itself, as text; not with --json. */
  text(text: string): void {
    if (this.json || text === "") return;
    this.#streams.stdout.write(text);
    this.#textOpen = !text.endsWith("\n");
  }

  /** One object a line; only with --json. */
  event(event: JsonEvent): void {
    if (this.json) this.#streams.stdout.write(`${JSON.stringify(event)}\n`);
  }

  /** Says what failed and returns the exit status. */
  failure(thrown: unknown): number {
    const error = asTritkitError(thrown);
    this.endLine();
    // An answer that broke off in the middle of a line on the same terminal.
    if (this.#textOpen && this.live) this.#streams.stderr.write("\n");
    this.#textOpen = false;
    this.event({ event: "error", code: error.code, message: error.message, hint: error.hint });
    const hint = error.hint === "" ? "" : ` ${error.hint}`;
    if (!this.json) this.#streams.stderr.write(`tritkit: ${error.message}${hint} [${error.code}]\n`);
    if (this.debug)
      this.#streams.stderr.write(`${error.stack}\n${error.cause ? `cause: ${inspect(error.cause)}\n` : ""}`);
    return error.exitStatus;
  }
}

function inspect(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

/** Whatever was thrown as one line. A defect of ours says so instead of pretending to be the user's mistake. */
function asTritkitError(thrown: unknown): TritkitError {
  if (thrown instanceof TritkitError) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return wrap("E_FILE_NOT_FOUND", `There is no file ${path}.`, "Check the path.", error);
  if (code === "EACCES") return wrap("E_FILE_PERMISSION", `You may not open ${path}.`, "Check its permissions.", error);
  if (code === "EISDIR")
    return wrap("E_FILE_IS_FOLDER", "A folder was given where a file is needed.", "Give a file.", error);
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG")
    return wrap("E_DISK_FULL", "There is no room to write to.", "Free some space.", error);
  const message = error.message.split("\n")[0].replace(/\.?$/, ".");
  return wrap("E_INTERNAL", message, "This is a defect of tritkit: --debug shows where.", error);
}

function wrap(code: string, message: string, hint: string, cause: Error): TritkitError {
  const error = new TritkitError(code, message, hint, 1, { cause });
  error.stack = cause.stack;
  return error;
}
