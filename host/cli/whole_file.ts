// A result in a file: there is the old file or the whole new one, never a part.
import { rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { TritkitError } from "../errors.ts";

/** @throws TritkitError E_OUTPUT */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const part = join(dirname(path), `.${process.pid}-${Date.now().toString(36)}.part`);
  try {
    await writeFile(part, bytes, { flag: "wx", flush: true });
    await rename(part, path);
  } catch (cause) {
    await rm(part, { force: true }).catch(() => {});
    const reason = (cause as Error).message.split(",")[0];
    throw new TritkitError("E_OUTPUT", `${path} cannot be written: ${reason}.`, "Choose another place.", undefined, {
      cause,
    });
  }
}
