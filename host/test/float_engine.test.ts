// The float engine against examples/train/reference.py: numpy, float64, written from the published semantics by another hand. Here also what only the engine
// has: weights that are not kept, conversations, errors.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openModel } from "../convert/convert.ts";
import { Engine, LOGIT_UNIT } from "../engine/engine.ts";
import { evaluate } from "../engine/eval.ts";
import { TritkitError } from "../errors.ts";
import { FloatEngine, type FloatOptions } from "../float/float_engine.ts";
import { roundHalfEven } from "../float/vectors.ts";
import { run } from "./command.ts";
import { checkWords } from "./failure.ts";
import { writeHf } from "./hf_fixture.ts";
import { readModel, VECTOR_MODELS } from "./transcripts.ts";

const MODELS = join(process.cwd(), "examples/models");
const WINDOWS = 4;

interface Fixture {
  window: number;
  token_ids_b64: string;
  nll_b64: string;
  top1_b64: string;
  first_logits_b64: string;
}

const bytesOf = (base64: string) => Uint8Array.from(Buffer.from(base64, "base64")).buffer;
const fixtureOf = async (name: string): Promise<Fixture> =>
  JSON.parse(await readFile(join(MODELS, "fixtures", `${name}.fidelity.json`), "utf8"));
const imageOf = async (name: string) => new Uint8Array(await readFile(join(MODELS, name, `${name}.trit`)));
const openHf = async (name: string, options?: FloatOptions) =>
  FloatEngine.open(await openModel(join(MODELS, name, "hf"), { float: true }), options);

describe("the float engine and the float64 reference", () => {
  for (const name of ["stories-1m", "swiglu-300k", "llama-300k"]) {
    it(`${name}: the same loss of every token, the same top-1`, async (context) => {
      const fixture = await fixtureOf(name);
      const count = WINDOWS * (fixture.window - 1);
      const ids = [...new Uint16Array(bytesOf(fixture.token_ids_b64))].slice(0, count);
      const nll = new Float32Array(bytesOf(fixture.nll_b64));
      const top1 = new Uint16Array(bytesOf(fixture.top1_b64));
      const engine = await openHf(name);
      let [at, agree, apart, worst, sum] = [0, 0, 0, 0, 0];
      const started = performance.now();
      const result = await evaluate(engine, ids, {
        window: fixture.window,
        onToken: (token) => {
          if (token.top1 === top1[at]) agree++;
          const difference = Math.abs(token.nll - nll[at]);
          worst = Math.max(worst, difference);
          if (difference > 1e-5) apart++;
          sum += nll[at++];
        },
      });
      const speed = (1000 * at) / (performance.now() - started);
      context.diagnostic(
        `loss ${result.lossNats.toFixed(6)}, reference ${(sum / at).toFixed(6)}, largest difference of a token ${worst.toExponential(1)}, ${Math.round(speed)} tokens/s`,
      );
      assert.equal(at, count);
      // The fixture is float32. An activation within rounding of half a step may fall on either side, on another machine's exp: then few tokens differ.
      assert.ok(Math.abs(result.lossNats - sum / at) < 1e-4, "loss");
      assert.ok(apart <= 0.01 * at, `${apart} of ${at} tokens differ by more than 1e-5, at most ${worst}`);
      assert.ok(agree >= 0.998 * at, `top-1 agrees at ${agree} of ${at}`);
      await engine.close();
    });
  }

  it("gives the reference's first logits, weights kept or read again, one position at a time or several", async () => {
    const fixture = await fixtureOf("stories-1m");
    const expected = new Float32Array(bytesOf(fixture.first_logits_b64));
    const kept = await openHf("stories-1m");
    const streamed = await openHf("stories-1m", { memory: 0 });
    const { bos, vocabSize } = kept.config;
    const ids = [bos, ...new Uint16Array(bytesOf(fixture.token_ids_b64))].slice(0, 8);
    const together = await kept.forwardAll(ids, 0);
    const again = await streamed.forwardAll(ids, 0);
    const single: number[] = [];
    for (const [position, id] of ids.entries()) single.push(...(await kept.forward(id, position)));
    const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    for (let i = 0; i < 8 * vocabSize; i++) {
      assert.ok(Math.abs(together[i] - expected[i]) <= 1e-3 * largest, `logit ${i}: ${together[i]}, ${expected[i]}`);
      assert.equal(again[i], together[i]);
      assert.equal(single[i], together[i]);
    }
    await kept.close();
    await streamed.close();
  });

  it("runs what an image holds: what the converter rounded is all that differs from the source", async () => {
    const engine = await FloatEngine.openImage(await imageOf("stories-1m"));
    const fixture = await fixtureOf("stories-1m");
    const ids = [...new Uint16Array(bytesOf(fixture.token_ids_b64))].slice(0, 1020);
    const nll = new Float32Array(bytesOf(fixture.nll_b64)).slice(0, 1020);
    const { lossNats } = await evaluate(engine, ids, { window: fixture.window });
    const reference = nll.reduce((sum, value) => sum + value, 0) / nll.length;
    assert.ok(Math.abs(lossNats - reference) / reference < 0.001, `${lossNats} and ${reference}`);
  });
});

