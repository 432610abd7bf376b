/**
 * Writes host/image/unicode_classes.ts: \p{L}, \p{N} and \p{White_Space} of this Node's Unicode version. The table is committed, so that the same
 * source gives the same image whatever Node converts it.
 *
 *     node scripts/unicode_classes.mjs
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "./lib/root.mjs";

const CLASSES = [
  ["L", /\p{L}/u],
  ["N", /\p{N}/u],
  ["S", /\p{White_Space}/u],
];
const LINE = 140;

/** @param {number} code */
function classOf(code) {
  // Surrogates are no characters.
  if (code >= 0xd800 && code < 0xe000) return "O";
  const character = String.fromCodePoint(code);
  for (const [name, pattern] of CLASSES) if (/** @type {RegExp} */ (pattern).test(character)) return String(name);
  return "O";
}

let runs = "";
let before = "";
let start = 0;
for (let code = 0; code < 0x110000; code++) {
  const name = classOf(code);
  if (name === before) continue;
  runs += (code - start).toString(36) + name;
  [before, start] = [name, code];
}
const lines = runs.match(new RegExp(`.{1,${LINE}}`, "g")) ?? [];
const text = `/** Made by scripts/unicode_classes.mjs: the general categories L and N and the property White_Space of the Unicode Character Database. */
export const UNICODE_VERSION = "${process.versions.unicode}";

/** Runs of characters of one class from U+0000 on: how far each starts behind the one before (base 36), and L, N, S or O (others). */
export const CLASS_RUNS = [
${lines.map((line) => `  "${line}",`).join("\n")}
].join("");
`;
await writeFile(join(ROOT, "host/image/unicode_classes.ts"), text);
