/**
 * npm run rtl:mutants: damages the Verilog of TGEMV in one place after the other and counts how often the jobs of npm run rtl notice.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { TGEMV_DEFAULTS } from "../../firmware-sim/peripherals/tgemv/config.ts";
import { Random } from "../../firmware-sim/random.ts";
import { TritkitError } from "../../host/errors.ts";
import { ROOT } from "../lib/root.mjs";
import { compare } from "./compare.ts";
import { edgeBatches } from "./edge_jobs.ts";
import { draw, type Mutant, mutants } from "./mutate.ts";
import { randomBatches } from "./random_jobs.ts";
import type { Batch } from "./scenario.ts";
import { buildSimulator, designFiles, findSimulator, RTL, type SimulatorName } from "./simulator.ts";

const HELP = `npm run rtl:mutants -- [options]: how many damaged versions of TGEMV's Verilog the random jobs tell from the right one

  --mutants N     (20)
  --seed N        of the choice (1)
  --jobs N        random jobs for each (200)
  --edges         and the jobs at the edges
  --simulator S   iverilog or verilator (iverilog: it builds in a second)
  --json          {"event":"mutant","file":s,"line":n,"before":s,"after":s,"fate":"killed|survived|refused"} for each, then
                  {"event":"mutants","killed":n,"survived":n,"refused":n}

  npm run rtl:mutants -- --mutants 40 --seed 3

A mutant that no simulator builds is refused and not counted. Some survivors are no mistakes: they compute the same. Exit status: 0 none survived, 1 some did,
2 wrong usage.
`;

type Fate = "killed" | "survived" | "refused";

/** Scenarios of one comparison: most mutants fall in the first. */
const PIECE = 16;

try {
  process.exitCode = main();
} catch (error) {
  if (!(error instanceof Error)) throw error;
  const usage = error instanceof RangeError || String("code" in error ? error.code : "").startsWith("ERR_PARSE_ARGS");
  if (!(error instanceof TritkitError || usage)) throw error;
  console.error(`rtl:mutants: ${error.message}${error instanceof TritkitError && error.hint ? ` ${error.hint}` : ""}`);
  process.exitCode = usage ? 2 : 1;
}

function main(): number {
  const text = (value: string) => ({ type: "string", default: value }) as const;
  const flag = { type: "boolean", default: false } as const;
  const options = { mutants: text("20"), seed: text("1"), jobs: text("200"), simulator: text("iverilog") };
  const { values } = parseArgs({ options: { ...options, edges: flag, json: flag, help: flag } });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const count = whole("mutants", values.mutants);
  const random = new Random(whole("seed", values.seed));
  const jobs = whole("jobs", values.jobs);
  const pieces = [...randomBatches(1, jobs), ...(values.edges ? edgeBatches() : [])].flatMap(inPieces);
  const simulator = findSimulator(values.simulator);
  const all = designFiles().flatMap((path) => mutants(path.slice(RTL.length + 1), readFileSync(path, "utf8")));
  const fates: Record<Fate, number> = { killed: 0, survived: 0, refused: 0 };
  for (const mutant of draw(all, count, random)) {
    const fate = fateOf(mutant, simulator, pieces);
    fates[fate]++;
    const { file, line, before, after } = mutant;
    if (values.json) console.log(JSON.stringify({ event: "mutant", file, line, before, after, fate }));
    else console.log(`${fate.padEnd(8)} ${file}:${line}\n  - ${before}\n  + ${after}`);
  }
  if (values.json) console.log(JSON.stringify({ event: "mutants", ...fates }));
  else console.log(`${fates.killed} killed, ${fates.survived} survived, ${fates.refused} refused by ${simulator}`);
  return fates.survived === 0 ? 0 : 1;
}

function fateOf(mutant: Mutant, name: SimulatorName, pieces: readonly Batch[]): Fate {
  mkdirSync(join(ROOT, "build"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, "build/mutant-"));
  try {
    for (const file of readdirSync(RTL)) if (/\.(v|cpp)$/.test(file)) copyFileSync(join(RTL, file), join(folder, file));
    writeFileSync(join(folder, mutant.file), mutant.text);
    let simulator: ReturnType<typeof buildSimulator>;
    try {
      simulator = buildSimulator(name, TGEMV_DEFAULTS, folder);
    } catch (error) {
      if (error instanceof TritkitError && error.code === "E_RTL_BUILD") return "refused";
      throw error;
    }
    const differs = (piece: Batch) => compare(simulator, piece, TGEMV_DEFAULTS).differences.length > 0;
    return pieces.some(differs) ? "killed" : "survived";
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A batch as several that share its memory. */
function inPieces(batch: Batch): Batch[] {
  const starts = batch.scenarios.map((_, i) => i).filter((i) => i % PIECE === 0);
  return starts.map((from) => ({ ...batch, scenarios: batch.scenarios.slice(from, from + PIECE) }));
}

function whole(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new RangeError(`--${name} takes a whole number, not "${text}".`);
  return Number(text);
}
