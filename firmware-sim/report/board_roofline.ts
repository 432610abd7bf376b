/**
 * The roofline of a recording: ceilings from the board's data and the cost table, points from what was measured.
 *
 * The CPU's ceilings are its inner loops alone, as the cost table has them: no tables, no rows that begin or end, no waiting. lut_plane's loop loads a
 * packed byte and a table's entry for five weights; rows_int8_pair's multiplies once for each int8 product.
 */
import type { Board } from "../../boards/board.ts";
import { TRITS_PER_BYTE } from "../../spec/packing.ts";
import { TGEMV_LANES } from "../../spec/tgemv.ts";
import { timingsOf } from "../bus/copro.ts";
import { costOf, cyclesOrigin } from "../meter/cost_table.ts";
import type { Meter } from "../meter/meter.ts";
import type { OpClass } from "../meter/op_class.ts";
import type { MemoryTiming } from "../peripherals/tgemv/ports.ts";
import type { Group } from "./attribution.ts";
import { get, sum } from "./counters.ts";
import { attentionBytes, attentionOps, opsOf, type Shape } from "./model.ts";
import { type Part, partOfKind } from "./parts.ts";
import type { Engine, MemoryRate, Roofline, RoofPoint } from "./roofline.ts";

const TABLES = "CPU, table kernel";
const INT8 = "CPU, int8 products";
const TGEMV = `TGEMV, ${TGEMV_LANES} lanes`;
const FLASH = "flash, read by the CPU";
const STREAM = "flash, streamed";
const PSRAM = "PSRAM";
const SRAM = "SRAM, read by the CPU";

/** Cycles of an inner loop's body for each instruction of a class in it: of the block that has the most of them. null: no such function. */
export function innerLoop({ module, table }: Meter, name: string, by: OpClass): number | null {
  const fn = module.functions.indexOf(name);
  let best: { count: number; cycles: number } | null = null;
  for (const block of module.blocks) {
    const count = block.ops[by] ?? 0;
    if (block.fn !== fn || count <= (best?.count ?? 0)) continue;
    best = { count, cycles: costOf(table, name, block.ops).cycles };
  }
  return best === null ? null : best.cycles / best.count;
}

function engines(board: Board, meter: Meter): Engine[] {
  const { hz } = board.cpu;
  const known = cyclesOrigin(meter.table);
  const found: Engine[] = [];
  const tables = innerLoop(meter, "as/kernels/ternary_lut/lut_plane", "load");
  if (tables !== null)
    found.push({
      name: TABLES,
      opsPerSecond: (hz * TRITS_PER_BYTE) / (2 * tables),
      ...{ known, why: "its inner loop alone: a packed byte, a table's entry and an addition for five weights" },
    });
  const pairs = innerLoop(meter, "as/kernels/pair_int8/rows_int8_pair", "mul");
  if (board.copro !== null)
    found.push({
      name: TGEMV,
      opsPerSecond: TGEMV_LANES * board.copro.hz,
      ...{ known: "exact", why: "a beat a cycle; activations of the head take two cycles a beat" },
    });
  if (pairs !== null)
    found.push({ name: INT8, opsPerSecond: hz / pairs, ...{ known, why: "attention's inner loop alone" } });
  return found;
}

function memories(board: Board, meter: Meter): MemoryRate[] {
  const { hz, core } = board.cpu;
  const { xip, part } = board.flash;
  const load = costOf(meter.table, "", { load: 1 }).cycles;
  const sram = { bytesPerSecond: (4 * hz) / load, known: cyclesOrigin(meter.table) };
  const flash: MemoryRate =
    xip === null
      ? { name: FLASH, ...sram, why: `${part}: nothing is known of waiting, so as SRAM` }
      : {
          name: FLASH,
          bytesPerSecond: (hz * xip.line_bytes) / (xip.following_cycles + xip.line_bytes * xip.cycles_per_byte),
          ...{ known: "derived", why: `${part}: lines of ${xip.line_bytes} bytes, one behind the other` },
        };
  return [{ name: SRAM, ...sram, why: `a word a load of ${core}` }, flash, ...streams(board)];
}

