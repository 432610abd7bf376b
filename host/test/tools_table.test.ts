/** tools.json and its table: the bytes of the Python implementation (spec/vectors/tools.json), there and back; places of errors; damaged tables. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import {
  PHRASE_BYTES,
  PHRASE_CLASS,
  PHRASE_LEN,
  PHRASE_TOOL,
  PHRASE_VALUE,
  TBL_CRC,
  TBL_HEADER_BYTES,
  TBL_MAGIC,
  TBL_PHRASES,
  TBL_TOOLS,
  TBL_VERSION,
  TOOL_BYTES,
  TOOL_DRIVE,
  TOOL_KIND,
  TOOL_MIN,
  TOOL_NAME,
  TOOL_NAME_BYTES,
  TOOL_ON_VALUE,
  TOOL_RAW_MAX,
  TOOL_STEP,
  TOOL_UNIT,
  TOOL_VERBS,
  TOOLS_MAX_BYTES,
} from "../../spec/tools.ts";
import { type EngineExports, engineInstance, place } from "../engine/module.ts";
import { TritkitError } from "../errors.ts";
import { compileTools } from "../tools/compile.ts";
import { tableCrc } from "../tools/crc.ts";
import { toolsJson } from "../tools/json.ts";
import { toolNotes } from "../tools/notes.ts";
import { checkTools, parseTools } from "../tools/parse.ts";
import { readTools } from "../tools/read.ts";
import { wordsOf } from "../tools/words.ts";
import { seeded } from "./seeded.ts";

interface Vectors {
  readonly tools: unknown;
  readonly binary: string;
  readonly cases: { readonly text: string; readonly items: string[] }[];
}
const vectors = JSON.parse(readFileSync(join(ROOT, "spec/vectors/tools.json"), "utf8")) as Vectors[];

for (const { tools, binary } of vectors) {
  const file = parseTools("tools.json", JSON.stringify(tools));

  test(`the table of ${file.name} has the bytes of the Python implementation`, () => {
    assert.equal(Buffer.from(compileTools(file)).toString("hex"), binary);
  });

  test(`the table of ${file.name} becomes a tools.json of the same table`, () => {
    const read = readTools(Buffer.from(binary, "hex"));
    const again = parseTools("again", JSON.stringify(toolsJson(read)));
    assert.equal(Buffer.from(compileTools(again)).toString("hex"), binary);
  });
}

test("words are those of the Python implementation where nothing is replaced", () => {
  let compared = 0;
  for (const { text, items } of vectors.flatMap(({ cases }) => cases)) {
    if (items.some((item) => item.startsWith("<|"))) continue;
    assert.deepEqual(wordsOf(text), items, text);
    compared++;
  }
  assert.ok(compared > 30, `${compared} texts`);
});

const LAMP = {
  name: "lamp",
  kind: "light",
  aliases: ["lamp", "desk lamp"],
  argument: { unit: "percent", min: 0, max: 100, step: 20, values: { dim: 20 } },
  drive: { type: "pwm", pin: 15, hz: 1000 },
};

/** The problems of a file with one tool, LAMP with changes: "place: what". */
function problems(tool: Record<string, unknown>, file: Record<string, unknown> = {}): string[] {
  const text = JSON.stringify({ ...file, tools: [{ ...LAMP, ...tool }] });
  return checkTools("t.json", text).problems.map(({ place, what }) => `${place}: ${what}`);
}
const argument = (changes: Record<string, unknown>) => problems({ argument: { ...LAMP.argument, ...changes } });
const drive = (changes: Record<string, unknown>) => problems({ drive: { ...LAMP.drive, ...changes } });

