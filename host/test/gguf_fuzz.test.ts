/** Damaged GGUF files: each is read or refused in one sentence, in bounded time and memory. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { KIND_EMBED } from "../../spec/image.ts";
import { openGguf } from "../convert/gguf/open_gguf.ts";
import { TYPE_I2_S, TYPE_Q8_0, TYPE_TQ1_0, TYPE_TQ2_0 } from "../convert/gguf/types.ts";
import { isTernary } from "../convert/model.ts";
import { TritkitError } from "../errors.ts";
import { tensorSlots } from "../image/layout.ts";
import { tinyGguf, tinyModel } from "./gguf_model.ts";
import { seeded } from "./seeded.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-gguf-fuzz-"));
after(() => rm(folder, { recursive: true }));

/** TRITKIT_FUZZ=20000 goes further. */
const CASES = Number(process.env.TRITKIT_FUZZ ?? 250);
const NUMBERS = [
  0n,
  1n,
  2n,
  31n,
  255n,
  2n ** 20n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];

const bitnet = tinyModel();
const llama = tinyModel({ subNorm: false, tied: false, activation: "silu" });
const WHOLE = [
  tinyGguf(bitnet, { type: TYPE_TQ1_0 }),
  tinyGguf(bitnet, { architecture: "bitnet", type: TYPE_I2_S, embedType: TYPE_Q8_0 }),
  tinyGguf(llama, { architecture: "llama", type: TYPE_TQ2_0 }),
];
/** Where the tensors' names end: what lies before is header. */
const HEADERS = WHOLE.map((file) => file.lastIndexOf(".weight") + 60);

function damage(whole: Buffer, header: number, random: () => number): Uint8Array {
  const copy = Buffer.from(whole);
  const at = (end: number) => Math.floor(random() * end);
  const mutations = 1 + at(3);
  for (let n = 0; n < mutations; n++) {
    const kind = random();
    if (kind < 0.35) copy[at(header)] ^= 1 << at(8);
    else if (kind < 0.45) copy[at(copy.length)] = at(256);
    else if (kind < 0.75) copy.writeBigUInt64LE(NUMBERS[at(NUMBERS.length)], at(header));
    else if (kind < 0.9) copy.writeUInt32LE(Number(NUMBERS[at(8)]), at(header));
    // A stretch of the header over another one: fields in the wrong place, names twice.
    else copy.copy(copy, at(header), at(header), at(header));
  }
  return random() < 0.1 ? copy.subarray(0, at(copy.length)) : copy;
}

/** Everything that a conversion reads, a few rows of it. */
async function readAll(path: string): Promise<void> {
  const source = await openGguf(path, { i2s: "x86", float: true });
  try {
    for (const { kind, layer, role, rows, cols } of tensorSlots(source.config)) {
      if (role === "gain") assert.equal((await source.gain(kind, layer)).length, cols);
      else if (role === "rows") assert.equal((await (await source.matrix(kind)).values(rows - 2, 2)).length, 2 * cols);
      else {
        const linear = await source.linear(kind, layer);
        const values = isTernary(linear) ? await linear.trits(rows - 3, 3) : await linear.values(rows - 3, 3);
        assert.equal(values.length, 3 * cols);
      }
    }
    assert.equal((await source.matrix(KIND_EMBED)).rows, source.tokenizer.tokens.length);
  } finally {
    await source.close();
  }
}

test(`${CASES} damaged files are read or refused, never worse`, async () => {
  const random = seeded(2026);
  const path = join(folder, "model.gguf");
  let refused = 0;
  let slowest = 0;
  const memory = process.memoryUsage().rss;
  for (let round = 0; round < CASES; round++) {
    const which = round % WHOLE.length;
    await writeFile(path, damage(WHOLE[which], HEADERS[which], random));
    const started = performance.now();
    try {
      await readAll(path);
    } catch (error) {
      assert.ok(error instanceof TritkitError, `round ${round}: ${error instanceof Error ? error.stack : error}`);
      assert.match(error.message, /^[^\n]+\.$/);
      refused++;
    }
    slowest = Math.max(slowest, performance.now() - started);
  }
  // Most damage hits something; some hits a name, a padding or a weight.
  assert.ok(refused > CASES / 2 && refused < CASES, `${refused} refused`);
  assert.ok(slowest < 5000, `${slowest} ms`);
  assert.ok(process.memoryUsage().rss - memory < 300 << 20);
});
