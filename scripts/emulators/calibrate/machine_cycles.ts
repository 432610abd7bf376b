/**
 * Cycles where an emulator counts instructions only: what QEMU saw executed, block by block, at the prices of the core's manual. Derived, and
 * without memory: no wait states, no cache, no contention.
 *
 * Cortex-M3   ARM DDI 0337I (TRM r2p1), table 3.1: loads 2, of which the second of two neighbours is hidden unless it needs the first; stores 1;
 *             LDM, STM, LDRD, STRD, PUSH, POP 1 + N; MLA, MLS 2; UMULL, SMULL 3 to 5 (4 taken), UMLAL, SMLAL 4 to 7 (5 taken); UDIV, SDIV 2 to 12
 *             (7 taken); a refill of the pipeline P = 1 to 3 (2 taken) where something else than the next instruction follows
 * Cortex-M4   ARM 100166 (TRM r0p1), table 3.1: the same, long products 1
 * Cortex-M33, M7, M55   ARM publishes no such table for them. Assumed: the M4's prices, divided by the ratio of published CoreMark results a megahertz
 *             (M4 3.42, M33 4.02, M7 5.01, M55 4.40: arm.com, not re-read); pairs of instructions that are issued together are what it stands for
 * RV32        no price list for the ESP32-C3 either. Assumed: a four-stage pipeline with loads 1, and 1 more when the next instruction needs the
 *             value, refill 2, products 1, quotients 17 (TRM 1.3 names the stages; the rest is assumed)
 */
import type { Core } from "../../../boards/board.ts";
import { type Block, functionAt, type Profile, type Symbols } from "../profile.ts";
import type { Code, Instruction } from "./disassembly.ts";

interface Prices {
  readonly kind: "arm" | "riscv";
  readonly longProduct: number;
  readonly longAccumulate: number;
  readonly quotient: number;
  readonly refill: number;
  /** How many cycles of this model the core takes one for. */
  readonly speed: number;
  readonly source: string;
}

const M3: Prices = {
  ...{ kind: "arm", longProduct: 4, longAccumulate: 5, quotient: 7, refill: 2, speed: 1 },
  source: "instruction timings of ARM DDI 0337I, table 3.1",
};
const M4: Prices = { ...M3, longProduct: 1, longAccumulate: 1, source: "instruction timings of ARM 100166, table 3.1" };
const RISCV: Prices = {
  ...{ kind: "riscv", longProduct: 1, longAccumulate: 1, quotient: 17, refill: 2, speed: 1 },
  source: "assumed timings of a four-stage pipeline",
};
const COREMARK_M4 = 3.42;

function faster(name: string, coremark: number): Prices {
  const source = `the Cortex-M4's timings (ARM 100166), divided by ${coremark} / ${COREMARK_M4}, the ratio of CoreMark a megahertz: assumed for the ${name}`;
  return { ...M4, speed: coremark / COREMARK_M4, source };
}

const PRICES: Partial<Record<Core, Prices>> = {
  "cortex-m3": M3,
  "cortex-m4": M4,
  "cortex-m7": faster("Cortex-M7", 5.01),
  "cortex-m33": faster("Cortex-M33", 4.02),
  "cortex-m55": faster("Cortex-M55", 4.4),
  riscv32imac: RISCV,
  riscv32imc: RISCV,
};

/** Where the cycles of a core come from. */
export function pricesSource(core: Core): string {
  return pricesOf(core).source;
}

/** How many cycles of its price list a core takes one for; 1 where an emulator counts cycles. */
export function speedOf(core: Core): number {
  return PRICES[core]?.speed ?? 1;
}

function pricesOf(core: Core): Prices {
  const prices = PRICES[core];
  if (prices === undefined) throw new Error(`no instruction timings for ${core}`);
  return prices;
}

/** Cycles by function of what was executed. */
export function machineCycles(blocks: readonly Block[], code: Code, symbols: Symbols, core: Core): Profile {
  const prices = pricesOf(core);
  const found = new Map<string, number>();
  for (const { address, end, instructions, taken } of blocks) {
    // The machine's own boot code is no part of the firmware.
    if (instructions === 0 || !code.has(address)) continue;
    let cycles = 0;
    let count = 0;
    let before: Instruction | null = null;
    for (let at = address; at < end; ) {
      const instruction = code.get(at);
      if (instruction === undefined) throw new Error(`no instruction at 0x${at.toString(16)}`);
      cycles += cost(instruction, before, prices);
      count++;
      before = instruction;
      at += instruction.bytes;
    }
    const all = (instructions / count) * cycles + taken * prices.refill;
    const name = functionAt(symbols, address);
    found.set(name, (found.get(name) ?? 0) + all / prices.speed);
  }
  return found;
}

function cost(instruction: Instruction, before: Instruction | null, prices: Prices): number {
  return prices.kind === "arm" ? armCost(instruction, before, prices) : riscvCost(instruction, before, prices);
}

function armCost({ mnemonic, operands }: Instruction, before: Instruction | null, prices: Prices): number {
  if (/^(push|pop|ldmia|ldmdb|ldm|stmia|stmdb|stm)/.test(mnemonic)) return 1 + listed(operands);
  if (/^(ldrd|strd)/.test(mnemonic)) return 3;
  if (/^ldr/.test(mnemonic)) return hidden(operands, before) ? 1 : 2;
  if (/^(umull|smull)/.test(mnemonic)) return prices.longProduct;
  if (/^(umlal|smlal)/.test(mnemonic)) return prices.longAccumulate;
  if (/^(mla|mls)/.test(mnemonic)) return 2;
  if (/^(udiv|sdiv)/.test(mnemonic)) return prices.quotient;
  return 1;
}

/** Whether a load's address phase overlaps the data phase of the one before. */
function hidden(operands: string, before: Instruction | null): boolean {
  if (before === null || !/^ldr(?!d)/.test(before.mnemonic)) return false;
  const loaded = before.operands.split(",")[0];
  return !new RegExp(`\\b${loaded}\\b`).test(operands.slice(operands.indexOf("[")));
}

/** Registers of a list such as {r4, r5, r6-r8, lr}. */
function listed(operands: string): number {
  const names = /\{(.*)\}/.exec(operands)?.[1] ?? "";
  return names.split(",").reduce((sum, name) => {
    const [, from, to] = /r(\d+)-r(\d+)/.exec(name) ?? [];
    return sum + (from === undefined ? 1 : Number(to) - Number(from) + 1);
  }, 0);
}

const RISCV_LOAD = /^(c\.)?l(b|h|w|bu|hu|wsp)$/;

function riscvCost({ mnemonic, operands }: Instruction, before: Instruction | null, prices: Prices): number {
  const own = /^(div|rem)/.test(mnemonic) ? prices.quotient : 1;
  if (before === null || !RISCV_LOAD.test(before.mnemonic)) return own;
  const loaded = before.operands.split(",")[0];
  return own + (new RegExp(`\\b${loaded}\\b`).test(operands) ? 1 : 0);
}
