/**
 * npm run firmware [BOARD...]: builds into build/firmware/<name>/.
 *
 *     --release   copies what ships to boards/<name>/release/
 *     --check     compares it with what is there: the shipped firmware must be what the sources give
 *
 * A board that only ESP-IDF can build becomes an ESP-IDF project there (idf.mjs), which has no release.
 */
import { buildFirmware, firmwareBoards } from "./build.mjs";
import { buildIdfProject, idfBoards } from "./idf.mjs";
import { release, releaseDifferences } from "./release.mjs";

/** @param {string[]} argv */
async function main(argv) {
  const options = argv.filter((arg) => arg.startsWith("--"));
  const unknown = options.find((option) => !["--release", "--check"].includes(option));
  if (unknown !== undefined) throw new Error(`npm run firmware: there is no option ${unknown}`);
  const projects = await idfBoards();
  const known = [...(await firmwareBoards()), ...projects];
  const asked = argv.filter((arg) => !arg.startsWith("--"));
  const stranger = asked.find((name) => !known.includes(name));
  if (stranger !== undefined) throw new Error(`There is no firmware for "${stranger}". Known: ${known.join(", ")}`);
  let different = 0;
  for (const name of asked.length > 0 ? asked : known) {
    if (projects.includes(name)) {
      const { folder } = await buildIdfProject(name);
      console.log(`firmware  ${name} not built here: an ESP-IDF project in ${folder}`);
      continue;
    }
    const built = await buildFirmware(name);
    const bytes = built.segments.reduce((sum, segment) => sum + segment.bytes.length, 0);
    console.log(`firmware  ${name} ${bytes} bytes in ${built.elf}`);
    if (options.includes("--release")) await release(built);
    if (!options.includes("--check")) continue;
    for (const line of await releaseDifferences(built)) {
      different++;
      console.log(`differs   ${line}`);
    }
  }
  if (different > 0) throw new Error("boards/*/release is not what the sources give: npm run firmware -- --release");
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
