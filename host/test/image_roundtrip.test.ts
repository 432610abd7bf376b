import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ACTIVATION_RELU2,
  ACTIVATION_SILU,
  KIND_ATTN_Q,
  KIND_EMBED,
  KIND_FFN_SUB_NORM,
  KIND_FINAL_NORM,
  KIND_HEAD,
  SCALE_ROWS,
  SCALE_TENSOR,
} from "../../spec/image.ts";
import { buildImage } from "../convert/build.ts";
import { EMBED_PACKINGS, type EmbedPacking } from "../convert/choices.ts";
import { isTernary } from "../convert/model.ts";
import { unpackGains, unpackRows } from "../convert/packing.ts";
import { randomModel } from "../convert/random.ts";
import { readImage } from "../image/reader.ts";
import { scaleValue } from "../image/scale.ts";
import { levelsOf } from "../image/sizes.ts";
import { rowScale } from "../image/tensor.ts";
import { verifyCodes } from "../image/verify_codes.ts";

const SMALL = { dim: 20, hiddenDim: 28, nLayers: 2, nHeads: 2, nKvHeads: 1, headDim: 6, vocabSize: 262, seqLen: 32 };

for (const packing of Object.keys(EMBED_PACKINGS).filter((name) => name !== "auto"))
  for (const rowScales of [false, true])
    test(`embeddings as ${packing} and ${rowScales ? "row" : "tensor"} scales come back from the image`, async () => {
      const model = randomModel({
        ...SMALL,
        rowScales,
        tied: packing !== "t3",
        subNorm: packing !== "t2",
        activation: rowScales ? "silu" : "relu2",
      });
      const { bytes } = await buildImage(model, {
        embedPacking: packing as EmbedPacking,
        name: "small",
        board: "b",
        context: 17,
      });
      const image = readImage(bytes, { board: "b" });
      verifyCodes(image);
      assert.deepEqual([image.header.name, image.header.board], ["small", "b"]);
      const { config } = image;
      assert.deepEqual(
        [config.dim, config.hiddenDim, config.nLayers, config.nHeads, config.nKvHeads, config.headDim],
        [20, 28, 2, 2, 1, 6],
      );
      assert.deepEqual(
        [config.bos, config.eos, config.addBos, config.defaultContext, config.seqLen],
        [260, 261, true, 17, 32],
      );
      assert.equal(config.activation, rowScales ? ACTIVATION_SILU : ACTIVATION_RELU2);
      assert.ok(Math.abs(scaleValue(config.attnScale) - 6 ** -0.5) < 1e-5);
      assert.deepEqual(image.tokenizer, {
        ...model.tokenizer,
        merges: [...model.tokenizer.merges].sort((a, b) => a.left - b.left || a.right - b.right),
      });

      for (const layer of [0, 1]) {
        const source = await model.linear(KIND_ATTN_Q, layer);
        assert.ok(isTernary(source));
        const tensor = image.tensor(KIND_ATTN_Q, layer);
        assert.equal(tensor.scaleKind, rowScales ? SCALE_ROWS : SCALE_TENSOR);
        assert.deepEqual(unpackRows(tensor.packing, tensor.data, 12, 20), await source.trits(0, 12));
        for (let row = 0; row < 12; row++) {
          const wanted = typeof source.scale === "number" ? source.scale : source.scale[row];
          const got = scaleValue(rowScales ? rowScale(tensor, row) : tensor.scale);
          assert.ok(Math.abs(got / wanted - 1) <= 2 ** -16, `${got} for ${wanted}`);
        }
      }
      const gains = await model.gain(KIND_FINAL_NORM, 0);
      const final = image.tensor(KIND_FINAL_NORM);
      const stored = unpackGains(final.data);
      for (const [i, gain] of gains.entries())
        assert.ok(Math.abs(stored[i] * 2 ** final.scale.e - gain) <= 2 ** (final.scale.e - 1));
      if (packing !== "t2") image.tensor(KIND_FFN_SUB_NORM, 1);
      else assert.throws(() => image.tensor(KIND_FFN_SUB_NORM, 1), { code: "E_IMAGE_TENSOR" });

      for (const kind of config.tied ? [KIND_EMBED] : [KIND_EMBED, KIND_HEAD]) {
        const matrix = image.tensor(kind);
        const weights = unpackRows(matrix.packing, matrix.data, 262, 20);
        const real = await (await model.matrix(kind)).values(0, 262);
        for (let row = 0; row < 262; row++) {
          const scale = scaleValue(rowScale(matrix, row));
          const absmax = Math.max(...real.subarray(row * 20, row * 20 + 20).map(Math.abs));
          // Half a step, and what the clamping of at most 40 % may take from the largest values.
          assert.ok(scale <= (absmax / levelsOf(matrix.packing)) * 1.2 && scale > 0);
          for (let i = row * 20; i < row * 20 + 20; i++)
            assert.ok(Math.abs(real[i] - weights[i] * scale) <= Math.max(scale, 0.45 * absmax));
        }
      }
    });

test("an image of another board is refused", async () => {
  const { bytes } = await buildImage(randomModel(SMALL), { board: "rp2040-pico" });
  assert.throws(() => readImage(bytes, { board: "esp32-c3" }), { code: "E_IMAGE_BOARD" });
});

test("the same model gives the same bytes", async () => {
  const [a, b] = [await buildImage(randomModel(SMALL)), await buildImage(randomModel(SMALL))];
  assert.deepEqual(a.bytes, b.bytes);
  assert.equal(a.report.sha256, b.report.sha256);
});
