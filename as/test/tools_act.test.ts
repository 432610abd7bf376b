/** Acting on calls (TOOLS.md, "A call"): pins, sensors, timers and values that last a while, on a board that notes each pin. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as T from "../../spec/tools.ts";
import { seeded } from "./as_module.ts";
import { FakeBoard, type FlashGeometry, halModule, SCRATCH } from "./fake_board.ts";
import { ALL_VERBS, DESK, ON_OFF, type ToolEntry, toolsTable } from "./tools_table.ts";

const module = await halModule({
  "assistant/assistant.ts": ["assistant_open"],
  "assistant/tools.ts": ["tool_value"],
  "app/tools.ts": ["tools_begin", "tools_end", "tools_call", "tools_step", "tools_wait", "tools_set_dry", "tools_dry"],
});
const GEOMETRY: FlashGeometry = { runs: [[8, 4096]], unit: 1, page: 256, writeOnce: false };
const [LAMP, PUMP, TEMPERATURE, TIMER, FAN] = DESK.keys();
const { VERB_ON: ON, VERB_OFF: OFF, VERB_SET: SET, VERB_UP: UP, VERB_DOWN: DOWN, VERB_GET: GET } = T;
const HOUR_US = 3600e6;

/** A board with these tools, and time that passes as poll() lets it. */
class Desk {
  readonly board: FakeBoard;
  readonly call: ReturnType<FakeBoard["start"]>;

  constructor(tools = DESK, dry = false) {
    this.board = new FakeBoard(GEOMETRY);
    this.board.gpioPins = [13, 14];
    this.board.pwmPins = [15, 16];
    this.board.adc = { 0: 0 };
    this.call = this.board.start(module);
    this.open(tools, dry);
  }

  open(tools: ToolEntry[], dry = false): void {
    const table = toolsTable(tools, dry);
    this.board.bytes.set(table, SCRATCH);
    assert.equal(this.call.assistant_open(SCRATCH, table.length), 1);
    this.call.tools_begin();
  }

  /** [CALL_*, the tool's value afterwards] */
  do(tool: number, verb: number, amount?: number, seconds = 0): [rc: number, value: number] {
    const rc = this.call.tools_call(tool, verb, amount === undefined ? 0 : 1, amount ?? 0, seconds * 1000);
    return [rc, tool < DESK.length ? this.call.tool_value(tool) : 0];
  }

  /** Lets time pass in steps, as a board does that is never asleep for long. */
  pass(us: number, step = 50e6): void {
    for (let left = us; left > 0; left -= step) {
      this.board.now += Math.min(step, left);
      this.call.tools_step();
    }
  }

  /** What happened at the pins since the last look. */
  pins(): FakeBoard["pins"] {
    return this.board.pins.splice(0);
  }
}

test("nothing is driven before the first call, and `get` drives nothing", () => {
  const desk = new Desk();
  assert.deepEqual(desk.do(LAMP, GET), [T.CALL_DONE, 0]);
  assert.deepEqual(desk.do(PUMP, GET), [T.CALL_DONE, 0]);
  assert.deepEqual(desk.pins(), []);
});

test("a lamp: on, dimmed, up and down to the ends of its range, off, and on again as it was", () => {
  const desk = new Desk();
  assert.deepEqual(desk.do(LAMP, ON), [T.CALL_DONE, 100000]);
  assert.deepEqual(desk.do(LAMP, SET, 40000), [T.CALL_DONE, 40000]);
  assert.deepEqual(desk.do(LAMP, UP), [T.CALL_DONE, 60000]);
  assert.deepEqual(desk.do(LAMP, UP, 70000), [T.CALL_DONE, 100000]);
  assert.deepEqual(desk.do(LAMP, DOWN, 1), [T.CALL_DONE, 99999]);
  assert.deepEqual(desk.do(LAMP, OFF), [T.CALL_DONE, 0]);
  assert.deepEqual(desk.do(LAMP, ON), [T.CALL_DONE, 99999]);
  // 65535 * value / 100000, rounded down
  const duties = [65535, 26214, 39321, 65535, 65534, 0, 65534];
  assert.deepEqual(
    desk.pins(),
    duties.map((duty) => ["pwm", 15, duty, 1000]),
  );
});

