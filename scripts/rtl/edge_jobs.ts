/**
 * Jobs at the edges, none of them random: every small geometry, every code, the largest sums, a host or a memory that interferes in every single cycle of a
 * job, and every register. Random jobs come near such points seldom.
 */
import { TGEMV_DEFAULTS, type TgemvConfig } from "../../firmware-sim/peripherals/tgemv/config.ts";
import { mostCols } from "../../firmware-sim/peripherals/tgemv/job.ts";
import * as T from "../../spec/tgemv.ts";
import { EdgeBatch, type Shape } from "./edge_batch.ts";
import { type Batch, type Op, W_BASE } from "./scenario.ts";

const write = (offset: number, value: number): Op => ({ do: "write", offset, value });
const pause = (cycles: number): Op => ({ do: "pause", cycles });
const SMALL: Shape = { rows: 6, cols: 7, packing: 2, vectors: 1, wide: false };
/** Five trits that are all -1, all +1. */
const MINUS = 0;
const PLUS = 250;
/** Columns of the longest jobs, where the buffer holds more. */
const LONG = 10_240;
/** More cycles than SMALL takes, twice, with the slowest memory it meets here. */
const CYCLES = 130;

const FAMILIES = [geometries, codes, sums, interruptions, refusals, lengths, keeps, registers, together, memories];
/** Scenarios of a family are numbered from a multiple of this. */
const NUMBERS = 100_000;

export function* edgeBatches(config: TgemvConfig = TGEMV_DEFAULTS): Generator<Batch> {
  for (const [i, family] of FAMILIES.entries()) {
    const batch = new EdgeBatch((i + 1) * NUMBERS);
    family(batch, config);
    yield batch.batch;
  }
}

/** Vectors and widths that the unit has slots for. */
function shapes({ slots }: TgemvConfig): Pick<Shape, "vectors" | "wide">[] {
  const narrow = Array.from({ length: slots }, (_, i) => ({ vectors: i + 1, wide: false }));
  return [...narrow, ...Array.from({ length: slots >> 1 }, (_, i) => ({ vectors: i + 1, wide: true }))];
}

/** Rows 1..9 and columns 1..11: every remainder of 4 and of 5, with one block, two and three. */
function geometries(batch: EdgeBatch, config: TgemvConfig): void {
  for (const shape of shapes(config))
    for (let rows = 1; rows <= 9; rows++)
      for (let cols = 1; cols <= 11; cols++)
        batch.add([batch.job({ ...shape, rows, cols, packing: 1 + ((rows + cols) % 5) })]);
}

/** Each of the 256 bytes in each of the four places of a word. */
function codes(batch: EdgeBatch): void {
  for (let code = 0; code < 256; code++)
    for (let place = 0; place < 4; place++) {
      const job = batch.job({ rows: 4, cols: 10, packing: 1, vectors: 1, wide: false });
      batch.batch.wmem[job.waddr - W_BASE + 4 + place] = code;
      batch.add([job]);
    }
}

/** The largest sums there are, of both signs, in every accumulator. */
function sums(batch: EdgeBatch, config: TgemvConfig): void {
  for (const shape of shapes(config)) {
    const cols = Math.min(mostCols(config, (shape.wide ? 2 : 1) * shape.vectors), LONG);
    for (const packing of [1, 5])
      for (const x of ["least", "most"] as const)
        for (const code of [MINUS, PLUS]) batch.add([batch.job({ ...shape, rows: 3, cols, packing }, x, code)]);
    batch.add([batch.job({ ...shape, rows: 4, cols: cols + 1, packing: 1 })]);
  }
}

/** Abort, reset, and a second start, in every cycle of two jobs; the unit then does them from the start. */
function interruptions(batch: EdgeBatch): void {
  const disturbances: [string, (doorbell: number) => Op][] = [
    ["abort", () => write(T.TGEMV_CTRL, T.TGEMV_CTRL_ABORT)],
    ["reset", () => write(T.TGEMV_CTRL, T.TGEMV_CTRL_RESET)],
    ["doorbell", (doorbell) => write(T.TGEMV_DOORBELL, doorbell)],
    ["counters off", () => write(T.TGEMV_PC_CTRL, 0)],
    ["counters cleared", () => write(T.TGEMV_PC_CTRL, T.TGEMV_PC_ENABLE | T.TGEMV_PC_CLEAR)],
    ["interrupt acknowledged", () => write(T.TGEMV_IRQ_STAT, 3)],
  ];
  for (const [about, disturb] of disturbances)
    for (let cycle = 1; cycle < CYCLES; cycle++) {
      const first = { ...batch.job(SMALL), irq: true };
      const second = { ...batch.job({ ...SMALL, rows: 3 }), keep: true };
      batch.add([first, second], {
        about: `${about} in cycle ${cycle}`,
        before: [write(T.TGEMV_IRQ_EN, 3)],
        disturb: (doorbell) => [...(cycle > 1 ? [pause(cycle - 1)] : []), disturb(doorbell)],
        again: true,
      });
    }
}

