import { isHypothetical } from "../../../boards/board.ts";
import { listBoards } from "../../assets.ts";
import { checkBoardFiles } from "../../board_check.ts";
import { EXIT_FAILED } from "../../errors.ts";
import type { Command } from "../command.ts";
import type { Output } from "../output.ts";
import { bytesText } from "../progress.ts";
import { table } from "../table.ts";

export const boards: Command = {
  name: "boards",
  summary: "the boards tritkit knows, with flash, SRAM, CPU and what was verified on what",
  usage: "",
  options: {
    check: {
      type: "string",
      value: "DIR",
      help: "check every *.json of a folder, or one file, as a board file instead",
    },
  },
  examples: ["tritkit boards", "tritkit boards --json", "tritkit boards --check my-boards"],
  positionals: [0, 0],
  async run({ out, args }) {
    const unchecked = args.text("check");
    if (unchecked !== undefined) return check(out, unchecked);
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
        rom: board.rom,
        core: board.cpu.core,
        hz: board.cpu.hz,
        flash_bytes: board.flash.bytes,
        partition_bytes: board.flash.partition.bytes,
        sram_bytes: sram,
        module_bytes: arena,
        copro: board.copro?.unit ?? null,
        hypothetical: isHypothetical(board),
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
    const imagined = known.filter(isHypothetical).map(({ name }) => name);
    out.text(table(["board", "CPU", "flash", "for models", "SRAM", "for a model", "verified on"], rows));
    out.text(`Simulated only, no such chip is sold: ${imagined.join(", ")}.\n`);
    return 0;
  },
};

/** For people who bring tritkit to a new board (docs/porting.md): a line for each file, status 1 when one is wrong. */
async function check(out: Output, path: string): Promise<number> {
  const checks = await checkBoardFiles(path);
  for (const each of checks) {
    const { file, ok } = each;
    if (ok) {
      const { name, memory, flash } = each.board;
      out.event({ event: "board_check", file, ok, board: name });
      const models = bytesText(flash.partition.bytes);
      out.text(
        `${file}: ok, ${name}, ${bytesText(memory.end - memory.base)} of SRAM for a model, ${models} of flash for models\n`,
      );
    } else {
      const { field, problem } = each;
      out.event({ event: "board_check", file, ok, field, problem });
      out.text(`${file}: ${field === "" ? "" : `${field}: `}${problem}\n`);
    }
  }
  const wrong = checks.filter(({ ok }) => !ok).length;
  out.info(wrong === 0 ? `${checks.length} checked, all good` : `${checks.length} checked, ${wrong} wrong`);
  return wrong === 0 ? 0 : EXIT_FAILED;
}
