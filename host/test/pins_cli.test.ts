/** What `sim`, `demo` and `chat` say of pins and sensors, as a user and a program read it. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { convert } from "../convert/index.ts";
import { DESK, LAMP_ON, writeAssistant } from "./assistant_fixture.ts";
import { end, run, startSimulator } from "./command.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-pins-"));
after(() => rm(folder, { recursive: true }));
const flash = join(folder, "board.bin");

describe("a simulator that serves a port", () => {
  it("tells of pins as they change, in its own time, and what its sensors read", async () => {
    const { running, port } = await startSimulator(["--port", "tcp:0", "--flash", flash, "--sensor", "0=24000"]);
    const sensor = await running.line(({ event }) => event === "sensor");
    assert.deepEqual(sensor, { event: "sensor", board: "rp2040-pico", channel: 0, raw: 24000 });
    const chatted = await run(["flash", "llama-300k", "--port", port]);
    assert.equal(chatted.status, 0, chatted.stderr);
    assert.equal((await run(["chat", "--port", port, "-p", "Once upon a time", "-n", "3"])).status, 0);
    await running.line(({ event, level }) => event === "pin" && level === 0);
    const pins = running.lines.filter(({ event, pin, level }) => event === "pin" && pin === 25 && level !== null);
    assert.deepEqual(
      pins.map(({ level, led }) => [level, led]),
      [
        [1, true],
        [0, true],
      ],
    );
    assert.ok(Number(pins[0].seconds) > 0 && Number(pins[1].seconds) > Number(pins[0].seconds));
    await end(running, "SIGINT");
  });
});

describe("a chat with a simulated board", () => {
  const port = `sim:rp2040-pico:${flash}`;
  const asked = ["chat", "--port", port, "-p", "Once upon a time", "-n", "3", "--temp", "0"];

  it("has the pins in its events, the LED marked, before the answer's end", async () => {
    const { status, stdout, stderr } = await run([...asked, "--json"]);
    assert.equal(status, 0, stderr);
    const lines = stdout.trim().split("\n");
    const events = lines.map((line) => JSON.parse(line));
    assert.equal(events.at(-1).event, "answer");
    const pins = events.filter(({ event }) => event === "pin");
    assert.deepEqual(
      pins.map(({ pin, level, led }) => [pin, level, led]),
      [
        [25, 1, true],
        [25, 0, true],
      ],
    );
  });

  it("says nothing of the LED to people", async () => {
    const { stderr } = await run(asked);
    assert.doesNotMatch(stderr, /^pin/m);
  });
});

describe("an assistant on a simulated board", () => {
  const board = join(folder, "lamp.bin");
  const asked = ["chat", "--port", `sim:rp2040-pico:${board}`, "-p", "please switch the lamp on"];

  before(async () => {
    const source = await writeAssistant(join(folder, "lamp"), LAMP_ON, { tools: DESK });
    await convert(source, join(folder, "lamp.trit"), { name: "lamp" });
    const { status, stderr } = await run(["flash", join(folder, "lamp.trit"), "--port", `sim:rp2040-pico:${board}`]);
    assert.equal(status, 0, stderr);
  });

  it("is seen at its pins: by programs as events, by people as lines", async () => {
    const { stdout } = await run([...asked, "--json"]);
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const { seconds, ...pulse } = events.find(({ event }) => event === "pwm");
    assert.deepEqual(pulse, { event: "pwm", pin: 15, duty: 65535, hz: 1000 });
    const [on] = events.filter(({ event, level }) => event === "pin" && level === 1);
    assert.ok(seconds > on.seconds && seconds < on.seconds + 1.5, "within 1.5 s of the board's own LED");
    assert.match((await run(asked)).stderr, /^pin {4}15 duty 100\.0 % at 1000 Hz, at \d+\.\d{6} s$/m);
  });
});

describe("--sensor", () => {
  it("is refused where it is no reading, or of no channel, or of no simulated board", async () => {
    for (const [args, words] of [
      [["demo", "--sensor", "0"], /--sensor takes CHANNEL=RAW, RAW from 0 to 65535, not "0"\..* \[E_USAGE\]\n$/],
      [["demo", "--sensor", "0=65536"], /not "0=65536"/],
      [["sim", "--sensor", "0=-1"], /not "0=-1"/],
      [["sim", "--sensor", "0=1", "--sensor", "00=2"], /--sensor says channel 0 twice/],
      [["sim", "--sensor", "5=1"], /rp2040-pico has 5 ADC channels, from 0 on, not 5\. \[E_SIM_SENSOR\]\n$/],
      [
        ["sim", "--sensor", "0=1", "--board", "stm32f405"],
        /the firmware of stm32f405 reads no ADC\. \[E_SIM_SENSOR\]\n$/,
      ],
      [["chat", "--port", "tcp:9", "--sensor", "0=1"], /--sensor is of a simulated board/],
      [["sim", "--script", "x.json", "--sensor", "0=1"], /--sensor does not go with --script/],
    ] as const) {
      const { status, stderr, stdout } = await run([...args]);
      assert.match(stderr, words);
      assert.equal(status, 2, args.join(" "));
      assert.equal(stdout, "");
    }
  });
});
