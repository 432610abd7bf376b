// The integer pipeline against the float64 reference of examples/train/reference.py (BitNet's published semantics: fake
// quantisation, everything else in float64), on the same windows of text that no model was trained on.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Engine, LOGIT_UNIT } from "../engine/engine.ts";
import { evaluate } from "../engine/eval.ts";

const MODELS = join(process.cwd(), "examples/models");
/** The bar of ARCHITECTURE.md, decision 1. */
const LOSS_WITHIN = 0.005;
const TOP1_AT_LEAST = 0.98;

interface Fixture {
  window: number;
  tokens: number;
  token_ids_b64: string;
  nll_b64: string;
  top1_b64: string;
  loss_nats: number;
  first_logits_b64: string;
}

function bytesOf(base64: string): ArrayBuffer {
  return Uint8Array.from(Buffer.from(base64, "base64")).buffer;
}

describe("fidelity to the float64 reference", () => {
  for (const name of ["stories-1m", "swiglu-300k", "llama-300k"]) {
    it(`${name}: loss within 0.5 %, the same top-1 at 98 % of positions`, async (context) => {
      const fixture: Fixture = JSON.parse(await readFile(join(MODELS, "fixtures", `${name}.fidelity.json`), "utf8"));
      const engine = await Engine.open(new Uint8Array(await readFile(join(MODELS, name, `${name}.trit`))));
      const ids = [...new Uint16Array(bytesOf(fixture.token_ids_b64))];
      const nll = new Float32Array(bytesOf(fixture.nll_b64));
      const top1 = new Uint16Array(bytesOf(fixture.top1_b64));
      let [at, agree, theirs] = [0, 0, 0];
      const result = await evaluate(engine, ids, {
        window: fixture.window,
        onToken: (token) => {
          if (token.top1 === top1[at]) agree++;
          theirs += nll[at++];
        },
      });
      assert.equal(at, nll.length, "the same positions are predicted");
      const reference = theirs / at;
      assert.ok(Math.abs(reference - fixture.loss_nats) < 1e-4, "the fixture agrees with itself");
      const difference = (result.lossNats - reference) / reference;
      const share = agree / at;
      context.diagnostic(
        `${name}: loss ${result.lossNats.toFixed(4)} integer, ${reference.toFixed(4)} float64 (${(100 * difference).toFixed(3)} %), ` +
          `top-1 agrees at ${agree} of ${at} (${(100 * share).toFixed(2)} %), ${result.bytes} bytes of text`,
      );
      assert.ok(result.bytes >= 20_000, "at least 20 kB of text");
      assert.ok(Math.abs(difference) <= LOSS_WITHIN, `loss differs by ${(100 * difference).toFixed(3)} %`);
      assert.ok(share >= TOP1_AT_LEAST, `top-1 agrees at ${(100 * share).toFixed(2)} %`);
    });
  }

  it("the first logits agree within what int8 keys and values cost", async () => {
    const fixture: Fixture = JSON.parse(await readFile(join(MODELS, "fixtures/stories-1m.fidelity.json"), "utf8"));
    const engine = await Engine.open(new Uint8Array(await readFile(join(MODELS, "stories-1m/stories-1m.trit"))));
    const { bos, vocabSize } = engine.image.config;
    const ids = [bos, ...new Uint16Array(bytesOf(fixture.token_ids_b64))];
    const expected = new Float32Array(bytesOf(fixture.first_logits_b64));
    for (let position = 0; position < 8; position++) {
      const logits = engine.forward(ids[position], position);
      let square = 0;
      for (let i = 0; i < vocabSize; i++) square += (logits[i] * LOGIT_UNIT - expected[position * vocabSize + i]) ** 2;
      const rms = Math.sqrt(square / vocabSize);
      assert.ok(rms < 0.1, `position ${position}: RMS difference ${rms.toFixed(4)}`);
    }
  });
});