test("problems name their place", () => {
  assert.deepEqual(problems({}), []);
  const cases: [string[], string][] = [
    [problems({ name: undefined }), "tools[0].name: a text is missing"],
    [problems({ name: "--" }), "tools[0].name: there is no word in it"],
    [problems({ name: "l".repeat(33) }), "tools[0].name: 33 bytes are too many: a name has at most 32"],
    [problems({ kind: "lihgt" }), `tools[0].kind: there is no "lihgt"; known are light, `],
    [problems({ aliasses: [] }), "tools[0].aliasses: there is no such key; did you mean aliases?"],
    [problems({ pin: 3 }), "tools[0].pin: there is no such key; known are name, kind, "],
    [problems({}, { dryrun: true }), "dryrun: there is no such key; did you mean dry_run?"],
    [problems({ aliases: ["lamp", "..."] }), "tools[0].aliases[1]: there is no word in it"],
    [problems({ aliases: ["x".repeat(49)] }), "tools[0].aliases[0]: 49 bytes are too many"],
    [problems({ aliases: "lamp" }), `tools[0].aliases: "lamp" is no list`],
    [problems({ aliases: ["lamp", 3] }), "tools[0].aliases[1]: 3 is no text"],
    [problems({ verbs: [] }), "tools[0].verbs: a tool has at least one verb"],
    [problems({ verbs: ["on", "blink"] }), `tools[0].verbs[1]: a tool with the drive pwm has no "blink", but on, off`],
    [argument({ unit: "lux" }), `tools[0].argument.unit: there is no "lux"; known are `],
    [argument({ max: "100" }), `tools[0].argument.max: "100" is no number`],
    [argument({ max: -5 }), "tools[0].argument.max: -5 is not above min 0"],
    [argument({ max: 1e9 }), "tools[0].argument.max: 1000000000 is not a number from -2147483 to 2147483"],
    [argument({ min: 0.0005 }), "tools[0].argument.min: 0.0005 has more than three decimals"],
    [
      argument({ unit: "celsius", min: undefined }),
      "tools[0].argument.min: a number from -2147483 to 2147483 is missing",
    ],
    [argument({ step: 0 }), "tools[0].argument.step: 0 is not above 0"],
    [argument({ on: 140 }), "tools[0].argument.on: 140 is outside 0..100"],
    [argument({ values: { dim: 20, glaring: 140 } }), "tools[0].argument.values.glaring: 140 is outside 0..100"],
    [argument({ values: { dim: 20, "DIM!": 30 } }), `tools[0].argument.values.DIM!: the words "dim" are there already`],
    [argument({ values: [20] }), "tools[0].argument.values: [20] is no object"],
    [drive({ type: "servo" }), `tools[0].drive.type: there is no "servo"; known are none, gpio, pwm, adc, timer`],
    [drive({ type: undefined }), "tools[0].drive.type: it is missing; known are none, "],
    [drive({ pin: undefined }), "tools[0].drive.pin: a whole number from 0 to 254 is missing"],
    [drive({ pin: 1.5 }), "tools[0].drive.pin: 1.5 is no whole number"],
    [drive({ pin: 300 }), "tools[0].drive.pin: 300 is not a whole number from 0 to 254"],
    [drive({ hz: 0 }), "tools[0].drive.hz: 0 is not a whole number from 1 to 65535"],
    [drive({ duty: [0, 70000] }), "tools[0].drive.duty[1]: 70000 is not a whole number from 0 to 65535"],
    [drive({ duty: [5, 5] }), "tools[0].drive.duty: 5 at min and at max leaves no range"],
    [drive({ duty: 5 }), "tools[0].drive.duty: 5 is no pair of numbers, as [0, 65535]"],
    [drive({ inverted: "yes" }), `tools[0].drive.inverted: "yes" is neither true nor false`],
    [drive({ channel: 0 }), "tools[0].drive.channel: a drive of the type pwm has no such key"],
    [problems({ drive: { type: "gpio", pin: 3 } }), "tools[0].argument: a tool with the drive gpio is on or off"],
    [problems({ drive: { type: "timer" } }), "tools[0].argument.unit: a timer counts seconds"],
    [problems({ drive: "gpio" }), `tools[0].drive: "gpio" is no object`],
  ];
  for (const [found, wanted] of cases) {
    assert.ok(found[0]?.startsWith(wanted), `${found.join(" | ")} instead of ${wanted}`);
    assert.equal(found.length, 1, found.join(" | "));
  }
  assert.equal(checkTools("t.json", `{"tools": []}`).problems[0].place, "tools");
  const twice = checkTools("t.json", JSON.stringify({ tools: [LAMP, { ...LAMP, name: "Lamp!" }] })).problems;
  assert.deepEqual(twice, [{ place: "tools[1].name", what: `tools[0] has the name "Lamp!" already` }]);
});

test("the first problem is thrown, and how many there are", () => {
  const text = JSON.stringify({ tools: [{ ...LAMP, kind: "x", verbs: [] }] });
  assert.throws(
    () => parseTools("t.json", text),
    (error: TritkitError) =>
      error.code === "E_TOOLS" && /^t\.json, tools\[0\]\.kind: .* and one more problem\.$/.test(error.message),
  );
});

test("what is no JSON is told with line and column", () => {
  const message = (text: string) => {
    try {
      checkTools("t.json", text);
    } catch (error) {
      return (error as TritkitError).message;
    }
    return "";
  };
  assert.equal(message(`{\n  "tools": [],\n}`), "t.json is not valid JSON: see line 3, column 1.");
  assert.match(message(""), /^t\.json is not valid JSON: see line 1, column 1\.$/);
  assert.equal(checkTools("t.json", `\ufeff{"tools": [3]}`).problems[0].what, "3 is no object");
  assert.equal(checkTools("t.json", "[]").problems[0].what, "[] is no object");
});

