/**
 * Mutants of the Verilog: the same text with one operator, one constant or one condition changed. A suite of jobs is as good as the share of mutants
 * that it tells from the original.
 */
import type { Random } from "../../firmware-sim/random.ts";

export interface Mutant {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly before: string;
  readonly after: string;
  /** The whole file. */
  readonly text: string;
}

type Rule = readonly [pattern: RegExp, replace: string | ((...match: string[]) => string)];

const RULES: readonly Rule[] = [
  [/ \+ /g, " - "],
  [/ - /g, " + "],
  [/ & /g, " | "],
  [/ \| /g, " & "],
  [/ == /g, " != "],
  [/ != /g, " == "],
  [/ >= /g, " > "],
  [/ < /g, " >= "],
  [/ > /g, " >= "],
  [/~(?=[\w(|&])/g, ""],
  [/1'b0/g, "1'b1"],
  [/1'b1/g, "1'b0"],
  [/(\d+)'d(\d+)/g, (_, bits, value) => `${bits}'d${(Number(value) + 1) % 2 ** Math.min(31, Number(bits))}`],
  [/\bif \(/g, "if (!"],
  [/ \? /g, " ? !"],
];

/** Lines that say what there is, and not what it does. */
const DECLARATION =
  /^\s*(\/\/|module\b|parameter\b|input\b|output (wire|reg)\b|localparam\b|genvar\b|for \(|integer\b|reg\b|wire [^=]*;)/;

/** Every mutant of a file, in the order of its text. `!(` belongs to a condition, so its end is not looked for: `if (!` inverts what comes first. */
export function mutants(file: string, source: string): Mutant[] {
  const lines = source.split("\n");
  const found: Mutant[] = [];
  for (const [i, line] of lines.entries()) {
    if (DECLARATION.test(line)) continue;
    const [code] = line.split("//");
    for (const [pattern, replace] of RULES)
      for (const match of code.matchAll(pattern)) {
        const by = typeof replace === "string" ? replace : replace(...match);
        const after = line.slice(0, match.index) + by + line.slice(match.index + match[0].length);
        const text = [...lines.slice(0, i), after, ...lines.slice(i + 1)].join("\n");
        found.push({ file, line: i + 1, before: line.trim(), after: after.trim(), text });
      }
  }
  return found;
}

/** `count` of them, none twice. */
export function draw(all: readonly Mutant[], count: number, random: Random): Mutant[] {
  const left = [...all];
  const drawn: Mutant[] = [];
  while (drawn.length < count && left.length > 0) drawn.push(...left.splice(random.below(left.length), 1));
  return drawn;
}
