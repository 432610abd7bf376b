/** Assistants from the source to the answer: converted, asked in Node and on a simulated board, with the same ids and calls. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { answerText } from "../cli/tools_view.ts";
import { convert } from "../convert/convert.ts";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import { callTool, clearDeviceTools, deviceTools, setDeviceTools, setDryRun } from "../device/tools.ts";
import { ENGINE_KINDS, Engine, type EngineKind } from "../engine/engine.ts";
import type { TritkitError } from "../errors.ts";
import type { Answer } from "../generation.ts";
import { describeImage } from "../image/describe.ts";
import { readImage } from "../image/reader.ts";
import { compileTools } from "../tools/compile.ts";
import { TOKEN_NAMES } from "../tools/names.ts";
import { parseTools } from "../tools/parse.ts";
import { openPort } from "../transports/open.ts";
import { type Chain, DESK, FAN_SET, idOf, LAMP_ON, writeAssistant } from "./assistant_fixture.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-assistant-"));
after(() => rm(folder, { recursive: true }));
const desk = parseTools("desk", JSON.stringify(DESK));

let made = 0;
/** Path of an image. */
async function image(chain: Chain, assistant: Record<string, unknown> = { gate: 0, text_max: 8 }): Promise<string> {
  const name = join(folder, `assistant-${made++}`);
  await convert(await writeAssistant(name, chain, { assistant, tools: DESK }), `${name}.trit`);
  return `${name}.trit`;
}

const ids = (...names: string[]) => names.map(idOf);
const codeIs = (code: string, words: RegExp) => (error: TritkitError) =>
  assert.deepEqual([error.code, words.test(error.message)], [code, true], error.message) === undefined;

test("an image has what the source says: gate, tokens and the tools beside it", async () => {
  const path = await image(LAMP_ON, { gate: 1.5, text_max: 20 });
  const read = readImage(new Uint8Array(await readFile(path)));
  assert.deepEqual([read.assistant?.base, read.assistant?.gate, read.assistant?.textMax], [idOf("call"), 1.5, 20]);
  assert.deepEqual(read.assistant?.table, compileTools(desk));
  const about = describeImage(read);
  assert.deepEqual(about.assistant?.tools_bytes, compileTools(desk).length);
  assert.deepEqual(
    about.parts.filter(({ name }) => ["assistant", "tools"].includes(name)).map(({ name }) => name),
    ["assistant", "tools"],
  );
});

test("what makes no assistant is refused, or told", async () => {
  const out = join(folder, "x.trit");
  const source = (name: string, options: Parameters<typeof writeAssistant>[2]) =>
    writeAssistant(join(folder, name), LAMP_ON, options);
  const tools = join(folder, "own.json");
  await writeFile(
    tools,
    JSON.stringify({ tools: [{ name: "pump", kind: "switch", drive: { type: "gpio", pin: 14 } }] }),
  );

  const bare = await convert(await source("bare", {}), out);
  assert.equal(bare.image.assistant?.tools, null);
  assert.ok(bare.notes.some((note) => note.startsWith("The model is an assistant without tools")));
  const own = await convert(await source("own", { tools: DESK }), out, { tools });
  assert.deepEqual(
    own.image.assistant?.tools_bytes,
    compileTools(parseTools("own", await readFile(tools, "utf8"))).length,
  );
  const silent = await convert(await source("silent", { assistant: null }), out);
  assert.deepEqual([silent.image.assistant?.gate, silent.image.assistant?.text_max], [0, 48]);

  const swapped = [...TOKEN_NAMES];
  [swapped[3], swapped[4]] = [swapped[4], swapped[3]];
  const refused = (directory: string, options = {}) => convert(directory, out, options);
  await assert.rejects(refused(await source("swapped", { tokens: swapped })), codeIs("E_SOURCE_FORMAT", /<\|ask\|>/));
  const none = await source("none", { assistant: null, tokens: ["<|call|>"] });
  assert.equal((await convert(none, out)).image.assistant, null);
  await assert.rejects(refused(none, { tools }), codeIs("E_OPTION", /no assistant/));
  const bad = await source("bad", { tools: { tools: [{ name: "x", kind: "y" }] } });
  await assert.rejects(refused(bad), codeIs("E_TOOLS", /bad\/tools\.json, tools\[0\]\.kind: there is no "y"/));
  const pin = { tools: [{ name: "x", kind: "switch", drive: { type: "gpio", pin: 0 } }] };
  const taken = await source("taken", { tools: pin });
  await assert.rejects(refused(taken, { board: "rp2040-pico" }), codeIs("E_TOOLS_BOARD", /pin 0 of rp2040-pico/));
  const gate = await source("gate", { assistant: { gate: -1 } });
  await assert.rejects(refused(gate), codeIs("E_SOURCE_FORMAT", /tritkit_assistant\.gate/));
});

