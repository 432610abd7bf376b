/** A model with experts in integers and as published: the float engine on the same image, which takes the router's weights and its input as they are. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Engine } from "../engine/engine.ts";
import { FloatEngine } from "../float/float_engine.ts";
import { readModel, readTranscript } from "./transcripts.ts";

/** Root mean square of the difference at a position, as a share of the logits'. */
function apart(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return Math.sqrt(difference / size);
}

test("the integer engine is as near to the published arithmetic as dense models are, but where a rounding chose another expert", async (t) => {
  const image = readModel("experts");
  const { prompt } = readTranscript("experts");
  const integer = await Engine.open(image, { engine: "simd" });
  const float = await FloatEngine.openImage(image);
  const ids = integer.encode(prompt).slice(0, 60);
  assert.ok(ids.length > 20);
  const errors: number[] = [];
  for (const [position, id] of ids.entries())
    errors.push(
      apart(
        Float64Array.from(integer.forward(id, position), (logit) => logit / 65536),
        await float.forward(id, position),
      ),
    );
  errors.sort((a, b) => a - b);
  t.diagnostic(
    `${ids.length} positions: ${errors[errors.length >> 1].toFixed(3)} in the middle, ${errors.at(-1)?.toFixed(3)} at most`,
  );
  assert.ok(errors[errors.length >> 1] < 0.06);
  assert.ok(errors[Math.floor(errors.length * 0.65)] < 0.12);
  await float.close();
});