test("a fan whose drive is inverted and begins at a fifth", () => {
  const desk = new Desk();
  for (const [value, raw] of [
    [0, 13107],
    [50000, 39321],
    [100000, 65535],
  ]) {
    desk.do(FAN, SET, value);
    assert.deepEqual(desk.pins(), [["pwm", 16, 65535 - raw, 25000]]);
  }
});

test("a switch is high above its minimum, and low when it is inverted", () => {
  const tools = [DESK[LAMP], { ...DESK[PUMP], inverted: true }];
  for (const [desk, high] of [[new Desk(), 1] as const, [new Desk(tools), 0] as const]) {
    desk.do(PUMP, ON);
    desk.do(PUMP, OFF);
    assert.deepEqual(desk.pins(), [
      ["gpio", 14, high],
      ["gpio", 14, 1 - high],
    ]);
  }
});

test("a sensor is measured when it is asked, within its range; one that falls with the raw value too", () => {
  const falling: ToolEntry = { ...DESK[TEMPERATURE], min: -10000, max: 90000, raw: [60000, 10000] };
  for (const [tool, expected] of [
    [
      DESK[TEMPERATURE],
      [
        [0, -40000],
        [65535, 125000],
        [32767, 42498],
        [26214, 26000],
      ],
    ],
    [
      falling,
      [
        [60000, -10000],
        [10000, 90000],
        [35000, 40000],
        [65535, -10000],
        [0, 90000],
        [59999, -9998],
      ],
    ],
  ] as const) {
    const desk = new Desk([DESK[LAMP], DESK[PUMP], tool as ToolEntry]);
    for (const [raw, value] of expected) {
      desk.board.adc[0] = raw;
      assert.deepEqual(desk.do(TEMPERATURE, GET), [T.CALL_DONE, value], `raw ${raw}`);
    }
    assert.deepEqual(desk.pins(), []);
  }
});

test("what is not there, cannot be done or is out of range happens not at all", () => {
  const desk = new Desk();
  assert.equal(desk.do(99, ON)[0], T.CALL_NO_TOOL);
  assert.equal(desk.do(T.TOOL_NOBODY, ON)[0], T.CALL_NO_TOOL);
  assert.equal(desk.do(PUMP, SET, 1000)[0], T.CALL_CANNOT);
  assert.equal(desk.do(TEMPERATURE, ON)[0], T.CALL_CANNOT);
  assert.equal(desk.do(LAMP, SET)[0], T.CALL_CANNOT);
  assert.deepEqual(desk.do(LAMP, SET, 100001), [T.CALL_RANGE, 0]);
  assert.deepEqual(desk.do(LAMP, SET, -1), [T.CALL_RANGE, 0]);
  assert.deepEqual(desk.do(LAMP, ON, undefined, 0.5), [T.CALL_RANGE, 0]);
  assert.deepEqual(desk.do(LAMP, ON, undefined, 86401), [T.CALL_RANGE, 0]);
  assert.deepEqual(desk.do(LAMP, ON, undefined, -1), [T.CALL_RANGE, 0]);
  assert.deepEqual(desk.pins(), []);
});

test("a sensor that the table would have set is measured and never driven", () => {
  const desk = new Desk([DESK[LAMP], DESK[PUMP], { ...DESK[TEMPERATURE], verbs: ALL_VERBS }]);
  for (const verb of [ON, OFF, UP, DOWN]) assert.equal(desk.do(TEMPERATURE, verb)[0], T.CALL_CANNOT);
  assert.equal(desk.do(TEMPERATURE, SET, 0)[0], T.CALL_CANNOT);
  assert.deepEqual(desk.pins(), []);
});

test("a board that lacks the pin, the channel or PWM: the call failed, and the tool is as it was", () => {
  const desk = new Desk();
  desk.do(LAMP, SET, 10000);
  desk.board.gpioPins = [];
  desk.board.pwmPins = [];
  desk.board.adc = {};
  assert.deepEqual(desk.do(LAMP, ON), [T.CALL_FAILED, 10000]);
  assert.deepEqual(desk.do(PUMP, ON, undefined, 10), [T.CALL_FAILED, 0]);
  assert.equal(desk.do(TEMPERATURE, GET)[0], T.CALL_FAILED);
  assert.equal(desk.call.tools_wait(), 0, "and nothing has its time");
});

