import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { filesIn, readFiles, syncFolder } from "./files.mjs";

/**
 * boards/<name>/release/* -> dist/firmware/<name>/, and nothing else stays there.
 * @param {string} boards
 * @param {string} target
 * @returns {Promise<string[]>} the boards that have one
 */
export async function copyFirmware(boards, target) {
  const released = [];
  for (const entry of await readdir(boards, { withFileTypes: true })) {
    const files = entry.isDirectory() ? await filesIn(join(boards, entry.name, "release"), "") : [];
    if (files.length === 0) continue;
    await syncFolder(join(target, entry.name), await readFiles(files));
    released.push(entry.name);
  }
  for (const name of await readdir(target).catch(() => []))
    if (!released.includes(name)) await rm(join(target, name), { recursive: true, force: true });
  return released.sort();
}