/** What the coprocessor reads weights from, in bursts. */
function streams(board: Board): MemoryRate[] {
  const { copro, psram, sources } = board;
  if (copro === null) return [];
  const rate = ({ cycles, setup, burstBeats }: MemoryTiming): number => {
    const beats = burstBeats === 0 ? 1 : burstBeats;
    const opens = burstBeats === 0 ? 0 : setup;
    return (4 * copro.hz * beats) / ((beats * cycles.num) / cycles.den + opens);
  };
  const timings = timingsOf(board);
  if (psram !== null)
    return [
      { name: PSRAM, bytesPerSecond: rate(timings.psram), known: "derived", why: `${psram.part}: ${sources.psram}` },
    ];
  return [
    {
      name: STREAM,
      bytesPerSecond: rate(timings.flash),
      known: "derived",
      why: `${board.flash.part}: ${sources.copro}`,
    },
  ];
}

/** @param group of at least one position */
export function boardRoofline(board: Board, meter: Meter, group: Group, shape: Shape | null, title: string): Roofline {
  const n = group.positions;
  const byPart = (part: (of: Part) => boolean) => {
    const own = [...group.products].filter(([of]) => part(of)).map(([, counts]) => counts);
    // With the coprocessor the head's logits are scaled while its products stream: there is no telling them apart.
    const products = sum(
      own.length > 0 ? own : [...group.parts].filter(([of]) => of === "head" && part(of)).map(([, counts]) => counts),
    );
    const tensors = [...group.tensors.keys()].filter(({ kind }) => {
      const of = partOfKind(kind);
      return of !== null && part(of);
    });
    const ops = tensors.reduce((total, tensor) => total + opsOf(tensor), 0);
    return { products, ops };
  };
  const read = (counts: Float64Array): number =>
    (get(counts, "flashBytes") + get(counts, "coproFlashBytes") + get(counts, "coproPsramBytes")) / n;
  const memoryOf = (counts: Float64Array): string => {
    if (get(counts, "coproPsramBytes") > 0) return PSRAM;
    return get(counts, "coproBeats") > 0 ? STREAM : FLASH;
  };
  const point = (name: string, shapeOf: RoofPoint["shape"], counts: Float64Array, ops: number): RoofPoint => ({
    ...{ name, shape: shapeOf, ops, bytes: read(counts), seconds: get(counts, "ns") / n / 1e9 },
    engine: get(counts, "coproBeats") > 0 ? TGEMV : TABLES,
    memory: memoryOf(counts),
  });
  /** The unit's own time, without its driver. */
  const alone = (of: RoofPoint): RoofPoint[] => {
    const own = of.name === "head" ? head.products : layers.products;
    const seconds = get(own, "coproCycles") / n / (board.copro?.hz ?? 1);
    return of.engine === TGEMV ? [{ ...of, name: `${of.name}, unit alone`, seconds, bytes: streamed(own) }] : [];
  };
  const streamed = (counts: Float64Array): number =>
    (get(counts, "coproFlashBytes") + get(counts, "coproPsramBytes")) / n;
  const layers = byPart((of) => of !== "head");
  const head = byPart((of) => of === "head");
  const whole = sum(group.parts.values());
  const ofLayers = point("products", "square", layers.products, layers.ops);
  const ofHead = point("head", "triangle", head.products, head.ops);
  const points = [
    point("whole token", "circle", whole, layers.ops + head.ops),
    ...[ofLayers, ...alone(ofLayers), ofHead, ...alone(ofHead)],
  ];
  const attention = group.parts.get("attention");
  if (attention !== undefined && shape !== null)
    points.push({
      ...{ name: "attention", shape: "diamond", engine: INT8, memory: SRAM },
      ops: attentionOps(shape, group.keys) / n,
      bytes: attentionBytes(shape, group.keys) / n,
      seconds: get(attention, "ns") / n / 1e9,
    });
  const drawn = points.filter(({ ops, bytes, seconds }) => ops > 0 && bytes > 0 && seconds > 0);
  const used = new Set(drawn.map(({ engine }) => engine));
  return {
    title,
    notes: [
      "a point is work of one token; it can lie on or under the lowest line of its engine (level) and its memory (sloping)",
      "an operation is one weight applied to one activation, in attention one int8 product; products: those of all layers",
    ],
    // The CPU's kernel is shown beside the coprocessor's lanes, which do its work.
    engines: engines(board, meter).filter(({ name }) => used.has(name) || name === TABLES),
    memories: memories(board, meter),
    points: drawn,
  };
}
