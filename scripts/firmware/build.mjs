/**
 * Firmware for real chips, from the device module through wasm2c and a cross compiler.
 *
 *     as/device.ts -> asc -> device.wasm -> wasm2c -> kernels.c model.c device.c ─┐
 *     boards/<name>.json -> board_config.h ───────────────────────────────────────┤-> gcc -> firmware.elf -> firmware-<address>.bin, .uf2
 *     boards/common/*.c, boards/<name>/{board.c,link.ld} ─────────────────────────┘
 *
 * What comes out is in build/firmware/<name>/. The same sources give the same bytes in any folder: paths are relative, nothing asks for the time.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { compile } from "../lib/asc.mjs";
import { deviceWasmName, memoryFlags } from "../lib/memory_map.mjs";
import { ROOT } from "../lib/root.mjs";
import { sealBoot2 } from "./boot2.mjs";
import { boardConfig } from "./config.mjs";
import { loadSegments } from "./elf.mjs";
import { TOOLCHAINS } from "./toolchains.mjs";
import { sameCode, translate } from "./translate.mjs";

const run = promisify(execFile);
export const OUT = "build/firmware";
const COMMON = "boards/common";

/** For loops written so that few registers suffice: what gcc does before it allocates registers only makes it spill. */
const AS_WRITTEN = ["-O2", "-fno-schedule-insns", "-fno-tree-reassoc", "-fno-tree-vectorize"];

/** Four steps a round, each as it was: renamed registers and split pointers would be moved to and from Cortex-M0+'s upper registers. */
const UNROLL = [
  "-funroll-loops",
  ...["max-unroll-times=4", "max-unrolled-insns=400", "max-average-unrolled-insns=400"].flatMap((p) => ["--param", p]),
  ...["-fno-rename-registers", "-fno-web", "-fno-split-ivs-in-unroller"],
];

/** How each translation unit is optimised: the model for speed, everything else for size. */
const OPTIMISE = {
  "inner.kernels.c": [...AS_WRITTEN, ...UNROLL],
  "kernels.c": AS_WRITTEN,
  "model.c": ["-O2"],
  "mve.c": AS_WRITTEN,
  rest: ["-Os"],
};

/**
 * @typedef {import("../../boards/types.ts").Board} Board
 * @typedef {{ address: number, bytes: Uint8Array }} Segment
 * @typedef {{ board: Board, folder: string, elf: string, wasm: string, segments: Segment[] }} Built
 *   folder, elf: paths relative to the root; wasm: SHA-256 of the device module that it was made from
 */

/** Boards that have a shim here: boards/<name>/board.c. */
export async function firmwareBoards() {
  const folders = await readdir(join(ROOT, "boards"), { withFileTypes: true });
  /** @type {string[]} */
  const names = [];
  for (const { name } of folders.filter((entry) => entry.isDirectory())) {
    const files = await readdir(join(ROOT, "boards", name));
    if (files.includes("board.c") && files.includes("link.ld")) names.push(name);
  }
  return names.sort();
}

/**
 * @param {string} name of the board
 * @param {{ flags?: string[], variant?: string, root?: string, main?: string }} options flags: more for the compiler; variant: a folder of its own
 *   for them; main: a source in place of boards/common/main.c
 * @returns {Promise<Built>}
 * @throws Error with the compiler's own words
 */
export async function buildFirmware(name, { flags = [], variant = "", root = ROOT, main = `${COMMON}/main.c` } = {}) {
  const board = /** @type {Board} */ (JSON.parse(await readFile(join(root, "boards", `${name}.json`), "utf8")));
  const toolchain = TOOLCHAINS[board.cpu.core];
  if (toolchain === undefined) throw new Error(`${name}: there is no compiler for ${board.cpu.core} here`);
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const folder = `${OUT}/${name}${variant}`;
  await rm(join(root, folder), { recursive: true, force: true });
  await mkdir(join(root, folder), { recursive: true });

  const { sources, wasm } = await deviceSources(board);
  for (const [file, text] of Object.entries(sources)) await writeFile(join(root, folder, file), text);
  await writeFile(join(root, folder, "board_config.h"), boardConfig(board, partitionRuns(board), version));

  const { cc, objects } = await compileAll(name, folder, toolchain, flags, root, main);
  const script = `${folder}/link.ld`;
  await cc(["-E", "-P", "-x", "c", `boards/${name}/link.ld`, "-o", script]);
  const elf = `${folder}/firmware.elf`;
  const link = [
    ...toolchain.link,
    ...["-T", script],
    "-Wl,--gc-sections",
    "-Wl,--build-id=none",
    "-Wl,--fatal-warnings",
  ];
  await cc([...link, "-Wl,--no-warn-rwx-segments", `-Wl,-Map,${folder}/firmware.map`, ...objects, "-lgcc", "-o", elf]);
  const image = await readFile(join(root, elf));
  if (board.chip === "RP2040") await writeFile(join(root, elf), sealBoot2(image));
  const segments = loadSegments(image);
  return { board, folder, elf, wasm, segments };
}

