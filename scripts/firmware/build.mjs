/**
 * Firmware for real chips, from the device module through wasm2c and a cross compiler.
 *
 *     as/device.ts -> asc -> device.wasm -> wasm2c -> {inner.kernels,kernels,model,device}.c ─┐
 *     boards/<name>.json -> board_config.h ───────────────────────────────────────────────────┤-> gcc -> firmware.elf -> firmware-<address>.bin, .uf2
 *     boards/common/*.c, boards/<name>/{board.c,link.ld} ─────────────────────────────────────┘
 *
 * A board with two slots for firmware (flash.update, spec/FIRMWARE.md) is linked once for each, and has a selector:
 *
 *     boards/common/selector.c, boards/<name>/selector/ ───────────────────────────-> selector.elf ─┐
 *     the same objects, linked for slot 0 and slot 1 -> firmware.elf, firmware-slot1.elf ────────────┴-> firmware-<address>.bin, .uf2
 *                                                    -> firmware-slot0.img, firmware-slot1.img, which an update over the wire takes
 *
 * What comes out is in build/firmware/<name>/. The same sources give the same bytes in any folder: paths are relative, nothing asks for the time.
 */
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { compile } from "../lib/asc.mjs";
import { deviceWasmName, memoryFlags } from "../lib/memory_map.mjs";
import { ROOT } from "../lib/root.mjs";
import { sealBoot2 } from "./boot2.mjs";
import { boardConfig } from "./config.mjs";
import { loadSegments } from "./elf.mjs";
import { deliveredFlash, sealFirmware } from "./image.mjs";
import { TOOLCHAINS } from "./toolchains.mjs";
import { codeDigest, sameCode, translate } from "./translate.mjs";

const run = promisify(execFile);
export const OUT = "build/firmware";
const COMMON = "boards/common";

/** For loops written so that few registers suffice: what gcc does before it allocates registers only makes it spill. */
const AS_WRITTEN = ["-O2", "-fno-schedule-insns", "-fno-tree-reassoc", "-fno-tree-vectorize"];

/**
 * The inner loop, some steps a round, each as it was: renamed registers and split pointers would be moved to and from Cortex-M0+'s upper registers.
 * @param {number} steps a power of two
 */
const unroll = (steps) => [
  "-funroll-loops",
  ...[`max-unroll-times=${steps}`, "max-unrolled-insns=400", "max-average-unrolled-insns=400"].flatMap((p) => [
    "--param",
    p,
  ]),
  ...["-fno-rename-registers", "-fno-web", "-fno-split-ivs-in-unroller"],
];

/**
 * How each translation unit is optimised: the model for speed, everything else for size.
 * @type {Record<string, string[]>}
 */
const OPTIMISE = {
  "inner.kernels.c": AS_WRITTEN, // unrolled as the core wants it
  // What these two find anew costs registers: 62 cycles in place of 71 a round of build_group on Cortex-M0+, 58 in place of 63 of rows_int8_pair.
  "kernels.c": [...AS_WRITTEN, "-fno-gcse", "-fno-tree-ter"],
  "model.c": ["-O2"],
  "mve.c": AS_WRITTEN,
  rest: ["-Os"],
};

