/**
 * dist/wasm/*.wasm from as/: `device` once per memory map of boards/*.json (`device-copro` for those with a coprocessor), every other target of
 * asconfig.json once, from the entry file of its name up to a hyphen (`engine` and `engine-relaxed` -> as/engine.ts).
 *
 * asconfig.json asks for `converge` (optimise until nothing shrinks) in the engine only: on the device it takes four
 * times the compile time, 6.3 s instead of 1.6 s a memory map, for 79 bytes of 54,849 and the same table kernels.
 *
 * asc takes seconds a target, so each build leaves a stamp in build/cache: its flags, the compiler, and the SHA-256 of
 * every file it read. While those are unchanged the target is skipped.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { compile } from "./asc.mjs";
import { writeIfChanged } from "./files.mjs";
import { deviceTarget, deviceWasmName, memoryFlags, readMemoryMaps } from "./memory_map.mjs";
import { ROOT } from "./root.mjs";

const OUT = join(ROOT, "dist/wasm");
const CACHE = join(ROOT, "build/cache");

/**
 * @typedef {{ name: string, entry: string, flags: string[], note: string }} Target
 *   name: the file's in dist/wasm; note: what else to print about it
 */

/** @returns {Promise<Target[]>} every wasm the product needs */
export async function wasmTargets() {
  const targets = Object.keys(JSON.parse(await readFile(join(ROOT, "asconfig.json"), "utf8")).targets);
  const maps = await readMemoryMaps(ROOT);
  return targets.flatMap((target) => {
    const entry = `as/${target.split("-")[0]}.ts`;
    const flags = [entry, "--target", target];
    if (entry !== "as/device.ts") return [{ name: `${target}.wasm`, entry, flags, note: "" }];
    return maps
      .filter(({ map }) => deviceTarget(map) === target)
      .map(({ map, boards }) => ({
        name: deviceWasmName(map),
        entry,
        flags: [...flags, ...memoryFlags(map)],
        note: ` (${boards.join(", ")})`,
      }));
  });
}

/**
 * Builds what changed and removes what is no longer a target.
 * @param {(line: string) => void} log one line a target
 */
export async function buildWasm(log) {
  await mkdir(OUT, { recursive: true });
  await mkdir(CACHE, { recursive: true });
  const targets = await wasmTargets();
  const names = new Set(targets.map((target) => target.name));
  for (const name of await readdir(OUT)) if (name.endsWith(".wasm") && !names.has(name)) await rm(join(OUT, name));

  for (const { name, entry, flags, note } of targets) {
    const file = join(OUT, name);
    const stampFile = join(CACHE, `${name}.json`);
    const key = await ascKey(flags);
    if (await isFresh(file, stampFile, key)) {
      log(`wasm  ${name} unchanged${note}`);
      continue;
    }
    const start = performance.now();
    const { wasm, files } = await compile(flags);
    const stamp = { key, wasm: sha256(wasm), files: Object.fromEntries(await Promise.all(files.map(hashEntry))) };
    await writeIfChanged(file, wasm);
    await writeIfChanged(stampFile, Buffer.from(JSON.stringify(stamp)));
    log(`wasm  ${name} ${wasm.length} bytes from ${entry} ${seconds(start)}${note}`);
  }
}

/**
 * What a build depends on beside the files it reads.
 * @param {string[]} flags
 */
async function ascKey(flags) {
  const manifest = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  const asc = JSON.parse(await readFile(join(ROOT, "node_modules/assemblyscript/package.json"), "utf8"));
  return [`tritkit ${manifest.version}`, `asc ${asc.version}`, ...flags].join(" ");
}

/**
 * @param {string} file
 * @param {string} stampFile
 * @param {string} key
 */
async function isFresh(file, stampFile, key) {
  const stamp = await readFile(stampFile, "utf8").then(JSON.parse, () => null);
  if (stamp?.key !== key) return false;
  const built = await readFile(file).catch(() => null);
  if (built === null || sha256(built) !== stamp.wasm) return false;
  for (const [source, hash] of Object.entries(stamp.files)) {
    const [, now] = await hashEntry(source);
    if (now !== hash) return false;
  }
  return true;
}

/**
 * @param {string} source path relative to the root
 * @returns {Promise<[string, string]>} the path and its SHA-256, or "" when the file is gone
 */
async function hashEntry(source) {
  const bytes = await readFile(join(ROOT, source)).catch(() => null);
  return [source, bytes === null ? "" : sha256(bytes)];
}

/** @param {Uint8Array} bytes */
function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

/** @param {number} start from performance.now() */
export function seconds(start) {
  return `${((performance.now() - start) / 1000).toFixed(2)} s`;
}