/**
 * @param {string} name
 * @param {string} folder
 * @param {(typeof TOOLCHAINS)[string]} toolchain
 * @param {string[]} flags
 * @param {string} root
 * @param {string} main
 */
async function compileAll(name, folder, toolchain, flags, root, main) {
  const include = [`-I${folder}`, `-I${COMMON}`, `-Iboards/${name}`];
  /** @param {string[]} args */
  const cc = async (args) => {
    const all = [...toolchain.flags, ...flags, ...include, ...args];
    await run(`${toolchain.prefix}gcc`, all, { cwd: root }).catch((error) => {
      const missing = `is not installed: apt-get install ${toolchain.packages.join(" ")}`;
      throw new Error(error.code === "ENOENT" ? `${error.path} ${missing}` : error.stderr.trim());
    });
  };
  const generated = ["inner.kernels.c", "kernels.c", "model.c", "device.c"];
  const common = ["hal.c", "main.c", "uart.c", ...toolchain.start];
  const own = (await readdir(join(root, "boards", name))).filter((file) => /\.[cS]$/.test(file)).sort();
  const units = [
    ...generated.map((file) => ({ path: `${folder}/${file}`, file })),
    ...common.map((file) => ({ path: file === "main.c" ? main : `${COMMON}/${file}`, file })),
    ...own.map((file) => ({ path: `boards/${name}/${file}`, file })),
  ];
  /** @type {string[]} */
  const objects = [];
  for (const { path, file } of units) {
    const object = `${folder}/${file.replace(/\.\w$/, ".o")}`;
    const level = /** @type {Record<string, string[]>} */ (OPTIMISE)[file] ?? OPTIMISE.rest;
    // What wasm2c writes has unused variables, labels and parameters by design.
    const quiet = generated.includes(file) ? ["-Wno-unused", "-Wno-unused-parameter"] : [];
    await cc([...level, ...quiet, "-c", path, "-o", object]);
    objects.push(object);
  }
  return { cc, objects };
}

/** One translation for each memory map in one run. @type {Map<string, Promise<{ sources: Record<string, string>, wasm: string }>>} */
const translated = new Map();

/**
 * The device module as C.
 * @param {Board} board
 */
export function deviceSources({ memory }) {
  const file = deviceWasmName(memory);
  let made = translated.get(file);
  if (made === undefined) {
    made = (async () => {
      const { wasm } = await compile(["as/device.ts", "--target", "device", ...memoryFlags(memory), "--debug"]);
      const shipped = await readFile(join(ROOT, "dist/wasm", file)).catch(() => null);
      if (shipped === null) throw new Error(`dist/wasm/${file} is missing: run npm run build`);
      if (!sameCode(wasm, shipped)) throw new Error(`dist/wasm/${file} is not what as/ compiles to: run npm run build`);
      return { sources: await translate(wasm), wasm: createHash("sha256").update(shipped).digest("hex") };
    })();
    translated.set(file, made);
  }
  return made;
}

/**
 * The runs of equal sectors inside the partition; as partitionRuns of boards/board.ts, which this script cannot import.
 * @param {Board} board
 */
export function partitionRuns({ flash }) {
  const { offset, bytes } = flash.partition;
  /** @type {{ count: number, bytes: number }[]} */
  const runs = [];
  let start = 0;
  for (const sectors of flash.sectors) {
    const end = start + sectors.count * sectors.bytes;
    const inside = Math.min(end, offset + bytes) - Math.max(start, offset);
    if (inside > 0) runs.push({ count: inside / sectors.bytes, bytes: sectors.bytes });
    start = end;
  }
  return runs;
}
