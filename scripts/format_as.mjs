/**
 * npm run lint / format, the AssemblyScript part: `node scripts/format_as.mjs [--write]`.
 *
 * Biome formats AssemblyScript well but for one thing: decorators on functions and variables (`@inline`, `@external`),
 * which TypeScript does not have and Biome does not parse. Here each such line is shown to Biome as a comment.
 * A decorator therefore stands on a line of its own.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "./lib/root.mjs";

const write = process.argv.includes("--write");
const copies = join(ROOT, "build/format_as", String(process.pid));

const files = existsSync(join(ROOT, "as"))
  ? readdirSync(join(ROOT, "as"), { recursive: true, encoding: "utf8" })
      .map((name) => `as/${name.replaceAll("\\", "/")}`)
      .filter((path) => path.endsWith(".ts") && !path.startsWith("as/test/"))
  : [];

if (files.length > 0) {
  for (const path of files) {
    mkdirSync(dirname(join(copies, path)), { recursive: true });
    writeFileSync(join(copies, path), hideDecorators(readFileSync(join(ROOT, path), "utf8")));
  }
  try {
    const biome = join(ROOT, "node_modules/@biomejs/biome/bin/biome");
    const format = ["format", "--write", "--log-level=warn", "--vcs-enabled=false", "--indent-style=space"];
    const style = ["--indent-width=2", "--line-width=120", "--javascript-formatter-quote-style=double"];
    writeFileSync(join(copies, "biome.json"), '{ "root": true }');
    execFileSync(process.execPath, [biome, ...format, ...style, "."], {
      cwd: copies,
      stdio: ["ignore", "ignore", "inherit"],
    });
    const different = files.filter((path) => {
      const formatted = showDecorators(readFileSync(join(copies, path), "utf8"));
      if (formatted === readFileSync(join(ROOT, path), "utf8")) return false;
      if (write) writeFileSync(join(ROOT, path), formatted);
      return true;
    });
    for (const path of different) console.log(write ? `formatted ${path}` : `${path}: not formatted (npm run format)`);
    if (different.length > 0 && !write) process.exitCode = 1;
  } catch {
    process.exitCode = 1; // Biome has printed the file it cannot parse.
  } finally {
    rmSync(copies, { recursive: true, force: true });
  }
}

/** @param {string} source */
function hideDecorators(source) {
  return source.replace(/^(\s*)(@\w+(\(.*\))?)$/gm, "$1//decorator:$2");
}

/** @param {string} source */
function showDecorators(source) {
  return source.replace(/^(\s*)\/\/decorator:/gm, "$1");
}
