/**
 * Memory maps: where a board's SRAM lies in the address space, which is also where the device module's linear memory
 * keeps its data (address 0x20000000 in wasm is address 0x20000000 on the chip). One wasm build per map, shared by the
 * boards that have the same one.
 *
 * boards/<name>.json says `"memory": { "base": B, "end": E }`, bytes as plain numbers: data segments start at B, and
 * E is the first address past what the module may touch. The build is then
 *
 *     dist/wasm/device-<B, 8 lower-case hex digits>-<pages, decimal>.wasm      pages = ceil(E / 65536)
 *
 * e.g. base 0x20000000, end 0x20042000 -> device-20000000-8197.wasm. Boards with a coprocessor have a build of their own,
 * device-copro-<base>-<pages>.wasm: what drives it is in no other firmware.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const PAGE = 65536;
const MAX_PAGES = 65536; // 4 GiB, all that wasm32 can address

/** @typedef {{ base: number, end: number, copro?: true }} MemoryMap copro: the build has the driver of a coprocessor */

/** @param {MemoryMap} map */
export function memoryPages(map) {
  return Math.ceil(map.end / PAGE);
}

/** @param {MemoryMap} map */
export function deviceWasmName(map) {
  return `device-${map.copro ? "copro-" : ""}${map.base.toString(16).padStart(8, "0")}-${memoryPages(map)}.wasm`;
}

/**
 * The target of asconfig.json that a map's build is made with.
 * @param {MemoryMap} map
 */
export function deviceTarget(map) {
  return map.copro ? "device-copro" : "device";
}

/**
 * asc's flags for a map. The base must be decimal: asc silently takes a hexadecimal value as nothing, and the data
 * would land at address 1024.
 * @param {MemoryMap} map
 */
export function memoryFlags(map) {
  const pages = String(memoryPages(map));
  return ["--memoryBase", String(map.base), "--initialMemory", pages, "--maximumMemory", pages];
}

/**
 * The distinct maps of boards/*.json, with the boards that share each.
 * @param {string} root the repository's root
 * @returns {Promise<{ map: MemoryMap, boards: string[] }[]>}
 */
export async function readMemoryMaps(root) {
  const names = (await readdir(join(root, "boards"))).filter((name) => name.endsWith(".json")).sort();
  /** @type {Map<string, { map: MemoryMap, boards: string[] }>} */
  const maps = new Map();
  for (const name of names) {
    const { memory, copro } = await mapOf(root, name);
    const { base, end } = memory;
    if (!Number.isInteger(base) || !Number.isInteger(end) || base < 0 || end <= base || end > MAX_PAGES * PAGE)
      throw new Error(`boards/${name}: "memory" must be { "base", "end" }, whole numbers with 0 <= base < end <= 2^32`);
    if (base % 16 !== 0)
      throw new Error(`boards/${name}: memory.base ${base} is not a multiple of 16 (data would move)`);
    /** @type {MemoryMap} */
    const map = copro ? { base, end, copro: true } : { base, end };
    const key = deviceWasmName(map);
    /** @type {{ map: MemoryMap, boards: string[] }} */
    const entry = maps.get(key) ?? { map, boards: [] };
    entry.map.end = Math.min(entry.map.end, end); // pages round up: boards that share them may end at different bytes
    entry.boards.push(name.slice(0, -".json".length));
    maps.set(key, entry);
  }
  return [...maps.values()];
}

/**
 * What a board's file says about its memory; a variant says only what it changes (boards/variant.ts, which this script cannot import).
 * @param {string} root
 * @param {string} file
 * @returns {Promise<{ memory: MemoryMap, copro: boolean }>} memory: {} where it says nothing
 */
async function mapOf(root, file) {
  const json = JSON.parse(await readFile(join(root, "boards", file), "utf8"));
  const base = json.extends === undefined ? null : await mapOf(root, `${json.extends}.json`);
  return { memory: { ...base?.memory, ...json.memory }, copro: (json.copro ?? null) !== null };
}
