/**
 * npm run gates: how many gates TGEMV has, beside lanes of the same width that multiply, counted by yosys and held to what is recorded. Every reference lane
 * has to compute the right numbers first, as Verilog and as a netlist.
 */
import { parseArgs } from "node:util";
import { table } from "../../host/cli/table.ts";
import { TritkitError } from "../../host/errors.ts";
import { type Counted, DESIGNS } from "./gates/designs.ts";
import {
  differences,
  type GateRecord,
  type Recorded,
  readRecord,
  recorded,
  TOLERANCE,
  writeRecord,
} from "./gates/record.ts";
import { markdown, updateDocument } from "./gates/tables.ts";
import { yosysVersion } from "./gates/tool.ts";
import { synthesise } from "./gates/yosys.ts";

const HELP = `npm run gates -- [options] [DESIGN...]: gate equivalents of the ternary coprocessor and of other lanes

  --check      compares with firmware-sim/rtl/gates.json: 5 % are allowed; without DESIGN a small sample (a minute or two)
  --all        with --check: everything
  --write      records what was counted, and writes the tables of docs/gates.md
  --markdown   the tables of docs/gates.md, from what is recorded; needs no yosys
  --json       {"event":"gates","design":s,"ge":n,"flip_flops":n,"depth":n,"memory_bits":n,"recorded_ge":n,"modules":{}} for each design on
               stdout; with --check, last, {"event":"gates-check","designs":n,"differences":n}
  --list       the names of the designs

  npm run gates -- --check
  npm run gates -- packed-block int8-booth

It needs yosys and iverilog. Exit status: 0 done, 1 differences or a lane that computes wrongly, 2 wrong usage.
`;

const flag = { type: "boolean", default: false } as const;
const OPTIONS = { check: flag, all: flag, write: flag, markdown: flag, json: flag, list: flag, help: flag };

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Error)) throw error;
  const usage = error instanceof RangeError || String("code" in error ? error.code : "").startsWith("ERR_PARSE_ARGS");
  if (!(error instanceof TritkitError || usage)) throw error;
  console.error(`gates: ${error.message}${error instanceof TritkitError && error.hint !== "" ? ` ${error.hint}` : ""}`);
  process.exitCode = usage ? 2 : 1;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (values.list) {
    process.stdout.write(`${DESIGNS.map(({ name }) => name).join("\n")}\n`);
    return 0;
  }
  if (values.check && values.write) throw new RangeError("--check and --write exclude each other.");
  const record = await readRecord();
  if (values.markdown) {
    process.stdout.write(`${markdown(record)}\n`);
    return 0;
  }
  const chosen = choose(positionals, values.check && !values.all);
  const yosys = await yosysVersion();
  const found = new Map<string, Recorded>();
  for (const design of chosen) {
    console.error(`gates: ${design.name}`);
    const count = await countVerified(design);
    found.set(design.name, count);
    const recorded_ge = record.designs[design.name]?.ge ?? null;
    if (values.json) console.log(JSON.stringify({ event: "gates", design: design.name, ...count, recorded_ge }));
    // One at a time: what was counted for minutes is not lost with the next one.
    if (values.write) await writeRecord(withCounts(record, yosys, found));
  }
  if (!values.json) process.stdout.write(text(found, record.designs));
  if (values.write) await updateDocument(withCounts(record, yosys, found));
  if (!values.check) return 0;
  const wrong = [...found].flatMap(([name, count]) => differences(name, record.designs[name], count));
  if (values.json)
    console.log(JSON.stringify({ event: "gates-check", designs: found.size, differences: wrong.length }));
  for (const each of wrong) console.error(`gates: ${each}`);
  if (wrong.length > 0 && yosys !== record.yosys)
    console.error(`gates: this is yosys ${yosys}, recorded was with ${record.yosys}.`);
  if (wrong.length === 0 && !values.json)
    console.log(`gates: ${found.size} designs within ${100 * TOLERANCE} % of what is recorded`);
  return wrong.length === 0 ? 0 : 1;
}

function choose(names: readonly string[], sample: boolean): readonly Counted[] {
  if (names.length === 0) return DESIGNS.filter((design) => !sample || design.sample);
  return names.map((name) => {
    const design = DESIGNS.find((each) => each.name === name);
    if (design !== undefined) return design;
    throw new RangeError(`There is no design "${name}"; known: ${DESIGNS.map((each) => each.name).join(", ")}.`);
  });
}

async function countVerified(design: Counted): Promise<Recorded> {
  await design.verify();
  const count = await synthesise(design);
  await design.verifyNetlist(count.netlist);
  return recorded(count);
}

/** In the order of DESIGNS; what is no longer counted is dropped. */
function withCounts(record: GateRecord, yosys: string, found: ReadonlyMap<string, Recorded>): GateRecord {
  const all = { ...record.designs, ...Object.fromEntries(found) };
  return {
    yosys,
    designs: Object.fromEntries(DESIGNS.flatMap(({ name }) => (name in all ? [[name, all[name]]] : []))),
  };
}

function text(found: ReadonlyMap<string, Recorded>, before: Readonly<Record<string, Recorded>>): string {
  const rows = [...found].map(([name, { ge, flip_flops, depth, memory_bits }]) => {
    const was = before[name]?.ge;
    const change = was === undefined ? "-" : `${(100 * (ge / was - 1)).toFixed(1)} %`;
    return [name, ...[ge, flip_flops, depth, memory_bits].map(String), change];
  });
  return table(["design", "GE", "flip-flops", "depth", "memory bits", "recorded GE"], rows);
}
