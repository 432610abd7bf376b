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

describe("parity and modem lines", () => {
  /** A port that notes how it was opened and which lines were driven. */
  async function noted(drive: () => void = () => {}) {
    const opened: unknown[] = [];
    const driven: { dtr?: boolean; rts?: boolean }[] = [];
    let host: (bytes: Uint8Array) => void = () => {};
    let refuse = false;
    const line: SerialLine = { write: () => {}, onData: (to) => (host = to), setBaud: () => {}, close: () => {} };
    const base = lineBinding(line);
    const binding: typeof base = {
      ...base,
      async open(options) {
        if (refuse) throw new Error("Error: No such file or directory, cannot open line");
        opened.push([options.baudRate, options.parity]);
        const port = await base.open(options);
        port.set = async ({ dtr, rts }: { dtr?: boolean; rts?: boolean } = {}) => {
          driven.push({ dtr, rts });
          drive();
        };
        return port;
      },
    };
    const port = new SerialPortStream({ binding, path: "line", baudRate: 115200, autoOpen: false });
    await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
    const transport = streamTransport("line", port, false);
    return { transport, opened, driven, say: (bytes: Uint8Array) => host(bytes), pull: () => (refuse = true) };
  }

  it("opens the port again for another parity, at the speed it had, and nobody hears of a closed port", async () => {
    const { transport, opened, say } = await noted();
    const closes: unknown[] = [];
    const heard: number[] = [];
    transport.onClose((error) => closes.push(error));
    transport.onData((bytes) => heard.push(...bytes));
    await transport.setBaud(57600);
    await transport.setParity?.("even");
    await transport.setParity?.("even");
    say(Uint8Array.of(1, 2, 3));
    await transport.write(Uint8Array.of(4));
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(
      [opened, closes, heard],
      [
        [
          [115200, undefined],
          [57600, "even"],
        ],
        [],
        [1, 2, 3],
      ],
    );
    await transport.close();
    assert.deepEqual(closes, [undefined]);
  });

  it("drives the lines that are named and keeps the others, across another parity as well", async () => {
    const { transport, driven } = await noted();
    await transport.setSignals?.({ rts: false });
    await transport.setSignals?.({ dtr: false });
    await transport.setParity?.("even");
    const low = { dtr: false, rts: false };
    assert.deepEqual(driven, [{ dtr: true, rts: false }, low, low]);
    await transport.close();
  });

  it("does nothing where there are no modem lines, as on a pseudo-terminal", async () => {
    const { transport } = await noted(() => {
      throw new Error("Error: Inappropriate ioctl for device, cannot get");
    });
    await transport.setSignals?.({ rts: false });
    await transport.close();
  });

  it("says that the line is gone when the port cannot be opened again", async () => {
    const { transport, pull } = await noted();
    const closed = new Promise<Error | undefined>((resolve) => transport.onClose(resolve));
    pull();
    await assert.rejects(async () => transport.setParity?.("even"), { code: "E_PORT_NOT_FOUND" });
    assert.equal(((await closed) as { code?: string } | undefined)?.code, "E_PORT_NOT_FOUND");
    await assert.rejects(transport.write(Uint8Array.of(1)), { code: "E_LINK_LOST" });
  });
});