describe("the float engine on images of every shape", () => {
  for (const name of VECTOR_MODELS) {
    it(`${name}: the integer engine's logits within what 8 bits cost`, async (context) => {
      const integer = await Engine.open(readModel(name));
      const float = await FloatEngine.openImage(readModel(name));
      const { vocabSize } = float.config;
      const ids = Array.from({ length: 12 }, (_, i) => (i * 37 + 3) % vocabSize);
      const expected = await float.forwardAll(ids, 0);
      const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
      const errors = ids.map((id, position) => {
        const logits = integer.forward(id, position);
        let worst = 0;
        for (let i = 0; i < vocabSize; i++)
          worst = Math.max(worst, Math.abs(logits[i] * LOGIT_UNIT - expected[position * vocabSize + i]));
        return worst / largest;
      });
      context.diagnostic(`differences in shares of the largest logit: ${errors.map((e) => e.toFixed(3)).join(" ")}`);
      // A choice of experts may fall differently at one position or another.
      assert.ok(errors.sort((a, b) => a - b)[ids.length >> 1] < 0.05);
    });
  }
});

describe("a conversation with the float engine", () => {
  it("counts, slides and stops as the integer engine does", async () => {
    const float = await FloatEngine.openImage(await imageOf("llama-300k"), { context: 48 });
    const integer = await Engine.open(await imageOf("llama-300k"), { context: 48 });
    const turns = ["Once upon a time", " there was a dog", " and a cat", " who lived", " in a house by the sea"];
    for (const [i, prompt] of turns.entries()) {
      const options = { temperature: 0, maxTokens: 14, keep: i > 0, repeat: 1.1 };
      const ours = await float.generate(prompt, options);
      const theirs = await integer.generate(prompt, options);
      // The words may part company where two logits are close; an end-of-text would end both counts.
      if (ours.stop !== "max" || theirs.stop !== "max")
        assert.fail("choose prompts that are not answered in a few words");
      for (const field of ["promptTokens", "position", "slides", "context", "stop"] as const)
        assert.equal(ours[field], theirs[field], `turn ${i}: ${field}`);
      if (i === 0) assert.deepEqual(ours.tokenIds, theirs.tokenIds);
    }
  });

  it("turns a prompt into the integer engine's ids, templates included", async () => {
    for (const name of VECTOR_MODELS) {
      const bytes = new Uint8Array(await readFile(join(process.cwd(), "spec/vectors", `${name}.trit`)));
      const [float, integer] = [await FloatEngine.openImage(bytes), await Engine.open(bytes)];
      for (const [i, prompt] of ["the sea", "\u00e9 and\n\n \ud83d\ude00", "x"].entries()) {
        const options = { temperature: 0, maxTokens: 1, keep: i > 0 };
        const [ours, theirs] = [await float.generate(prompt, options), await integer.generate(prompt, options)];
        assert.deepEqual(float.encode(prompt), integer.encode(prompt));
        assert.equal(ours.promptTokens, theirs.promptTokens, `${name}: ${prompt}`);
        assert.equal(ours.position, theirs.position, `${name}: ${prompt}`);
      }
    }
  });

  it("draws the integer engine's token from the same distribution and seed", async () => {
    const float = await FloatEngine.openImage(await imageOf("stories-1m"));
    const integer = await Engine.open(await imageOf("stories-1m"));
    let same = 0;
    for (let seed = 0; seed < 40; seed++) {
      const options = { temperature: 1, topP: 0.9, topK: 50, seed, maxTokens: 1 };
      const [ours, theirs] = [await float.generate("The", options), await integer.generate("The", options)];
      if (ours.tokenIds[0] === theirs.tokenIds[0]) same++;
    }
    // Logits differ by hundredths, and with them the borders between 50 tokens: a draw near one may fall on its other side. Drawn alone, 6 of 40 would agree.
    assert.ok(same >= 28, `${same} of 40`);
  });

  it("ends when it is stopped, and the context stays usable", async () => {
    const engine = await openHf("stories-1m");
    const abort = new AbortController();
    const onToken = () => abort.abort();
    const stopped = await engine.generate("Once", { signal: abort.signal, temperature: 0, onToken });
    assert.equal(stopped.stop, "stopped");
    assert.equal(stopped.tokenIds.length, 1);
    const again = await engine.generate("Once", { temperature: 0, maxTokens: 2 });
    assert.equal(again.tokenIds[0], stopped.tokenIds[0]);
    await engine.close();
  });
});

