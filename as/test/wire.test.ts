import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import {
  COBS_LINE_BYTES,
  CONSOLE_LINE_BYTES,
  FRAME_BUFFER_BYTES,
  FRAMING_COBS,
  FRAMING_CONSOLE,
  MTU,
} from "../../spec/wire.ts";
import { seeded } from "./as_module.ts";
import { FakeBoard, halModule } from "./fake_board.ts";
import { cobs, cobsFrame, cobsMessages, consoleFrame, consoleMessages, crc16 } from "./wire_reference.ts";

const RX = 0x6000;
const TX = RX + FRAME_BUFFER_BYTES;
const RECEIVED_FRAME = 2;
const GEOMETRY = { runs: [[4, 4096]] as [number, number][], unit: 1, page: 256, writeOnce: false };

const module = await halModule({
  "wire/port.ts": ["port_framing", "port_receive", "port_send", "port_pump", "port_sending"],
  "wire/frame.ts": ["frame_buffers", "rx_message", "rx_length", "tx_message", "lost_long", "lost_damaged"],
  "wire/crc16.ts": ["crc16"],
});

class Port {
  readonly board = new FakeBoard(GEOMETRY);
  readonly call = this.board.start(module);

  constructor(framing: number) {
    this.call.frame_buffers(RX, TX);
    this.call.port_framing(framing);
  }

  /** Everything received after these bytes arrived. */
  feed(bytes: Uint8Array): Buffer[] {
    for (const byte of bytes) this.board.toDevice.push(byte);
    const messages: Buffer[] = [];
    for (let got = this.call.port_receive(); got !== 0; got = this.call.port_receive()) {
      if (got !== RECEIVED_FRAME) continue;
      const at = this.call.rx_message();
      messages.push(Buffer.from(this.board.bytes.slice(at, at + this.call.rx_length())));
    }
    return messages;
  }

  send(message: Uint8Array): Buffer {
    this.board.bytes.set(message, this.call.tx_message());
    this.call.port_send(message.length);
    while (this.call.port_sending()) if (!this.call.port_pump()) this.board.makeRoom();
    return Buffer.from(this.board.fromDevice.splice(0));
  }
}

const random = seeded(7);

/** A message whose header tells its length, with more zeros than chance has. */
function message(length: number): Buffer {
  const bytes = Buffer.from(Array.from({ length }, () => (random() % 3 === 0 ? 0 : random() & 0xff)));
  bytes.writeUInt16BE(length - 8, 2);
  return bytes;
}

const LENGTHS = [8, 9, 10, 80, 87, 88, 89, 90, 91, 92, 93, 94, 180, 253, 254, 255, 260, 508, 512, 1151, 1152];
const FRAMINGS = [
  { name: "console", code: FRAMING_CONSOLE, frame: consoleFrame, messages: consoleMessages, worst: CONSOLE_LINE_BYTES },
  { name: "COBS", code: FRAMING_COBS, frame: cobsFrame, messages: cobsMessages, worst: COBS_LINE_BYTES },
];

test("the CRC is CRC16-XMODEM", () => {
  const { board, call } = new Port(FRAMING_CONSOLE);
  board.bytes.set(Buffer.from("123456789"), 0x8000);
  assert.equal(call.crc16(0x8000, 9), 0x31c3);
  for (const length of LENGTHS) {
    const bytes = message(length);
    board.bytes.set(bytes, 0x8000);
    assert.equal(call.crc16(0x8000, length), crc16(bytes));
  }
});

test("COBS as in the paper: runs of 254, zeros at the ends", () => {
  const run = (from: number, to: number) => Buffer.from(Array.from({ length: to - from + 1 }, (_, i) => from + i));
  assert.deepEqual(cobs(Buffer.of(0)), Buffer.of(1, 1));
  assert.deepEqual(cobs(Buffer.of(0x11, 0x22, 0, 0x33)), Buffer.of(3, 0x11, 0x22, 2, 0x33));
  assert.deepEqual(cobs(run(1, 254)), Buffer.concat([Buffer.of(255), run(1, 254)]));
  assert.deepEqual(cobs(run(0, 254)), Buffer.concat([Buffer.of(1, 255), run(1, 254)]));
  assert.deepEqual(cobs(run(1, 255)), Buffer.concat([Buffer.of(255), run(1, 254), Buffer.of(2, 255)]));
});

