/** docs/tools.schema.json, which editors read, knows the keys and names that the parser knows. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import { TOOLS_MAX } from "../../spec/tools.ts";
import { DRIVE_KEYS } from "../tools/drive.ts";
import { DRIVES, KINDS, UNITS, VERB_NAMES } from "../tools/names.ts";
import { ARGUMENT_KEYS, FILE_KEYS, NAME_MAX, PHRASE_MAX, TOOL_KEYS } from "../tools/parse.ts";

const schema = JSON.parse(readFileSync(join(ROOT, "docs/tools.schema.json"), "utf8"));
const { tool, phrase } = schema.definitions;
const { kind, verbs, argument, drive, name } = tool.properties;

test("the schema has the parser's keys, names and limits", () => {
  assert.deepEqual(Object.keys(schema.properties), FILE_KEYS);
  assert.deepEqual(Object.keys(tool.properties), TOOL_KEYS);
  assert.deepEqual(Object.keys(argument.properties), ARGUMENT_KEYS);
  assert.deepEqual(kind.enum, KINDS);
  assert.deepEqual(verbs.items.enum, VERB_NAMES);
  assert.deepEqual(argument.properties.unit.enum, UNITS);
  assert.deepEqual([name.maxLength, phrase.maxLength], [NAME_MAX, PHRASE_MAX]);
  assert.equal(schema.properties.tools.maxItems, TOOLS_MAX);
  const types = drive.oneOf.map(({ properties }: { properties: Record<string, unknown> }) => properties);
  assert.deepEqual(
    types.map(({ type }: { type: { const: string } }) => type.const),
    DRIVES,
  );
  for (const [i, type] of DRIVES.entries()) assert.deepEqual(Object.keys(types[i]), ["type", ...DRIVE_KEYS[type]]);
});
