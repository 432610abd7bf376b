/** The images that the Python implementation in spec/vectors wrote: ours must read them, and give the same bytes for what is in them. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { TAB_ROPE_INC, TAB_SIGMOID, TAB_SINE } from "../../spec/image.ts";
import { PACK_GAIN } from "../../spec/packing.ts";
import { packGains, packRows, unpackGains, unpackRows } from "../convert/packing.ts";
import { ropeFrequencies, ropeIncrements, tablesSection } from "../convert/tables.ts";
import { encodeConfig } from "../image/config.ts";
import { describeImage } from "../image/describe.ts";
import { readImage } from "../image/reader.ts";
import { scaleOf, scaleValue } from "../image/scale.ts";
import { encodeTokenizer, parseTokenizer } from "../image/tokenizer.ts";
import { verifyCodes } from "../image/verify_codes.ts";

const FOLDER = "spec/vectors";
const images = (await readdir(FOLDER)).filter((name) => name.endsWith(".trit"));

test("there are images to read", () => assert.ok(images.length >= 3));

for (const name of images)
  test(`${name}: every tensor repacks to its bytes, configuration and tokenizer to theirs`, async () => {
    const image = readImage(new Uint8Array(await readFile(join(FOLDER, name))));
    verifyCodes(image);
    for (const { packing, data, rows, cols } of image.tensors) {
      const again =
        packing === PACK_GAIN
          ? packGains(unpackGains(data))
          : packRows(packing, unpackRows(packing, data, rows, cols), rows, cols);
      assert.deepEqual(Buffer.from(again), Buffer.from(data));
    }
    const section = (kind: number) => {
      const found = image.sections.find((candidate) => candidate.kind === kind);
      assert.ok(found);
      return image.bytes.subarray(found.offset, found.offset + found.bytes);
    };
    assert.deepEqual(Buffer.from(encodeConfig(image.config)), Buffer.from(section(1)));
    assert.deepEqual(parseTokenizer(encodeTokenizer(image.tokenizer)), image.tokenizer);
    const { config } = image;
    assert.deepEqual(config.attnScale, scaleOf(1 / Math.sqrt(config.headDim)));
    assert.deepEqual(
      Buffer.from(tablesSection(ropeFrequencies(Math.round(scaleValue(config.ropeTheta)), config.headDim))),
      Buffer.from(image.tables),
    );
    const description = describeImage(image);
    assert.equal(
      description.parts.reduce((sum, part) => sum + part.bytes, 0),
      image.bytes.length,
    );
    assert.ok(Math.abs(description.parts.reduce((sum, part) => sum + part.percent, 0) - 100) < 1e-6);
  });

test("the tables are those of numerics.json", async () => {
  const vectors = JSON.parse(await readFile(join(FOLDER, "numerics.json"), "utf8")) as {
    exp2: number[];
    sigmoid_table: number[];
    sine: number[];
    rope_inc: { theta: number; head_dim: number; inc: number[] }[];
  };
  const view = new DataView(tablesSection(ropeFrequencies(10000, 32)).buffer as ArrayBuffer);
  assert.deepEqual(
    vectors.exp2,
    Array.from({ length: 256 }, (_, i) => view.getUint16(i * 2, true)),
  );
  assert.deepEqual(
    vectors.sigmoid_table,
    Array.from({ length: 257 }, (_, i) => view.getUint16(TAB_SIGMOID + i * 2, true)),
  );
  assert.deepEqual(
    vectors.sine,
    Array.from({ length: 1025 }, (_, i) => view.getInt16(TAB_SINE + i * 2, true)),
  );
  assert.equal(view.byteLength, TAB_ROPE_INC + 16 * 4);
  assert.ok(vectors.rope_inc.length > 1);
  for (const { theta, head_dim, inc } of vectors.rope_inc)
    assert.deepEqual([...ropeIncrements(ropeFrequencies(theta, head_dim))], inc);
});
