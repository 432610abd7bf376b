/**
 * npm test: builds what is stale, bundles every *.test.ts for Node (Node 20 cannot run TypeScript), and hands the
 * bundles to node --test.
 *
 *     node scripts/test.mjs                                everything
 *     node scripts/test.mjs host/test/frame.test.ts        one file; any part of a path selects, several may be given
 *     node scripts/test.mjs host/ --no-build               without building dist/ first
 *     node scripts/test.mjs frame --test-name-pattern=crc  other options go to node --test, as --name=value
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import * as esbuild from "esbuild";
import { build } from "./build.mjs";
import { ROOT } from "./lib/root.mjs";

const TOWERS = ["spec", "boards", "as", "firmware-sim", "host", "examples", "scripts"];
// Two test files at a time: the suites start simulators and child processes of their own.
const CONCURRENCY = 2;

const options = process.argv.slice(2).filter((arg) => arg.startsWith("-"));
const filters = process.argv.slice(2).filter((arg) => !arg.startsWith("-"));
const nodeOptions = options.filter((option) => option !== "--no-build");

try {
  if (!options.includes("--no-build")) await build({ types: false });
  process.exitCode = await runTests(await findTests());
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

/** The test files that the filters select, relative to the root. */
async function findTests() {
  const found = [];
  for (const tower of TOWERS.filter((folder) => existsSync(join(ROOT, folder)))) {
    for (const name of await readdir(join(ROOT, tower), { recursive: true })) {
      const path = `${tower}/${name.replaceAll("\\", "/")}`;
      if (path.endsWith(".test.ts") && !path.includes("node_modules/")) found.push(path);
    }
  }
  const selected = found.filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)));
  if (selected.length === 0) throw new Error(`no test file matches ${filters.join(" ") || "*.test.ts"}`);
  return selected.sort();
}

/**
 * @param {string[]} tests
 * @returns {Promise<number>} node --test's exit status
 */
async function runTests(tests) {
  // One folder a run, inside the repository so that packages resolve, and so that two runs do not meet.
  const outdir = join(ROOT, "build/test", String(process.pid));
  await mkdir(outdir, { recursive: true });
  try {
    await esbuild.build({
      absWorkingDir: ROOT,
      entryPoints: tests,
      outdir,
      outbase: ROOT,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node20",
      packages: "external",
      sourcemap: true,
      logLevel: "warning",
    });
    const bundles = tests.map((path) => join(outdir, path.replace(/\.ts$/, ".mjs")));
    const argv = [
      "--test",
      ...(nodeOptions.some((option) => option.startsWith("--test-reporter=")) ? [] : ["--test-reporter=spec"]),
      "--enable-source-maps",
      `--test-concurrency=${CONCURRENCY}`,
      ...nodeOptions,
      ...bundles,
    ];
    const node = spawn(process.execPath, argv, { cwd: ROOT, stdio: "inherit" });
    return await new Promise((resolve, reject) => {
      node.on("error", reject);
      node.on("exit", (status) => resolve(status ?? 1));
    });
  } finally {
    await rm(outdir, { recursive: true, force: true });
  }
}
