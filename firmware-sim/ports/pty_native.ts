/**
 * A pseudo-terminal from @lydell/node-pty's prebuilt native part. Its JavaScript `open()` reads from the slave, which would
 * steal the client's bytes, so the native openpty() is called directly.
 */
import type { Pty } from "./pty_master.ts";

interface NativePty {
  open(columns: number, rows: number): { master: number; slave: number; pty: string };
}

/** More than this unread: the client has stopped reading. */
const UNREAD_MAX = 1 << 20;

/** @throws Error when the package, or its binary for this platform, is missing */
export async function nativePty(): Promise<Pty> {
  if (process.platform === "win32") throw new Error("a ConPTY is no serial port");
  const { createRequire } = await import("node:module");
  const { spawnSync } = await import("node:child_process");
  const { closeSync } = await import("node:fs");
  const tty = await import("node:tty");
  const load = createRequire(import.meta.url)("@lydell/node-pty/requireBinary.js") as {
    requireBinary(file: string): NativePty;
  };
  const { master, slave, pty } = load.requireBinary("pty.node").open(80, 24);
  const raw = spawnSync("stty", ["raw", "-echo"], { stdio: [slave, "ignore", "ignore"] });
  if (raw.status !== 0) {
    closeSync(master);
    closeSync(slave);
    throw new Error("stty cannot make the terminal raw");
  }
  // A tty.ReadStream is a duplex socket over the descriptor, its type notwithstanding.
  const stream = new tty.ReadStream(master);
  stream.on("error", () => stream.destroy());
  return {
    path: pty,
    onData(listener) {
      stream.on("data", listener);
    },
    write(bytes) {
      if (!stream.destroyed && stream.writableLength < UNREAD_MAX) stream.write(bytes);
    },
    close: () =>
      new Promise((resolve) => {
        stream.once("close", () => {
          closeSync(slave);
          resolve();
        });
        stream.destroy();
      }),
  };
}
