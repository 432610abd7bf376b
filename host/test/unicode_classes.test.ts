/** The committed table of character classes against the Unicode tables of the Node that runs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CLASS_BITS, CLASS_LETTER, CLASS_NUMBER, CLASS_OTHER, CLASS_SPACE } from "../../spec/image.ts";
import { classEntries } from "../image/classes.ts";
import { UNICODE_VERSION } from "../image/unicode_classes.ts";

test("every character that this Node knows has its class", () => {
  const entries = classEntries();
  assert.equal(entries[0] >> CLASS_BITS, 0);
  const assigned = /\p{Assigned}/u;
  const classes: [RegExp, number][] = [
    [/\p{L}/u, CLASS_LETTER],
    [/\p{N}/u, CLASS_NUMBER],
    [/\p{White_Space}/u, CLASS_SPACE],
  ];
  let compared = 0;
  for (let code = 0, at = 0; code <= 0x10ffff; code++) {
    if (at + 1 < entries.length && entries[at + 1] >> CLASS_BITS === code) at++;
    const character = String.fromCodePoint(code);
    if ((code >= 0xd800 && code < 0xe000) || !assigned.test(character)) continue;
    const wanted = classes.find(([pattern]) => pattern.test(character))?.[1] ?? CLASS_OTHER;
    if ((entries[at] & 3) !== wanted) assert.fail(`U+${code.toString(16)} has class ${entries[at] & 3}, not ${wanted}`);
    compared++;
  }
  assert.ok(compared > 280_000, `${compared} characters`);
  assert.match(UNICODE_VERSION, /^\d+\.\d+$/);
});
