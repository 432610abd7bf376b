import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as esbuild from "esbuild";
import { ascConstants } from "../../scripts/asc_constants.mjs";
import { ROOT } from "../../scripts/lib/root.mjs";

const FIXTURE = "spec/test/fixtures/differs.ts";
const INT32_MAX = 2147483647;
const files = readdirSync(join(ROOT, "spec"))
  .filter((name) => name.endsWith(".ts"))
  .map((name) => `spec/${name}`);

// One compilation for all: the compiler's start-up is most of its time.
const seenByAsc = await ascConstants([...files, FIXTURE]);

async function seenByNode(file: string): Promise<Record<string, unknown>> {
  const result = await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: [file],
    bundle: true,
    format: "esm",
    write: false,
  });
  return {
    ...(await import(`data:text/javascript;base64,${Buffer.from(result.outputFiles[0].contents).toString("base64")}`)),
  };
}

for (const file of files) {
  test(`${file}: asc and TypeScript see the same integers`, async () => {
    const constants = await seenByNode(file);
    assert.deepEqual(seenByAsc[file], constants);
    for (const [name, value] of Object.entries(seenByAsc[file]))
      assert.ok(Number.isInteger(value) && Math.abs(value) <= INT32_MAX, `${name} = ${value} is not an int32`);
  });
}

test("a constant that the two compilers see differently is found", async () => {
  const constants = await seenByNode(FIXTURE);
  assert.deepEqual(constants, { HALF: 3.5, DOUBLED: 2147483648, SAME: 1073741824 });
  assert.deepEqual(seenByAsc[FIXTURE], { HALF: 3, DOUBLED: -2147483648, SAME: 1073741824 });
});
