/** The peers compute what they are said to: on this machine, against double precision. What they cost on chips is npm run peers. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { type Fit, type Peer, POSITION, ROOMY, runPeerHere, TOKEN } from "../build.ts";
import { distance, referenceLogits } from "../reference.ts";
import { dequantised, makeWeights, type PeerShape } from "../weights.ts";

const SHAPE: PeerShape = {
  ...{ name: "stories-1m", dim: 128, layers: 5, heads: 4, kvHeads: 2, headDim: 32, ffn: 384, vocab: 1024 },
};
const CRAMPED: Fit = { sharedWeights: true, sharedCache: true, context: POSITION + 1 };

const missing = await promisify(execFile)("gcc", ["--version"]).then(
  () => false,
  () => "there is no gcc here",
);

describe("peers", { skip: missing }, () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "tritkit-peers-"));
  });
  after(() => rm(folder, { recursive: true }));

  /** How far the peer is from the reference, relative; `rounded`: the one that rounds what int8.c rounds. */
  async function apart(peer: Peer, fit: Fit, rounded: boolean): Promise<number> {
    const weights = makeWeights(SHAPE, fit.sharedWeights);
    const matrices = peer === "float32" ? weights.matrices : dequantised(SHAPE, weights);
    const { vectors } = weights;
    const expected = referenceLogits({
      ...fit,
      shape: SHAPE,
      matrices,
      vectors,
      rounded,
      token: TOKEN,
      position: POSITION,
    });
    return distance(await runPeerHere(peer, SHAPE, fit, folder), expected);
  }

  it("float32: the logits of double precision", async () => {
    assert.ok((await apart("float32", ROOMY, false)) < 1e-5);
    assert.ok((await apart("float32", CRAMPED, false)) < 1e-5);
  });

  it("int8: the logits of double precision that rounds where int8 does", async () => {
    assert.ok((await apart("int8", ROOMY, true)) < 1e-5);
    // One number that falls between two steps and is rounded the other way shows: .010 measured.
    assert.ok((await apart("int8", CRAMPED, true)) < 0.02);
  });

  it("int8: the logits of the float peer's formulas on the same weights, within what int8 can do", async () => {
    assert.ok((await apart("int8", ROOMY, false)) < 0.12);
    assert.ok((await apart("int8", CRAMPED, false)) < 0.12);
  });
});
