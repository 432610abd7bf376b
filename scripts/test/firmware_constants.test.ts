/** The C of the shims cannot import spec/hal.ts: its copies of the numbers are compared here. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as spec from "../../spec/hal.ts";
import { ROOT } from "../lib/root.mjs";

const hal = readFileSync(join(ROOT, "boards/common/hal.c"), "utf8");

test("board_info's keys in hal.c are those of spec/hal.ts, in their order and none missing", () => {
  const [, list] = /enum \{([^}]*)\}/.exec(hal) ?? [];
  const keys = [...list.matchAll(/\b(INFO_\w+),/g)].map(([, name]) => name);
  const wanted = Object.entries(spec)
    .filter(([name]) => name.startsWith("INFO_"))
    .sort(([, a], [, b]) => a - b);
  assert.deepEqual(
    keys,
    wanted.map(([name]) => name),
  );
  assert.deepEqual(
    wanted.map(([, value]) => value),
    [...keys.keys()],
    "an enum counts from 0",
  );
});

test("the errors in C are those of spec/hal.ts", () => {
  const found = [...hal.matchAll(/^#define (HAL_E?[A-Z]+) \((-\d+)\)$/gm)];
  assert.deepEqual(found.map(([, name]) => name).sort(), ["HAL_ABSENT", "HAL_EINVAL", "HAL_EIO"]);
  const wanted = new Map<string, unknown>(Object.entries(spec));
  for (const [, name, value] of found) assert.equal(Number(value), wanted.get(name), name);
});
