/**
 * Both orders of weights in which 20 lanes can be fed by 32-bit beats: 4 rows x 5 columns (../tgemv_core.v, our packing) and 1 row x 20 columns
 * (compare/order_rows.v). The second one has to compute the same before its gates are counted.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "../../../firmware-sim/random.ts";
import { TritkitError } from "../../../host/errors.ts";
import { packByte } from "./pack.ts";
import { tool } from "./tool.ts";
import { RTL } from "./yosys.ts";

const CORE = ["tgemv_decode.v", "tgemv_tree.v"];
export const BLOCK_ORDER = { top: "tgemv_core", files: ["tgemv_core.v", ...CORE] } as const;
export const ROW_ORDER = { top: "order_rows", files: ["compare/order_rows.v", ...CORE] } as const;

const TILE = 8;
const COLUMNS = 20;

export interface RowsJob {
  readonly slots: number;
  readonly rows: number;
  readonly cols: number;
  readonly planes: number;
  /** 0: memory is always ready. */
  readonly seed: number;
}

export interface RowsRun {
  readonly cycles: number;
  readonly issues: number;
  /** Of 40 bits, from the activation buffer. */
  readonly reads: number;
}

/** Runs a job on order_rows.v and compares every output. */
export async function runRows(job: RowsJob): Promise<RowsRun> {
  const random = new Random(job.seed + 1000 * job.cols + job.rows);
  const tiles = Math.ceil(job.rows / TILE);
  const chunks = Math.ceil(job.cols / COLUMNS);
  const width = chunks * COLUMNS;
  const fill = (count: number, value: () => number) => Array.from({ length: count }, value);
  const x = fill(job.slots, () => 0).map(() => fill(width, () => random.byte() - 128));
  const planes = fill(job.planes, () => 0).map(() => fill(tiles * TILE * width, () => random.below(3) - 1));

  const beats: string[] = [];
  for (let tile = 0; tile < tiles; tile++)
    for (const plane of planes)
      for (let chunk = 0; chunk < chunks; chunk++)
        for (let row = 0; row < TILE; row++) {
          const from = (tile * TILE + row) * width + chunk * COLUMNS;
          beats.push(word([0, 5, 10, 15].map((quarter) => packByte(plane.slice(from + quarter, from + quarter + 5)))));
        }
  const entries: string[] = [];
  for (let chunk = 0; chunk < chunks; chunk++)
    for (const vector of x)
      for (let quarter = 0; quarter < 4; quarter++) {
        const from = chunk * COLUMNS + quarter * 5;
        entries.push(word(vector.slice(from, from + 5).map((value) => value & 255)));
      }
  const wanted: number[] = [];
  for (let row = 0; row < tiles * TILE; row++)
    for (const vector of x) {
      const dot = (plane: readonly number[]) =>
        vector.reduce((sum, value, col) => sum + value * plane[row * width + col], 0);
      wanted.push(planes.reduce((acc, plane) => 3 * acc + dot(plane), 0));
    }

  const lines = await simulate(job, tiles, beats, entries);
  const [cycles, issues, reads] = (lines.pop() ?? "").split(" ").map(Number);
  const got = lines.map((line) => (Number.parseInt(line, 16) << 3) >> 3);
  const wrong = wanted.findIndex((value, i) => got[i] !== value);
  if (wrong >= 0 || got.length !== wanted.length)
    throw new TritkitError(
      "E_LANE_WRONG",
      `order_rows gives ${got[wrong]} for output ${wrong}, and not ${wanted[wrong]}.`,
    );
  return { cycles, issues, reads };
}

async function simulate(job: RowsJob, tiles: number, beats: string[], entries: string[]): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "tritkit-rows-"));
  try {
    await writeFile(join(folder, "beats.hex"), beats.join("\n"));
    await writeFile(join(folder, "entries.hex"), entries.join("\n"));
    const numbers = { PLANES: job.planes, TILES: tiles, USED: job.slots, SEED: job.seed };
    const sizes = { ENTRIES: entries.length, BEATS: beats.length };
    const defined = Object.entries({ ...numbers, ...sizes }).map(([name, value]) => `-Pbench_rows.${name}=${value}`);
    const files = ["compare/bench_rows.v", ...ROW_ORDER.files].map((file) => join(RTL, file));
    await tool("iverilog", ["-g2005", "-s", "bench_rows", ...defined, "-o", "rows.vvp", ...files], folder);
    return (await tool("vvp", ["-n", "rows.vvp"], folder)).trim().split("\n");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Bytes as one hexadecimal number, the first one lowest. */
const word = (bytes: readonly number[]): string =>
  bytes
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .reverse()
    .join("");