test("everything: each tool that has the verb and a pin", () => {
  const desk = new Desk();
  assert.equal(desk.do(T.TOOL_EVERY, ON)[0], T.CALL_DONE);
  assert.deepEqual(
    desk.pins().map(([what, pin]) => [what, pin]),
    [
      ["pwm", 15],
      ["gpio", 14],
      ["pwm", 16],
    ],
  );
  assert.deepEqual(
    [LAMP, PUMP, FAN].map((tool) => desk.call.tool_value(tool)),
    [100000, 1000, 50000],
  );
  desk.board.gpioPins = [];
  assert.equal(desk.do(T.TOOL_EVERY, OFF)[0], T.CALL_FAILED, "one of them failed");
  assert.deepEqual(
    [LAMP, PUMP, FAN].map((tool) => desk.call.tool_value(tool)),
    [0, 1000, 0],
  );
  assert.equal(new Desk([DESK[TEMPERATURE]]).do(T.TOOL_EVERY, ON)[0], T.CALL_NO_TOOL);
});

describe("a value that lasts a while", () => {
  test("comes back when its time is over, to the millisecond that poll allows", () => {
    const desk = new Desk();
    desk.do(LAMP, SET, 20000);
    desk.do(LAMP, ON, undefined, 600);
    assert.equal(desk.call.tools_wait(), 1);
    desk.pins();
    desk.pass(599.9e6);
    assert.deepEqual(desk.pins(), []);
    desk.pass(0.2e6);
    assert.deepEqual(desk.pins(), [["pwm", 15, 13107, 1000]]);
    assert.deepEqual(desk.do(LAMP, GET), [T.CALL_DONE, 20000]);
    assert.equal(desk.call.tools_wait(), 0);
  });

  test("is ended by a later call of the tool, and not by `get` or by another tool's", () => {
    for (const [next, isEnded] of [
      [(desk: Desk) => desk.do(LAMP, SET, 30000), true],
      [(desk: Desk) => desk.do(LAMP, GET), false],
      [(desk: Desk) => desk.do(FAN, ON), false],
      [(desk: Desk) => desk.do(LAMP, SET, 100001), false],
    ] as const) {
      const desk = new Desk();
      desk.do(LAMP, ON, undefined, 60);
      next(desk);
      desk.pins();
      desk.pass(61e6, 1e6);
      assert.equal(desk.pins().length, isEnded ? 0 : 1);
    }
  });

  test("asked for again in its time, what comes back is the value from before the first", () => {
    const desk = new Desk();
    desk.do(LAMP, ON, undefined, 600);
    desk.pass(300e6);
    desk.do(LAMP, ON, undefined, 600);
    desk.pass(599e6);
    assert.deepEqual(desk.do(LAMP, GET), [T.CALL_DONE, 100000]);
    desk.pass(2e6);
    assert.deepEqual(desk.do(LAMP, GET), [T.CALL_DONE, 0]);
  });

  test("24 hours are counted although the board's clock goes round every 71 minutes", () => {
    const desk = new Desk();
    desk.do(PUMP, OFF);
    desk.do(PUMP, ON, undefined, 86400);
    desk.pins();
    desk.pass(24 * HOUR_US - 1e6, 60e6);
    assert.deepEqual(desk.pins(), []);
    desk.pass(2e6);
    assert.deepEqual(desk.pins(), [["gpio", 14, 0]]);
  });

  test("of several, each has its own time", () => {
    const desk = new Desk();
    desk.do(LAMP, ON, undefined, 30);
    desk.pass(10e6, 1e6);
    desk.do(PUMP, ON, undefined, 10);
    desk.do(FAN, ON, undefined, 25);
    desk.pins();
    const seen: [second: number, pin: number][] = [];
    for (let second = 1; second <= 40; second++) {
      desk.pass(1e6);
      for (const [, pin] of desk.pins()) seen.push([second, pin]);
    }
    assert.deepEqual(seen, [
      [10, 14],
      [20, 15],
      [25, 16],
    ]);
  });

  test("when the table goes, values from before come back at once, and nothing stays on", () => {
    const desk = new Desk();
    desk.do(LAMP, ON, undefined, 600);
    desk.do(PUMP, ON);
    desk.do(TIMER, SET, 60000);
    desk.pins();
    desk.call.tools_end();
    assert.deepEqual(desk.pins(), [
      ["pwm", 15, 0, 1000],
      ["gpio", 14, 0],
    ]);
    assert.equal(desk.call.tools_wait(), 0);
    desk.open(DESK);
    desk.pass(700e6);
    assert.deepEqual(desk.pins(), []);
  });
});

