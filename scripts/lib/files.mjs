import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Makes a folder hold exactly these files, its sub-folders aside. What is unchanged is left alone and the rest is
 * written beside and renamed: a test that reads meanwhile sees the old file or the new one, never a half.
 * @param {string} folder
 * @param {Map<string, Uint8Array>} files name -> content
 */
export async function syncFolder(folder, files) {
  await mkdir(folder, { recursive: true });
  for (const [name, bytes] of files) await writeIfChanged(join(folder, name), bytes);
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isFile() && !files.has(entry.name) && !isPart(entry.name)) await rm(join(folder, entry.name));
}

/**
 * @param {string} path
 * @param {Uint8Array} bytes
 */
export async function writeIfChanged(path, bytes) {
  const old = await readFile(path).catch(() => null);
  if (old?.equals(bytes)) return;
  await mkdir(dirname(path), { recursive: true });
  const part = `${path}.${process.pid}.part`;
  await writeFile(part, bytes);
  await rename(part, path);
}

/**
 * Paths of the files with this extension; none where there is no such folder.
 * @param {string} folder
 * @param {string} extension
 */
export async function filesIn(folder, extension) {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => name.endsWith(extension)).map((name) => join(folder, name));
}

/**
 * The files of several folders by base name, to be put into one.
 * @param {string[]} paths
 * @returns {Promise<Map<string, Uint8Array>>}
 */
export async function readFiles(paths) {
  /** @type {Map<string, Uint8Array>} */
  const files = new Map();
  for (const path of paths) {
    if (files.has(basename(path))) throw new Error(`two files are called ${basename(path)}: ${path} and another`);
    files.set(basename(path), await readFile(path));
  }
  return files;
}

/** @param {string} name */
function isPart(name) {
  return name.endsWith(".part"); // of another build that runs at this moment
}
