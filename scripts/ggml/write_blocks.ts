/**
 * Writes host/test/data/gguf_blocks.json: blocks and the values that ggml's own dequantisers give for them, so that `npm test` can compare without ggml.
 *
 *     node scripts/run_ts.mjs scripts/ggml/write_blocks.ts          needs the packages of scripts/bench/peer
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadGgml } from "../../host/bench/ggml.ts";
import { typeName } from "../../host/convert/gguf/types.ts";
import { BLOCK_TYPES, quantisedBlocks, randomBlocks } from "../../host/test/ggml_blocks.ts";

const ggml = loadGgml();
if (!ggml) throw new Error("ggml's npm packages are not installed: npm run bench:peer");
const base64 = (array: Uint8Array | Float32Array) =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");
const vectors = BLOCK_TYPES.map((type) => {
  const blocks = Buffer.concat([randomBlocks(type, 2, type), quantisedBlocks(ggml, type, 2, type)]);
  return { type, name: typeName(type), blocks: base64(blocks), values: base64(ggml.dequantise(type, blocks)) };
});
const origin = `values: ggml ${ggml.version}, ggml_type_traits.to_float; blocks: random bytes, and ggml_quantize_chunk`;
await writeFile(
  join(process.cwd(), "host/test/data/gguf_blocks.json"),
  `${JSON.stringify({ origin, vectors }, null, 1)}\n`,
);
