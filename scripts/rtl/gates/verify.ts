/** Runs a reference lane under iverilog on random operands and compares each result with what the lane should compute: a lane that is wrong has no size. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "../../../firmware-sim/random.ts";
import { TritkitError } from "../../../host/errors.ts";
import type { Lane, Operands, Port } from "./lanes.ts";
import { tool } from "./tool.ts";
import { RTL } from "./yosys.ts";

const SEED = 20;

/** @param sources Verilog files that define the lane, and what they need */
export async function verify(lane: Lane, sources: readonly string[], vectors: number): Promise<void> {
  const random = new Random(SEED);
  const operands = Array.from({ length: vectors }, (_, n) => lane.operands(random, n));
  const got = await simulate(lane, sources, operands);
  for (const [i, each] of operands.entries()) {
    const wanted = hex(lane.reference(each), lane.acc);
    if (got[i] === wanted) continue;
    throw new TritkitError(
      "E_LANE_WRONG",
      `${lane.module} gives ${got[i] ?? "nothing"} for vector ${i}, and not ${wanted}.`,
      `The operands: x ${hex(each.x, lane.x)}, w ${hex(each.w, lane.w)}, acc ${hex(each.acc, lane.acc)}.`,
    );
  }
}

async function simulate(lane: Lane, sources: readonly string[], operands: readonly Operands[]): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "tritkit-lane-"));
  try {
    const { x, w, acc } = lane;
    const lines = operands.map((each) =>
      concat([hex(each.acc, acc), width(acc)], [hex(each.w, w), width(w)], [hex(each.x, x), width(x)]),
    );
    await writeFile(join(folder, "vectors.hex"), `${lines.join("\n")}\n`);
    const parameters = { XW: width(x), WW: width(w), AW: width(acc), COUNT: operands.length };
    const defined = Object.entries(parameters).map(([name, value]) => `-Pbench.${name}=${value}`);
    const args = ["-g2005", "-s", "bench", `-DLANE=${lane.module}`, ...defined, "-o", "bench.vvp"];
    await tool("iverilog", [...args, join(RTL, "compare/bench.v"), ...sources], folder);
    const printed = await tool("vvp", ["-n", "bench.vvp"], folder);
    return printed.trim().split("\n");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const width = ({ count, bits }: Port): number => count * bits;

/** Numbers of a port as one, the first one lowest. */
function hex(values: readonly number[], port: Port): string {
  const sum = values.reduce((total, value, i) => total | (BigInt(value) << BigInt(i * port.bits)), 0n);
  return sum.toString(16).padStart(Math.ceil(width(port) / 4), "0");
}

/** Fields, the highest first, each with its bits. */
function concat(...fields: readonly (readonly [hexadecimal: string, bits: number])[]): string {
  const bits = fields.reduce((total, [, count]) => total + count, 0);
  const value = fields.reduce((sum, [text, count]) => (sum << BigInt(count)) | BigInt(`0x${text}`), 0n);
  return value.toString(16).padStart(Math.ceil(bits / 4), "0");
}
