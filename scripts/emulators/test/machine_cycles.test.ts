/** Cycles derived from machine code: prices of the manuals, applied to blocks as QEMU counts them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Core } from "../../../boards/board.ts";
import type { Code, Instruction } from "../calibrate/disassembly.ts";
import { groupsOf, symbolOf } from "../calibrate/groups.ts";
import { machineCycles } from "../calibrate/machine_cycles.ts";
import type { Symbols } from "../profile.ts";

const AT = 0x1000;
const symbols: Symbols = { starts: [AT], names: ["f"] };

/** Cycles of a block that runs once and falls through. */
function cycles(core: Core, ...lines: string[]): number {
  const code = new Map<number, Instruction>();
  let address = AT;
  for (const line of lines) {
    const [mnemonic, operands = ""] = line.split("\t");
    code.set(address, { address, bytes: 2, mnemonic, operands, target: null });
    address += 2;
  }
  const block = { address: AT, end: address, instructions: lines.length, taken: 0 };
  return machineCycles([block], code, symbols, core).get("f") as number;
}

describe("cycles of a Cortex-M3 (ARM DDI 0337I, table 3.1)", () => {
  const m3 = (...lines: string[]) => cycles("cortex-m3", ...lines);

  it("a load takes 2, its neighbour is hidden unless it needs what was loaded", () => {
    assert.equal(m3("ldr\tr1, [r5, #0]"), 2);
    assert.equal(m3("ldr\tr1, [r5, #0]", "ldr\tr2, [r5, #4]"), 3);
    assert.equal(m3("ldrb.w\tr10, [r0]", "ldrh.w\tr10, [r1, r10, lsl #1]", "add\tr12, r10"), 5);
  });

  it("several registers take one each and one more", () => {
    assert.equal(m3("push\t{r4, r5, r6, lr}"), 5);
    assert.equal(m3("ldmia.w\tr7!, {r0, r1, r2-r4}"), 6);
    assert.equal(m3("strd\tr0, r1, [sp, #8]"), 3);
  });

  it("products, quotients", () => {
    assert.equal(m3("mul.w\tr0, r1, r2"), 1);
    assert.equal(m3("mla\tr0, r1, r2, r3"), 2);
    assert.equal(m3("umull\tr0, r1, r2, r3"), 4);
    assert.equal(cycles("cortex-m4", "umull\tr0, r1, r2, r3"), 1);
    assert.equal(m3("udiv\tr0, r1, r2"), 7);
  });

  it("a jump that is taken fills the pipeline anew", () => {
    const code: Code = new Map([[AT, { address: AT, bytes: 2, mnemonic: "bne.n", operands: "", target: AT }]]);
    const loop = { address: AT, end: AT + 2, instructions: 10, taken: 9 };
    assert.equal(machineCycles([loop], code, symbols, "cortex-m3").get("f"), 10 + 9 * 2);
  });
});

it("RV32: what waits for a load waits a cycle", () => {
  assert.equal(cycles("riscv32imac", "c.lw\ta0,0(a1)", "c.addi\ta2,1"), 2);
  assert.equal(cycles("riscv32imac", "c.lw\ta0,0(a1)", "c.addi\ta0,1"), 3);
  assert.equal(cycles("riscv32imac", "divu\ta0,a1,a2"), 17);
});

describe("groups of functions", () => {
  const names = ["as/a", "as/b", "as/c", "as/d"].map(symbolOf);
  const [a, b, c, d] = names;
  const call = (address: number, target: number): [number, Instruction] => [
    address,
    { address, bytes: 4, mnemonic: "bl", operands: "", target },
  ];

  it("a function without a symbol, or without the call, is in its caller", () => {
    const there: Symbols = { starts: [0x100, 0x200, 0x400], names: [a, b, d] };
    const groups = groupsOf(
      names,
      [
        [a, b],
        [b, c],
        [a, d],
      ],
      new Map([call(0x104, 0x200)]),
      there,
    );
    assert.equal(groups.get(b), b, "called, and there");
    assert.equal(groups.get(c), groups.get(b), "has no symbol");
    assert.equal(groups.get(d), groups.get(a), "is there, but its caller does not call it");
    assert.notEqual(groups.get(a), groups.get(b));
  });

  it("a call through a linker's veneer is a call", () => {
    const there: Symbols = { starts: [0x100, 0x200, 0x300], names: [a, b, `__${b}_veneer`] };
    const code: Code = new Map([call(0x104, 0x300), call(0x300, 0x200)]);
    assert.equal(groupsOf([a, b], [[a, b]], code, there).get(b), b);
  });
});
