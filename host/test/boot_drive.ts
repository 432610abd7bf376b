/**
 * The drive of a Pico in its boot ROM, as a folder: it has an INFO_UF2.TXT, takes blocks of its family from whatever file is
 * copied there, and goes away when it has all of them. (RP2040 Datasheet 2.8.4.)
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface BootDrive {
  readonly path: string;
  /** The file that was on the drive when it went away. */
  readonly taken: Promise<Uint8Array>;
  /** Stops looking and leaves nothing. */
  close(): Promise<void>;
}

export interface DriveOptions {
  boardId?: string;
  model?: string;
  /** False: it takes everything and never restarts. */
  restarts?: boolean;
}

export const infoFile = (boardId: string, model = "Raspberry Pi RP2"): string =>
  `UF2 Bootloader v3.0\r\nModel: ${model}\r\nBoard-ID: ${boardId}\r\n`;

export async function plugDrive(
  path: string,
  { boardId = "RPI-RP2", model, restarts = true }: DriveOptions = {},
): Promise<BootDrive> {
  await mkdir(path, { recursive: true });
  await writeFile(join(path, "INFO_UF2.TXT"), infoFile(boardId, model));
  let closed = false;
  const look = async (): Promise<Uint8Array> => {
    for (;;) {
      await sleep(10);
      if (closed) return new Uint8Array();
      const names = (await readdir(path).catch(() => [])).filter((name) => name.endsWith(".uf2"));
      for (const name of names) {
        const file = await readFile(join(path, name)).catch(() => null);
        // Word 24 of a block: how many there are.
        if (file === null || file.length < 512 || file.length < 512 * file.readUInt32LE(24) || !restarts) continue;
        await rm(path, { recursive: true });
        return new Uint8Array(file);
      }
    }
  };
  const taken = look();
  return {
    path,
    taken,
    async close() {
      closed = true;
      await taken.catch(() => {});
      await rm(path, { recursive: true, force: true });
    },
  };
}
