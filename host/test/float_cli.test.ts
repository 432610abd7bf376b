// The float engine on the command line: `eval` and `run` of models that were not converted, `convert --text`, and what is left behind when something fails.
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { json, run } from "./command.ts";
import { checkWords } from "./failure.ts";

const HF = join(process.cwd(), "examples/models/llama-300k/hf");
let folder: string;
let text: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "float-cli-"));
  const heldOut = await readFile(join(process.cwd(), "examples/models/fixtures/heldout.txt"));
  text = join(folder, "text.txt");
  await writeFile(text, heldOut.subarray(0, 1500));
});
after(() => rm(folder, { recursive: true }));

describe("a model that was not converted", () => {
  it("is evaluated and run by the float engine, from its folder and from its weights' file", async () => {
    const [whole] = await json(["eval", HF, "--engine", "float", "--text", text, "--window", "64"]);
    const [again] = await json([
      "eval",
      join(HF, "model.safetensors"),
      "--engine",
      "float",
      "--text",
      text,
      "--window",
      "64",
    ]);
    assert.equal(whole.engine, "float");
    assert.equal(again.loss_nats, whole.loss_nats);
    const [image] = await json(["eval", "llama-300k", "--text", text, "--window", "64"]);
    assert.ok(Math.abs(Number(image.loss_nats) / Number(whole.loss_nats) - 1) < 0.005);
    const lines = await json(["run", HF, "--engine", "float", "-p", "Once", "-n", "5", "--temp", "0"]);
    assert.equal(lines.at(-1)?.tokens, 5);
  });

  it("says with convert --text what the image costs, on the same tokens", async () => {
    const image = join(folder, "out.trit");
    const [report] = (await json(["convert", HF, "-o", image, "--text", text])).slice(-1);
    const { tokens, window, before_loss_nats, after_loss_nats } = report.text as Record<string, number>;
    assert.ok(tokens > 400 && window === 256, JSON.stringify(report.text));
    assert.ok(Math.abs(after_loss_nats / before_loss_nats - 1) < 0.005);
    const [source] = await json(["eval", HF, "--engine", "float", "--text", text, "--window", String(window)]);
    assert.equal(source.loss_nats, before_loss_nats);
  });

  it("is told in one line what it lacks", async () => {
    const empty = join(folder, "empty.txt");
    await writeFile(empty, "");
    const out = join(folder, "none.trit");
    checkWords(await run(["convert", HF, "-o", out, "--text", empty]), "E_TEXT_EMPTY", 1);
    checkWords(await run(["convert", HF, "-o", out, "--text", join(folder, "missing")]), "E_FILE_NOT_FOUND", 1);
    checkWords(await run(["eval", HF, "--engine", "float", "--text", empty]), "E_TEXT_EMPTY", 1);
    assert.ok(!(await readdir(folder)).includes("none.trit"));
  });
});

describe("logits of eval", () => {
  it("are whole or not there", async () => {
    const ids = join(folder, "ids.json");
    const out = join(folder, "logits.npy");
    await writeFile(ids, "[5, 6, 99999]");
    checkWords(await run(["eval", HF, "--engine", "float", "--tokens", ids, "--logits", out]), "E_TOKEN_ID", 1);
    checkWords(
      await run(["eval", HF, "--engine", "float", "--tokens", ids, "--logits", join(folder, "a/b.npy")]),
      "E_OUTPUT",
      1,
    );
    assert.deepEqual(
      (await readdir(folder)).filter((name) => /npy|part/.test(name)),
      [],
    );
    await writeFile(ids, "[5, 6, 7]");
    await json(["eval", HF, "--engine", "float", "--tokens", ids, "--logits", out]);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => /npy|part/.test(name)),
      ["logits.npy"],
    );
  });
});