/**
 * @typedef {import("../../boards/types.ts").Board} Board
 * @typedef {{ address: number, bytes: Uint8Array }} Segment
 * @typedef {{ slot: number, file: string, bytes: Uint8Array }} Update
 * @typedef {{ board: Board, folder: string, elf: string, wasm: string, segments: Segment[], updates: Update[] }} Built
 *   folder, elf: paths relative to the root; wasm: digest of the device module's code, which it was made from; updates: what is uploaded into each
 *   slot, in `folder` too; none where firmware cannot replace itself
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
  const config = boardConfig(board, partitionRuns(board), version, updateSector(board));
  await writeFile(join(root, folder, "board_config.h"), config);

  const { cc, compile: compileUnits } = compiler(name, folder, toolchain, flags, root);
  const own = await unitsIn(root, `boards/${name}`);
  const generated = ["inner.kernels.c", "kernels.c", "model.c", "device.c"].map((file) => ({
    path: `${folder}/${file}`,
    file,
  }));
  const common = ["hal.c", "main.c", "uart.c", ...toolchain.start].map((file) => ({
    path: file === "main.c" ? main : `${COMMON}/${file}`,
    file,
  }));
  const ownObjects = await compileUnits(own);
  const objects = [...(await compileUnits([...generated, ...common])), ...ownObjects];
  /** @param {string} output @param {string} from link.ld @param {string[]} inputs @param {string[]} defines */
  const link = async (output, from, inputs, defines = []) => {
    const script = `${folder}/${output}.ld`;
    await cc(["-E", "-P", "-x", "c", ...defines, from, "-o", script]);
    const options = ["--gc-sections", "--build-id=none", "--strip-debug", "--fatal-warnings", "--no-warn-rwx-segments"];
    const map = `-Wl,-Map,${folder}/${output}.map`;
    const elf = `${folder}/${output}.elf`;
    await cc([
      ...toolchain.link,
      "-T",
      script,
      ...options.map((option) => `-Wl,${option}`),
      map,
      ...inputs,
      "-lgcc",
      "-o",
      elf,
    ]);
    return elf;
  };
  const script = `boards/${name}/link.ld`;
  const { update } = board.flash;
  if (update === null) {
    const elf = await link("firmware", script, objects);
    return { board, folder, elf, wasm, segments: loadSegments(await readFile(join(root, elf))), updates: [] };
  }

  /** @type {Update[]} */
  const updates = [];
  const slot0 = update.offset + 2 * updateSector(board);
  for (const slot of [0, 1]) {
    const elf = await link(slot === 0 ? "firmware" : "firmware-slot1", script, objects, [
      `-DBOARD_FIRMWARE_SLOT=${slot}`,
    ]);
    const image = await readFile(join(root, elf));
    const address = board.flash.base + slot0 + slot * update.slot_bytes;
    const bytes = sealFirmware(image, { board: name, version, address });
    if (bytes.length > update.slot_bytes)
      throw new Error(`${name}: a firmware of ${bytes.length} bytes for a slot of ${update.slot_bytes}`);
    await writeFile(join(root, elf), image);
    const file = `firmware-slot${slot}.img`;
    await writeFile(join(root, folder, file), bytes);
    updates.push({ slot, file, bytes });
  }
  const selectorUnits = [
    { path: `${COMMON}/selector.c`, file: "selector.c" },
    ...(await unitsIn(root, `boards/${name}/selector`, "selector_")),
  ];
  // What the selector does not need of the board's own files, nearly all, is dropped.
  const selector = await link("selector", `boards/${name}/selector/link.ld`, [
    ...(await compileUnits(selectorUnits)),
    ...ownObjects,
  ]);
  const first = await readFile(join(root, selector));
  if (board.chip === "RP2040") await writeFile(join(root, selector), sealBoot2(first));
  const [{ bytes: code }] = loadSegments(first);
  const segments = [deliveredFlash(board.flash.base, code, slot0, updates[0].bytes)];
  return { board, folder, elf: `${folder}/firmware.elf`, wasm, segments, updates };
}

/**
 * C and assembler files of a folder.
 * @param {string} root
 * @param {string} folder
 * @param {string} prefix of the objects' names
 */
async function unitsIn(root, folder, prefix = "") {
  const files = (await readdir(join(root, folder))).filter((file) => /\.[cS]$/.test(file)).sort();
  return files.map((file) => ({ path: `${folder}/${file}`, file: prefix + file }));
}

/**
 * @param {string} name
 * @param {string} folder
 * @param {(typeof TOOLCHAINS)[string]} toolchain
 * @param {string[]} flags
 * @param {string} root
 */
function compiler(name, folder, toolchain, flags, root) {
  const include = [`-I${folder}`, `-I${COMMON}`, `-Iboards/${name}`];
  /** @param {string[]} args */
  const cc = async (args) => {
    const all = [...toolchain.flags, ...flags, ...include, ...args];
    await run(`${toolchain.prefix}gcc`, all, { cwd: root }).catch((error) => {
      const missing = `is not installed: apt-get install ${toolchain.packages.join(" ")}`;
      throw new Error(error.code === "ENOENT" ? `${error.path} ${missing}` : error.stderr.trim());
    });
  };
  /** @param {{ path: string, file: string }[]} units @returns {Promise<string[]>} objects */
  const compile = async (units) => {
    /** @type {string[]} */
    const objects = [];
    for (const { path, file } of units) {
      const object = `${folder}/${file.replace(/\.\w$/, ".o")}`;
      const level = [...(OPTIMISE[file] ?? OPTIMISE.rest)];
      if (file === "inner.kernels.c") level.push(...unroll(toolchain.unroll));
      if (file === "device.c") level.push(...toolchain.small);
      // What wasm2c writes has unused variables, labels and parameters by design.
      const quiet = path.startsWith(folder) ? ["-Wno-unused", "-Wno-unused-parameter"] : [];
      await cc([...level, ...quiet, "-c", path, "-o", object]);
      objects.push(object);
    }
    return objects;
  };
  return { cc, compile };
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
      const { wasm } = await compile(["as/device.ts", "--target", "device", ...memoryFlags(memory)]);
      const shipped = await readFile(join(ROOT, "dist/wasm", file)).catch(() => null);
      if (shipped === null) throw new Error(`dist/wasm/${file} is missing: run npm run build`);
      if (!sameCode(wasm, shipped)) throw new Error(`dist/wasm/${file} is not what as/ compiles to: run npm run build`);
      return { sources: await translate(wasm), wasm: codeDigest(shipped) };
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

/**
 * Bytes of a sector of flash.update, 0 without one.
 * @param {Board} board
 */
function updateSector({ flash }) {
  let start = 0;
  for (const run of flash.sectors) {
    start += run.count * run.bytes;
    if (flash.update && flash.update.offset < start) return run.bytes;
  }
  return 0;
}