for (const { name, code, frame, messages, worst } of FRAMINGS) {
  test(`${name}: what is sent decodes to the message, whatever the transmitter takes at a time`, () => {
    for (const room of [1, 7, 100, 2000]) {
      const port = new Port(code);
      port.board.txRoom = room;
      for (const length of LENGTHS) {
        const bytes = message(length);
        const sent = port.send(bytes);
        assert.deepEqual(messages(sent), [bytes], `${length} bytes`);
        assert.ok(sent.length <= worst);
        assert.deepEqual(sent, frame(bytes), "byte for byte");
      }
      const full = Buffer.alloc(MTU, 0xff);
      full.writeUInt16BE(MTU - 8, 2);
      assert.deepEqual(messages(port.send(full)), [full]);
    }
  });

  test(`${name}: a frame cut at any byte into two deliveries arrives`, () => {
    const port = new Port(code);
    for (const length of [8, 60, 93, 300]) {
      const bytes = message(length);
      const line = frame(bytes);
      for (let cut = 0; cut <= line.length; cut++) {
        const got = [...port.feed(line.subarray(0, cut)), ...port.feed(line.subarray(cut))];
        assert.deepEqual(got, [bytes], `cut at ${cut} of ${line.length}`);
      }
    }
    assert.equal(port.call.lost_damaged(), 0);
  });

  test(`${name}: any damaged byte loses one frame at most, and never passes for one`, () => {
    const [first, second, third] = [message(100), message(220), message(40)];
    const line = frame(second);
    for (let at = 0; at < line.length; at++) {
      for (const flip of [0x01, 0x80, line[at], line[at] ^ 0x0a, line[at] ^ 0x06]) {
        if (flip === 0) continue;
        const port = new Port(code);
        const damaged = Buffer.from(line);
        damaged[at] ^= flip;
        const got = port.feed(Buffer.concat([frame(first), damaged, frame(third)]));
        const wanted = [first, second, third];
        for (const each of got) assert.ok(wanted.some((bytes) => bytes.equals(each)));
        assert.deepEqual(got[0], first);
        assert.deepEqual(got[got.length - 1], third, `byte ${at} flipped by ${flip}: the next frame is good`);
      }
    }
  });

  test(`${name}: a missing or doubled byte loses one frame at most`, () => {
    const [second, third] = [message(220), message(40)];
    const line = frame(second);
    for (let at = 0; at < line.length; at++) {
      for (const copies of [0, 2]) {
        const port = new Port(code);
        const byte = line.subarray(at, at + 1);
        const odd = Buffer.concat([line.subarray(0, at), ...Array(copies).fill(byte), line.subarray(at + 1)]);
        const got = port.feed(Buffer.concat([odd, frame(third)]));
        assert.deepEqual(got[got.length - 1], third);
        for (const each of got.slice(0, -1)) assert.deepEqual(each, second);
      }
    }
  });

  test(`${name}: a frame longer than a message may be is dropped and counted`, () => {
    const port = new Port(code);
    const long = message(MTU + 1);
    const next = message(20);
    assert.deepEqual(port.feed(Buffer.concat([frame(long), frame(next)])), [next]);
    assert.equal(port.call.lost_long(), 1);
    assert.deepEqual(port.feed(frame(message(MTU))).length, 1);
  });

  test(`${name}: a message whose header tells another length is damaged`, () => {
    const port = new Port(code);
    const odd = message(50);
    odd.writeUInt16BE(41, 2);
    assert.deepEqual(port.feed(frame(odd)), []);
    assert.deepEqual(port.feed(frame(message(8).subarray(0, 7))), []);
    assert.equal(port.call.lost_damaged(), 2);
  });

  test(`${name}: 100,000 random streams neither trap nor keep the next frame from arriving`, () => {
    const port = new Port(code);
    const noise = seeded(11 + code);
    // Bytes that mean something are drawn more often.
    const special = [0x06, 0x09, 0x04, 0x14, 0x0a, 0x00, 0xff, 0x01, 0x3d, 0x41, 0x42, 0x43];
    const good = message(30);
    const line = Buffer.concat([Buffer.of(0x0a, 0), frame(good)]);
    for (let run = 0; run < 100000; run++) {
      const stream = Buffer.alloc(1 + (noise() % 40));
      for (let i = 0; i < stream.length; i++) stream[i] = noise() & 1 ? special[noise() % special.length] : noise();
      const got = port.feed(stream);
      assert.deepEqual(got, []);
      if (run % 50 !== 0) continue;
      const after = port.feed(line);
      assert.deepEqual(after, [good]);
    }
  });
}

test("console: log text between lines is skipped, a lone continuation too", () => {
  const port = new Port(FRAMING_CONSOLE);
  const bytes = message(200);
  const [first, second, third] = consoleFrame(bytes).toString("latin1").split("\n");
  const text = `boot ok\n\x04\x14AAAA\n${first}\nlog: 3 \x06 x\n${second}\n\n${third}\n`;
  assert.deepEqual(port.feed(Buffer.from(text, "latin1")), [bytes]);
  const again = `${first}\n${first}\n${second}\n${third}\n`;
  assert.deepEqual(port.feed(Buffer.from(again, "latin1")), [bytes], "a new first line starts afresh");
});

test("COBS: zeros between frames are nothing", () => {
  const port = new Port(FRAMING_COBS);
  const bytes = message(70);
  assert.deepEqual(port.feed(Buffer.concat([Buffer.alloc(5), cobsFrame(bytes), Buffer.alloc(3)])), [bytes]);
  assert.equal(port.call.lost_damaged(), 0);
});

test("packed words spell what the comment beside them says", () => {
  let words = 0;
  for (const file of ["wire/keys.ts", "app/version.ts", "app/enum_group.ts"]) {
    const source = readFileSync(join(ROOT, "as", file), "utf8");
    for (const [, name, digits, word] of source.matchAll(/const (\w+): u64 = 0x(\w+); \/\/ (.+)$/gm)) {
      const bytes = Buffer.from(digits, "hex").reverse();
      assert.equal(bytes.toString("latin1").replace(/\0+$/, ""), word, name);
      words++;
    }
  }
  assert.ok(words > 80, `${words} words`);
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const version = readFileSync(join(ROOT, "as/app/version.ts"), "utf8");
  assert.match(version, new RegExp(`WORD_VERSION: u64 = 0x\\w+; // ${manifest.version.replaceAll(".", "\\.")}\n`));
  assert.match(version, new RegExp(`VERSION_BYTES: u32 = ${manifest.version.length};`));
});