test("all engines of Node answer alike, with calls that are dry", async () => {
  const path = await image(FAN_SET);
  for (const engine of Object.keys(ENGINE_KINDS) as EngineKind[]) {
    const opened = await Engine.openFile(path, { engine });
    const answer = await opened.generate("please set the fan to 40 percent");
    assert.deepEqual(answer.tokenIds, ids("call", "set", "fan", "p1"), engine);
    const { margin, ...call } = answer.calls?.[0] ?? { margin: 0 };
    assert.deepEqual(call, {
      tool: "fan",
      verb: "set",
      value: 40,
      unit: "percent",
      amount: 40,
      seconds: null,
      result: "dry",
    });
    assert.ok(margin > 1 && margin < 10, `margin ${margin}`);
    assert.deepEqual([answer.say, answer.text, answer.stop], ["call", "", "eos"]);
    await opened.close();
  }
});

test("tools of one's own take the place of the image's", async () => {
  const fan = { name: "blower", kind: "fan", argument: { unit: "", min: 0, max: 8 }, drive: { type: "none" } };
  const tools = parseTools("own", JSON.stringify({ tools: [fan] }));
  const engine = await Engine.openFile(await image(FAN_SET), { tools });
  const answer = await engine.generate("blower to 50 percent");
  assert.deepEqual([answer.calls?.[0].tool, answer.calls?.[0].value, answer.calls?.[0].unit], ["blower", 4, null]);
  engine.setTools(desk);
  assert.equal((await engine.generate("fan to 50 percent")).calls?.[0].tool, "fan");
  assert.deepEqual(engine.tools, desk);
});

/** The words for people after an answer. */
const told = (answer: Answer) => answerText(answer, desk);

test("people read what was done, what was not, and why", async () => {
  const say = async (chain: Chain, prompt: string, gate = 0) =>
    told(await (await Engine.openFile(await image(chain, { gate, text_max: 8 }))).generate(prompt));
  const set = (kind: string, slot: string): Chain => ({
    board: "call",
    call: "set",
    set: kind,
    [kind]: slot,
    [slot]: "eos",
  });
  const only = (verb: string, kind: string): Chain => ({ board: "call", call: verb, [verb]: kind, [kind]: "eos" });
  assert.equal(await say(LAMP_ON, "the lamp"), "lamp  on, 100 %  (dry run)");
  assert.equal(await say(FAN_SET, "40 %"), "fan  40 %  (dry run)");
  assert.equal(await say(FAN_SET, "140 %"), "fan  not done: 140 % is outside 0..100 %");
  assert.equal(await say(set("fan", "d1"), "20 degrees"), "fan  not done: that is no value in percent");
  assert.equal(await say(set("switch", "n1"), "7"), "pump  not done: it cannot be set to a value");
  assert.equal(await say(only("on", "switch"), "x"), "pump  on  (dry run)");
  assert.equal(await say(only("off", "light"), "x"), "lamp  off  (dry run)");
  assert.equal(await say(only("up", "light"), "x"), "lamp  20 %  (dry run)");
  assert.equal(await say(set("timer", "t1"), "1 hour 30 minutes"), "timer  1 h 30 min  (dry run)");
  assert.equal(await say(only("get", "temperature"), "x"), "temperature  no value  (dry run)");
  assert.equal(await say(only("on", "lock"), "x"), "not done: the board has no such tool");
  assert.equal(
    await say({ ...only("on", "light"), light: "t1", t1: "eos" }, "5 seconds"),
    "lamp  on, 100 % for 5 s  (dry run)",
  );
  assert.equal(
    await say({ ...only("on", "light"), light: "t1", t1: "eos" }, "two days"),
    "lamp  not done: 48 h is outside 1 s..24 h",
  );
  assert.equal(await say(FAN_SET, "40 %", 9), "did you mean: fan 40 %? (yes/no)");
  assert.equal(await say(only("off", "light"), "x", 9), "did you mean: lamp off? (yes/no)");
  assert.equal(await say({ board: "none" }, "x"), "nothing to do");
  assert.equal(await say({ board: "decline", decline: "eos" }, "x"), "I cannot do that.");
  assert.equal(await say({ board: "ask", ask: "eos" }, "x"), "What should I do?");
  // The model's own words are printed as they come.
  const engine = await Engine.openFile(await image({ board: "decline", decline: "N", N: "o", o: "eos" }));
  const answer = await engine.generate("x");
  assert.deepEqual([answer.say, answer.text, told(answer)], ["decline", "No", ""]);
});

