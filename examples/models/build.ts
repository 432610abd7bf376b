/**
 * npm run models: examples/models/<name>/hf -> examples/models/<name>/<name>.trit, as `tritkit convert` would.
 * The images are committed; this makes them again after training or after a change of the converter.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { convert } from "../../host/index.ts";

const FOLDER = "examples/models";
/** Of assistants (docs/tools.md), which go into the image. */
const TOOLS: Readonly<Record<string, string>> = { assistant: "examples/assistant/tools/home.json" };

for (const name of (await readdir(FOLDER)).sort()) {
  const source = join(FOLDER, name, "hf");
  if (!(await stat(source).catch(() => null))?.isDirectory()) continue;
  const report = await convert(source, join(FOLDER, name, `${name}.trit`), { name, tools: TOOLS[name] });
  console.log(`${name}  ${report.bytes} bytes  sha256 ${report.sha256}`);
  console.log(`  ${report.image.architecture}`);
  for (const part of report.image.parts) {
    console.log(`  ${String(part.bytes).padStart(9)}  ${part.percent.toFixed(1).padStart(5)} %  ${part.name}`);
  }
  for (const { tensor, relativeError } of report.quantised) {
    console.log(`  ${tensor}: relative error ${relativeError.toExponential(1)}`);
  }
  for (const note of report.notes) console.log(`  ${note}`);
  for (const { name: what, why } of report.dropped) console.log(`  ${what} is left out: ${why}.`);
}
