/**
 * The AssemblyScript compiler as a function: sources in, wasm bytes out, and the list of files it read.
 * It runs in this process: a warm compiler takes a fraction of a fresh one's second of start-up.
 */
import { readdir, readFile } from "node:fs/promises";
import { relative, resolve } from "node:path";
import asc from "assemblyscript/asc";
import { ROOT } from "./root.mjs";

/**
 * @param {string[]} argv asc's arguments without an output file, e.g. ["as/device.ts", "--target", "device"]
 * @param {Record<string, string>} virtual sources that exist only in memory, by path relative to the root
 * @returns {Promise<{ wasm: Uint8Array<ArrayBuffer>, files: string[] }>} wasm, and the files of the repository it was made from
 * @throws Error with the compiler's own diagnostics as its message
 */
export async function compile(argv, virtual = {}) {
  /** @type {Set<string>} */
  const files = new Set();
  /** @type {Uint8Array<ArrayBuffer>} */
  let wasm = new Uint8Array();
  const ownLibrary = new Set(Object.keys(asc.libraryFiles));
  const fixed = ["--baseDir", ROOT, "--outFile", "out.wasm", "--noColors"];
  const { error, stderr } = await asc.main([...argv, ...fixed], {
    async readFile(name, baseDir) {
      if (Object.hasOwn(virtual, name)) return virtual[name];
      const path = resolve(baseDir, name);
      const text = await readFile(path, "utf8").catch(() => null);
      if (text !== null) files.add(relative(ROOT, path).replaceAll("\\", "/"));
      return text;
    },
    writeFile(_name, contents) {
      if (typeof contents !== "string") wasm = new Uint8Array(contents);
    },
    // asc's own joins the folder to baseDir even when it is absolute already, and finds nothing.
    async listFiles(folder, baseDir) {
      const names = await readdir(resolve(baseDir, folder));
      return names.filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"));
    },
  });
  // A target's `lib` files stay in asc's global table and would become part of the next target.
  for (const name of Object.keys(asc.libraryFiles)) if (!ownLibrary.has(name)) delete asc.libraryFiles[name];
  if (error) throw new Error(`asc ${argv.join(" ")}\n${stderr.toString().trim() || error.message}`);
  return { wasm, files: [...files].sort() };
}
