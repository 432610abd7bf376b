/** `tritkit tools`, and assistants in chat, run and demo, as a user runs them: on a simulated board whose flash is a file. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import { DESK, FAN_SET, writeAssistant } from "./assistant_fixture.ts";
import { json, run } from "./command.ts";
import { checkObject, checkWords } from "./failure.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-tools-cli-"));
after(() => rm(folder, { recursive: true }));
const path = (name: string) => join(folder, name);
const port = `sim:rp2040-pico:${path("flash.bin")}`;
const HOME = join(ROOT, "examples/assistant/tools/home.json");

before(async () => {
  await writeAssistant(path("source"), FAN_SET, { tools: DESK });
  await writeFile(path("desk.json"), JSON.stringify(DESK, null, 2));
  await writeFile(path("none.json"), `{"tools": [{"name": "x", "kind": "y", "verbs": []}]}`);
  await writeFile(
    path("taken.json"),
    `{"tools": [{"name": "x", "kind": "lock", "drive": {"type": "gpio", "pin": 1}}]}`,
  );
  await writeFile(
    path("blower.json"),
    JSON.stringify({ tools: [{ ...DESK.tools[1], name: "blower", aliases: ["blower", "two"] }] }),
  );
});

test("check: what fits, what is noted, what is wrong", async () => {
  const good = await run(["tools", "check", HOME, "--board", "rp2040-pico"]);
  assert.match(good.stdout, /home\.json: 13 tools, \d+ phrases, \d+ of 4032 bytes, rp2040-pico has the pins\n$/);
  assert.deepEqual([good.stderr, good.status], ["", 0]);
  const noted = await run(["tools", "check", path("blower.json")]);
  assert.equal(noted.stderr, `note  The alias "two" of blower hides a number: "two" is blower always.\n`);
  const [event] = await json(["tools", "check", path("desk.json")]);
  assert.deepEqual([event.event, event.ok, event.tools, event.problems], ["tools_check", true, 5, []]);

  const bad = await run(["tools", "check", path("none.json")]);
  const lines = bad.stderr.split("\n");
  assert.match(lines[0], /^tools\[0\]\.kind: there is no "y"; known are light, /);
  assert.equal(lines[1], "tools[0].verbs: a tool has at least one verb");
  assert.match(lines[2], /^tritkit: .*none\.json, tools\[0\]\.kind: .* and one more problem\. .* \[E_TOOLS\]$/);
  assert.equal(bad.status, 1);
  const told = await run(["tools", "check", path("none.json"), "--json"]);
  checkObject(told, "E_TOOLS", 1);
  assert.equal(JSON.parse(told.stdout.split("\n")[0]).problems.length, 2);
  const taken = await run(["tools", "check", path("taken.json"), "--board", "rp2040-pico"]);
  checkWords(taken, "E_TOOLS", 1);
  assert.match(taken.stderr, /tools\[0\]\.drive: pin 1 of rp2040-pico is the firmware's own/);
});

test("slips end in one line", async () => {
  const cases: [string[], string, number][] = [
    [["check"], "E_USAGE", 2],
    [["check", path("missing.json")], "E_FILE_NOT_FOUND", 1],
    [["check", folder], "E_FILE_IS_FOLDER", 1],
    [["check", join(folder, "source", "model.safetensors")], "E_TOOLS", 1],
    [["blink"], "E_USAGE", 2],
    [["show"], "E_USAGE", 2],
    [["show", "stories-1m"], "E_NOT_ASSISTANT", 1],
    [["show", "stories-1m", "--port", port], "E_USAGE", 2],
    [["set", path("desk.json")], "E_USAGE", 2],
    [["set", path("none.json"), "--port", port], "E_TOOLS", 1],
    [["set", path("desk.json"), "--board", "rp2040-pico", "--port", port], "E_USAGE", 2],
    [["call", "lamp", "--port", port], "E_USAGE", 2],
    [["call", "lamp", "blink", "--port", port], "E_USAGE", 2],
    [["dry-run", "maybe", "--port", port], "E_USAGE", 2],
    [["clear", "all", "--port", port], "E_USAGE", 2],
    [["show", "--port", "sim:rp2040-pico"], "E_NOT_ASSISTANT", 3],
    [["set", path("desk.json"), "--port", "sim:rp2040-pico"], "E_NOT_ASSISTANT", 3],
  ];
  for (const [args, code, status] of cases) checkWords(await run(["tools", ...args]), code, status);
});

test("a board's tools are shown, replaced, called and given back", async () => {
  const made = await run(["convert", path("source"), "-o", path("assistant.trit"), "--board", "rp2040-pico"]);
  assert.match(made.stderr, /assistant {2}5 tools, \d+ bytes; asks below a margin of 0\.00\n/);
  const inspected = await run(["inspect", path("assistant.trit")]);
  assert.match(
    inspected.stdout,
    /assistant, asks below a margin of 0\.00, tools lamp, fan, pump, temperature, timer\n/,
  );
  await json(["flash", path("assistant.trit"), "--port", port]);

  const shown = await run(["tools", "show", "--port", port]);
  assert.match(shown.stdout, /^tool +kind +verbs +range +drive +words\n/);
  assert.match(shown.stdout, /\nfan +fan +on off set up down get +0\.\.100 %, high 100 +pwm pin 12, 25000 Hz +fan\n/);
  assert.match(shown.stdout, /\n5 tools, \d+ phrases, \d+ of 4032 bytes, the model's own\n$/);
  const same = await run(["tools", "show", path("assistant.trit"), "-o", path("again.json")]);
  assert.equal(same.status, 0);
  const [again] = await json(["tools", "check", path("again.json")]);
  const [desk] = await json(["tools", "check", path("desk.json")]);
  assert.deepEqual([again.tools, again.bytes], [desk.tools, desk.bytes]);

  const [call, ...pins] = await json(["tools", "call", "fan", "set", "40", "--for", "90", "--port", port]);
  assert.deepEqual(call, {
    ...{ event: "call", tool: "fan", verb: "set", value: 40, unit: "percent", seconds: 90, result: "done", margin: 0 },
  });
  assert.deepEqual(pins, []);
  const range = await run(["tools", "call", "fan", "set", "140", "--port", port]);
  assert.deepEqual([range.stdout, range.status], ["fan  not done: 140 % is outside 0..100 %\n", 3]);
  checkWords(await run(["tools", "call", "stove", "on", "--port", port]), "E_NO_TOOL", 2);
  checkWords(await run(["tools", "call", "fan", "on", "10", "--port", port]), "E_USAGE", 2);
  checkWords(await run(["tools", "call", "fan", "on", "--for", "0", "--port", port]), "E_USAGE", 2);

  const set = await run(["tools", "set", path("blower.json"), "--port", port]);
  assert.match(set.stderr, /^rp2040-pico has the tools blower: 1 tool, /);
  const [table] = await json(["tools", "show", "--port", port]);
  assert.deepEqual([table.source, (table.tools as { name: string }[])[0].name], ["set", "blower"]);
  const board = await run(["tools", "set", path("taken.json"), "--port", port]);
  checkWords(board, "E_TOOLS_BOARD", 1);
  assert.equal(
    (await run(["tools", "dry-run", "on", "--port", port])).stderr,
    "dry run: calls are told, and no pin is driven\n",
  );
  await json(["tools", "clear", "--port", port]);
  assert.equal((await json(["tools", "show", "--port", port]))[0].source, "image");
});

test("flash says which tools a board cannot drive", async () => {
  await run(["convert", path("source"), "-o", path("any.trit")]);
  const { stderr, status } = await run(["flash", path("any.trit"), "--port", "sim:mps2-an385"]);
  assert.match(stderr, /\nnote {2}lamp will not work: mps2-an385 has no PWM that the firmware drives; /);
  assert.match(stderr, /\nnote {2}nor will \d other tools\n$/);
  assert.equal(status, 0);
});

test("chat shows calls and their results, for people and as events", async () => {
  const words = await run(["chat", "--port", port, "-p", "fan to 40 percent please"]);
  assert.equal(words.stdout, "fan  40 %\n");
  assert.match(words.stderr, /^rp2040-pico {2}source {2}port .*\ntools {2}lamp, fan, pump, temperature, timer\n/);
  const events = await json(["chat", "--port", port, "-p", "fan to 40 percent please"]);
  const call = events.find(({ event }) => event === "call");
  const answer = events.find(({ event }) => event === "answer");
  assert.deepEqual([call?.tool, call?.verb, call?.value, call?.result], ["fan", "set", 40, "done"]);
  assert.ok(Number(call?.margin) > 1);
  const { event: _, ...fields } = call ?? { event: "" };
  assert.deepEqual([answer?.say, answer?.calls], ["call", [fields]]);
  const pulse = events.find(({ event }) => event === "pwm");
  assert.deepEqual([pulse?.pin, pulse?.duty, pulse?.hz], [12, 26214, 25000]);
});

test("run and demo: an assistant in Node, and on a board with tools of one's own", async () => {
  const node = await run(["run", path("assistant.trit"), "-p", "fan to 40 percent"]);
  assert.equal(node.stdout, "fan  40 %  (dry run)\n");
  assert.match(node.stderr, /\ntools {2}lamp, fan, pump, temperature, timer {3}nothing is driven: there is no board\n/);
  const own = await run(["run", path("assistant.trit"), "--tools", path("blower.json"), "-p", "blower high"]);
  assert.match(own.stdout, /^blower {2}/);
  checkWords(await run(["run", "stories-1m", "--tools", HOME, "-p", "x"]), "E_NOT_ASSISTANT", 1);
  const float = await run(["run", path("assistant.trit"), "--engine", "float", "-p", "x", "-n", "1"]);
  assert.match(float.stderr, /\nnote {2}The model is an assistant; the float engine knows no tools/);
  const idle = ["run", path("assistant.trit"), "--engine", "float", "--tools", HOME, "-p", "x"];
  checkWords(await run(idle), "E_USAGE", 2);
  checkWords(await run(["demo", "--model", "assistent"]), "E_UNKNOWN_MODEL", 2);

  const demo = ["demo", "--model", path("assistant.trit"), "--tools", path("blower.json")];
  const events = await json([...demo, "-p", "blower to 30 percent"]);
  assert.deepEqual(
    events.filter(({ event }) => event === "call").map(({ tool, value }) => [tool, value]),
    [["blower", 30]],
  );
  assert.ok(events.some(({ event, pin, duty }) => event === "pwm" && pin === 12 && duty === 19660));
  const alone = await run(demo);
  assert.match(alone.stderr, /\ntools {2}blower\n/);
  // The fixture knows one call, and `set` is none without a value: the first of what is allowed then is a light.
  assert.deepEqual([alone.stdout, alone.status], ["not done: the board has no such tool\n", 0]);
  checkWords(await run(["demo", "--tools", HOME]), "E_NOT_ASSISTANT", 1);
  const saved = JSON.parse(await readFile(path("again.json"), "utf8"));
  assert.equal(saved.tools.length, 5);
});
