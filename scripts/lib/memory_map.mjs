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
 * e.g. base 0x20000000, end 0x20042000 -> device-20000000-8197.wasm
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const PAGE = 65536;
const MAX_PAGES = 65536; // 4 GiB, all that wasm32 can address

/** @typedef {{ base: number, end: number }} MemoryMap */

/** @param {MemoryMap} map */
export function memoryPages(map) {
  return Math.ceil(map.end / PAGE);
}

/** @param {MemoryMap} map */
export function deviceWasmName(map) {
  return `device-${map.base.toString(16).padStart(8, "0")}-${memoryPages(map)}.wasm`;
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
    const map = JSON.parse(await readFile(join(root, "boards", name), "utf8")).memory;
    const { base, end } = map ?? {};
    if (!Number.isInteger(base) || !Number.isInteger(end) || base < 0 || end <= base || end > MAX_PAGES * PAGE)
      throw new Error(`boards/${name}: "memory" must be { "base", "end" }, whole numbers with 0 <= base < end <= 2^32`);
    if (base % 16 !== 0)
      throw new Error(`boards/${name}: memory.base ${base} is not a multiple of 16 (data would move)`);
    const key = deviceWasmName(map);
    /** @type {{ map: MemoryMap, boards: string[] }} */
    const entry = maps.get(key) ?? { map: { base, end }, boards: [] };
    entry.map.end = Math.min(entry.map.end, end); // pages round up: boards that share them may end at different bytes
    entry.boards.push(name.slice(0, -".json".length));
    maps.set(key, entry);
  }
  return [...maps.values()];
}