describe("a timer", () => {
  test("drives its pin high for a second when its time is over", () => {
    const desk = new Desk();
    assert.deepEqual(desk.do(TIMER, SET, 90000), [T.CALL_DONE, 90000]);
    desk.pass(89e6, 1e6);
    assert.deepEqual(desk.pins(), []);
    desk.pass(1e6, 0.1e6);
    assert.deepEqual(desk.pins(), [["gpio", 13, 1]]);
    desk.pass(0.9e6, 0.1e6);
    assert.deepEqual(desk.pins(), []);
    desk.pass(0.2e6, 0.1e6);
    assert.deepEqual(desk.pins(), [["gpio", 13, 0]]);
    assert.equal(desk.call.tools_wait(), 0);
    assert.deepEqual(desk.do(TIMER, GET), [T.CALL_DONE, 0]);
  });

  test("tells what is left, takes more and less, and is forgotten", () => {
    const desk = new Desk();
    desk.do(TIMER, SET, 300000);
    desk.pass(100e6);
    assert.deepEqual(desk.do(TIMER, GET), [T.CALL_DONE, 200000]);
    assert.deepEqual(desk.do(TIMER, UP), [T.CALL_DONE, 260000]);
    assert.deepEqual(desk.do(TIMER, DOWN, 250000), [T.CALL_DONE, 10000]);
    assert.deepEqual(desk.do(TIMER, DOWN), [T.CALL_DONE, 1000], "not below its shortest");
    assert.deepEqual(desk.do(TIMER, OFF), [T.CALL_DONE, 0]);
    assert.equal(desk.call.tools_wait(), 0);
    assert.deepEqual(desk.do(TIMER, DOWN), [T.CALL_DONE, 0], "less of nothing rings no bell");
    assert.equal(desk.call.tools_wait(), 0);
    desk.pass(400e6);
    assert.deepEqual(desk.pins(), []);
    assert.deepEqual(desk.do(TIMER, SET, 86400001), [T.CALL_RANGE, 0]);
  });

  test("set while its pin is high makes it low first; one without a pin drives none", () => {
    const desk = new Desk();
    desk.do(TIMER, SET, 1000);
    desk.pass(1e6, 0.1e6);
    desk.do(TIMER, SET, 5000);
    assert.deepEqual(desk.pins(), [
      ["gpio", 13, 1],
      ["gpio", 13, 0],
    ]);
    desk.pass(5e6, 0.1e6);
    assert.deepEqual(desk.pins(), [["gpio", 13, 1]]);
    const mute = new Desk([...DESK.slice(0, TIMER), { ...DESK[TIMER], pin: 255 }]);
    mute.do(TIMER, SET, 1000);
    mute.pass(10e6, 0.1e6);
    assert.deepEqual(mute.pins(), []);
    assert.equal(mute.call.tools_wait(), 0);
  });
});

