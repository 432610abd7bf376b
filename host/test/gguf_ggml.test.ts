/**
 * Our reading of ggml's blocks beside ggml's own, native, from npm (host/bench/ggml.ts). `npm run test:ggml` insists on the packages; gguf_blocks.test.ts replays
 * a small part of this without them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadGgml } from "../bench/ggml.ts";
import { decodeFloats } from "../convert/gguf/float_blocks.ts";
import { blockScales, decodeTrits } from "../convert/gguf/ternary_blocks.ts";
import { blockType, isTernaryType, typeName } from "../convert/gguf/types.ts";
import { BLOCK_TYPES, quantisedBlocks, randomBlocks } from "./ggml_blocks.ts";

const ggml = loadGgml();
const skip =
  ggml === null &&
  process.env.TRITKIT_TEST_GGML !== "1" &&
  "ggml's npm packages are not installed (npm run bench:peer)";

for (const type of BLOCK_TYPES)
  test(`${typeName(type)}: 2,000 random blocks and 40 of ggml's quantiser give ggml's values`, { skip }, () => {
    assert.ok(ggml, "ggml's npm packages are not installed");
    for (const blocks of [randomBlocks(type, 2000, type + 1), quantisedBlocks(ggml, type, 40, type)]) {
      const values = ggml.dequantise(type, blocks);
      assert.equal(values.length / blocks.length, (blockType(type)?.weights ?? 0) / (blockType(type)?.bytes ?? 0));
      const ours = decodeFloats(type, blocks, values.length);
      // Bit for bit, but for the sign of zero.
      for (const [i, value] of values.entries()) assert.ok(ours[i] === value, `weight ${i}: ${ours[i]}, ggml ${value}`);
      if (!isTernaryType(type)) continue;
      const trits = new Int8Array(values.length);
      const sound = decodeTrits(type, blocks, trits);
      const scales = blockScales(type, blocks);
      for (const [i, value] of values.entries()) assert.ok(trits[i] * scales[i >> 8] === value, `weight ${i}`);
      assert.equal(sound, !trits.includes(2));
    }
  });
