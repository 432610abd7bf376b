// Static data of a device build: everything between the memory base and the arena. The module says where its heap begins.
import type { Board } from "../../boards/board.ts";
import { loadDeviceWasm } from "../assets.ts";

/** Bytes from memory.base to the arena. Nothing of the module runs. */
export async function deviceStatics(board: Board): Promise<number> {
  const module = await WebAssembly.compile(await loadDeviceWasm(board));
  const imports: Record<string, Record<string, () => number>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    imports[from] = { ...imports[from], [name]: () => 0 };
  }
  const { exports } = await WebAssembly.instantiate(module, imports);
  return Number((exports.heap_base as WebAssembly.Global).value) - board.memory.base;
}
