/** The WASI build as a board on the end of two pipes: examples/wasi/board.mjs in a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { ROOT } from "../../scripts/lib/root.mjs";
import { type Transport, wallSeconds } from "../transports/transport.ts";

export const BOARD_SCRIPT = join(ROOT, "examples/wasi/board.mjs");

export interface WasiBoard {
  /** One device can be connected over it. */
  transport: Transport;
  /** Power off, at once. */
  kill(): Promise<void>;
  /** Ends its input and waits until it has answered everything. Gives its exit status. */
  end(): Promise<number | null>;
}

export function startProcess(...options: string[]): ChildProcess {
  return startCommand([process.execPath, "--no-warnings", BOARD_SCRIPT, ...options]);
}

/** @param python a Python with the package wasmtime: runs the same board in another WASI runtime */
export function wasmtimeCommand(python: string): string[] {
  return [python, join(ROOT, "examples/wasi/board_wasmtime.py")];
}

function startCommand([program, ...argv]: string[]): ChildProcess {
  return spawn(program, argv, { cwd: ROOT, stdio: ["pipe", "pipe", "inherit"] });
}

/**
 * @param flashFile keeps the flash
 * @param command what takes --flash FILE and serves the board; default: node
 */
export function startWasiBoard(flashFile: string, command?: string[]): WasiBoard {
  const options = ["--flash", flashFile];
  const child = command === undefined ? startProcess(...options) : startCommand([...command, ...options]);
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error("no pipes");
  const gone = once(child, "exit");
  let closed = false;
  stdin.on("error", () => {}); // written to a board that was killed
  const transport: Transport = {
    name: "wasi",
    simulated: false,
    seconds: wallSeconds,
    write: (bytes) => new Promise((resolve, reject) => stdin.write(bytes, (e) => (e ? reject(e) : resolve()))),
    onData: (listener) => void stdout.on("data", listener),
    onClose: (listener) => void child.on("exit", () => listener(closed ? undefined : new Error("the board is gone"))),
    setBaud: async () => {}, // a pipe has no speed
    close: async () => {
      closed = true;
    },
  };
  return {
    transport,
    async kill() {
      closed = true;
      child.kill("SIGKILL");
      await gone;
    },
    async end() {
      closed = true;
      stdin.end();
      const [status] = await gone;
      return status;
    },
  };
}
