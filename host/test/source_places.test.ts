/** Where models lie and what is said of places that hold none: a name comes from there, and nothing there is replaced. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { convert, openModel } from "../convert/convert.ts";
import { TYPE_TQ2_0 } from "../convert/gguf/types.ts";
import { directoryModelName, fileModelName } from "../convert/source_name.ts";
import { tinyGguf, tinyModel } from "./gguf_model.ts";
import { writeHf } from "./hf_fixture.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-places-"));
after(() => rm(folder, { recursive: true }));

test("names come from the folder or file, from huggingface_hub's cache too, and fit an image", () => {
  assert.equal(directoryModelName("/models/stories-1m/hf"), "stories-1m");
  assert.equal(directoryModelName("/models/bitnet/"), "bitnet");
  assert.equal(
    directoryModelName("/hub/models--microsoft--bitnet-b1.58-2B-4T/snapshots/04c3b9ad9361b824064a1f25ea60a8be9599b127"),
    "bitnet-b1.58-2B-4T",
  );
  assert.equal(directoryModelName("/hub/models--gpt2/snapshots/04c3"), "gpt2");
  assert.equal(directoryModelName(`/models/${"long-".repeat(10)}`), "long-long-long-long-long-long-lo");
  assert.equal(fileModelName("/models/ggml-model-i2_s.gguf"), "ggml-model-i2_s");
  // Cut between characters: each has four bytes.
  assert.equal(fileModelName(`${"\u{1f43b}".repeat(9)}.bin`), "\u{1f43b}".repeat(8));
});

test("a GGUF file is one whatever its name, and a folder of them names the file to give", async () => {
  const bytes = tinyGguf(tinyModel(), { type: TYPE_TQ2_0 });
  const place = join(folder, "published.gguf");
  await mkdir(place);
  for (const name of ["model.bin", "sha256-0a1b", "model.GGUF"]) {
    await writeFile(join(place, name), bytes);
    const model = await openModel(join(place, name));
    await model.close();
    assert.equal(model.meta.source, "GGUF");
  }
  await assert.rejects(openModel(place), (error: Error & { code?: string; hint?: string }) => {
    assert.equal(error.code, "E_SOURCE_MISSING");
    assert.match(error.hint ?? "", /Give the file itself: .*model\.GGUF/);
    return true;
  });
});

test("--i2s is for GGUF files", async () => {
  const source = join(folder, "plain");
  await writeHf(source, "multiply");
  await assert.rejects(openModel(source, { i2s: "x86" }), { code: "E_OPTION", exitStatus: 2 });
});

test("what is neither file nor folder is refused and not waited for", async () => {
  await assert.rejects(openModel("/dev/null"), { code: "E_UNSUPPORTED" });
});

test("an image never replaces a part of its source", async () => {
  const source = join(folder, "hf");
  await writeHf(source, "multiply");
  for (const name of ["model.safetensors", "config.json"]) {
    const before = await readFile(join(source, name));
    await assert.rejects(convert(source, join(source, name)), { code: "E_OPTION", exitStatus: 2 });
    await assert.rejects(convert(join(source, "model.safetensors"), join(source, "model.safetensors")), {
      code: "E_OPTION",
    });
    assert.deepEqual(await readFile(join(source, name)), before);
  }
  // Images may lie there, and be made anew.
  for (let i = 0; i < 2; i++) await convert(source, join(source, "model.trit"));
});
