/**
 * What ships of a firmware, in boards/<name>/release/: the pieces of flash as .bin, the same as .uf2 where the boot ROM is a drive, the ELF file
 * for debuggers and emulators (of slot 0, without the selector, where firmware can replace itself; then also a file for each slot, for an update
 * over the line), and firmware.json, which names them with addresses, digests and sizes (host/device/firmware/release.ts reads it).
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { uf2Chip, writeUf2 } from "../../host/device/firmware/uf2.ts";
import { ROOT } from "../lib/root.mjs";
import type { Built } from "./build.mjs";
import { TOOLCHAINS } from "./toolchains.mjs";

const run = promisify(execFile);
const MANIFEST = "firmware.json";

/** Bytes. `sram` is what the shim takes beside the module's memory: vector table, RAM code and data, .bss (UART rings), stack. */
export interface Size {
  readonly flash: number;
  readonly sram: number;
}

/** Sections that lie in SRAM, whatever the memory they are in is called. */
const IN_SRAM = /^\.(vectors_ram|ramcode|data|bss|stack)\b/;
/** Sections whose content is in flash. */
const IN_FLASH = /^\.(header|boot2|boot_block|vectors|text|rodata|module|ramcode|data)\b/;

export async function sizeOf({ board, elf }: Built, root = ROOT): Promise<Size> {
  const { prefix } = TOOLCHAINS[board.cpu.core];
  const { stdout } = await run(`${prefix}size`, ["-A", "-d", elf], { cwd: root });
  const size = { flash: 0, sram: 0 };
  for (const [, name, bytes] of stdout.matchAll(/^(\.\S+)\s+(\d+)\s+\d+$/gm)) {
    if (IN_FLASH.test(name)) size.flash += Number(bytes);
    if (IN_SRAM.test(name)) size.sram += Number(bytes);
    if (!IN_FLASH.test(name) && !IN_SRAM.test(name)) throw new Error(`${elf}: section ${name} is not counted anywhere`);
  }
  return size;
}

/** The files of a release, by name. */
export async function releaseFiles(built: Built, root = ROOT): Promise<Map<string, Uint8Array>> {
  const { board, wasm, segments, updates } = built;
  const files = new Map<string, Uint8Array>();
  const listed = segments.map(({ address, bytes }) => {
    const file = `firmware-${address.toString(16).padStart(8, "0")}.bin`;
    files.set(file, bytes);
    return { file, address, bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  });
  const wired = updates.map(({ slot, file, bytes }) => {
    files.set(file, bytes);
    return { slot, file, bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  });
  const uf2 = board.rom === "uf2" ? "firmware.uf2" : null;
  if (uf2 !== null) files.set(uf2, writeUf2(segments, uf2Chip(board.chip).family));
  files.set("firmware.elf", await readFile(join(root, built.elf)));
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const manifest = {
    board: board.name,
    version,
    wasm_sha256: wasm,
    size: await sizeOf(built, root),
    segments: listed,
    uf2,
    elf: "firmware.elf",
    ...(wired.length > 0 ? { updates: wired } : {}),
  };
  files.set(MANIFEST, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
  return files;
}

function folderOf(built: Built): string {
  return join(ROOT, "boards", built.board.name, "release");
}

/** Writes the release beside the board's sources, in place of the one before. */
export async function release(built: Built): Promise<void> {
  const files = await releaseFiles(built);
  await rm(folderOf(built), { recursive: true, force: true });
  await mkdir(folderOf(built), { recursive: true });
  for (const [name, bytes] of files) await writeFile(join(folderOf(built), name), bytes);
}

/** What of the shipped release is not what was built now; empty: it is the same, byte for byte. */
export async function releaseDifferences(built: Built): Promise<string[]> {
  const wanted = await releaseFiles(built);
  const there = await readdir(folderOf(built)).catch(() => []);
  const differences = there.filter((name) => !wanted.has(name)).map((name) => `${name} belongs to no release`);
  for (const [name, bytes] of wanted) {
    const shipped = await readFile(join(folderOf(built), name)).catch(() => null);
    if (shipped === null) differences.push(`${name} is missing`);
    else if (Buffer.compare(shipped, bytes) !== 0) differences.push(`${name} differs`);
  }
  return differences.map((what) => `boards/${built.board.name}/release: ${what}`);
}
