/** Entry of the device build. It exports boot, poll and memory, and imports the HAL's pins only (spec/HAL.md). */
import { boot, poll } from "./app/app.ts";

export { boot, poll };
