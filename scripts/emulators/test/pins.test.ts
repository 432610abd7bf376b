/**
 * Pins, pulses and the ADC of the Pico's shim in machine code: registers as rp2040js has them, levels and edges seen at its pins. What
 * firmware-sim/test/pins.test.ts asks of the simulator is asked here of the firmware.
 *
 *     npm run test:emulators    builds the firmware (arm-none-eabi-gcc): not part of npm test
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { GPIOPinState } from "rp2040js";
import { convert } from "../../../host/convert/index.ts";
import { generateOnDevice } from "../../../host/device/chat.ts";
import { Device } from "../../../host/device/device.ts";
import { flashModel } from "../../../host/device/flasher.ts";
import { callTool } from "../../../host/device/tools.ts";
import { DESK, LAMP_ON, writeAssistant } from "../../../host/test/assistant_fixture.ts";
import { HAL_EINVAL } from "../../../spec/hal.ts";
import { buildFirmware } from "../../firmware/build.mjs";
import { type Rp2040, startRp2040 } from "../rp2040/chip.ts";
import { picoTransport, startUp } from "../rp2040/live.ts";

const skip = process.env.TRITKIT_TEST_EMULATORS === undefined && "npm run test:emulators";
const CYCLES_A_MS = 125_000;
const START_CYCLES = 100 * CYCLES_A_MS;

let firmware: Uint8Array;

before(async () => {
  if (skip) return;
  const built = await buildFirmware("rp2040-pico", {
    variant: "-pins",
    main: "scripts/emulators/rp2040/pins_main.c",
  });
  firmware = built.segments[0].bytes;
});

class Bench {
  readonly pico: Rp2040;
  #heard: number[] = [];

  constructor() {
    this.pico = startRp2040({ firmware });
    this.pico.onData((bytes) => this.#heard.push(...bytes));
    this.pico.run({ cycles: START_CYCLES, until: () => this.pico.idle });
  }

  call(letter: "g" | "p" | "a", ...args: number[]): number {
    const request = new DataView(new ArrayBuffer(13));
    request.setUint8(0, letter.charCodeAt(0));
    args.forEach((value, i) => {
      request.setInt32(1 + 4 * i, value, true);
    });
    this.#heard = [];
    this.pico.write(new Uint8Array(request.buffer));
    this.pico.run({ cycles: START_CYCLES, until: () => this.#heard.length >= 4 });
    assert.equal(this.#heard.length, 4, "the firmware answers");
    return new DataView(Uint8Array.from(this.#heard).buffer).getInt32(0, true);
  }

  gpio = (pin: number, level: number): number => this.call("g", pin, level);
  pwm = (pin: number, duty: number, hz: number): number => this.call("p", pin, duty, hz);
  adc = (channel: number): number => this.call("a", channel);

  level(pin: number): GPIOPinState {
    return this.pico.mcu.gpio[pin].value;
  }

  measured(pin: number, ms: number): Pulse {
    return pulseAt(this.pico, pin, ms);
  }
}

interface Pulse {
  /** 0: no edges. */
  readonly hz: number;
  /** Share of the time that the pin is high. */
  readonly high: number;
}

/** From the edges of the pin within `ms`. */
function pulseAt(pico: Rp2040, pin: number, ms: number): Pulse {
  const edges: { ns: number; rises: boolean }[] = [];
  const listener = (state: GPIOPinState): void => {
    edges.push({ ns: pico.mcu.time.nanos, rises: state === GPIOPinState.High });
  };
  const stop = pico.mcu.gpio[pin].addListener(listener);
  pico.run({ cycles: ms * CYCLES_A_MS });
  stop();
  const rises = edges.filter(({ rises }) => rises);
  if (rises.length < 2) return { hz: 0, high: pico.mcu.gpio[pin].value === GPIOPinState.High ? 1 : 0 };
  const [first, last] = [rises[0].ns, rises[rises.length - 1].ns];
  let high = 0;
  edges.forEach((edge, i) => {
    if (edge.rises && edge.ns < last) high += edges[i + 1].ns - edge.ns;
  });
  return { hz: ((rises.length - 1) * 1e9) / (last - first), high: high / (last - first) };
}

function near(value: number, wanted: number, within: number): void {
  assert.ok(Math.abs(value - wanted) <= within * wanted, `${value} is not within ${100 * within} % of ${wanted}`);
}

