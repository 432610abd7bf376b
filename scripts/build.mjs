/**
 * npm run build: everything that ships, into dist/.
 *
 *     dist/wasm/*.wasm      the device (one per memory map), the engine, the WASI build        scripts/lib/wasm.mjs
 *     dist/boards/*.json    the boards
 *     dist/firmware/<board>/ the released firmware of boards/<board>/release/
 *     dist/models/*.trit    the trained images of examples/models/<name>/
 *     dist/cli.js, *.js     the host, bundled; packages stay imports                           ENTRY_POINTS
 *     dist/firmware/<board> firmware that was released: boards/<board>/release         scripts/lib/release.mjs
 *     dist/esp-idf/<board>  projects for boards that ESP-IDF builds                     scripts/firmware/idf.mjs
 *     dist/types/           declarations of the public entry points                            tsconfig.types.json
 *
 * Running it twice costs a second: asc, the slow part, runs only for targets whose sources changed.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import * as esbuild from "esbuild";
import { buildIdfProject, idfBoards } from "./firmware/idf.mjs";
import { filesIn, readFiles, syncFolder, writeIfChanged } from "./lib/files.mjs";
import { deviceWasmName } from "./lib/memory_map.mjs";
import { copyFirmware } from "./lib/release.mjs";
import { ROOT } from "./lib/root.mjs";
import { buildWasm, seconds } from "./lib/wasm.mjs";

const DIST = join(ROOT, "dist");

/** dist/<key>.js <- source. Chunks they share land in dist/chunks. */
const ENTRY_POINTS = {
  cli: "host/cli/main.ts",
  index: "host/index.ts",
  bench_child: "host/cli/bench_child.ts",
};

/**
 * @param {{ types?: boolean, log?: (line: string) => void }} options types: emit the declarations too
 */
export async function build({ types = true, log = console.log } = {}) {
  await mkdir(DIST, { recursive: true });
  await buildWasm(log);
  await copyAssets(log);
  await idfProjects(log);
  await bundleHost(log);
  if (types) await emitTypes(log);
}

/** @param {(line: string) => void} log */
async function copyAssets(log) {
  const boards = await filesIn(join(ROOT, "boards"), ".json");
  const folders = (await readdir(join(ROOT, "examples/models"), { withFileTypes: true }).catch(() => []))
    .filter((entry) => entry.isDirectory())
    .map((entry) => filesIn(join(ROOT, "examples/models", entry.name), ".trit"));
  await syncFolder(join(DIST, "boards"), await readFiles(boards));
  const models = (await Promise.all(folders)).flat();
  // The images ship with the page that names what they were trained on, and its licences.
  await syncFolder(join(DIST, "models"), await readFiles([...models, join(ROOT, "examples/models/README.md")]));
  const released = await copyFirmware(join(ROOT, "boards"), join(DIST, "firmware"));
  log(`copy  ${boards.length} boards, ${models.length} models, firmware of ${released.length} boards`);
}

/**
 * Made anew when the device module or anything that goes into them has changed.
 * @param {(line: string) => void} log
 */
async function idfProjects(log) {
  for (const name of await idfBoards()) {
    const start = performance.now();
    const folder = `dist/esp-idf/${name}`;
    const stampFile = join(ROOT, "build/cache", `idf-${name}.json`);
    const stamp = await idfStamp(name);
    const same = existsSync(join(ROOT, folder)) && (await readFile(stampFile, "utf8").catch(() => "")) === stamp;
    if (!same) {
      await buildIdfProject(name, folder);
      await writeIfChanged(stampFile, Buffer.from(stamp));
    }
    log(`idf   ${folder} ${same ? "unchanged" : seconds(start)}`);
  }
}

/**
 * What a project is made from, as digests.
 * @param {string} name
 */
async function idfStamp(name) {
  const { memory } = JSON.parse(await readFile(join(ROOT, `boards/${name}.json`), "utf8"));
  const own = await readdir(join(ROOT, "boards", name, "idf"), { recursive: true, withFileTypes: true });
  const files = [
    join(DIST, "wasm", deviceWasmName(memory)),
    join(ROOT, `boards/${name}.json`),
    join(ROOT, "package.json"),
    ...own.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name)),
    ...["hal.c", "main.c", "shim.h", "wasm.h"].map((file) => join(ROOT, "boards/common", file)),
    ...["idf", "translate", "config"].map((file) => join(ROOT, `scripts/firmware/${file}.mjs`)),
  ];
  const hash = createHash("sha256");
  for (const file of files.sort()) hash.update(file.slice(ROOT.length)).update(await readFile(file));
  return hash.digest("hex");
}

/** @param {(line: string) => void} log */
async function bundleHost(log) {
  const start = performance.now();
  const { outputFiles } = await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: ENTRY_POINTS,
    outdir: "dist",
    bundle: true,
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    sourcemap: true,
    legalComments: "none",
    logLevel: "warning",
    write: false,
  });
  /** @type {Map<string, Map<string, Uint8Array>>} */
  const folders = new Map();
  for (const { path, contents } of outputFiles) {
    const files = folders.get(dirname(path)) ?? new Map();
    folders.set(dirname(path), files.set(basename(path), contents));
  }
  // Chunks before the entry points that import them: a command may start at any moment.
  for (const folder of [...folders.keys()].sort().reverse()) await syncFolder(folder, folders.get(folder) ?? new Map());
  // esbuild keeps the source's first line; without it the installed command would be run by the shell.
  if (!(await readFile(join(DIST, "cli.js"), "utf8")).startsWith("#!/usr/bin/env node\n"))
    throw new Error(`${ENTRY_POINTS.cli} must begin with #!/usr/bin/env node`);
  await chmod(join(DIST, "cli.js"), 0o755);
  log(
    `host  ${Object.keys(ENTRY_POINTS)
      .map((name) => `dist/${name}.js`)
      .join(", ")} ${seconds(start)}`,
  );
}

/** @param {(line: string) => void} log */
async function emitTypes(log) {
  const start = performance.now();
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  await rm(join(DIST, "types"), { recursive: true, force: true });
  try {
    await promisify(execFile)(process.execPath, [tsc, "-p", "tsconfig.types.json"], { cwd: ROOT });
  } catch (error) {
    const { stdout = "", message = "" } = /** @type {{ stdout?: string, message?: string }} */ (error);
    throw new Error(`declarations: ${stdout.trim() || message}`);
  }
  log(`types dist/types ${seconds(start)}`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    await build();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
