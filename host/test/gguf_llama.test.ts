/**
 * The same GGUF file in llama.cpp, native, from npm (host/bench/llama.ts), and in the float engine: the logits agree. In F32 llama.cpp computes with floats, so that nothing but the
 * meaning of names, metadata and order can differ. `npm run test:ggml` insists on the packages.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { findPackages } from "../bench/ggml.ts";
import { Llama } from "../bench/llama.ts";
import { openGguf } from "../convert/gguf/open_gguf.ts";
import { TYPE_F32, TYPE_Q8_0, TYPE_TQ1_0, TYPE_TQ2_0 } from "../convert/gguf/types.ts";
import { FloatEngine } from "../float/float_engine.ts";
import { encodeFloats } from "./gguf_encode.ts";
import { type GgufOptions, SHAPE, tinyGguf, tinyModel } from "./gguf_model.ts";
import { seeded } from "./seeded.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-gguf-llama-"));
after(() => rm(folder, { recursive: true }));
const llama = Llama.load();
silence();
const skip =
  llama === null &&
  process.env.TRITKIT_TEST_GGML !== "1" &&
  "llama.cpp's npm packages are not installed (npm run bench:peer)";

const TOKENS = [258, 72, 101, 108, 108, 111, 32, 119, 111, 114, 108, 100, 257, 104, 256, 10];

/** llama.cpp tells a hundred lines about a file. They go to one of its functions that has no parameters. */
function silence(): void {
  const found = findPackages();
  if (!found || !llama) return;
  const library = found.koffi.load(join(found.folder, `libllama.${llama.release}.so`));
  const deaf = (library as unknown as { symbol(name: string, type: string): unknown }).symbol(
    "llama_time_us",
    "void *",
  );
  library.func("llama_log_set", "void", ["void *", "void *"])(deaf, null);
}

/** @param tolerance share of the largest logit */
async function agree(gguf: Buffer, tolerance: number): Promise<void> {
  assert.ok(llama, "llama.cpp's npm packages are not installed (npm run bench:peer)");
  const path = join(folder, "model.gguf");
  await writeFile(path, gguf);
  const session = llama.open(path, SHAPE.context);
  const source = await openGguf(path, { float: true });
  try {
    // llama.cpp does not round the inputs of F32 layers.
    const engine = await FloatEngine.open({
      ...source,
      fakeQuant: false,
    });
    assert.equal(session.vocabSize, SHAPE.vocab);
    // More would wait for each other by spinning.
    session.setThreads(1);
    for (const [position, token] of TOKENS.entries()) {
      session.evaluate([token]);
      const theirs = session.logits();
      const ours = await engine.forward(token, position);
      const largest = theirs.reduce((max, logit) => Math.max(max, Math.abs(logit)), 0);
      assert.ok(largest > 0.1);
      // Its keys and values are of type f16.
      for (const [id, logit] of theirs.entries())
        assert.ok(
          Math.abs(ours[id] - logit) < tolerance * largest,
          `token ${id} of position ${position}: ${ours[id]}, llama.cpp ${logit}`,
        );
    }
  } finally {
    session.free();
    await source.close();
  }
}

const random = seeded(31);
const factors = Float32Array.from({ length: SHAPE.headDim / 2 }, () => 1 + 3 * random());
/** In floats: llama.cpp would round the head's input for one in Q8_0. */
const HEAD = {
  name: "output.weight",
  type: TYPE_F32,
  ne: [SHAPE.dim, SHAPE.vocab],
  bytes: encodeFloats(TYPE_F32, tinyModel({ tied: false }).head),
};
const CASES: [what: string, model: Parameters<typeof tinyModel>[0], gguf: GgufOptions][] = [
  [
    "llama, whose Q and K are permuted",
    { subNorm: false, tied: false, activation: "silu" },
    { architecture: "llama", type: TYPE_F32 },
  ],
  ["llama with tied embeddings", { subNorm: false, activation: "silu" }, { architecture: "llama", type: TYPE_F32 }],
  [
    "llama with RoPE factors and another theta",
    { subNorm: false, tied: false, activation: "silu" },
    {
      architecture: "llama",
      type: TYPE_F32,
      fields: { "llama.rope.freq_base": ["llama.rope.freq_base", "f32", 500] },
      tensors: {
        "rope_freqs.weight": {
          name: "rope_freqs.weight",
          type: TYPE_F32,
          ne: [factors.length],
          bytes: encodeFloats(TYPE_F32, factors),
        },
      },
    },
  ],
  [
    "llama with an embedding in Q8_0",
    { subNorm: false, tied: false, activation: "silu" },
    { architecture: "llama", type: TYPE_F32, embedType: TYPE_Q8_0, tensors: { [HEAD.name]: HEAD } },
  ],
  [
    "llama with experts",
    { subNorm: false, tied: false, activation: "silu", experts: 4 },
    { architecture: "llama", type: TYPE_F32 },
  ],
  ["llama in TQ1_0", { subNorm: false, tied: false, activation: "silu" }, { architecture: "llama", type: TYPE_TQ1_0 }],
  [
    "bitnet in TQ2_0",
    { activation: "silu" },
    { architecture: "bitnet", type: TYPE_TQ2_0, fields: { "bitnet.hidden_activation": undefined } },
  ],
  [
    "bitnet with SiLU",
    { activation: "silu" },
    { architecture: "bitnet", type: TYPE_F32, fields: { "bitnet.hidden_activation": undefined } },
  ],
];

// llama.cpp keeps keys and values in f16, and rounds the inputs of ternary layers to int8 in blocks of 256.
for (const [what, model, gguf] of CASES)
  test(`${what}: llama.cpp's logits`, { skip }, () =>
    agree(tinyGguf(tinyModel(model), gguf), gguf.type === TYPE_F32 ? 2e-3 : 3e-2),
  );
