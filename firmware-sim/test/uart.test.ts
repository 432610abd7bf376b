import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HAL_EINVAL } from "../../spec/hal.ts";
import { byteTime, Clock } from "../clock.ts";
import { Uart } from "../peripherals/uart.ts";
import { BOARDS, numbers } from "./toy.ts";

const CONFIG = { default_baud: 115200, max_baud: 1_000_000, rx_buffer: 16, tx_buffer: 8 };
const BYTE = byteTime(115200);

interface Bench {
  uart: Uart;
  clock: Clock;
  heard: { bytes: number[]; at: number }[];
}

function bench(config = CONFIG): Bench {
  const clock = new Clock();
  const uart = new Uart(config, clock);
  uart.reset();
  const heard: Bench["heard"] = [];
  uart.onHostData((bytes, at) => heard.push({ bytes: [...bytes], at }));
  return { uart, clock, heard };
}

describe("receiver", () => {
  it("takes 10 bits of time for a byte", () => {
    assert.equal(BYTE, 86_806); // 10 / 115200 s
    const { uart, clock } = bench();
    uart.hostWrite(Uint8Array.of(1, 2, 3));
    clock.advance(BYTE - 1);
    assert.deepEqual(uart.read(9), []);
    clock.advance(1);
    assert.deepEqual(uart.read(9), [1]);
    assert.equal(uart.rxAt(), 2 * BYTE);
    clock.advance(5 * BYTE);
    assert.deepEqual(uart.read(1), [2]);
    assert.deepEqual(uart.read(9), [3]);
    assert.equal(uart.rxAt(), Number.POSITIVE_INFINITY);
  });

  it("puts bytes that the host writes later behind those on the line", () => {
    const { uart, clock } = bench();
    uart.hostWrite(Uint8Array.of(1, 2));
    clock.advance(BYTE);
    uart.hostWrite(Uint8Array.of(3));
    clock.advance(2 * BYTE - 1);
    assert.deepEqual(uart.read(9), [1, 2]);
    clock.advance(1);
    assert.deepEqual(uart.read(9), [3]);
  });

  it("loses and counts what does not fit its buffer", () => {
    const { uart, clock } = bench();
    uart.hostWrite(numbers(20));
    clock.advance(20 * BYTE);
    assert.deepEqual(uart.read(99), [...numbers(16)]);
    assert.deepEqual(uart.counters, { received: 20, sent: 0, overruns: 4, framingErrors: 0, parityErrors: 0, deaf: 0 });
    uart.hostWrite(Uint8Array.of(9));
    clock.advance(BYTE);
    assert.deepEqual(uart.read(99), [9]);
  });

  it("loses no byte of a full stream when the module reads in time", () => {
    const { uart, clock } = bench();
    uart.hostWrite(numbers(1000));
    const got: number[] = [];
    for (let i = 0; i < 100; i++) {
      clock.advance(10 * BYTE);
      got.push(...uart.read(16));
    }
    assert.deepEqual(got, [...numbers(1000)]);
    assert.equal(uart.counters.overruns, 0);
  });

  it("hears nothing while it is told to be deaf", () => {
    const { uart, clock } = bench();
    uart.hostWrite(numbers(10));
    clock.advance(3 * BYTE);
    uart.setListening(false);
    clock.advance(4 * BYTE);
    uart.setListening(true);
    clock.advance(3 * BYTE);
    assert.deepEqual(
      uart.read(99),
      [...numbers(10)].filter((_, i) => i < 3 || i >= 7),
    );
    assert.equal(uart.counters.deaf, 4);
  });

  it("wakes a sleeping CPU at 16 bytes, or when the line falls silent", () => {
    const { uart, clock } = bench();
    uart.hostWrite(numbers(20));
    assert.equal(uart.rxInterruptAt(), 16 * BYTE);
    clock.advance(16 * BYTE);
    uart.sync();
    assert.equal(uart.rxInterruptAt(), 20 * BYTE);
  });
});

