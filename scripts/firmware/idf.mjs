/**
 * A board that ESP-IDF builds and this project does not: boards/<name>/idf becomes a whole ESP-IDF project in build/firmware/<name>, with the
 * device module as C, what boards/common has for every board, and the numbers of the board's JSON.
 *
 *     boards/<name>/idf ──────────────────────────────┐
 *     as/device.ts -> wasm2c -> *.c, board_config.h ──┼─> components/tritkit      boards/<name>.json -> partitions.csv, sdkconfig.defaults
 *     boards/common/{hal.c,main.c,shim.h,wasm.h} ─────┘
 */
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../lib/root.mjs";
import { deviceSources, OUT, partitionRuns } from "./build.mjs";
import { boardConfig } from "./config.mjs";

/** @typedef {import("../../boards/types.ts").Board} Board */

const COMPONENT = "components/tritkit";
const COMMON = ["hal.c", "main.c", "shim.h", "wasm.h"];

/** Where ESP-IDF's own partition table and boot loader leave room for the application. */
const APPLICATION = 0x10000;

/** Boards that have an ESP-IDF project here: boards/<name>/idf. */
export async function idfBoards() {
  const folders = await readdir(join(ROOT, "boards"), { withFileTypes: true });
  /** @type {string[]} */
  const names = [];
  for (const { name } of folders.filter((entry) => entry.isDirectory()))
    if ((await readdir(join(ROOT, "boards", name))).includes("idf")) names.push(name);
  return names.sort();
}

/**
 * @param {string} name of the board
 * @param {string} folder for the project, relative to the root; it is made anew
 * @returns {Promise<{ folder: string, component: string, wasm: string }>} folders relative to the root; wasm: SHA-256 of the device module
 */
export async function buildIdfProject(name, folder = `${OUT}/${name}`) {
  const board = /** @type {Board} */ (JSON.parse(await readFile(join(ROOT, "boards", `${name}.json`), "utf8")));
  const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  const component = `${folder}/${COMPONENT}`;
  await rm(join(ROOT, folder), { recursive: true, force: true });
  await mkdir(join(ROOT, folder), { recursive: true });
  await cp(join(ROOT, "boards", name, "idf"), join(ROOT, folder), { recursive: true });

  const { sources, wasm } = await deviceSources(board);
  const config = boardConfig(board, partitionRuns(board), version).replace(
    "#endif\n",
    '#include "flash_mapping.h"\n#endif\n',
  );
  for (const [file, text] of Object.entries({ ...sources, "board_config.h": config }))
    await writeFile(join(ROOT, component, file), text);
  for (const file of COMMON) await cp(join(ROOT, "boards/common", file), join(ROOT, component, file));
  await writeFile(join(ROOT, folder, "partitions.csv"), partitions(board));
  const defaults = join(ROOT, folder, "sdkconfig.defaults");
  await writeFile(defaults, (await readFile(defaults, "utf8")) + staticMemory(board));
  return { folder, component, wasm };
}

/**
 * ESP-IDF's partition table, whose type 0x40 is the first of an application's own.
 * @param {Board} board
 */
export function partitions({ name, flash: { partition } }) {
  const hex = (/** @type {number} */ value) => `0x${value.toString(16)}`;
  return [
    `# Made from boards/${name}.json by scripts/firmware/idf.mjs.`,
    "# name, type, subtype, offset, size",
    `factory, app, factory, ${hex(APPLICATION)}, ${hex(partition.offset - APPLICATION)}`,
    `models, 0x40, 0x00, ${hex(partition.offset)}, ${hex(partition.bytes)}`,
    "",
  ].join("\n");
}

/**
 * Static memory counts from where ESP-IDF's begins, which is where the board's JSON begins the shim's.
 * @param {Board} board
 */
function staticMemory({ memory }) {
  return `CONFIG_ESP32S3_FIXED_STATIC_RAM_SIZE=0x${(memory.base - memory.reserve_base).toString(16)}\n`;
}
