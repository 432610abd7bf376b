/**
 * The witness of the meter's counts: WABT's interpreter with --trace writes every instruction that it executes, and the address of every load. Nothing of
 * meter/ is used here.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../scripts/lib/root.mjs";

const WABT = join(ROOT, "node_modules/wabt/bin");

export interface Executed {
  /** By the instruction's name in text; branches as the interpreter has them: br, br_unless, br_table. */
  readonly ops: ReadonlyMap<string, number>;
  /** Of i32.const and i64.const. */
  readonly constants: { readonly small: number; readonly wide: number };
  readonly loads: readonly { readonly address: number; readonly bytes: number }[];
  /** `if` whose condition was false; br_if whose condition held. */
  readonly skippedThens: number;
  readonly takenBrIfs: number;
}

export function assemble(wat: string): Uint8Array {
  return inFolder((folder) => {
    writeFileSync(join(folder, "a.wat"), wat);
    const to = join(folder, "a.wasm");
    execFileSync(process.execPath, [join(WABT, "wat2wasm"), "--debug-names", join(folder, "a.wat"), "-o", to]);
    return new Uint8Array(readFileSync(to));
  });
}

/** Runs the export `run`, which takes nothing. */
export function execute(wasm: Uint8Array): Executed {
  const trace = inFolder((folder) => {
    const file = join(folder, "a.wasm");
    writeFileSync(file, wasm);
    const argv = [join(WABT, "wasm-interp"), file, "--run-export=run", "--trace"];
    return execFileSync(process.execPath, argv, { encoding: "utf8", maxBuffer: 1 << 29 });
  });
  if (!/^run\(\) =>\s*$/m.test(trace)) throw new Error(`wasm-interp did not come to an end: ${trace.slice(-300)}`);
  return parse(trace);
}

function parse(trace: string): Executed {
  const ops = new Map<string, number>();
  const constants = { small: 0, wide: 0 };
  const loads: { address: number; bytes: number }[] = [];
  let [skippedThens, takenBrIfs] = [0, 0];
  /** Of the br_unless before, when it did not jump: where the next instruction would be, and where it would have gone. */
  let fell: { at: number; target: number } | null = null;
  for (const [, pc, name, rest] of trace.matchAll(/^#\d+\. +(\d+): V:\d+ *\| (\S+)(.*)$/gm)) {
    ops.set(name, (ops.get(name) ?? 0) + 1);
    // A br_if is a br_unless over one br.
    if (name === "br" && fell !== null && fell.target === Number(pc) + BR_BYTES) takenBrIfs++;
    fell = null;
    if (name.endsWith(".const")) {
      const value = Number(rest);
      if (name === "i32.const" && value >= 0 && value <= 255) constants.small++;
      else constants.wide++;
    }
    const load = /^ \$\d+:(\d+)\+\$(\d+)/.exec(rest);
    if (load !== null && name.includes(".load")) {
      const bits = /\.load(\d*)/.exec(name)?.[1] || name.slice(1, 3);
      loads.push({ address: Number(load[1]) + Number(load[2]), bytes: Number(bits) / 8 });
    }
    if (name === "br_unless") {
      const [, target, condition] = /@(\d+), (-?\d+)/.exec(rest) ?? [];
      if (condition !== "0") fell = { at: Number(pc), target: Number(target) };
      else if (Number(target) !== Number(pc) + BR_UNLESS_BYTES + BR_BYTES) skippedThens++;
    }
  }
  return { ops, constants, loads, skippedThens, takenBrIfs };
}

/** In the interpreter's own code. */
const BR_BYTES = 8;
const BR_UNLESS_BYTES = 8;

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "tritkit-wabt-"));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
