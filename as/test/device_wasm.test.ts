/** What the compiler made of the device, instruction by instruction: every build that ships, and the ternary kernel alone. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { compile } from "../../scripts/lib/asc.mjs";
import { deviceWasmName, readMemoryMaps } from "../../scripts/lib/memory_map.mjs";
import { ROOT } from "../../scripts/lib/root.mjs";
import { wasmLayout } from "../../scripts/test/wasm_layout.ts";
import {
  I32,
  I32_LOAD8_U,
  I32_LOAD16_U,
  I32_MUL,
  I64,
  I64_MUL,
  innermostLoops,
  isBulk,
  isFloat,
  isSimd,
  type WasmCode,
  wasmCode,
} from "./wasm_code.ts";

const WASM = join(ROOT, "dist/wasm");
const KERNEL = "as/kernels/ternary_lut.ts";
/** Packed bytes of a beat: one of each of four rows. */
const ROWS = 4;

const maps = await readMemoryMaps(ROOT);
const isMul = (opcode: number) => opcode === I32_MUL || opcode === I64_MUL;
const isForbidden = (opcode: number) => isFloat(opcode) || isBulk(opcode) || isSimd(opcode) || opcode >= 0xfe00;
const forbidden = ({ instructions }: WasmCode) => instructions.filter(({ opcode }) => isForbidden(opcode));

/** Multiplications in each innermost loop that looks up at least the sums of four rows. */
function multiplicationsOfLookups(code: WasmCode): number[] {
  const kernels = innermostLoops(code).filter((loop) => {
    const count = (wanted: number) => loop.filter(({ opcode }) => opcode === wanted).length;
    return count(I32_LOAD8_U) >= ROWS && count(I32_LOAD16_U) >= ROWS;
  });
  return kernels.map((loop) => loop.filter(({ opcode }) => isMul(opcode)).length);
}

test("there is a device build for every memory map of boards/, and no other", () => {
  const built = readdirSync(WASM).filter((name) => name.startsWith("device-"));
  assert.deepEqual(built.sort(), maps.map(({ map }) => deviceWasmName(map)).sort());
});

for (const { map, boards } of maps) {
  describe(`${deviceWasmName(map)} (${boards})`, () => {
    const wasm = new Uint8Array(readFileSync(join(WASM, deviceWasmName(map))));
    const code = wasmCode(wasm);
    const module = new WebAssembly.Module(wasm);

    test("no floating point, SIMD, bulk memory or threads: integers of 32 and 64 bits only", () => {
      assert.ok(code.instructions.length > 10000);
      assert.deepEqual(forbidden(code), []);
      assert.deepEqual([...code.types].sort(), [I64, I32]);
    });

    test("its table kernel adds and never multiplies", () => {
      const found = multiplicationsOfLookups(code);
      assert.ok(found.length > 0, "the kernel's loop was not found");
      assert.deepEqual(new Set(found), new Set([0]));
    });

    test("it exports what HAL.md says; heap_base is a constant behind the static data", () => {
      const exports = WebAssembly.Module.exports(module);
      assert.deepEqual(Object.fromEntries(exports.map(({ name, kind }) => [name, kind])), {
        memory: "memory",
        boot: "function",
        poll: "function",
        heap_base: "global",
      });
      const { segments } = wasmLayout(wasm);
      const dataEnd = Math.max(...segments.map(({ end }) => end));
      const pins = Object.fromEntries(WebAssembly.Module.imports(module).map(({ name }) => [name, () => 0]));
      const instance = new WebAssembly.Instance(module, { hal: pins });
      const heapBase = instance.exports.heap_base as WebAssembly.Global;
      // An i32 global of a board whose memory lies above 2 GiB reads as a negative number.
      const address = heapBase.value >>> 0;
      assert.ok(address >= dataEnd && address < map.end, `${address}`);
      assert.ok(address - map.base < 16384, "static data are a few KiB");
      assert.throws(() => {
        heapBase.value = 0;
      }, TypeError);
    });

    test("data lie at memory.base and above", () => {
      const { segments } = wasmLayout(wasm);
      assert.ok(segments.length > 0);
      for (const { start } of segments) assert.ok(start >= map.base, `${start}`);
    });
  });
}

/** A source with the device's flags and features of later machines. */
async function compiled(source: string, ...flags: string[]): Promise<WasmCode> {
  const argv = ["probe.ts", "--runtime", "stub", "-O3", "--use", "abort=", "--initialMemory", "2", ...flags];
  return wasmCode((await compile(argv, { "probe.ts": source })).wasm);
}

test("what is forbidden is found where it is", async () => {
  const float = await compiled("export function f(x: i32): i32 { return <i32>(<f32>x * 0.5); }");
  assert.ok(forbidden(float).some(({ opcode }) => isFloat(opcode)));
  const copy = "export function f(x: usize): void { memory.copy(x, x + 64, x); }";
  assert.deepEqual(forbidden(await compiled(copy, "--disable", "bulk-memory")), []);
  assert.ok(forbidden(await compiled(copy)).some(({ opcode }) => isBulk(opcode)));
  const simd = "export function f(x: usize): i32 { return v128.any_true(v128.load(x)) ? 1 : 0; }";
  assert.ok(forbidden(await compiled(simd, "--enable", "simd")).some(({ opcode }) => isSimd(opcode)));
  const type = await compiled("export function f(x: f64): i32 { return 1; }");
  assert.ok(![I32, I64].some((known) => type.types.size === 1 && type.types.has(known)));
});

/** Multiplications in the kernel's inner loop, compiled as for the device from this source. */
async function kernelMultiplications(source: string): Promise<number[]> {
  const entry = `import { lut_rows } from "./${KERNEL}";\nexport { lut_rows };`;
  const flags = ["--target", "device", "--initialMemory", "2", "--maximumMemory", "2"];
  const { wasm } = await compile(["kernel_entry.ts", ...flags], { "kernel_entry.ts": entry, [KERNEL]: source });
  return multiplicationsOfLookups(wasmCode(wasm));
}

test("a multiplication in the ternary kernel's inner loop is found", async () => {
  const source = readFileSync(join(ROOT, KERNEL), "utf8");
  assert.deepEqual(await kernelMultiplications(source), [0]);
  const sum = "a1 += entry_of(t, w, 1);";
  assert.ok(source.includes(sum));
  for (const mutant of [
    "a1 += entry_of(t, w, 1) * place;",
    "a1 += load<u16>(t + <usize>load<u8>(w, 1) * <usize>place);",
  ])
    assert.deepEqual(await kernelMultiplications(source.replace(sum, mutant)), [1], mutant);
});
