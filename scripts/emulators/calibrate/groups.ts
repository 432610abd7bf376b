/**
 * Which functions of the device module are one function on the chip. gcc copies small functions into their callers; what such a one executes
 * is counted with the caller, in which it cannot be told apart, so the two are calibrated as one group. Derived from the firmware: a function
 * that has no symbol is in all its callers, and one that its caller calls in WebAssembly but not in machine code is in that caller.
 */
import { functionAt, type Symbols } from "../profile.ts";
import type { Code } from "./disassembly.ts";

/** A call in the module, by names of functions as they are in the firmware. */
export type Call = readonly [caller: string, callee: string];

/** as/kernels/ternary_lut/lut_rows -> as_kernels_ternary_lut_lut_rows, as scripts/firmware/translate.mjs writes it. */
export function symbolOf(name: string): string {
  return name.replace(/^~/, "").replace(/\W+/g, "_").replace(/_$/, "");
}

/** Group of each function, named by its first member. */
export function groupsOf(
  names: readonly string[],
  calls: readonly Call[],
  code: Code,
  symbols: Symbols,
): Map<string, string> {
  const inMachineCode = machineCalls(code, symbols);
  const there = new Set(symbols.names);
  const parent = new Map(names.map((name) => [name, name]));
  const root = (name: string): string => {
    let at = name;
    while (parent.get(at) !== at) at = parent.get(at) as string;
    return at;
  };
  for (const [caller, callee] of calls) {
    if (!parent.has(callee)) continue; // the HAL
    const isCopied = there.has(caller) && !inMachineCode.has(`${caller} ${callee}`);
    if (there.has(callee) && !isCopied) continue;
    const [a, b] = [root(caller), root(callee)].sort();
    parent.set(b, a);
  }
  return new Map(names.map((name) => [name, root(name)]));
}

/** "caller callee" of every call and every jump into another function. */
function machineCalls(code: Code, symbols: Symbols): Set<string> {
  const found = new Set<string>();
  for (const { address, target } of code.values()) {
    if (target === null) continue;
    const from = functionAt(symbols, address);
    const to = functionAt(symbols, target).replace(/^__(\w+)_veneer$/, "$1");
    if (from !== to) found.add(`${from} ${to}`);
  }
  return found;
}
