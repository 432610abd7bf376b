import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { compile } from "../lib/asc.mjs";
import { deviceWasmName, memoryFlags, memoryPages, readMemoryMaps } from "../lib/memory_map.mjs";
import { ROOT } from "../lib/root.mjs";
import { wasmLayout } from "./wasm_layout.ts";

const PICO = { base: 0x20000000, end: 0x20042000 };
const RISCV_VIRT = { base: 0x80000000, end: 0x80010001 };
const ENTRY = "memory_map.ts";
const SOURCE = `
  const table = memory.data<u8>([1, 2, 3]);
  const buffer = new StaticArray<u8>(8);
  export function poll(i: i32): u32 {
    memory.copy(changetype<usize>(buffer), table, 3);
    if (i > 99) throw new Error("traps, and imports nothing");
    return buffer[i];
  }`;

test("a build is named after its base and pages", () => {
  assert.equal(deviceWasmName(PICO), "device-20000000-8197.wasm");
  assert.equal(deviceWasmName(RISCV_VIRT), "device-80000000-32770.wasm");
  assert.equal(deviceWasmName({ base: 1024, end: 65536 }), "device-00000400-1.wasm");
});

for (const map of [PICO, RISCV_VIRT]) {
  test(`data lands at ${map.base.toString(16)}, memory ends past ${map.end.toString(16)}, nothing is imported`, async () => {
    const { wasm } = await compile([ENTRY, "--target", "device", ...memoryFlags(map)], { [ENTRY]: SOURCE });
    const { segments, initial, maximum } = wasmLayout(wasm);
    assert.deepEqual([segments[0].start, initial, maximum], [map.base, memoryPages(map), memoryPages(map)]);
    const module = new WebAssembly.Module(wasm);
    assert.deepEqual(WebAssembly.Module.imports(module), []);
    const { exports } = new WebAssembly.Instance(module);
    assert.equal((exports.poll as (i: number) => number)(1), 2);
    assert.throws(() => (exports.poll as (i: number) => number)(100), WebAssembly.RuntimeError);
  });
}

test("a board whose memory makes no sense is refused by name", async () => {
  const root = await mkdtemp(join(tmpdir(), "tritkit-boards-"));
  try {
    await mkdir(join(root, "boards"));
    for (const memory of [
      undefined,
      { base: "0x20000000", end: 0x20042000 },
      { base: 16, end: 16 },
      { base: 8, end: 64 },
    ]) {
      await writeFile(join(root, "boards/odd.json"), JSON.stringify({ name: "odd", memory }));
      await assert.rejects(readMemoryMaps(root), /^Error: boards\/odd\.json: /);
    }
  } finally {
    await rm(root, { recursive: true });
  }
});

test("boards with one memory map share one build", async () => {
  const root = await mkdtemp(join(tmpdir(), "tritkit-boards-"));
  try {
    await mkdir(join(root, "boards"));
    for (const name of ["a", "b"]) await writeFile(join(root, `boards/${name}.json`), JSON.stringify({ memory: PICO }));
    assert.deepEqual(await readMemoryMaps(root), [{ map: PICO, boards: ["a", "b"] }]);
  } finally {
    await rm(root, { recursive: true });
  }
});

test("every shipped device build keeps its data inside its board's memory and imports only the HAL", async () => {
  for (const { map, boards } of await readMemoryMaps(ROOT)) {
    const wasm = readFileSync(join(ROOT, "dist/wasm", deviceWasmName(map)));
    const { segments, initial, maximum } = wasmLayout(wasm);
    assert.deepEqual([initial, maximum], [memoryPages(map), memoryPages(map)], boards.join());
    for (const { start, end } of segments)
      assert.ok(start >= map.base && end <= map.end, `${boards}: ${start}..${end}`);
    const modules = new Set(WebAssembly.Module.imports(new WebAssembly.Module(wasm)).map(({ module }) => module));
    assert.deepEqual([...modules], ["hal"], boards.join());
  }
});