/** Each beat and each grant refused in turn, with a memory that is quick and with one that is slow. */
function refusals(batch: EdgeBatch): void {
  for (const slow of [0, 1, 3])
    for (let n = 0; n < 60; n++) {
      batch.add([batch.job(SMALL), batch.job(SMALL)], {
        about: `beat ${n} is refused`,
        gaps: batch.gaps(1 + slow, n),
        again: true,
      });
      batch.add([batch.job(SMALL), batch.job(SMALL)], {
        about: `grant ${n} is refused`,
        waits: batch.waits(slow, n),
        again: true,
      });
    }
}

/** WBYTES a word or more too short or too long, and none at all. */
function lengths(batch: EdgeBatch): void {
  for (const gap of [1, 2, 9])
    for (const by of [-100, -4, 4, 8, 36, 40]) {
      const job = batch.job(SMALL);
      batch.add([{ ...job, wbytes: Math.max(0, job.wbytes + by) }], { gaps: batch.gaps(gap), again: true });
    }
}

/** KEEP_X after jobs that kept the buffer, and after everything that empties it. */
function keeps(batch: EdgeBatch): void {
  const kept = (shape: Shape) => ({ ...batch.job(shape), keep: true });
  const wide: Shape = { ...SMALL, wide: true };
  const two: Shape = { ...SMALL, vectors: 2 };
  const shapes = [SMALL, wide, two, { ...SMALL, cols: 8 }, { ...SMALL, rows: 1, packing: 5 }];
  for (const first of shapes) for (const second of shapes) batch.add([batch.job(first), kept(second), kept(second)]);
  batch.add([kept(SMALL)]);
  const bad = batch.job(SMALL);
  batch.batch.wmem[bad.waddr - W_BASE] = 27;
  batch.add([bad], { about: "kept after an error", next: [kept(SMALL)] });
  batch.add([batch.job(SMALL)], { about: "kept from one chain to the next", next: [kept(SMALL)] });
  for (const command of [T.TGEMV_CTRL_ABORT, T.TGEMV_CTRL_RESET])
    batch.add([batch.job(SMALL)], {
      about: `kept after command ${command}`,
      after: [write(T.TGEMV_CTRL, command)],
      next: [kept(SMALL)],
    });
}

/** Every offset written with ones and with a pattern and read again, idle and at work. */
function registers(batch: EdgeBatch): void {
  for (const value of [0xffffffff, 0xa5c33c5a, 0, 1, 2, 4, 3])
    for (let offset = 0; offset < T.TGEMV_WINDOW_BYTES; offset += 4) {
      const access: Op[] = [write(offset, value), { do: "read", offset }];
      // Idle, a doorbell or a start would begin something.
      if (offset !== T.TGEMV_DOORBELL && !(offset === T.TGEMV_CTRL && value === T.TGEMV_CTRL_START))
        batch.add([batch.job(SMALL)], { about: `register ${offset.toString(16)} idle`, before: access });
      batch.add([batch.job(SMALL)], {
        about: `register ${offset.toString(16)} busy`,
        disturb: () => [pause(30), ...access],
      });
    }
}

/** Several things wrong at once: which one is told. */
function together(batch: EdgeBatch): void {
  const wrongs = [
    { waddr: 0x10000001 },
    { wbytes: 3 },
    { aaddr: 0x20000002 },
    { oaddr: 0x20000003 },
    { packing: 0 },
    { packing: 6 },
    { vectors: 0 },
    { rows: 0 },
    { cols: 0 },
    { cols: 65535 },
    { keep: true },
  ];
  for (const a of wrongs) for (const b of wrongs) batch.add([{ ...batch.job(SMALL), ...a, ...b }]);
  // In the same cycle: a code and the end of the weights; a code and a refused beat; an activation and a refused grant.
  for (let byte = 0; byte < 32; byte++)
    for (const short of [0, 4, 8]) {
      const job = batch.job(SMALL);
      batch.batch.wmem[job.waddr - W_BASE + byte] = 255;
      batch.add([{ ...job, wbytes: job.wbytes - short }], { gaps: batch.gaps(1 + (byte % 3), byte) });
    }
  for (let n = 8; n < 20; n++)
    for (const column of [0, 1, 2, 5, 6]) {
      const job = batch.job(SMALL);
      batch.setActivation(job, column, 128);
      batch.add([job], { waits: batch.waits(n % 3, n) });
    }
}

/** Memories that fill the FIFO, empty it, and hold outputs back, for each number of slots. */
function memories(batch: EdgeBatch, config: TgemvConfig): void {
  for (const shape of shapes(config))
    for (const gap of [1, 2, 3, 5, 9, 40])
      for (const wait of [0, 1, 5])
        for (const cols of [4, 23]) {
          const job = batch.job({ ...shape, rows: 14, cols, packing: 2 });
          batch.add([job], { gaps: batch.gaps(gap), waits: batch.waits(wait) });
        }
}
