/** What calls what in a device module. */
import { decodeBody, moduleFacts, OP } from "../../../firmware-sim/meter/decode.ts";
import { Reader, SECTION, sectionsOf } from "../../../firmware-sim/meter/wasm_binary.ts";
import { type Call, symbolOf } from "./groups.ts";

export interface ModuleCalls {
  /** Functions with a body. */
  readonly names: readonly string[];
  /** As the firmware's symbols spell them. */
  readonly calls: readonly Call[];
}

export function moduleCalls(wasm: Uint8Array): ModuleCalls {
  const sections = sectionsOf(wasm);
  const { names, imported, own, params } = moduleFacts(wasm, sections);
  const symbols = names.map(symbolOf);
  const calls: Call[] = [];
  const code = sections.find(({ id }) => id === SECTION.code);
  if (code === undefined) throw new Error("the device module has no code");
  const reader = new Reader(wasm, code.from);
  reader.each((i) => {
    const caller = symbols[imported.length + i];
    for (const { opcode, value } of decodeBody(reader, params[own[i]]).code)
      if (opcode === OP.call && value >= imported.length) calls.push([caller, symbols[value]]);
  });
  return { names: names.slice(imported.length), calls };
}
