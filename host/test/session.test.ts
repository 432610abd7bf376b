/** Requests over a line: who may be under way at the same time, and what a caller who gives up leaves behind. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TritkitError } from "../errors.ts";
import type { Transport } from "../transports/transport.ts";
import { consoleFraming } from "../wire/console_framing.ts";
import { SmpSession } from "../wire/session.ts";
import { decodeMessage, encodeMessage, type SmpMessage } from "../wire/smp.ts";

/** A line whose other end answers when told to. */
function heldLine() {
  const asked: SmpMessage[] = [];
  let onData: (bytes: Uint8Array) => void = () => {};
  let onClose: (error?: Error) => void = () => {};
  const decoder = consoleFraming.decoder({
    frame: (bytes) => {
      const message = decodeMessage(bytes);
      if (message !== null) asked.push(message);
    },
    text: () => {},
  });
  const transport: Transport = {
    name: "held",
    simulated: false,
    seconds: () => 0,
    write: async (bytes) => decoder.push(bytes),
    onData: (listener) => {
      onData = listener;
    },
    onClose: (listener) => {
      onClose = listener;
    },
    setBaud: async () => {},
    close: async () => onClose(),
  };
  const answer = ({ op, group, seq, command }: SmpMessage) =>
    onData(consoleFraming.encode(encodeMessage({ op: op + 1, group, seq, command, body: { command } })));
  return { session: new SmpSession(transport), asked, answer };
}

const turns = () => new Promise((resolve) => setImmediate(resolve));
const interrupted = (error: unknown) => error instanceof TritkitError && error.code === "E_INTERRUPTED";

describe("the window", () => {
  for (const window of [1, 3]) {
    it(`of ${window} is kept by requests made in the same moment, in their order`, async () => {
      const { session, asked, answer } = heldLine();
      session.window = window;
      const replies = [0, 1, 2, 3, 4, 5, 6].map((command) => session.read(84, command));
      for (let answered = 0; answered < replies.length; answered++) {
        await turns();
        assert.equal(asked.length, Math.min(answered + window, replies.length));
        answer(asked[answered]);
      }
      const commands = (await Promise.all(replies)).map(({ command }) => command);
      assert.deepEqual(commands, [0, 1, 2, 3, 4, 5, 6]);
      assert.deepEqual(
        asked.map(({ command }) => command),
        commands,
      );
    });
  }

  it("gets its place back from a request that is given up while it waits for one", async () => {
    const { session, asked, answer } = heldLine();
    const gone = new AbortController();
    const first = session.read(84, 1);
    const second = session.read(84, 2, {}, { signal: gone.signal });
    const third = session.read(84, 3);
    await turns();
    gone.abort();
    // At once, not when the first one has its answer.
    await assert.rejects(second, interrupted);
    answer(asked[0]);
    await first;
    await turns();
    assert.deepEqual(
      asked.map(({ command }) => command),
      [1, 3],
    );
    answer(asked[1]);
    await third;
  });

  it("gets its place back when the request is given up in the very moment that it is its turn", async () => {
    const { session, asked, answer } = heldLine();
    const gone = new AbortController();
    const first = session.read(84, 1);
    const second = session.read(84, 2, {}, { signal: gone.signal });
    const third = session.read(84, 3);
    const rejected = assert.rejects(second, interrupted);
    await turns();
    answer(asked[0]);
    gone.abort();
    await Promise.all([first, rejected]);
    await turns();
    answer(asked[asked.length - 1]);
    await third;
  });

  it("and from one that is given up before its answer, which then belongs to nobody", async () => {
    const { session, asked, answer } = heldLine();
    const gone = new AbortController();
    const first = session.read(84, 1, {}, { signal: gone.signal });
    const second = session.read(84, 2);
    await turns();
    gone.abort();
    await assert.rejects(first, interrupted);
    await turns();
    answer(asked[0]);
    assert.equal(session.counters.received, 0);
    answer(asked[1]);
    assert.equal((await second).command, 2);
  });
});

describe("a line that ends", () => {
  it("ends the request under way and those that wait", async () => {
    const { session } = heldLine();
    const replies = [1, 2, 3].map((command) => session.read(84, command));
    const ended = Promise.allSettled(replies);
    await turns();
    await session.close();
    for (const each of await ended) {
      assert.ok(each.status === "rejected" && each.reason.code === "E_LINK_LOST");
    }
    await assert.rejects(session.read(84, 4), { code: "E_LINK_LOST" });
  });
});