test("a table that a board does not take names what is large", () => {
  const aliases = Array.from({ length: 60 }, (_, i) => `${"very long alias ".repeat(2)}${i} lamp`);
  const large = parseTools("t.json", JSON.stringify({ tools: [{ ...LAMP, aliases }] }));
  assert.throws(
    () => compileTools(large, "t.json"),
    (error: TritkitError) => error.code === "E_TOOLS_TOO_LARGE" && /lamp \(\d+ bytes, 62 phrases\)/.test(error.hint),
  );
});

test("defaults: what stands behind a tool says the rest", () => {
  const parse = (tool: Record<string, unknown>) =>
    parseTools("t.json", JSON.stringify({ tools: [{ name: "x", kind: "sensor", ...tool }] })).tools[0];
  const dimmer = parse({ drive: { type: "pwm", pin: 1 } });
  assert.deepEqual(
    [dimmer.unit, dimmer.min, dimmer.max, dimmer.step, dimmer.on],
    ["percent", 0, 100000, 10000, 100000],
  );
  const timer = parse({ drive: { type: "timer" } });
  assert.deepEqual([timer.unit, timer.min, timer.max, timer.verbs.includes("on")], ["seconds", 1000, 86400000, false]);
  assert.deepEqual(parse({}).verbs, ["on", "off", "get"]);
  const trial = parse({ verbs: ["on", "off", "up"] });
  assert.deepEqual([trial.min, trial.max, trial.step], [0, 1000, 1000], "a table that a board takes");
  readTools(
    compileTools(
      { ...parseTools("t.json", JSON.stringify({ tools: [{ name: "x", kind: "sensor", verbs: ["up"] }] })) },
      "t.json",
    ),
  );
  assert.deepEqual(parse({ drive: { type: "gpio", pin: 1 }, verbs: ["off", "on"] }).verbs, ["on", "off"]);
});

test("what hides something is noted", () => {
  const tool = (name: string, aliases: string[], pin: number, values = {}) => ({
    ...LAMP,
    ...{ name, aliases, argument: { ...LAMP.argument, values }, drive: { type: "pwm", pin } },
  });
  const notes = (...tools: unknown[]) => toolNotes(parseTools("t.json", JSON.stringify({ tools })).tools);
  assert.deepEqual(notes(tool("a lamp", ["glow"], 1), tool("b lamp", ["shine"], 2)), []);
  assert.deepEqual(notes(tool("lamp", ["glow"], 1), tool("spot", ["glow"], 1)), [
    `"glow" means lamp, not spot: the first tool that has an alias is meant.`,
    "lamp and spot both drive pin 1.",
  ]);
  assert.deepEqual(notes(tool("lamp", ["two"], 1)), [`The alias "two" of lamp hides a number: "two" is lamp always.`]);
  assert.deepEqual(notes(tool("lamp", [], 1), tool("lamps", [], 2)), [
    `"lamps" means lamps, although it is the plural of an alias of lamp.`,
  ]);
  assert.deepEqual(notes(tool("lamp", [], 1, { half: 50, lamp: 3 })), [
    `"half" is never a value of lamp: it is read as a number first.`,
    `"lamp" is never a value of lamp: it is an alias of lamp.`,
  ]);
  assert.deepEqual(
    notes(tool("lamp", ["desk"], 1, { "half light": 30, "desk light": 20, ".5 on": 5, "3d": 9, "3 d": 8 })),
    [
      `"half light" is never a value of lamp: it is read as a number first.`,
      `"desk light" is never a value of lamp: it begins with the alias "desk".`,
      `".5 on" is never a value of lamp: it is read as a number first.`,
      `"3 d" is never a value of lamp: it is read as a number first.`,
    ],
  );
  assert.equal(notes(tool("x", [], 1), tool("y", [], 2), tool("z", [], 3)).length, 1);
});

