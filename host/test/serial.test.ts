/** A port over serialport's stream, whose other end is pulled. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SerialPortStream } from "@serialport/stream";
import { lineBinding, type SerialLine } from "../transports/line_binding.ts";
import { streamTransport } from "../transports/serial.ts";

async function openPort() {
  const line: SerialLine = { write: () => {}, onData: () => {}, setBaud: () => {}, close: () => {} };
  const port = new SerialPortStream({ binding: lineBinding(line), path: "line", baudRate: 115200, autoOpen: false });
  await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
  return { port, transport: streamTransport("line", port, false) };
}

describe("a port that is gone", () => {
  it("says so whatever is asked of it, and never keeps anybody waiting", { timeout: 5000 }, async () => {
    const { port, transport } = await openPort();
    const closed = new Promise<Error | undefined>((resolve) => transport.onClose(resolve));
    port.close(undefined, new Error("pulled"));
    assert.equal(((await closed) as { code?: string } | undefined)?.code, "E_LINK_LOST");
    await assert.rejects(transport.write(Uint8Array.of(1)), { code: "E_LINK_LOST" });
    await assert.rejects(transport.setBaud(9600), { code: "E_LINK_LOST" });
    await transport.close();
  });
});

describe("a port that takes nothing", () => {
  it("holds no listener more for each frame that waits", async () => {
    const { port, transport } = await openPort();
    const before = port.listenerCount("error");
    const writes = Array.from({ length: 30 }, () => transport.write(Uint8Array.of(1)));
    assert.ok(port.listenerCount("error") <= before + 1, `${port.listenerCount("error")} listeners`);
    await Promise.all(writes);
    await transport.close();
  });
});
