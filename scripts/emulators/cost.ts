/**
 * npm run cost [BOARD...]: a table of what one token costs on emulated chips (token_cost.ts), by part; `--functions`: also by function,
 * `--json`: {"event":"cost","board":s,"model":s,"unit":"instructions|cycles","per_weight":x,"total":n,"parts":{...}}.
 */
import { CYCLE_BOARDS, POSITION, shapes, tokenCost } from "./token_cost.ts";
import { QEMU_BOARDS } from "./qemu/qemu.ts";

const argv = process.argv.slice(2);
const asked = argv.filter((arg) => !arg.startsWith("-"));
const known = [...CYCLE_BOARDS, ...QEMU_BOARDS];
const stranger = asked.find((board) => !known.includes(board));
if (stranger !== undefined) throw new Error(`no emulator here runs "${stranger}"; known: ${known.join(", ")}`);

for (const shape of await shapes()) {
  for (const board of asked.length > 0 ? asked : known) {
    const { unit, total, parts, functions } = await tokenCost(board, shape);
    const perWeight = (n: number) => n / shape.weights;
    if (argv.includes("--json")) {
      const per_weight = Number(perWeight(total).toFixed(4));
      const event = { event: "cost", board, model: shape.name, unit, per_weight, total, parts: Object.fromEntries(parts) };
      console.log(JSON.stringify(event));
      continue;
    }
    console.log(`${shape.name} on ${board}: ${total} ${unit} for the token at position ${POSITION}, ${perWeight(total).toFixed(3)} a ternary weight`);
    for (const [part, count] of parts) row(part, count, perWeight(count));
    if (argv.includes("--functions"))
      for (const [name, count] of [...functions].sort((a, b) => b[1] - a[1]).slice(0, 40)) row(`  ${name}`, count, perWeight(count));
  }
}

function row(what: string, count: number, perWeight: number): void {
  console.log(`  ${what.padEnd(48)} ${String(count).padStart(9)} ${perWeight.toFixed(3).padStart(7)}`);
}
