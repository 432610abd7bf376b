/**
 * The chip's core: one instance of the device module, identity mapped. The module brings its memory along (pages up to
 * memory.end, half a gigabyte and more): it is address space, and only what is touched becomes memory, so nothing here
 * may walk over all of it.
 */
import { instantiateSync } from "@assemblyscript/loader";
import type { LinearMemory, MemoryMap } from "./bus/memory_map.ts";
import { METER_EXPORT } from "./meter/counter_sum.ts";
import { SimError } from "./sim_error.ts";
import { exposeGlobals, GLOBAL_PREFIX } from "./wasm_globals.ts";

export type HalImports = Record<string, (...args: number[]) => number>;

export interface Device extends LinearMemory {
  /** 0, or a negative error. */
  boot(): number;
  /** 1 when it did something. */
  poll(): number;
  /** What its counters cost (meter/counter_sum.ts); 0 of a module without. */
  meter(): number;
  /** The mutable globals, by name. */
  readonly globals: ReadonlyMap<string, WebAssembly.Global>;
}

const compiled = new WeakMap<Uint8Array, WebAssembly.Module>();

/**
 * Compiles the device build once for each array of bytes.
 * @param wasm the binary; or a compiled module, whose snapshots then hold only the globals that it exports itself
 * @throws SimError E_SIM_LINK when it is no module
 */
export function deviceModule(wasm: Uint8Array | WebAssembly.Module): WebAssembly.Module {
  if (wasm instanceof WebAssembly.Module) return wasm;
  let module = compiled.get(wasm);
  if (module === undefined) {
    try {
      module = new WebAssembly.Module(exposeGlobals(wasm));
    } catch (cause) {
      if (cause instanceof SimError) throw cause;
      throw new SimError("E_SIM_LINK", `the device build is no WebAssembly module: ${message(cause)}`, { cause });
    }
    compiled.set(wasm, module);
  }
  return module;
}

/**
 * Makes an instance with memory as after power-on.
 * @param meter imports of an instrumented module (meter/instrument.ts)
 * @throws SimError E_SIM_LINK, E_SIM_MEMORY
 */
export function instantiateDevice(
  module: WebAssembly.Module,
  hal: HalImports,
  map: MemoryMap,
  meter: HalImports = {},
): Device {
  const rooms: Record<string, HalImports> = { hal, meter };
  for (const wanted of WebAssembly.Module.imports(module))
    if (!Object.hasOwn(rooms, wanted.module) || !Object.hasOwn(rooms[wanted.module], wanted.name))
      throw new SimError("E_SIM_LINK", `the module imports ${wanted.module}.${wanted.name}, which no board has`);

  const { exports } = instantiate(module, rooms);
  const { memory, boot, poll, [METER_EXPORT]: meterSum } = exports;
  if (!(memory instanceof WebAssembly.Memory) || typeof boot !== "function" || typeof poll !== "function")
    throw new SimError("E_SIM_LINK", "the module must export memory, boot and poll");
  const end = Math.max(map.end, map.xip + map.xipBytes);
  if (memory.buffer.byteLength < end)
    throw new SimError(
      "E_SIM_MEMORY",
      `the module has ${memory.buffer.byteLength} bytes of memory, the board ends at ${end}`,
    );

  let view = new Uint8Array(memory.buffer);
  return {
    boot: () => Number(boot()),
    poll: () => Number(poll()),
    meter: typeof meterSum === "function" ? (meterSum as () => number) : () => 0,
    globals: mutableGlobals(exports),
    bytes() {
      if (view.buffer !== memory.buffer) view = new Uint8Array(memory.buffer);
      return view;
    },
  };
}

function instantiate(module: WebAssembly.Module, imports: Record<string, HalImports>): WebAssembly.Instance {
  try {
    return instantiateSync(module, imports).instance;
  } catch (cause) {
    if (cause instanceof RangeError)
      throw new SimError("E_SIM_MEMORY", `this machine refuses the module's address space: ${message(cause)}`, {
        cause,
      });
    throw new SimError("E_SIM_LINK", `the device build does not start: ${message(cause)}`, { cause });
  }
}

function mutableGlobals(exports: WebAssembly.Exports): Map<string, WebAssembly.Global> {
  const found = new Map<string, WebAssembly.Global>();
  for (const [name, value] of Object.entries(exports)) {
    if (!(value instanceof WebAssembly.Global)) continue;
    if (name.startsWith(GLOBAL_PREFIX) || isMutable(value)) found.set(name, value);
  }
  return found;
}

/** Writing is the only way to ask: an immutable global throws. */
function isMutable(global: WebAssembly.Global): boolean {
  try {
    const { value } = global;
    global.value = value;
    return true;
  } catch {
    return false;
  }
}

function message(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
