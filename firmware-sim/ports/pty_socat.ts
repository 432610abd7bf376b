/** A pseudo-terminal made by a `socat` child, where node-pty has no binary. */
import type { Pty } from "./pty_master.ts";

/** socat announces it on its standard error: "N PTY is /dev/pts/3". */
const ANNOUNCEMENT = /PTY is (\S+)/;
const UNREAD_MAX = 1 << 20;

/** @throws Error when there is no socat, or it ends at once */
export async function socatPty(): Promise<Pty> {
  if (process.platform === "win32") throw new Error("no pseudo-terminals here");
  const { spawn } = await import("node:child_process");
  const { closeSync, constants, openSync } = await import("node:fs");
  const child = spawn("socat", ["-d", "-d", "PTY,raw,echo=0", "STDIO"], { stdio: ["pipe", "pipe", "pipe"] });
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
  });
  child.stdin.on("error", () => child.kill());
  const path = await new Promise<string>((resolve, reject) => {
    let said = "";
    child.stderr.on("data", (bytes: Buffer) => {
      said += bytes;
      const found = ANNOUNCEMENT.exec(said);
      if (found !== null) resolve(found[1]);
    });
    child.once("error", reject);
    child.once("exit", (status) => reject(new Error(`socat ended with status ${status}`)));
  });
  child.stderr.resume();
  // Held open: socat ends when the last client closes the slave.
  const slave = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
  return {
    path,
    onData(listener) {
      child.stdout.on("data", listener);
    },
    write(bytes) {
      if (child.stdin.writable && child.stdin.writableLength < UNREAD_MAX) child.stdin.write(bytes);
    },
    async close() {
      closeSync(slave);
      child.kill();
      await ended;
    },
  };
}
