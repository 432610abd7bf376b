#!/usr/bin/env node
/**
 * A tritkit board without any hardware or simulator: the device's WASI build under node:wasi.
 *
 *     node examples/wasi/board.mjs [--flash FILE] [--wasm FILE]                the board's UART is stdin and stdout
 *     node examples/wasi/board.mjs --tcp PORT [--flash FILE] [--wasm FILE]     the UART is a TCP port of 127.0.0.1 (0: any free one)
 *
 * --flash keeps the 2 MiB of flash in FILE, which is made when it is missing; without it a model is forgotten at the end.
 * The board ends when stdin ends or when it is reset; over TCP it is then started again, as a chip would be. One client at a time.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WASI } from "node:wasi";

const { values } = parseArgs({
  options: { flash: { type: "string" }, tcp: { type: "string" }, wasm: { type: "string" } },
});
const wasm = values.wasm ?? fileURLToPath(new URL("../../dist/wasm/wasi.wasm", import.meta.url));

if (values.tcp === undefined) await runBoard();
else serveTcp(Number(values.tcp));

/** The board in this process: it blocks until the board ends. */
async function runBoard() {
  // A WASI program sees no files but those of its preopened folders; the board wants one.
  const file = values.flash === undefined ? undefined : resolve(values.flash);
  const wasi = new WASI({
    version: "preview1",
    args: file === undefined ? ["tritkit"] : ["tritkit", basename(file)],
    preopens: file === undefined ? {} : { "/": dirname(file) },
  });
  const { instance } = await WebAssembly.instantiate(readFileSync(wasm), wasi.getImportObject());
  process.exitCode = wasi.start(instance);
}

/**
 * The board in a process of its own, because it blocks the event loop that the socket needs.
 * @param {number} port
 */
function serveTcp(port) {
  /** @type {import("node:net").Socket | null} */
  let client = null;
  let board = start();

  function start() {
    const args = ["--no-warnings", fileURLToPath(import.meta.url), "--wasm", wasm];
    if (values.flash !== undefined) args.push("--flash", values.flash);
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    child.stdout.on("data", (bytes) => client?.write(bytes));
    child.stdin.on("error", () => {}); // bytes that came while it was reset are lost
    child.on("exit", (status) => {
      if (status === 0) board = start();
      else process.exit(1);
    });
    return child;
  }

  const server = createServer((socket) => {
    if (client !== null) return void socket.destroy();
    client = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes) => board.stdin.write(bytes));
    socket.on("error", () => {});
    socket.on("close", () => {
      client = null;
    });
  });
  server.listen(port, "127.0.0.1", () => {
    const address = server.address();
    if (address !== null && typeof address === "object") console.log(`tcp://127.0.0.1:${address.port}`);
  });
}
