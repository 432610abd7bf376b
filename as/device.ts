/** Entry of the device build. It exports boot, poll, memory and heap_base, and imports the HAL's pins only (spec/HAL.md). */
import { boot, poll } from "./app/app.ts";

export { boot, poll };

// asc's own constant. `export const heap_base = __heap_base` would be a mutable global that a start function sets.
export { __heap_base as heap_base };