test("yes makes what was asked about", async () => {
  const engine = await Engine.openFile(
    await image({ ...LAMP_ON, board: ["confirm", "call"], confirm: "eos" }, { gate: 9 }),
  );
  const asked = await engine.generate("the lamp");
  assert.deepEqual([asked.say, asked.calls?.[0].result], ["call", "unsure"]);
  const done = await engine.generate("yes", { keep: true });
  assert.deepEqual([done.say, told(done)], ["confirm", "lamp  on, 100 %  (dry run)"]);
});

test("a board does what Node rehearses", async () => {
  const path = await image(FAN_SET);
  const device = await Device.connect(await openPort("sim:rp2040-pico"));
  try {
    assert.equal(device.hello.tools, null);
    await assert.rejects(deviceTools(device), codeIs("E_NOT_ASSISTANT", /no assistant/));
    await flashModel(device, new Uint8Array(await readFile(path)));
    assert.equal(device.hello.tools, DESK.tools.length);
    const engine = await Engine.openFile(path);
    for (const prompt of ["set the fan to 40 percent", "fan 140 %", "fan to high", "lamp"]) {
      const [there, here] = [await generateOnDevice(device, prompt), await engine.generate(prompt)];
      assert.deepEqual(there.tokenIds, here.tokenIds, prompt);
      const real = here.calls?.map(({ amount: _, ...call }) => ({
        ...call,
        result: call.result === "dry" ? "done" : call.result,
      }));
      assert.deepEqual([there.say, there.calls], [here.say, real], prompt);
    }
  } finally {
    await device.close();
  }
});

test("tools of a board: read, set, called, dry, cleared", async () => {
  const device = await Device.connect(await openPort("sim:rp2040-pico"));
  try {
    await flashModel(device, new Uint8Array(await readFile(await image(LAMP_ON))));
    const before = await deviceTools(device);
    assert.deepEqual([before.source, before.dryRun, before.canSet], ["image", false, true]);
    assert.deepEqual(before.bytes, compileTools(desk));
    assert.deepEqual(
      before.table?.tools.map(({ name }) => name),
      ["lamp", "fan", "pump", "temperature", "timer"],
    );

    // More than one piece each way.
    const aliases = Array.from({ length: 40 }, (_, i) => `night light number ${i}`);
    const other = parseTools("other", JSON.stringify({ tools: [{ ...DESK.tools[0], name: "moon", aliases }] }));
    await setDeviceTools(device, compileTools(other));
    const after = await deviceTools(device);
    assert.deepEqual([after.source, after.bytes], ["set", compileTools(other)]);
    assert.equal(device.hello.tools, 1);
    const answer = await generateOnDevice(device, "night light number 7");
    assert.equal(answer.calls?.[0].tool, "moon");

    const call = (value: number | string | undefined, seconds?: number) =>
      callTool(device, { tool: "Night light number 3", verb: "set", value, seconds });
    assert.deepEqual([(await call(40)).value, (await call("40.5")).value], [40, 40.5]);
    assert.deepEqual(await call(140), { ...(await call(140)), result: "range", value: 140 });
    assert.equal((await call(50, 10)).seconds, 10);
    await assert.rejects(call("bright"), codeIs("E_USAGE", /"bright" is no value of moon/));
    await assert.rejects(callTool(device, { tool: "sun", verb: "on" }), codeIs("E_NO_TOOL", /no tool "sun"/));
    await setDryRun(device, true);
    assert.deepEqual([(await call(30)).result, (await deviceTools(device)).dryRun], ["dry", true]);
    await setDryRun(device, false);

    await clearDeviceTools(device);
    assert.deepEqual([(await deviceTools(device)).source, device.hello.tools], ["image", 5]);
    const damaged = Uint8Array.from(compileTools(desk));
    damaged[100] ^= 1;
    await assert.rejects(setDeviceTools(device, damaged), codeIs("E_TOOLS_TABLE", /refuses the table/));
    assert.equal((await deviceTools(device)).source, "image");
    const large = new Uint8Array(5000);
    await assert.rejects(setDeviceTools(device, large), codeIs("E_TOOLS_NO_ROOM", /no room/));
  } finally {
    await device.close();
  }
});
