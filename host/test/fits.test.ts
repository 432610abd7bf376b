import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { loadBoard } from "../assets.ts";
import { buildImageFile, randomModel } from "../convert/index.ts";
import { boardFit, fitText } from "../fits/fit.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-fit-"));
after(() => rm(folder, { recursive: true }));
const board = await loadBoard("rp2040-pico");

test("the context that is named is the longest that fits", async () => {
  const path = join(folder, "long.trit");
  const { bytes } = await buildImageFile(randomModel({ seqLen: 4096 }), path);
  const long = await boardFit(() => readFile(path), bytes, board, 4096);
  assert.ok(!long.fits);
  const named = Number(/--context (\d+)/.exec(long.why)?.[1]);
  assert.ok((await boardFit(() => readFile(path), bytes, board, named)).fits, `${named} positions`);
  assert.ok(!(await boardFit(() => readFile(path), bytes, board, named + 1)).fits, `${named + 1} positions`);
  assert.match(
    fitText(await boardFit(() => readFile(path), bytes, board)),
    /^fits rp2040-pico: flash \d+ %, SRAM \d+ % with \d+ positions$/,
  );
});

test("an image larger than the board's flash is named as that", async () => {
  const path = join(folder, "large.trit");
  const { bytes } = await buildImageFile(randomModel({ vocabSize: 16000, dim: 128, nHeads: 4 }), path, {
    embedPacking: "int8",
  });
  assert.ok(bytes > board.flash.partition.bytes, `${bytes} bytes`);
  const fit = await boardFit(() => readFile(path), bytes, board);
  assert.deepEqual([fit.fits, fit.flash_bytes], [false, bytes]);
  assert.match(fitText(fit), /^does not fit rp2040-pico: the image has .*, the board's flash for models 1\.8 MiB$/);
});
