/**
 * A client that nobody here wrote talks to the board: spec/vectors/wire_smpclient.json holds every byte that smpclient and a
 * simulated board exchanged (docs/interop.md). The board must still give the same answers, and our framing the same bytes.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { SimBoard } from "../../firmware-sim/index.ts";
import { GROUP_OS, MTU, OS_INFO, OS_PARAMS, WINDOW_MAX } from "../../spec/wire.ts";
import { loadBoard, loadDeviceWasm } from "../assets.ts";
import { version } from "../version.ts";
import { consoleFraming } from "../wire/console_framing.ts";
import { decodeMessage, type SmpMessage } from "../wire/smp.ts";

interface Exchange {
  what: string;
  read_as: string;
  to_device: string;
  from_device: string;
}
interface Recording {
  head: { board: string };
  exchanges: Exchange[];
}

const { head, exchanges }: Recording = JSON.parse(await readFile("spec/vectors/wire_smpclient.json", "utf8"));
const board = await loadBoard(head.board);
const wasm = await loadDeviceWasm(board);

/** Messages in bytes of the line, which must hold nothing else. */
function messagesIn(bytes: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  const decoder = consoleFraming.decoder({
    frame: (message) => void messages.push(message),
    text: (text) => assert.fail(`no part of a frame: ${Buffer.from(text)}`),
  });
  decoder.push(bytes);
  assert.equal(decoder.damaged, 0);
  return messages;
}

function answerIn(line: Uint8Array): SmpMessage {
  const messages = messagesIn(line);
  assert.equal(messages.length, 1);
  const message = decodeMessage(messages[0]);
  assert.ok(message);
  return message;
}

/** info and params may say something else in another version; all else is compared byte by byte. */
function sameAnswer(answer: Buffer, { what, from_device }: Exchange): void {
  const { body: recorded, ...header } = answerIn(Buffer.from(from_device, "latin1"));
  if (header.group === GROUP_OS && (header.command === OS_INFO || header.command === OS_PARAMS)) {
    const { body, ...now } = answerIn(answer);
    assert.deepEqual({ ...now, keys: Object.keys(body) }, { ...header, keys: Object.keys(recorded) }, what);
    if (header.command === OS_INFO) assert.equal(body.output, `tritkit ${version()} ${head.board}`);
    else assert.ok(body.buf_size === MTU && Number(body.buf_count) >= 1 && Number(body.buf_count) <= WINDOW_MAX);
    return;
  }
  assert.equal(answer.toString("latin1"), from_device, what);
}

/** The recorded session on a blank board, the client's bytes in pieces of `piece`. */
async function replay(piece: number): Promise<void> {
  const sim = SimBoard.create({ board, wasm });
  const received: Uint8Array[] = [];
  sim.uart.onHostData((bytes) => void received.push(bytes));
  sim.powerOn();
  for (const exchange of exchanges) {
    const sent = Buffer.from(exchange.to_device, "latin1");
    for (let at = 0; at < sent.length; at += piece) {
      sim.uart.hostWrite(sent.subarray(at, at + piece));
      assert.equal(sim.run({ untilIdle: true }), "idle");
    }
    sameAnswer(Buffer.concat(received.splice(0)), exchange);
  }
  const { overruns, framingErrors, deaf } = sim.uart.counters;
  assert.deepEqual({ overruns, framingErrors, deaf }, { overruns: 0, framingErrors: 0, deaf: 0 });
  const model = await readFile("spec/vectors/llama.trit");
  assert.ok(Buffer.from(sim.flash.image()).includes(model), "what the client uploaded lies in flash");
}

describe("a session recorded with smpclient", () => {
  test("uploads, tests, confirms, resumes after a reset and erases", () => {
    const read = exchanges.map(({ what, read_as }) => `${what} -> ${read_as}`).join("\n");
    assert.match(read, /ImageUploadWrite off=0 image=1 len=28856 .* -> ImageUploadWriteResponse off=87\n/);
    assert.match(read, /ImageUploadWrite off=\d+ -> ImageUploadWriteResponse off=28856 match=True\n/);
    assert.match(read, /ImageUploadWrite off=0 len=45272 .* -> ImageUploadWriteResponse off=8192\n/);
    assert.match(read, /ImageStatesWrite confirm=True -> ImageStatesWriteResponse .*'permanent': True/);
    assert.match(read, /ImageErase slot=1 -> ImageEraseResponse\n/);
  });

  test("gets the same answers from the board today", () => replay(Number.POSITIVE_INFINITY));

  test("gets them when each byte comes alone", () => replay(1));

  test("is framed as our framing frames its messages, in both directions", () => {
    for (const { what, to_device, from_device } of exchanges)
      for (const line of [to_device, from_device].map((text) => Buffer.from(text, "latin1")))
        assert.deepEqual(Buffer.concat(messagesIn(line).map(consoleFraming.encode)), line, what);
  });
});
