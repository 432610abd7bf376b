/** A release of firmware as boards/<name>/release/ holds it, of any bytes: nothing here runs on a chip. */
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { seeded } from "./seeded.ts";

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export function noise(seed: number, length: number): Uint8Array {
  const random = seeded(seed);
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
}

export interface Piece {
  address: number;
  bytes: Uint8Array;
}

export interface Manifest {
  board: string;
  version: string;
  wasm_sha256: string;
  segments: { file: string; address: number; bytes: number; sha256: string }[];
  uf2: string | null;
  elf: string | null;
}

/** Writes the release and returns its manifest; `change` makes a wrong one of it. */
export async function writeRelease(
  folder: string,
  board: string,
  pieces: Piece[],
  uf2: Uint8Array | null = null,
  change: (manifest: Manifest) => unknown = (manifest) => manifest,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const segments = pieces.map(({ address, bytes }) => ({
    file: `firmware-${address.toString(16).padStart(8, "0")}.bin`,
    address,
    bytes: bytes.length,
    sha256: sha256(bytes),
  }));
  for (const [i, { file }] of segments.entries()) await writeFile(join(folder, file), pieces[i].bytes);
  if (uf2 !== null) await writeFile(join(folder, "firmware.uf2"), uf2);
  const manifest: Manifest = {
    board,
    version: "9.8.7",
    wasm_sha256: "0".repeat(64),
    segments,
    uf2: uf2 === null ? null : "firmware.uf2",
    elf: null,
  };
  await writeFile(join(folder, "firmware.json"), JSON.stringify(change(manifest)));
}
