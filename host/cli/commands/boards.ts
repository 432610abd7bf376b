import { listBoards } from "../../assets.ts";
import type { Command } from "../command.ts";
import { bytesText } from "../progress.ts";
import { table } from "../table.ts";

export const boards: Command = {
  name: "boards",
  summary: "the boards tritkit knows, with flash, SRAM, CPU and what was verified on what",
  usage: "",
  options: {},
  examples: ["tritkit boards", "tritkit boards --json"],
  positionals: [0, 0],
  async run({ out }) {
    const known = await listBoards();
    const rows = known.map((board) => {
      const sram = board.memory.sram.reduce((sum, region) => sum + region.bytes, 0);
      const arena = board.memory.end - board.memory.base;
      const verified = board.verified.map((each) => each.how).join(", ") || "-";
      out.event({
        event: "board",
        board: board.name,
        title: board.title,
        chip: board.chip,
        core: board.cpu.core,
        hz: board.cpu.hz,
        flash_bytes: board.flash.bytes,
        partition_bytes: board.flash.partition.bytes,
        sram_bytes: sram,
        module_bytes: arena,
        verified: board.verified,
      });
      return [
        board.name,
        `${board.cpu.core} ${Math.round(board.cpu.hz / 1e6)} MHz`,
        bytesText(board.flash.bytes),
        bytesText(board.flash.partition.bytes),
        bytesText(sram),
        bytesText(arena),
        verified,
      ];
    });
    out.text(table(["board", "CPU", "flash", "for models", "SRAM", "for a model", "verified on"], rows));
    return 0;
  },
};
