/**
 * Where the cycles go: chip.ts counts cycles and instructions of every address of code while a profile runs, and here they are summed by
 * function, with the symbols of the ELF file (`arm-none-eabi-nm -S firmware.elf`).
 *
 * Cycles of an instruction belong to its address, so a function's are its own, without its callees. An instruction that an interrupt
 * preceded counts where the interrupt came (one instruction an interrupt); time asleep counts nowhere.
 */
export interface CodeSymbol {
  readonly address: number;
  readonly bytes: number;
  readonly name: string;
}

export interface FunctionCost {
  readonly name: string;
  readonly cycles: number;
  readonly instructions: number;
}

/** Half-words of code; the two places where it can lie. */
const AREAS = [
  { base: 0x10000000, halves: (2 * 1024 * 1024) / 2 },
  { base: 0x20000000, halves: (264 * 1024) / 2 },
];
const OTHER = "(elsewhere)";

export class Profile {
  readonly #cycles = AREAS.map(({ halves }) => new Float64Array(halves));
  readonly #instructions = AREAS.map(({ halves }) => new Float64Array(halves));
  #otherCycles = 0;
  #otherInstructions = 0;

  count(pc: number, cycles: number): void {
    const area = pc >= 0x20000000 ? 1 : 0;
    const half = (pc - AREAS[area].base) >> 1;
    if (half < 0 || half >= AREAS[area].halves) {
      this.#otherCycles += cycles;
      this.#otherInstructions++;
      return;
    }
    this.#cycles[area][half] += cycles;
    this.#instructions[area][half]++;
  }

  get cycles(): number {
    return this.#otherCycles + this.#cycles.reduce((sum, area) => sum + area.reduce((a, b) => a + b, 0), 0);
  }

  get instructions(): number {
    return this.#otherInstructions + this.#instructions.reduce((sum, area) => sum + area.reduce((a, b) => a + b, 0), 0);
  }

  /** Cycles of each function, the most expensive first; code without a symbol is one function "(elsewhere)". */
  byFunction(symbols: readonly CodeSymbol[]): FunctionCost[] {
    const sums = new Map<string, { cycles: number; instructions: number }>();
    const add = (name: string, cycles: number, instructions: number): void => {
      if (instructions === 0) return;
      const sum = sums.get(name) ?? { cycles: 0, instructions: 0 };
      sums.set(name, { cycles: sum.cycles + cycles, instructions: sum.instructions + instructions });
    };
    const sorted = [...symbols].sort((a, b) => a.address - b.address);
    add(OTHER, this.#otherCycles, this.#otherInstructions);
    AREAS.forEach(({ base, halves }, area) => {
      let next = 0;
      for (let half = 0; half < halves; half++) {
        if (this.#instructions[area][half] === 0) continue;
        const pc = base + 2 * half;
        while (next < sorted.length && sorted[next].address + sorted[next].bytes <= pc) next++;
        const symbol = sorted[next];
        const inside = symbol !== undefined && symbol.address <= pc;
        add(inside ? symbol.name : OTHER, this.#cycles[area][half], this.#instructions[area][half]);
      }
    });
    const costs = [...sums].map(([name, sum]) => ({ name, ...sum }));
    return costs.sort((a, b) => b.cycles - a.cycles || a.name.localeCompare(b.name));
  }
}

/** Reads what `arm-none-eabi-nm -S` prints: `address size type name`, in hexadecimal; functions only. */
export function parseSymbols(nm: string): CodeSymbol[] {
  const symbols: CodeSymbol[] = [];
  for (const line of nm.split("\n")) {
    const [, address, bytes, type, name] = /^([0-9a-f]+) ([0-9a-f]+) (\w) (\S+)$/.exec(line.trim()) ?? [];
    if (name === undefined || !/[tTwW]/.test(type)) continue;
    symbols.push({ address: Number.parseInt(address, 16) & ~1, bytes: Number.parseInt(bytes, 16), name });
  }
  return symbols;
}