test("damaged tables are refused, those that the device refuses, and nothing else is thrown", async () => {
  const random = seeded(6);
  const good = Buffer.from(vectors[1].binary, "hex");
  const codeOf = (bytes: Uint8Array): string => {
    try {
      readTools(bytes);
      return "";
    } catch (error) {
      assert.ok(error instanceof TritkitError, String(error));
      return error.code;
    }
  };
  assert.equal(codeOf(good), "");
  for (let length = 0; length < good.length; length += 1 + Math.floor(random() * 30))
    assert.equal(codeOf(good.subarray(0, length)), "E_TOOLS_TABLE");
  // The device's reader, in the build for Node.
  const engine = (await engineInstance()) as EngineExports & { table_is_sound(table: number, bytes: number): number };
  const address = place(engine, new Uint8Array(), TOOLS_MAX_BYTES + 4);
  const isSound = (bytes: Uint8Array): boolean => {
    new Uint8Array(engine.memory.buffer, address, bytes.length).set(bytes);
    return engine.table_is_sound(address, bytes.length) !== 0;
  };
  assert.ok(isSound(good));
  let refused = 0;
  for (let i = 0; i < 4000; i++) {
    const bytes = Uint8Array.from(good);
    bytes[Math.floor(random() * bytes.length)] ^= 1 << Math.floor(random() * 8);
    assert.equal(codeOf(bytes), "E_TOOLS_TABLE");
    // With a CRC that is right what stands there is looked at.
    new DataView(bytes.buffer).setUint32(TBL_CRC, tableCrc(bytes), true);
    const code = codeOf(bytes);
    assert.equal(isSound(bytes), code === "", `table ${i}: ${code}`);
    if (code !== "") refused++;
  }
  assert.ok(refused > 100 && refused < 3900, `${refused} refused`);
  assert.equal(codeOf(new Uint8Array(TOOLS_MAX_BYTES + 4)), "E_TOOLS_TABLE");
});

test("every field that a reader refuses, by itself", () => {
  const refusal = (change: (view: DataView) => void): string => {
    const bytes = Uint8Array.from(Buffer.from(vectors[1].binary, "hex"));
    const view = new DataView(bytes.buffer);
    change(view);
    view.setUint32(TBL_CRC, tableCrc(bytes), true);
    try {
      readTools(bytes);
      return "";
    } catch (error) {
      return (error as TritkitError).message;
    }
  };
  const tool = (i: number, field: number) => TBL_HEADER_BYTES + i * TOOL_BYTES + field;
  const phrase = (i: number, field: number) => TBL_HEADER_BYTES + 7 * TOOL_BYTES + i * PHRASE_BYTES + field;
  const [PWM, GPIO, ADC] = [0, 1, 4];
  const cases: [(view: DataView) => void, RegExp][] = [
    [(view) => view.setUint32(TBL_MAGIC, 1, true), /is no table/],
    [(view) => view.setUint16(TBL_VERSION, 2, true), /version 2/],
    [(view) => view.setUint8(TBL_TOOLS, 0), /no room for 0 tools/],
    [(view) => view.setUint8(TBL_TOOLS, 33), /no room for 33 tools/],
    [(view) => view.setUint16(TBL_PHRASES, 400, true), /400 phrases/],
    [(view) => view.setUint8(tool(PWM, TOOL_KIND), 16), /tool 0 with the kind 16/],
    [(view) => view.setUint8(tool(PWM, TOOL_VERBS), 64), /the verbs 64/],
    [(view) => view.setUint8(tool(PWM, TOOL_DRIVE), 5), /the drive 5/],
    [(view) => view.setUint8(tool(PWM, TOOL_UNIT), 4), /the unit 4/],
    [(view) => view.setUint8(tool(PWM, TOOL_NAME_BYTES), 0), /the name of tool 0 outside/],
    [(view) => view.setUint16(tool(PWM, TOOL_NAME), 4000, true), /the name of tool 0 outside/],
    [(view) => view.setInt32(tool(PWM, TOOL_MIN), 90001, true), /min 90001 above max 90000/],
    [(view) => view.setInt32(tool(PWM, TOOL_STEP), 0, true), /the step 0/],
    [(view) => view.setInt32(tool(PWM, TOOL_ON_VALUE), 9999, true), /9999 for on, outside 10000..90000/],
    [(view) => view.setUint16(tool(GPIO, TOOL_RAW_MAX), 2, true), /the level 2/],
    [(view) => view.setUint16(tool(ADC, TOOL_RAW_MAX), 60000, true), /the reading 60000 at min and at max/],
    [(view) => view.setUint8(phrase(3, PHRASE_CLASS), 15), /in the class 15/],
    [(view) => view.setUint8(phrase(90, PHRASE_CLASS), 2), /phrase 90 in the class 2 behind/],
    [(view) => view.setInt32(phrase(0, PHRASE_VALUE), 7, true), /phrase 0 of tool 7 of 7/],
    [(view) => view.setUint8(phrase(0, PHRASE_TOOL), 9), /phrase 0 of tool 9 of 7/],
    [(view) => view.setUint8(phrase(0, PHRASE_LEN), 49), /phrase 0 outside its texts/],
  ];
  for (const [change, wanted] of cases) assert.match(refusal(change), wanted);
});