describe("transmitter", () => {
  it("takes what fits and has room again when a byte has left", () => {
    const { uart, clock, heard } = bench();
    assert.equal(uart.write(numbers(20)), 8);
    assert.equal(uart.write(numbers(20)), 0);
    assert.equal(uart.txRoomAt(), BYTE);
    clock.advance(BYTE);
    assert.equal(uart.room, 1);
    assert.equal(uart.write(numbers(20)), 1);
    clock.advance(8 * BYTE);
    uart.deliver(clock.now);
    assert.deepEqual(heard, [{ bytes: [...numbers(8), 0], at: 9 * BYTE }]);
    assert.equal(uart.room, 8);
  });

  it("reaches the host no earlier than its stop bit", () => {
    const { uart, clock, heard } = bench();
    uart.write(Uint8Array.of(7));
    clock.advance(BYTE - 1);
    assert.equal(uart.deliver(clock.now), false);
    clock.advance(1);
    assert.equal(uart.deliver(clock.now), true);
    assert.deepEqual(heard, [{ bytes: [7], at: BYTE }]);
  });

  it("breaks off at a reset, while the host's bytes keep coming", () => {
    const { uart, clock, heard } = bench();
    uart.write(numbers(8));
    uart.hostWrite(Uint8Array.of(1, 2, 3));
    clock.advance(2 * BYTE);
    uart.deliver(clock.now);
    uart.reset();
    clock.advance(10 * BYTE);
    uart.deliver(clock.now);
    assert.deepEqual(heard, [{ bytes: [0, 7], at: 2 * BYTE }]);
    assert.deepEqual(uart.read(9), [3]);
  });
});

