import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { connect, type Socket } from "node:net";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { LiveBoard } from "../live.ts";
import { type PtyProvider, servePty } from "../ports/pty.ts";
import { serveTcp } from "../ports/tcp.ts";
import { SimBoard } from "../sim_board.ts";
import { build, ECHO, numbers, PICO } from "./toy.ts";

const LIMIT = { timeout: 120_000 };

interface Port {
  close(): Promise<void>;
}

/** @param test hands what it opens to `closing`, which closes it however the test ends */
async function withBoard(
  test: (live: LiveBoard, closing: <T extends Port>(port: T) => T) => Promise<void>,
): Promise<void> {
  const live = new LiveBoard(SimBoard.create({ board: PICO, wasm: await build(ECHO, PICO) }));
  const ports: Port[] = [];
  try {
    await test(live, (port) => {
      ports.push(port);
      return port;
    });
  } finally {
    for (const port of ports) await port.close();
    live.close();
  }
}

/** What a client needs, of a socket or a serial port. */
interface Duplex {
  write(bytes: Uint8Array): unknown;
  on(event: "data", listener: (bytes: Uint8Array) => void): unknown;
}

/** Sends the bytes and collects as many. */
async function echo(client: Duplex, bytes: Uint8Array): Promise<Uint8Array> {
  const got: Uint8Array[] = [];
  let count = 0;
  client.on("data", (chunk) => {
    got.push(chunk);
    count += chunk.length;
  });
  client.write(bytes);
  for (let ms = 0; count < bytes.length && ms < 30_000; ms += 2) await sleep(2);
  return new Uint8Array(Buffer.concat(got));
}

describe("a board behind a TCP port", LIMIT, () => {
  const open = (port: number): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(socket));
      socket.on("error", reject);
    });
  const closed = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.once("close", resolve));

  it("echoes 100 kB, to one client after the other", () =>
    withBoard(async (live, closing) => {
      const tcp = closing(await serveTcp(live));
      for (let round = 0; round < 2; round++) {
        const socket = await open(tcp.port);
        assert.deepEqual(await echo(socket, numbers(100_000)), numbers(100_000));
        socket.destroy();
        await sleep(20);
      }
    }));

  it("refuses a second client and keeps the first", () =>
    withBoard(async (live, closing) => {
      const tcp = closing(await serveTcp(live));
      const first = await open(tcp.port);
      await closed(await open(tcp.port));
      assert.deepEqual(await echo(first, numbers(10)), numbers(10));
      const gone = closed(first);
      await tcp.close();
      await gone;
    }));

  it("refuses a client while the line is in use otherwise", () =>
    withBoard(async (live, closing) => {
      const tcp = closing(await serveTcp(live));
      const other = closing(await serveTcp(live));
      const first = await open(tcp.port);
      assert.deepEqual(await echo(first, numbers(3)), numbers(3));
      await closed(await open(other.port));
    }));

  it("says when the port is taken", () =>
    withBoard(async (live, closing) => {
      const tcp = closing(await serveTcp(live));
      await assert.rejects(serveTcp(live, tcp.port), { code: "E_SIM_PORT" });
    }));
});

const HAS_SOCAT = spawnSync("socat", ["-V"]).status === 0;

for (const provider of ["node-pty", "socat"] as PtyProvider[]) {
  const skip = process.platform === "win32" || (provider === "socat" && !HAS_SOCAT);
  describe(`a board behind a pseudo-terminal of ${provider}`, { ...LIMIT, skip }, () => {
    it("echoes 100 kB to serialport, opened twice", () =>
      withBoard(async (live, closing) => {
        const { SerialPort } = await import("serialport");
        const pty = closing(await servePty(live, [provider]));
        assert.equal(pty.provider, provider);
        for (let round = 0; round < 2; round++) {
          const port = new SerialPort({ path: pty.path, baudRate: 115200, autoOpen: false });
          await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
          assert.deepEqual(await echo(port, numbers(100_000)), numbers(100_000));
          await new Promise<void>((resolve) => port.close(() => resolve()));
        }
      }));

    it("is raw for a client that changes no setting", () =>
      withBoard(async (live, closing) => {
        const pty = closing(await servePty(live, [provider]));
        // Every byte value: nothing is echoed, translated or taken for a signal.
        const script = `exec 3<>"$1"; printf '%b' "$2" >&3; dd bs=1 count=256 <&3 2>/dev/null | od -An -v -tu1`;
        const all = Array.from({ length: 256 }, (_, i) => `\\0${i.toString(8).padStart(3, "0")}`).join("");
        const { spawn } = await import("node:child_process");
        const child = spawn("bash", ["-c", script, "-", pty.path, all], { stdio: ["ignore", "pipe", "inherit"] });
        let printed = "";
        child.stdout.on("data", (bytes) => {
          printed += bytes;
        });
        await new Promise((resolve) => child.once("close", resolve));
        assert.deepEqual(
          printed.trim().split(/\s+/).map(Number),
          Array.from({ length: 256 }, (_, i) => i),
        );
      }));
  });
}

describe("a machine without pseudo-terminals", () => {
  it("is told so, with a code", () =>
    withBoard(async (live) => {
      await assert.rejects(servePty(live, []), { code: "E_SIM_PORT_MISSING" });
    }));
});
