/**
 * Flash that outlives the simulator: a file with the bytes of the model partition. Every erase and program is written
 * to it before the module goes on, so that killing the simulator at any time leaves what a real flash would keep. Node only.
 *
 * NOT IMPLEMENTED: fsync (the file survives the process, not the machine), a lock against two simulators on one file, wear.
 */
import type { Board } from "../boards/board.ts";
import type { Flash } from "./peripherals/flash.ts";
import { SimError } from "./sim_error.ts";

export interface FlashFile {
  /** The partition's content when the file was opened. For SimBoard.create. */
  readonly content: Uint8Array;
  /** Writes every change of this flash to the file from now on. */
  attach(flash: Flash): void;
  close(): void;
}

/**
 * Opens the file, or makes a blank one.
 * @throws SimError E_SIM_FLASH when the file cannot be used or is not as long as the partition
 */
export async function openFlashFile(path: string, board: Board): Promise<FlashFile> {
  const fs = await import("node:fs");
  const bytes = board.flash.partition.bytes;
  const attempt = <T>(run: () => T): T => {
    try {
      return run();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new SimError("E_SIM_FLASH", `flash file ${path}: ${reason}`, { cause });
    }
  };

  const isNew = !fs.existsSync(path);
  const file = attempt(() => fs.openSync(path, isNew ? "wx+" : "r+"));
  if (isNew) {
    try {
      // Unlike writeSync it does not stop half way when the disk is full.
      attempt(() => fs.writeFileSync(file, new Uint8Array(bytes).fill(0xff)));
    } catch (error) {
      fs.closeSync(file);
      fs.unlinkSync(path);
      throw error;
    }
  }
  const content = attempt(() => new Uint8Array(fs.readFileSync(path)));
  if (content.length !== bytes) {
    fs.closeSync(file);
    throw new SimError("E_SIM_FLASH", `flash file ${path} has ${content.length} bytes, ${board.name} needs ${bytes}`);
  }
  let stop = (): void => {};
  return {
    content,
    attach(flash) {
      stop();
      stop = flash.onChange((offset, cells) => {
        attempt(() => fs.writeSync(file, cells, 0, cells.length, offset));
      });
    },
    close() {
      stop();
      fs.closeSync(file);
    },
  };
}