describe("speed", () => {
  it("is refused below 300 and above the board's maximum", () => {
    const { uart } = bench();
    assert.equal(uart.setBaud(299), HAL_EINVAL);
    assert.equal(uart.setBaud(1_000_001), HAL_EINVAL);
    assert.equal(uart.setBaud(-1), HAL_EINVAL);
    assert.equal(uart.baud, 115200);
    assert.equal(uart.setBaud(1_000_000), 0);
    assert.equal(uart.baud, 1_000_000);
  });

  it("paces both directions", () => {
    const { uart, clock, heard } = bench();
    uart.setBaud(1_000_000);
    uart.hostWrite(Uint8Array.of(1, 2));
    uart.write(Uint8Array.of(3, 4));
    clock.advance(20_000);
    uart.deliver(clock.now);
    assert.deepEqual(uart.read(9), [1, 2]);
    assert.deepEqual(heard, [{ bytes: [3, 4], at: 20_000 }]);
  });

  const hears = (host: number, board: number, bytes: Uint8Array): { got: number[]; framingErrors: number } => {
    const { uart, clock } = bench({ ...CONFIG, rx_buffer: 1000 });
    uart.setBaud(board);
    uart.setHostBaud(host);
    uart.hostWrite(bytes);
    clock.advance(bytes.length * byteTime(host) + 2 * byteTime(board));
    return { got: uart.read(1000), framingErrors: uart.counters.framingErrors };
  };

  it("may differ by 3 % without harm, as on a real line", () => {
    for (const rate of [0.97, 0.985, 1, 1.015, 1.03])
      assert.deepEqual(hears(Math.round(115200 * rate), 115200, numbers(200)).got, [...numbers(200)], `rate ${rate}`);
  });

  it("garbles what comes at another rate", () => {
    const { got, framingErrors } = hears(115200, 921600, numbers(100));
    assert.ok(got.length > 100, "a fast receiver sees several bytes in one");
    assert.notDeepEqual(got.slice(0, 100), [...numbers(100)]);
    assert.ok(framingErrors > 0);
    const slow = hears(921600, 115200, numbers(100));
    assert.ok(slow.got.length < 20, "a slow receiver sees one byte in several");
  });

  it("reads the waveform at the wrong speed, bit by bit", () => {
    // 0x55 at half the receiver's speed: start 0 0, then 11 00 11 00 ...: the receiver sees 0 | 0 11 00 11 0 | 0 ...
    const slow = hears(57600, 115200, Uint8Array.of(0x55));
    assert.deepEqual([slow.got[0], slow.framingErrors], [0b01100110, 1]);
    // A low that lasts 18 bits is one byte of zeros without a stop bit: there is no second falling edge.
    assert.deepEqual(hears(57600, 115200, Uint8Array.of(0)), { got: [0], framingErrors: 1 });
    // 0xF0 at three times the receiver's speed: low for 5 of its thirds, sampled at 1.5 (start), 4.5 (0), 7.5 (1), then idle.
    assert.deepEqual(hears(345600, 115200, Uint8Array.of(0xf0)), { got: [0xfe], framingErrors: 0 });
    // 0xFF at that speed is low for a third of a bit: a glitch, no start bit.
    assert.deepEqual(hears(345600, 115200, Uint8Array.of(0xff)), { got: [], framingErrors: 0 });
  });

  it("carries even parity when both ends agree, in 11 bits a byte", () => {
    const { uart, clock, heard } = bench({ ...CONFIG, rx_buffer: 1000 });
    uart.setParity("even");
    uart.setHostBaud(115200);
    uart.setHostParity("even");
    uart.hostWrite(numbers(256));
    uart.write(Uint8Array.of(1, 2));
    clock.advance(256 * byteTime(115200, 11) - 1);
    assert.deepEqual(uart.read(1000), [...numbers(255)]);
    clock.advance(1);
    assert.deepEqual(uart.read(1000), [numbers(256)[255]]);
    uart.deliver(clock.now);
    assert.deepEqual(heard, [{ bytes: [1, 2], at: 2 * byteTime(115200, 11) }]);
    assert.deepEqual([uart.counters.framingErrors, uart.counters.parityErrors], [0, 0]);
  });

  it("reads a missing parity bit bit by bit: the stop bit in its place, the next start bit as the stop bit", () => {
    const { uart, clock } = bench({ ...CONFIG, rx_buffer: 1000 });
    uart.setParity("even");
    uart.setHostBaud(115200);
    // 0x01 has one 1: the stop bit is what its parity would be. 0x03 has two: it is not.
    uart.hostWrite(Uint8Array.of(0x01));
    clock.advance(5 * BYTE);
    uart.hostWrite(Uint8Array.of(0x03));
    clock.advance(5 * BYTE);
    assert.deepEqual(uart.read(9), [1, 3]);
    assert.deepEqual([uart.counters.framingErrors, uart.counters.parityErrors], [0, 1]);
    uart.hostWrite(Uint8Array.of(0x01, 0x01));
    clock.advance(5 * BYTE);
    uart.sync();
    assert.equal(uart.counters.framingErrors, 1);
  });

  it("is measured by the first byte, whatever frame it comes in", () => {
    for (const [baud, parity] of [
      [9600, "even"],
      [230400, "none"],
    ] as const) {
      const { uart, clock } = bench();
      uart.setHostBaud(baud);
      uart.setHostParity(parity);
      assert.equal(uart.measure(), null);
      uart.hostWrite(Uint8Array.of(0x7f, 0x42));
      clock.advance(byteTime(baud, parity === "even" ? 11 : 10) - 1);
      assert.equal(uart.measure(), null);
      clock.advance(1);
      const first = uart.measure();
      assert.ok(first !== null && first.byte === 0x7f && Math.abs(first.baud / baud - 1) < 1e-5);
      uart.setBaud(first.baud);
      uart.setParity(parity);
      clock.advance(2 * byteTime(baud, 11));
      assert.deepEqual(uart.read(9), [0x42]);
    }
  });

  it("garbles the same bytes in the same way", () => {
    assert.deepEqual(hears(9600, 115200, numbers(50)), hears(9600, 115200, numbers(50)));
  });

  it("garbles towards the host, too, and comes right when both agree again", () => {
    const { uart, clock, heard } = bench();
    uart.setHostBaud(460800);
    uart.write(Uint8Array.of(1, 2, 3));
    clock.advance(10 * BYTE);
    uart.deliver(clock.now);
    assert.notDeepEqual(
      heard.flatMap(({ bytes }) => bytes),
      [1, 2, 3],
    );
    heard.length = 0;
    uart.setBaud(460800);
    uart.write(Uint8Array.of(1, 2, 3));
    clock.advance(10 * BYTE);
    uart.deliver(clock.now);
    assert.deepEqual(
      heard.flatMap(({ bytes }) => bytes),
      [1, 2, 3],
    );
  });

  it("does not matter to a host that finds it by itself", () => {
    const { uart, clock, heard } = bench();
    uart.write(Uint8Array.of(1, 2));
    clock.advanceTo(uart.txEmptyAt());
    uart.hostWrite(Uint8Array.of(3, 4));
    uart.setBaud(1_000_000);
    uart.write(Uint8Array.of(5));
    clock.advance(10 * BYTE);
    uart.deliver(clock.now);
    assert.deepEqual(uart.read(9), [3, 4]);
    assert.deepEqual(
      heard.flatMap(({ bytes }) => bytes),
      [1, 2, 5],
    );
  });
});

describe("uart of every board", () => {
  for (const { name, uart: config } of BOARDS)
    it(`${name} holds ${config.rx_buffer} bytes and not one more, at ${config.max_baud} baud`, () => {
      const { uart, clock } = bench(config);
      assert.equal(uart.setBaud(config.max_baud), 0);
      uart.hostWrite(numbers(config.rx_buffer + 1));
      clock.advance((config.rx_buffer + 1) * byteTime(config.max_baud));
      assert.equal(uart.available, config.rx_buffer);
      assert.equal(uart.counters.overruns, 1);
      assert.equal(uart.write(numbers(config.tx_buffer + 1)), config.tx_buffer);
    });
});