describe("pulses of the Pico's firmware", { skip }, () => {
  it("have the frequency and the duty that were asked for, at either end and between", () => {
    const bench = new Bench();
    for (const [hz, duty, ms] of [
      [1000, 32768, 20],
      [1000, 655, 20],
      [50, 1638, 200],
      [50, 8192, 200],
      [25000, 26214, 4],
      [65535, 16384, 4],
      [8, 49152, 1000],
    ]) {
      assert.equal(bench.pwm(15, duty, hz), 0);
      bench.pico.run({ cycles: (2 * 125_000_000) / hz }); // the period under way ends as it began
      const found = bench.measured(15, ms);
      near(found.hz, hz, 0.001);
      near(found.high, duty / 65535, 0.01);
    }
  });

  it("are steady at 0 and 65535", () => {
    const bench = new Bench();
    for (const [duty, state] of [
      [65535, GPIOPinState.High],
      [0, GPIOPinState.Low],
      [65535, GPIOPinState.High],
    ]) {
      assert.equal(bench.pwm(16, duty, 1000), 0);
      bench.pico.run({ cycles: 2 * CYCLES_A_MS });
      const { hz } = bench.measured(16, 10);
      assert.deepEqual([hz, bench.level(16)], [0, state]);
    }
  });

  it("of both channels of a slice are each as asked for, and a pin that would disturb another is refused", () => {
    const bench = new Bench();
    assert.equal(bench.pwm(18, 16384, 50), 0);
    assert.equal(bench.pwm(2, 100, 50), HAL_EINVAL, "the same channel");
    assert.equal(bench.pwm(19, 100, 1000), HAL_EINVAL, "another frequency");
    assert.equal(bench.pwm(19, 49152, 50), 0);
    assert.equal(bench.pwm(18, 16384, 60), HAL_EINVAL);
    assert.equal(bench.pwm(3, 100, 50), HAL_EINVAL);
    bench.pico.run({ cycles: 40 * CYCLES_A_MS });
    near(bench.measured(18, 100).high, 0.25, 0.01);
    near(bench.measured(19, 100).high, 0.75, 0.01);
    assert.equal(bench.gpio(19, 1), 0);
    assert.equal(bench.pwm(18, 16384, 60), 0, "nobody else has the slice now");
    assert.equal(bench.level(19), GPIOPinState.High);
  });

  it("are refused where the pin, the duty or the frequency is none, and nothing is driven", () => {
    const bench = new Bench();
    for (const [pin, duty, hz] of [
      [0, 1, 1000],
      [1, 1, 1000],
      [30, 1, 1000],
      [-1, 1, 1000],
      [15, 65536, 1000],
      [15, -1, 1000],
      [15, 1, 7],
      [15, 1, 65536],
      [15, 1, 0],
    ])
      assert.equal(bench.pwm(pin, duty, hz), HAL_EINVAL, `${pin} ${duty} ${hz}`);
    assert.equal(bench.level(15), GPIOPinState.InputPullDown);
  });
});

describe("levels of the Pico's firmware", { skip }, () => {
  it("follow a pulse on the same pin, and the pins of the UART are refused", () => {
    const bench = new Bench();
    assert.equal(bench.pwm(14, 32768, 1000), 0);
    assert.equal(bench.gpio(14, 1), 0);
    assert.deepEqual([bench.measured(14, 5).hz, bench.level(14)], [0, GPIOPinState.High]);
    assert.equal(bench.gpio(14, 0), 0);
    assert.equal(bench.level(14), GPIOPinState.Low);
    for (const pin of [0, 1, 30, -1]) assert.equal(bench.gpio(pin, 1), HAL_EINVAL, `${pin}`);
  });
});

describe("an assistant in machine code", { skip }, () => {
  it("drives the pins that its tools say, measured at the chip", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tritkit-pins-"));
    try {
      const source = await writeAssistant(join(folder, "lamp"), LAMP_ON, { tools: DESK });
      await convert(source, join(folder, "lamp.trit"), { name: "lamp" });
      const { segments } = await buildFirmware("rp2040-pico", { variant: "-product" });
      const pico = startRp2040({ firmware: segments[0].bytes, seed: 7 });
      startUp(pico);
      const device = await Device.connect(picoTransport(pico));
      await flashModel(device, new Uint8Array(await readFile(join(folder, "lamp.trit"))));
      const answer = await generateOnDevice(device, "please switch the lamp on", { temperature: 0 });
      assert.deepEqual(
        answer.calls?.map(({ tool, verb, result }) => [tool, verb, result]),
        [["lamp", "on", "done"]],
      );
      assert.equal((await callTool(device, { tool: "fan", verb: "set", value: 40 })).result, "done");
      assert.equal((await callTool(device, { tool: "pump", verb: "on" })).result, "done");
      pico.mcu.adc.channelValues[0] = 1526;
      const measured = await callTool(device, { tool: "temperature", verb: "get" });
      assert.equal(measured.value, Math.floor((165_000 * ((1526 << 4) | (1526 >> 8))) / 65535 - 40_000) / 1000);
      await device.close();
      assert.deepEqual([pico.mcu.gpio[15].value, pico.mcu.gpio[14].value], [GPIOPinState.High, GPIOPinState.High]);
      const fan = pulseAt(pico, 12, 4);
      near(fan.hz, 25000, 0.001);
      near(fan.high, 0.4, 0.01);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("the ADC of the Pico's firmware", { skip }, () => {
  it("has full scale at 65535, channel by channel, and the pin is an analogue input", () => {
    const bench = new Bench();
    const { adc } = bench.pico.mcu;
    [0, 4095, 2048, 1, 876].forEach((value, channel) => {
      adc.channelValues[channel] = value;
    });
    assert.equal(bench.gpio(26, 1), 0);
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((channel) => bench.adc(channel)),
      [0, 65535, 0x8008, 16, (876 << 4) | (876 >> 8)],
    );
    assert.equal(bench.level(26), GPIOPinState.Input);
    assert.equal(bench.adc(5), HAL_EINVAL);
    assert.equal(bench.adc(-1), HAL_EINVAL);
    adc.channelValues[0] = 4000;
    assert.equal(bench.adc(0), (4000 << 4) | (4000 >> 8));
    assert.equal(bench.gpio(26, 1), 0);
    assert.equal(bench.level(26), GPIOPinState.High, "an output again");
  });
});
