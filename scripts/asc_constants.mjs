/**
 * The constants of a source file as AssemblyScript sees them. asc folds `1 << 31` or `5 / 2` in i32 where JavaScript
 * uses doubles, so a contract that both compile has to be compared value by value.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { compile } from "./lib/asc.mjs";
import { ROOT } from "./lib/root.mjs";

const ENTRY = "asc_constants.ts";

/**
 * @param {string[]} files paths relative to the root, e.g. ["spec/hal.ts"]; each exports integers as
 *   `export const NAME = expression;`
 * @returns {Promise<Record<string, Record<string, number>>>} file -> name -> value
 */
export async function ascConstants(files) {
  /** @type {string[]} */
  const source = [];
  /** @type {Map<string, [file: string, name: string]>} */
  const exported = new Map();
  for (const [index, file] of files.entries()) {
    source.push(`import * as f${index} from "./${file}";`);
    const text = await readFile(join(ROOT, file), "utf8");
    for (const [, name] of text.matchAll(/^export const (\w+)/gm)) {
      // As f64, which holds every i32 and u32, and every i64 that JavaScript can hold.
      source.push(`export const f${index}_${name}: f64 = f64(f${index}.${name});`);
      exported.set(`f${index}_${name}`, [file, name]);
    }
  }
  const { wasm } = await compile([ENTRY, "--runtime", "stub", "--use", "abort="], { [ENTRY]: source.join("\n") });
  const { instance } = await WebAssembly.instantiate(wasm);

  /** @type {Record<string, Record<string, number>>} */
  const constants = Object.fromEntries(files.map((file) => [file, {}]));
  for (const [key, [file, name]] of exported) {
    const global = instance.exports[key];
    if (!(global instanceof WebAssembly.Global)) throw new Error(`${file}: ${name} is not a constant for asc`);
    constants[file][name] = global.value;
  }
  return constants;
}