async function failsWith(code: string, attempt: () => Promise<unknown>): Promise<void> {
  await assert.rejects(attempt, (error: unknown) => error instanceof TritkitError && error.code === code, code);
}

describe("what the float engine refuses", () => {
  it("ids, positions and prompts that there are none of", async () => {
    const engine = await openHf("stories-1m", { context: 16 });
    await failsWith("E_TOKEN_ID", () => engine.forward(1024, 0));
    await failsWith("E_TOKEN_ID", () => engine.forward(-1, 0));
    await failsWith("E_POSITION", () => engine.forward(5, 16));
    await failsWith("E_PROMPT_TOO_LONG", () => engine.generate("a b c d e f g h i j k l m n o p q r s t u v w x y z"));
    await failsWith("E_USAGE", () => engine.generate("a", { temperature: -1 }));
    await failsWith("E_TEXT_EMPTY", () => evaluate(engine, []));
    await failsWith("E_TOKEN_ID", () => evaluate(engine, [3, 99999]));
    await engine.close();
  });

  it("weights that are no numbers", async () => {
    const folder = await mkdtemp(join(tmpdir(), "float-"));
    try {
      const bytes = new Uint8Array(new Float32Array(16).fill(Number.NaN).buffer);
      await writeHf(folder, "multiply", { tensors: { "model.norm.weight": { dtype: "F32", shape: [16], bytes } } });
      const options = ["--engine", "float", "-p", "a", "--temp", "0"];
      const { status, stderr } = await run(["run", folder, ...options]);
      assert.equal(status, 1);
      assert.match(stderr, /^tritkit: .*\[E_(NOT_FINITE|SOURCE_FORMAT)\]\n$/m);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("a source without --engine float, and options that only it takes; one line each", async () => {
    const folder = await mkdtemp(join(tmpdir(), "float-"));
    try {
      const hf = join(folder, "hf");
      await writeHf(hf, "multiply");
      for (const [args, code, status] of [
        [["run", hf, "-p", "a"], "E_NOT_CONVERTED", 1],
        [["eval", hf, "--text", join(hf, "config.json")], "E_NOT_CONVERTED", 1],
        [["run", "stories-1m", "--i2s", "x86", "-p", "a"], "E_USAGE", 2],
        [["run", hf, "--engine", "float", "--quantize", "best", "-p", "a"], "E_USAGE", 2],
        [["run", hf, "--engine", "double", "-p", "a"], "E_USAGE", 2],
        [["run", join(folder, "none.gguf"), "--engine", "float", "-p", "a"], "E_FILE_NOT_FOUND", 1],
        [["run", hf, "--engine", "float", "--context", "4096", "-p", "a"], "E_USAGE", 2],
      ] as const) {
        checkWords(await run([...args]), code, status);
      }
      const ended = await run(["run", hf, "--engine", "float", "-p", "the", "-n", "4", "--temp", "0"]);
      assert.equal(ended.status, 0, ended.stderr);
      assert.match(ended.stderr, /^note {2}A context starts with bos/m);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("roundHalfEven", () => {
  it("rounds as torch.round: of two neighbours the even one", () => {
    const values = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999999999999994, 63.5, 126.50000000000001, -127.5];
    assert.deepEqual(
      values.map(roundHalfEven).map((v) => v + 0),
      [0, 2, 2, 0, -2, -2, 0, 64, 127, -128],
    );
  });
});
