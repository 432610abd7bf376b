/**
 * npm run cost [BOARD...]: what one token costs on emulated chips (token_cost.ts), by part. A model that a board's flash cannot hold is said and left out.
 *
 *     --model=NAME  one of the two
 *     --functions   also by function
 *     --markdown    the table of docs/firmware-cost.md
 *     --json        {"event":"cost","board":s,"model":s,"unit":"instructions|cycles","per_weight":x,"total":n,"parts":{...}}
 */
import { TritkitError } from "../../host/errors.ts";
import { QEMU_BOARDS } from "./qemu/qemu.ts";
import { CYCLE_BOARDS, POSITION, type Shape, shapes, type TokenCost, tokenCost } from "./token_cost.ts";

interface Column {
  readonly board: string;
  readonly cost: TokenCost;
}

const argv = process.argv.slice(2);
const known = [...CYCLE_BOARDS, ...QEMU_BOARDS];
const asked = argv.filter((arg) => !arg.startsWith("-"));
const boards = asked.length > 0 ? asked : known;
const stranger = boards.find((board) => !known.includes(board));
if (stranger !== undefined) throw new Error(`no emulator here runs "${stranger}"; known: ${known.join(", ")}`);

const model = argv.find((arg) => arg.startsWith("--model="))?.slice("--model=".length);
const measured = (await shapes()).filter(({ name }) => model === undefined || name === model);
if (measured.length === 0) throw new Error(`there is no model ${model} here`);

for (const shape of measured) {
  const columns: Column[] = [];
  for (const board of boards) {
    const cost = await fitting(board, shape);
    if (cost === null) continue;
    const column = { board, cost };
    columns.push(column);
    if (argv.includes("--json")) json(shape, column);
    else if (!argv.includes("--markdown")) text(shape, column);
  }
  if (argv.includes("--markdown")) console.log(markdown(shape, columns));
}

async function fitting(board: string, shape: Shape): Promise<TokenCost | null> {
  try {
    return await tokenCost(board, shape);
  } catch (error) {
    if (!(error instanceof TritkitError) || error.code !== "E_FLASH_FULL") throw error;
    console.error(`${shape.name} on ${board}: ${error.message}`);
    return null;
  }
}

function json(shape: Shape, { board, cost: { unit, total, parts } }: Column): void {
  const per_weight = Number((total / shape.weights).toFixed(4));
  const event = { event: "cost", board, model: shape.name, unit, per_weight, total, parts: Object.fromEntries(parts) };
  console.log(JSON.stringify(event));
}

function text(shape: Shape, { board, cost: { unit, total, parts, functions } }: Column): void {
  const row = (what: string, count: number) => {
    const perWeight = (count / shape.weights).toFixed(3);
    console.log(`  ${what.padEnd(48)} ${String(count).padStart(9)} ${perWeight.padStart(7)}`);
  };
  console.log(`${shape.name} on ${board}: ${unit} of the token at position ${POSITION}, and for each ternary weight`);
  row("all of it", total);
  for (const [part, count] of parts) row(part, count);
  if (!argv.includes("--functions")) return;
  for (const [name, count] of [...functions].sort((a, b) => b[1] - a[1]).slice(0, 40)) row(`  ${name}`, count);
}

function markdown(shape: Shape, columns: readonly Column[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const each = (value: (cost: TokenCost) => string) => columns.map(({ cost }) => value(cost));
  const share = (count: number) => (count / shape.weights).toFixed(3);
  const weights = shape.weights.toLocaleString("en-US");
  return [
    line([`${shape.name}, ${weights} ternary weights`, ...columns.map(({ board }) => board)]),
    line(["---", ...columns.map(() => "---:")]),
    line(["counted", ...each(({ unit }) => unit)]),
    line(["**a weight, all of it**", ...each(({ total }) => `**${share(total)}**`)]),
    ...[...columns[0].cost.parts.keys()].map((part) =>
      line([part, ...each(({ parts }) => share(parts.get(part) ?? 0))]),
    ),
    line(["the token", ...each(({ total }) => total.toLocaleString("en-US"))]),
    "",
  ].join("\n");
}
