/**
 * The device module as C: npm's wasm2c, with its prelude replaced by our own (boards/common/wasm.h) and its names made readable.
 *
 *     as/kernels/ternary_lut/lut_rows  ->  w2c_device_as0x2Fkernels0x2Fternary_lut0x2Flut_rows  ->  as_kernels_ternary_lut_lut_rows
 *
 * There is one device module, so the functions take no pointer to it: with one the kernels' fourth argument went over the stack and every
 * function gave up one of the few registers that Thumb and Cortex-M0+ have.
 *
 * The names come from asc's --debug, with which the device module that ships is built, too: the simulator tells functions apart by them. The code is the
 * same without (scripts/test/firmware_release.test.ts).
 * Everything cut away is matched exactly: when another version of wasm2c writes something else, the build fails here and says what.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../lib/root.mjs";

const MODULE = "device";
const WASM2C = join(ROOT, "node_modules/wabt/bin/wasm2c");

/**
 * @param {Uint8Array} wasm the device with a name section
 * @returns {Promise<Record<string, string>>} sources by file name: device.h, device_functions.h, and one C file for each of PARTS
 * @throws Error when wasm2c fails or writes what this file does not expect
 */
export async function translate(wasm) {
  const folder = await mkdtemp(join(tmpdir(), "tritkit-wasm2c-"));
  try {
    const [input, output] = [join(folder, "device.wasm"), join(folder, "device.c")];
    await writeFile(input, wasm);
    await promisify(execFile)(process.execPath, [WASM2C, input, "-n", MODULE, "-o", output]);
    const names = new Map();
    const header = readable(ownHeader(await readFile(join(folder, "device.h"), "utf8")), names);
    const c = readable(ownPrelude(await readFile(output, "utf8")), names);
    return { "device.h": withoutInstance(header), ...split(c) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param {string} text */
function ownHeader(text) {
  text = replaceOnce(text, '#include "wasm-rt.h"', '#include "wasm.h"');
  text = cut(text, "#include <stdint.h>\n", "#ifdef __cplusplus", "types of wasm.h");
  return replaceOnce(text, /wasm_rt_func_type_t wasm2c_device_get_func_type\(.*\);\n/, "");
}

/**
 * Keeps prototypes, data and functions.
 * @param {string} text
 */
function ownPrelude(text) {
  const first = text.search(/^static [a-z0-9]+ w2c_device_\w+\(w2c_device\*.*\);$/m);
  if (first < 0) throw unexpected("no function prototype");
  const body = text
    .slice(first)
    .replace(/^FUNC_TYPE_T\(.*\n/gm, "")
    .replace(
      /^#if WASM_RT_USE_SEGUE_FOR_THIS_MODULE[^\n]*\n(?:(?!^#if )[^\n]*\n|#if !WASM_RT_SEGUE_FREE_SEGMENT\n[^\n]*\n#endif\n)*?#endif\n/gm,
      "",
    )
    .replace(/^ {2}wasm_rt_allocate_memory\(.*\n/m, "")
    .replace(/^ {2}assert\(wasm_rt_is_initialized\(\)\);\n/m, "")
    .replace(/^wasm_rt_func_type_t wasm2c_device_get_func_type[\s\S]*?^}\n/m, "")
    .replace(/^ {2}wasm_rt_free_memory\(.*\n/m, "");
  const left = /\b(?:WASM_RT_\w+|wasm_rt_(?!memory_t\b)\w+|CALL_INDIRECT|f32|f64)\b.*/.exec(body);
  if (left !== null) throw unexpected(left[0]);
  return body;
}

/**
 * The translation units: kernels run from RAM (the one that does nearly all the work by itself, because its loop is unrolled), but for those that no
 * token of a usual model needs; the forward pass and the sampler are compiled for speed, the rest for size. By the beginning of a function's name; the last
 * takes what is left, with the data and what wasm2c exports.
 */
const PARTS = [
  { file: "inner.kernels.c", prefix: /^as_kernels_ternary_lut_lut_plane$/ },
  { file: "kernels.c", prefix: /^as_kernels_(?!ternary_ref_|unpack_|rows_int4_)/ },
  { file: "model.c", prefix: /^as_(model|sampler)_/ },
  { file: "device.c", prefix: /^/ },
];

/**
 * @param {string} c prototypes, then data and functions
 * @returns {Record<string, string>}
 */
function split(c) {
  const begins = c.search(/^(?!static [^\n]*;$|$)/m);
  const prototypes = c.slice(0, begins).replace(/^static /gm, "");
  const units = PARTS.map(() => "");
  // A piece is a function with the lines before it; a function ends with a } that begins a line.
  for (const piece of c.slice(begins).split(/(?<=^\}\n)/m)) {
    const name = /^\w+ (\w+)\(w2c_device\*[^;]*\{$/m.exec(piece)?.[1] ?? "";
    units[PARTS.findIndex(({ prefix }) => prefix.test(name))] += piece;
  }
  const made = "/* Made from the device module by wasm2c and scripts/firmware/translate.mjs. */\n";
  const files = Object.fromEntries(
    PARTS.map(({ file }, i) => [file, `${made}#include "device_functions.h"\n${withoutInstance(units[i])}`]),
  );
  const header = `${made}#pragma once\n#include "device.h"\n\nextern w2c_device device;\n${withoutInstance(prototypes)}`;
  files["device.c"] += "w2c_device device;\n";
  return { "device_functions.h": header, ...files };
}

/**
 * Takes the parameter away that names the module's instance; what is in it is in the one object `device`. Of memory there is nothing in it
 * (wasm.h), and the HAL's functions are the same for all.
 * @param {string} text
 */
function withoutInstance(text) {
  const without = text
    .replace(/&instance->w2c_memory, /g, "")
    .replace(/LOAD_DATA\(instance->w2c_memory, /g, "LOAD_DATA(")
    .replace(/\(instance->w2c_hal_instance\b/g, "(NULL")
    .replace(/\binstance->/g, "device.")
    .replace(
      /\(w2c_device ?\*(?: ?instance)?(?:, |(\)))/g,
      (/** @type {string} */ _, /** @type {string | undefined} */ alone) => (alone ? "(void)" : "("),
    )
    .replace(/\(instance(?:, |(\)))/g, "($1");
  const left = /^.*\binstance\b.*/m.exec(without);
  if (left !== null) throw unexpected(left[0]);
  return without;
}

/**
 * wasm2c writes a path's characters as 0x2F and so on.
 * @param {string} text
 * @param {Map<string, string>} names escaped -> readable, filled
 */
function readable(text, names) {
  return text.replace(/w2c_device_((?:as|0x7Elib)0x2F\w+)|w2c_(0x7Elib\w+)/g, (escaped, path, member) => {
    const name = (path ?? member)
      .replace(/0x([0-9A-F]{2})/g, (/** @type {string} */ _, /** @type {string} */ hex) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      )
      .replace(/^~/, "")
      .replace(/\W+/g, "_")
      .replace(/_$/, "");
    const other = [...names].find(([from, to]) => to === name && from !== escaped);
    if (other !== undefined) throw new Error(`translate: ${other[0]} and ${escaped} would both be ${name}`);
    names.set(escaped, name);
    return name;
  });
}

/**
 * @param {string} text
 * @param {string | RegExp} from
 * @param {string} to
 */
function replaceOnce(text, from, to) {
  const replaced = text.replace(from, to);
  if (replaced === text) throw unexpected(`no ${from}`);
  return replaced;
}

/**
 * @param {string} text
 * @param {string} start
 * @param {string} end not cut
 * @param {string} what
 */
function cut(text, start, end, what) {
  const from = text.indexOf(start);
  const to = text.indexOf(end, from);
  if (from < 0 || to < 0) throw unexpected(`no ${what}`);
  return text.slice(0, from) + text.slice(to);
}

/** @param {string} what */
function unexpected(what) {
  return new Error(`translate: wasm2c wrote something else than expected: ${what}`);
}

/**
 * Whether two modules differ in custom sections only (names, source maps).
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 */
export function sameCode(a, b) {
  return Buffer.compare(withoutCustom(a), withoutCustom(b)) === 0;
}

/**
 * SHA-256 of a module without its custom sections.
 * @param {Uint8Array} wasm
 */
export function codeDigest(wasm) {
  return createHash("sha256").update(withoutCustom(wasm)).digest("hex");
}

/** @param {Uint8Array} wasm */
function withoutCustom(wasm) {
  const kept = [wasm.subarray(0, 8)];
  for (let at = 8; at < wasm.length; ) {
    const start = at;
    const id = wasm[at++];
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[at++];
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    at += size;
    if (id !== 0) kept.push(wasm.subarray(start, at));
  }
  return Buffer.concat(kept);
}
