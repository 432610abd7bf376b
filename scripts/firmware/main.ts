/**
 * npm run firmware [BOARD...]: builds into build/firmware/<name>/ and prints what it takes of flash and SRAM.
 *
 *     --release   copies what ships to boards/<name>/release/
 *     --check     compares it with what is there: the shipped firmware must be what the sources give
 *
 * A board that only ESP-IDF can build becomes an ESP-IDF project there (idf.mjs), which has no release.
 */
import { buildFirmware, firmwareBoards } from "./build.mjs";
import { buildIdfProject, idfBoards } from "./idf.mjs";
import { release, releaseDifferences, sizeOf } from "./release.ts";

const OPTIONS = ["--release", "--check"];

async function main(argv: string[]): Promise<void> {
  const options = argv.filter((arg) => arg.startsWith("--"));
  const unknown = options.find((option) => !OPTIONS.includes(option));
  if (unknown !== undefined) throw new Error(`npm run firmware has no option ${unknown}; it has ${OPTIONS.join(", ")}`);
  const projects = await idfBoards();
  const known = [...(await firmwareBoards()), ...projects];
  const asked = argv.filter((arg) => !arg.startsWith("--"));
  const stranger = asked.find((name) => !known.includes(name));
  if (stranger !== undefined) throw new Error(`There is no firmware for "${stranger}". Known: ${known.join(", ")}`);
  const differences: string[] = [];
  for (const name of asked.length > 0 ? asked : known) {
    if (projects.includes(name)) {
      const { folder } = await buildIdfProject(name);
      console.log(`firmware  ${name.padEnd(12)} not built here: an ESP-IDF project in ${folder}`);
      continue;
    }
    const built = await buildFirmware(name);
    const { flash, sram } = await sizeOf(built);
    console.log(
      `firmware  ${name.padEnd(12)} ${flash} bytes of flash, ${sram} of SRAM beside the module  ${built.elf}`,
    );
    if (options.includes("--release")) await release(built);
    if (options.includes("--check")) differences.push(...(await releaseDifferences(built)));
  }
  for (const line of differences) console.log(`differs   ${line}`);
  if (differences.length > 0)
    throw new Error("The releases are not what the sources give: npm run firmware -- --release");
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
