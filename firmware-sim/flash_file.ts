/**
 * Flash that outlives the simulator: a file with the bytes of the model partition, or of the whole flash where the boot ROM or the
 * firmware around the partition matters. Which of the two it is its length says. Every erase and program is written
 * to it before the module goes on, so that killing the simulator at any time leaves what a real flash would keep. Node only.
 *
 * NOT IMPLEMENTED: fsync (the file survives the process, not the machine), a lock against two simulators on one file, wear.
 */
import type { Board } from "../boards/board.ts";
import type { SimBoard } from "./sim_board.ts";
import { SimError } from "./sim_error.ts";

export interface FlashFile {
  /** The file's content when it was opened. For SimBoard.create. */
  readonly content: Uint8Array;
  /** Writes every change of the board's flash to the file from now on. */
  attach(board: Pick<SimBoard, "flash" | "flashBus">): void;
  close(): void;
}

/**
 * Opens the file, or makes a blank one.
 * @param need "partition": of the partition when it is new, either length will do otherwise; "flash": of the whole flash
 * @throws SimError E_SIM_FLASH when the file cannot be used or has another length
 */
export async function openFlashFile(
  path: string,
  board: Board,
  need: "partition" | "flash" = "partition",
): Promise<FlashFile> {
  const fs = await import("node:fs");
  const whole = board.flash.bytes;
  const partition = board.flash.partition.bytes;
  const bytes = need === "flash" ? whole : partition;
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
  if (content.length !== bytes && content.length !== whole) {
    fs.closeSync(file);
    const why =
      content.length === partition ? ": it holds the model partition alone, and booting takes the whole flash" : "";
    throw new SimError(
      "E_SIM_FLASH",
      `flash file ${path} has ${content.length} bytes, ${board.name} needs ${bytes}${why}`,
    );
  }
  let stop = (): void => {};
  return {
    content,
    attach({ flash, flashBus }) {
      stop();
      const source = content.length === whole ? flashBus : flash;
      stop = source.onChange((offset, cells) => {
        attempt(() => fs.writeSync(file, cells, 0, cells.length, offset));
      });
    },
    close() {
      stop();
      fs.closeSync(file);
    },
  };
}
