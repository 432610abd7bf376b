/** What the documents tell people to type exists: npm scripts, commands, and their options. A merge once lost `npm run bench`, and nothing noticed. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { helpText } from "../../host/cli/command.ts";
import { COMMANDS } from "../../host/cli/commands/index.ts";
import { ROOT } from "../lib/root.mjs";

const read = (file: string) => readFileSync(join(ROOT, file), "utf8");
const scripts = new Set(Object.keys(JSON.parse(read("package.json")).scripts));
const helps = new Map(COMMANDS.map((command) => [command.name, helpText(command)]));
const documents = ["", "docs", "spec", "boards", "examples"].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: folder !== "", encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name)),
);

/** Lines of code blocks and pieces between backticks: what people copy. */
function pieces(text: string): string[] {
  const blocks = text.split(/^```.*$/m);
  const code = blocks.filter((_, i) => i % 2 === 1).flatMap((block) => block.split("\n"));
  const inline = blocks.filter((_, i) => i % 2 === 0).flatMap((prose) => prose.match(/`[^`\n]+`/g) ?? []);
  return [...code, ...inline.map((piece) => piece.slice(1, -1))];
}

/** What is wrong with a piece; null: nothing. */
function wrong(piece: string): string | null {
  const script = /\bnpm run ([\w:-]+)/.exec(piece)?.[1];
  if (script !== undefined && !scripts.has(script)) return `there is no npm run ${script}`;
  const typed = /(?:^|\s)tritkit ([a-z]+)\b([^#]*)/.exec(piece);
  if (!typed) return null;
  const help = helps.get(typed[1]);
  if (help === undefined) return `there is no tritkit ${typed[1]}`;
  const options = typed[2].match(/(?<=\s)--[a-z][\w-]*/g) ?? [];
  const unknown = options.find((option) => !help.includes(`${option} `));
  return unknown === undefined ? null : `tritkit ${typed[1]} has no ${unknown}`;
}

test("npm scripts, commands and options of the documents exist", () => {
  const found = documents.flatMap((file) =>
    pieces(read(file)).flatMap((piece) => {
      const what = wrong(piece);
      return what === null ? [] : [`${file}: ${what}: ${piece}`];
    }),
  );
  assert.ok(documents.includes("README.md") && documents.length > 20);
  assert.deepEqual(found, []);
});

test("what does not exist is found", () => {
  assert.equal(wrong("npm run bensh"), "there is no npm run bensh");
  assert.equal(wrong("npx tritkit talk --port x"), "there is no tritkit talk");
  assert.equal(wrong("npx tritkit run m.trit --bord x"), "tritkit run has no --bord");
  assert.equal(wrong("npx tritkit run m.trit --threads 2 # --bord"), null);
});

test("examples of the help have options that exist", () => {
  for (const { examples } of COMMANDS) for (const example of examples) assert.equal(wrong(example), null, example);
});
