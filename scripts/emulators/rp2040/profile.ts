/**
 * Where the cycles go: chip.ts counts cycles and instructions of every address of code while a profile runs, and here they are summed by
 * function, with the symbols of the ELF file (readSymbols of ../profile.ts).
 *
 * Cycles of an instruction belong to its address, so a function's are its own, without its callees. An instruction that an interrupt
 * preceded counts where the interrupt came (one instruction an interrupt); time asleep and polling a busy flash counts nowhere.
 */
import { functionAt, type Profile, type Symbols } from "../profile.ts";

/** Half-words of code; the two places where it can lie. */
const AREAS = [
  { base: 0x10000000, halves: (2 * 1024 * 1024) / 2 },
  { base: 0x20000000, halves: (264 * 1024) / 2 },
];

export class CycleCounts {
  readonly #cycles = AREAS.map(({ halves }) => new Float64Array(halves));
  readonly #instructions = AREAS.map(({ halves }) => new Float64Array(halves));

  /** @throws RangeError for an address where no code can lie */
  count(pc: number, cycles: number): void {
    const { area, half } = placeOf(pc);
    if (half < 0 || half >= AREAS[area].halves) throw new RangeError(`an instruction at 0x${pc.toString(16)}`);
    this.#cycles[area][half] += cycles;
    this.#instructions[area][half]++;
  }

  get cycles(): number {
    return total(this.#cycles);
  }

  get instructions(): number {
    return total(this.#instructions);
  }

  /** Up to now; for what lies between two moments see `between` of ../profile.ts. */
  cyclesByFunction(symbols: Symbols): Profile {
    return byFunction(this.#cycles, symbols);
  }

  instructionsByFunction(symbols: Symbols): Profile {
    return byFunction(this.#instructions, symbols);
  }

  /** How often each function's first instruction was executed. */
  callsByFunction({ starts, names }: Symbols): Profile {
    const calls = new Map<string, number>();
    starts.forEach((start, i) => {
      const { area, half } = placeOf(start);
      const count = this.#instructions[area][half] ?? 0;
      if (count > 0) calls.set(names[i], (calls.get(names[i]) ?? 0) + count);
    });
    return calls;
  }
}

function placeOf(pc: number): { area: number; half: number } {
  const area = pc >= AREAS[1].base ? 1 : 0;
  return { area, half: (pc - AREAS[area].base) >> 1 };
}

function byFunction(counts: readonly Float64Array[], symbols: Symbols): Profile {
  const sums = new Map<string, number>();
  AREAS.forEach(({ base, halves }, area) => {
    for (let half = 0; half < halves; half++) {
      const count = counts[area][half];
      if (count === 0) continue;
      const name = functionAt(symbols, base + 2 * half);
      sums.set(name, (sums.get(name) ?? 0) + count);
    }
  });
  return sums;
}

function total(counts: readonly Float64Array[]): number {
  return counts.reduce((sum, area) => sum + area.reduce((a, b) => a + b, 0), 0);
}
