/**
 * Who may import whom. The towers know each other as little as chips on a board do:
 *
 *     spec          nothing                      host      boards, spec; host/transports/sim.ts also firmware-sim/index.ts
 *     boards        nothing                      examples  the public index files
 *     as            spec                         tests     their tower, spec, boards, scripts, the public index files
 *     firmware-sim  boards, spec                 scripts   anything
 *
 * and inside a tower: kernels know no HAL, store or wire; tokenizer, sampler and model do not know each other; a
 * simulated peripheral knows no other; library code leaves the process and its console to host/cli.
 */
import { posix } from "node:path";

/** One broken rule. line counts from 1. */
export interface Violation {
  file: string;
  line: number;
  what: string;
}

const PUBLIC = ["host/index.ts", "firmware-sim/index.ts"];
const MAY_IMPORT: Record<string, string[]> = {
  spec: [],
  boards: [],
  as: ["spec"],
  "firmware-sim": ["boards", "spec"],
  host: ["boards", "spec"],
  examples: [],
};
/** Files without packages: both compilers, or only asc, read them. The WASI twin of the HAL may use its shim. */
const NO_PACKAGES = /^(spec\/|as\/(?!(hal_)?wasi))/;
/** Rooms of as/ that must not know other rooms. */
const CLOSED_ROOMS: [from: RegExp, to: RegExp, reason: string][] = [
  [/^as\/kernels\//, /^as\/(hal|store|wire)\b/, "kernels get pointers and return numbers"],
  [/^as\/tokenizer\b/, /^as\/(sampler|model)\b/, "only as/generate.ts introduces them"],
  [/^as\/sampler\b/, /^as\/(tokenizer|model)\b/, "only as/generate.ts introduces them"],
  [/^as\/model\b/, /^as\/(tokenizer|sampler|assistant)\b/, "only as/generate.ts introduces them"],
  [
    /^as\/assistant\b/,
    /^as\/(hal|wire|app|model|sampler|store\/(?!crc32))/,
    "it says what is to be done, as/app does it",
  ],
];
const PERIPHERAL = /^firmware-sim\/peripherals\/([^/.]+)/;
const LIBRARY = /^(spec|boards|firmware-sim|host(?!\/cli\b))\b/;

/** Every rule that `text`, the source of `file` (a path relative to the repository's root), breaks. */
export function violations(file: string, text: string): Violation[] {
  const found: Violation[] = [];
  const code = blank(text, false);
  for (const match of code.matchAll(/\b(?:from|import)\s*\(?\s*(["'])([^"'\n]+)\1/g)) {
    const what = forbidden(file, match[2]);
    if (what !== null) found.push({ file, line: lineOf(text, match.index), what: `imports ${match[2]}: ${what}` });
  }
  if (isTest(file)) return found;

  const bare = blank(text, true);
  if (LIBRARY.test(file))
    for (const match of bare.matchAll(/\bprocess\s*\.\s*exit\b|\bconsole\s*\./g))
      found.push({ file, line: lineOf(text, match.index), what: `${match[0]} in library code` });
  if (file.startsWith("as/") && !/^as\/hal/.test(file))
    for (const match of bare.matchAll(/@external\b/g))
      found.push({ file, line: lineOf(text, match.index), what: "@external outside the HAL" });
  return found;
}

/** Why `file` must not import `specifier`, or null when it may. */
function forbidden(file: string, specifier: string): string | null {
  const tower = file.split("/")[0];
  if (!specifier.startsWith(".")) return NO_PACKAGES.test(file) && !isTest(file) ? `${tower}/ uses no packages` : null;
  if (!/\.(ts|mjs|json)$/.test(specifier)) return "relative imports end in .ts";

  const target = posix.join(posix.dirname(file), specifier);
  const to = target.split("/")[0];
  if (tower === "scripts" || target === "package.json") return null;
  if (isTest(file)) {
    const allowed = [tower, "spec", "boards", "scripts"].includes(to) || PUBLIC.includes(target);
    return allowed ? null : `a test of ${tower}/ sees ${to}/ through its index.ts only`;
  }
  if (isTest(target)) return "product code does not import tests";
  if (tower === to) return closedRoom(file, target);
  if (file === "host/transports/sim.ts" && target === "firmware-sim/index.ts") return null;
  if (tower === "examples" && PUBLIC.includes(target)) return null;
  return MAY_IMPORT[tower]?.includes(to) ? null : `${tower} must not know ${to}`;
}

function closedRoom(file: string, target: string): string | null {
  for (const [from, to, reason] of CLOSED_ROOMS) if (from.test(file) && to.test(target)) return reason;
  const [, peripheral] = PERIPHERAL.exec(file) ?? [];
  const [, other] = PERIPHERAL.exec(target) ?? [];
  const crosses = peripheral !== undefined && other !== undefined && peripheral !== other && peripheral !== "index";
  return crosses ? "a peripheral does not know another" : null;
}

function isTest(file: string): boolean {
  return file.endsWith(".test.ts") || /(^|\/)test\//.test(file);
}

/** The source with comments and template strings (with `strings`, every string) as spaces; offsets stay. */
function blank(text: string, strings: boolean): string {
  const token = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return text.replace(token, (match) =>
    !strings && (match[0] === '"' || match[0] === "'") ? match : match.replace(/[^\n]/g, " "),
  );
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
