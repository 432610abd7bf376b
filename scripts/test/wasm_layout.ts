/** What a module fixes about memory: where its data segments lie and how many pages it asks for. */
export interface WasmLayout {
  /** Addresses [start, end) of the active data segments. */
  segments: { start: number; end: number }[];
  initial: number;
  /** Pages; -1 when the memory may grow without bound. */
  maximum: number;
}

const MEMORY_SECTION = 5;
const DATA_SECTION = 11;
const I32_CONST = 0x41;
const END = 0x0b;

/** Reads the memory and data sections (WebAssembly 1.0 binary format, 5.5.8 and 5.5.14) of a module with one memory. */
export function wasmLayout(wasm: Uint8Array): WasmLayout {
  const layout: WasmLayout = { segments: [], initial: 0, maximum: -1 };
  let at = 8; // after magic and version
  const leb = (signed = false): number => {
    let value = 0n;
    let shift = 0n;
    for (;;) {
      const byte = wasm[at++];
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      if (byte >= 0x80) continue;
      if (signed && (byte & 0x40) !== 0) value -= 1n << shift;
      return Number(BigInt.asUintN(32, value));
    }
  };
  while (at < wasm.length) {
    const section = wasm[at++];
    const bytes = leb();
    const next = at + bytes;
    if (section === MEMORY_SECTION) {
      leb(); // one memory
      const flags = leb();
      layout.initial = leb();
      if ((flags & 1) !== 0) layout.maximum = leb();
    } else if (section === DATA_SECTION) {
      for (let count = leb(); count > 0; count--) {
        if (leb() !== 0 || wasm[at++] !== I32_CONST)
          throw new Error("a data segment that is not at a constant address");
        const start = leb(true); // i32.const is signed, the address is not
        if (wasm[at++] !== END) throw new Error("a data segment whose address is an expression");
        const length = leb();
        layout.segments.push({ start, end: start + length });
        at += length;
      }
    }
    at = next;
  }
  return layout;
}
