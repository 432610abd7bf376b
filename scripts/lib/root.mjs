import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root. Looked for upwards, because a test's bundle in build/ holds a copy of this line too. */
export const ROOT = findRoot(dirname(fileURLToPath(import.meta.url)));

/** @param {string} folder */
function findRoot(folder) {
  if (existsSync(join(folder, "asconfig.json"))) return folder;
  if (dirname(folder) === folder) throw new Error("no asconfig.json above this script");
  return findRoot(dirname(folder));
}