describe("a dry run", () => {
  test("does everything but the HAL, asked for by the table or later", () => {
    for (const desk of [new Desk(DESK, true), new Desk()]) {
      desk.call.tools_set_dry(1);
      desk.board.adc[0] = 30000;
      assert.deepEqual(desk.do(LAMP, SET, 40000), [T.CALL_DRY, 40000]);
      assert.deepEqual(desk.do(LAMP, UP), [T.CALL_DRY, 60000]);
      assert.equal(desk.do(PUMP, ON, undefined, 5)[0], T.CALL_DRY);
      assert.equal(desk.do(TIMER, SET, 5000)[0], T.CALL_DRY);
      assert.deepEqual(desk.do(TEMPERATURE, GET), [T.CALL_DRY, -40000], "nothing was measured");
      assert.equal(desk.do(LAMP, SET, 100001)[0], T.CALL_RANGE);
      desk.pass(20e6, 0.5e6);
      assert.deepEqual(desk.do(PUMP, GET), [T.CALL_DRY, 0]);
      assert.deepEqual(desk.pins(), []);
    }
  });

  test("what was driven before it is taken back when it begins, and what was dry drives nothing when it ends", () => {
    const desk = new Desk();
    desk.do(LAMP, ON, undefined, 60);
    desk.do(TIMER, SET, 1000);
    desk.pass(1e6, 0.1e6);
    desk.pins();
    desk.call.tools_set_dry(1);
    assert.deepEqual(desk.pins(), [
      ["pwm", 15, 0, 1000],
      ["gpio", 13, 0],
    ]);
    desk.do(PUMP, ON, undefined, 10);
    desk.call.tools_set_dry(0);
    assert.equal(desk.call.tools_dry(), 0);
    desk.pass(20e6);
    assert.deepEqual(desk.pins(), []);
  });

  test("what it did is forgotten: tools have the values that their pins have", () => {
    const desk = new Desk();
    desk.do(LAMP, SET, 40000);
    desk.call.tools_set_dry(1);
    assert.deepEqual(desk.do(LAMP, SET, 80000), [T.CALL_DRY, 80000]);
    desk.do(PUMP, ON);
    desk.call.tools_set_dry(0);
    desk.pins();
    assert.deepEqual(desk.do(PUMP, GET), [T.CALL_DONE, 0]);
    assert.deepEqual(desk.do(LAMP, OFF, undefined, 10), [T.CALL_DONE, 0]);
    desk.pass(11e6);
    const at = (value: number) => ["pwm", 15, Math.floor((65535 * value) / 100), 1000];
    assert.deepEqual(desk.pins(), [at(0), at(40)]);
  });

  test("another table in the midst of one finds the pins off", () => {
    const desk = new Desk();
    desk.do(PUMP, ON);
    desk.call.tools_set_dry(1);
    desk.do(PUMP, OFF);
    desk.pins();
    desk.call.tools_end();
    assert.deepEqual(desk.pins(), [["gpio", 14, 0]]);
  });
});

test("whatever is called, no pin leaves what its tool declares: 20,000 random calls", () => {
  const random = seeded(84);
  const one = (list: readonly number[]) => list[random() % list.length];
  const extremes = [0, 1, -1, 999, 1000, 100000, 100001, 2147483647, -2147483648, 86400000];
  const tools: ToolEntry[] = [
    { ...DESK[LAMP], min: -2147483648, max: 2147483647, on: 5, step: 2147483647, raw: [1000, 2000] },
    { name: "pump", kind: T.TOOL_SWITCH, verbs: ON_OFF, drive: T.DRIVE_GPIO, pin: 14, raw: [1, 1] },
    { ...DESK[TEMPERATURE], verbs: ALL_VERBS },
    { ...DESK[TIMER], verbs: ALL_VERBS, on: 5000 },
    { ...DESK[FAN], raw: [50000, 40000], min: 7, max: 7, on: 7 },
  ];
  const allowed: Record<number, (value: number) => boolean> = {
    13: () => true,
    14: (value) => value === 1,
    15: (value) => value >= 1000 && value <= 2000,
    16: (value) => value === 65535 - 50000,
  };
  const desk = new Desk(tools);
  let driven = 0;
  for (let i = 0; i < 20000; i++) {
    const tool = one([0, 1, 2, 3, 4, 5, 254, 255]);
    const amount = random() % 2 === 0 ? one(extremes) : random() | 0;
    desk.call.tools_call(tool, random() % 6, random() % 2, amount, random() % 4 === 0 ? one(extremes) : 0);
    desk.pass((random() % 100) * 1e6);
    for (const [, pin, value] of desk.pins()) {
      assert.ok(allowed[pin]?.(value), `pin ${pin} became ${value} in call ${i}`);
      driven++;
    }
  }
  assert.ok(driven > 5000, `${driven}`);
});
