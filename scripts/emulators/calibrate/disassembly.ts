/** The machine code of a firmware, instruction by instruction, by the toolchain's objdump. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export interface Instruction {
  readonly address: number;
  readonly bytes: number;
  readonly mnemonic: string;
  /** As objdump writes them, without what it adds behind: comments, names of targets. */
  readonly operands: string;
  /** Of a branch or call: where to, as far as it is written in the instruction. */
  readonly target: number | null;
}

/** By address. */
export type Code = ReadonlyMap<number, Instruction>;

/** @param prefix of the cross tools, e.g. "arm-none-eabi-" */
export async function disassemble(elf: string, prefix: string): Promise<Code> {
  const { stdout } = await promisify(execFile)(`${prefix}objdump`, ["-d", "-M", disassembler(prefix), elf], {
    maxBuffer: 1 << 28,
  });
  const code = new Map<number, Instruction>();
  for (const line of stdout.split("\n")) {
    // Without a mnemonic: an instruction that this objdump does not know (Armv8.1-M's conditional selects), whose length it knows all the same.
    const found = /^\s*([0-9a-f]+):\t([0-9a-f ]+?)\s*\t(\S*)(?:\t(.*))?$/.exec(line);
    if (found === null || found[3].startsWith(".")) continue;
    const [, address, bytes, mnemonic, rest = ""] = found;
    const target = /(?:^|,|\s)([0-9a-f]+) <[^>]*>/.exec(rest)?.[1];
    code.set(Number.parseInt(address, 16), {
      address: Number.parseInt(address, 16),
      bytes: bytes.replaceAll(" ", "").length / 2,
      mnemonic,
      operands: rest.replace(/\s*[@#<;] .*$|\s*<.*$/, ""),
      target: target === undefined ? null : Number.parseInt(target, 16),
    });
  }
  return code;
}

/** RISC-V's pseudo-instructions would hide what they are. */
function disassembler(prefix: string): string {
  return prefix.startsWith("riscv") ? "no-aliases" : "reg-names-std";
}
