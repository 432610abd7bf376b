// Static data of a device build: everything between the memory base and the arena. The module says where it ends (spec/HAL.md, heap_base).
import type { Board } from "../../boards/board.ts";
import { ARENA_ALIGN } from "../../spec/hal.ts";
import { loadDeviceWasm } from "../assets.ts";

/** Bytes from memory.base to the first byte of the arena. No function of the module runs. */
export async function deviceStatics(board: Board): Promise<number> {
  const module = await WebAssembly.compile(await loadDeviceWasm(board));
  const imports: Record<string, Record<string, () => number>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    imports[from] = { ...imports[from], [name]: () => 0 };
  }
  const { exports } = await WebAssembly.instantiate(module, imports);
  const heapBase = Number((exports.heap_base as WebAssembly.Global).value) >>> 0;
  return Math.ceil(heapBase / ARENA_ALIGN) * ARENA_ALIGN - board.memory.base;
}
