// The .npy file against its published format (numpy/lib/format.py, version 1.0): header, shape and every value where it belongs.
import assert from "node:assert/strict";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { NpyRows } from "../cli/npy.ts";

describe("logits for NumPy", () => {
  for (const rows of [1, 63, 64, 200]) {
    it(`${rows} rows come back, the first as well as the last`, async () => {
      const folder = await mkdtemp(join(tmpdir(), "npy-"));
      try {
        const path = join(folder, "out.npy");
        const cols = 7;
        const file = await open(path, "w");
        const npy = await NpyRows.create(file, cols);
        for (let row = 0; row < rows; row++) npy.add(Float32Array.from({ length: cols }, (_, col) => row * cols + col));
        await npy.finish();
        await file.close();

        const bytes = await readFile(path);
        assert.equal(bytes.toString("latin1", 0, 8), "\x93NUMPY\x01\x00");
        const start = 10 + bytes.readUInt16LE(8);
        assert.equal(start % 64, 0);
        const header = bytes.toString("latin1", 10, start);
        assert.match(header, /^\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d+), 7\), \} *\n$/);
        assert.match(header, new RegExp(`\\(${rows}, `));
        assert.equal(bytes.length, start + 4 * rows * cols);
        for (let i = 0; i < rows * cols; i++) assert.equal(bytes.readFloatLE(start + 4 * i), i);
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  }
});
