/** Seeded random scenarios: chains of jobs of every geometry, memory of every temper, and everything that a driver or fate can do wrong. */

import { TRITS } from "../../firmware-sim/peripherals/tgemv/codes.ts";
import { TGEMV_DEFAULTS, type TgemvConfig } from "../../firmware-sim/peripherals/tgemv/config.ts";
import { mostCols } from "../../firmware-sim/peripherals/tgemv/job.ts";
import { Random } from "../../firmware-sim/random.ts";
import { PACK_STRIDE } from "../../spec/packing.ts";
import {
  TGEMV_CAP,
  TGEMV_CAP2,
  TGEMV_CTRL,
  TGEMV_CTRL_ABORT,
  TGEMV_CTRL_RESET,
  TGEMV_CTRL_START,
  TGEMV_DOORBELL,
  TGEMV_ERR,
  TGEMV_ID,
  TGEMV_IRQ_EN,
  TGEMV_IRQ_STAT,
  TGEMV_NEXT,
  TGEMV_PC_CTRL,
  TGEMV_STATUS,
  TGEMV_VERSION,
  TGEMV_WADDR,
} from "../../spec/tgemv.ts";
import { type GapTable, gapTable, refusing } from "./gap_table.ts";
import {
  type Batch,
  bytesOf,
  type Descriptor,
  M_BASE,
  MEMORY_BYTES,
  type Op,
  type Scenario,
  W_BASE,
  wordsOf,
} from "./scenario.ts";

/** The registers that are compared at the end of a scenario: all that there are. */
const ALL = [TGEMV_ID, TGEMV_VERSION, TGEMV_CAP, TGEMV_CAP2];
for (let offset = TGEMV_CTRL; offset <= 0x54; offset += 4) ALL.push(offset);
for (let offset = TGEMV_PC_CTRL; offset <= 0xb4; offset += 4) ALL.push(offset);
const LIMIT = 4_000_000;

/** Batches until `jobs` jobs are described. */
export function* randomBatches(seed: number, jobs: number, config: TgemvConfig = TGEMV_DEFAULTS): Generator<Batch> {
  const random = new Random(seed);
  let described = 0;
  let number = 0;
  while (described < jobs) {
    const builder = new Builder(random, config);
    while (described < jobs && builder.hasRoom()) {
      const scenario = builder.add(number++);
      described += scenario.jobs;
    }
    yield builder.batch;
  }
}

class Builder {
  readonly batch: Batch;
  readonly #random: Random;
  readonly #config: TgemvConfig;
  readonly #table: GapTable;

  constructor(random: Random, config: TgemvConfig) {
    this.#random = random;
    this.#config = config;
    this.#table = gapTable(random);
    this.batch = {
      wmem: new Uint8Array(MEMORY_BYTES),
      mmem: new Uint8Array(MEMORY_BYTES),
      wUsed: 0,
      mUsed: 0,
      gaps: this.#table.table,
      scenarios: [],
    };
  }

  hasRoom(): boolean {
    return Math.max(this.batch.wUsed, this.batch.mUsed) < MEMORY_BYTES * 0.6;
  }

  add(number: number): Scenario {
    const random = this.#random;
    const { gaps, waits } = this.#table;
    const scenario: Scenario = {
      number,
      about: "",
      jobs: 1 + (random.below(3) === 0 ? random.below(4) : 0),
      ops: [],
      gaps: gaps[random.below(gaps.length)],
      waits: waits[random.below(waits.length)],
      mFrom: this.batch.mUsed,
    };
    const chain = this.#chain(scenario.jobs);
    const addresses = chain.map(() => this.#takeM(40));
    for (const [i, d] of chain.entries()) d.next = i + 1 < chain.length ? addresses[i + 1] : 0;
    scenario.about = chain.map(describe).join(", ");
    const wrong = random.below(5) === 0 ? this.#spoil(scenario, chain) : "";
    for (const [i, d] of chain.entries()) this.batch.mmem.set(bytesOf(d), addresses[i] - M_BASE);
    const late = wrong === "" && random.below(40) === 0 ? this.#spoilDescriptor(addresses) : "";
    scenario.about += wrong === "" && late === "" ? "" : ` (${wrong}${late})`;
    this.#host(scenario, chain, addresses);
    this.batch.scenarios.push(scenario);
    return scenario;
  }

  #chain(jobs: number): Descriptor[] {
    const random = this.#random;
    const chain: Descriptor[] = [];
    for (let i = 0; i < jobs; i++) {
      const before = chain.at(-1);
      const keep = before !== undefined && random.below(2) === 0;
      chain.push(this.#job(keep ? before : undefined));
    }
    return chain;
  }

  /** @param kept the job whose activations it uses */
  #job(kept: Descriptor | undefined): Descriptor {
    const random = this.#random;
    const { slots } = this.#config;
    const wide = kept?.wide ?? (slots > 1 && random.below(3) === 0);
    const vectors = kept?.vectors ?? 1 + random.below(wide ? slots >> 1 : slots);
    const most = mostCols(this.#config, wide ? 2 * vectors : vectors);
    const extreme = random.below(60);
    let cols = kept?.cols ?? 1 + random.below([2, 6, 12, 40, 130][random.below(5)]);
    let rows = 1 + random.below([1, 4, 9, 30][random.below(4)]);
    if (extreme === 0) rows = 1000 + random.below(3000);
    if (extreme === 1 && kept === undefined) cols = most - random.below(7);
    cols = Math.max(1, Math.min(cols, most));
    if (cols > 1000) rows = 1 + random.below(6);
    if (rows > 999) cols = kept?.cols ?? 1 + random.below(6);
    const packing = random.below(2) === 0 ? 1 : 2 + random.below(4);
    const xWords = Math.ceil(cols / 2) + random.below(3);
    const yWords = rows + random.below(3);
    const wbytes = Math.ceil(rows / 4) * packing * Math.ceil(cols / 5) * 4;
    return {
      next: 0,
      waddr: this.#weights(rows, cols, packing, wbytes),
      wbytes,
      aaddr: kept?.aaddr ?? this.#activations(wide, vectors * xWords * 2),
      oaddr: this.#takeM(vectors * yWords * 4),
      rows,
      cols,
      packing,
      vectors,
      wide,
      keep: kept !== undefined,
      irq: random.below(3) === 0,
      xStride: vectors === 1 ? random.below(65536) : xWords,
      yStride: vectors === 1 ? random.below(65536) : yWords,
      tag: random.next(),
    };
  }

  /** Packed bytes; missing rows and columns are zero trits in one matrix, anything in the next. */
  #weights(rows: number, cols: number, packing: number, bytes: number): number {
    const random = this.#random;
    const { batch } = this;
    const start = batch.wUsed;
    batch.wUsed += bytes + 4 * random.below(5);
    const groups = Math.ceil(cols / 5);
    const strict = random.below(2) === 0;
    const zeros = random.below(3);
    for (let i = 0; i < bytes; i++) {
      const beat = i >> 2;
      const row = 4 * Math.floor(beat / (groups * packing)) + (i & 3);
      const group = beat % groups;
      let code = PACK_STRIDE * random.below(9) + random.below(27);
      if (zeros === 0 && random.below(2) === 0) code = 125;
      if (strict) code = blank(code, row < rows ? cols - 5 * group : 0);
      batch.wmem[start + i] = code;
    }
    return W_BASE + start;
  }

  #activations(wide: boolean, count: number): number {
    const random = this.#random;
    const at = this.#takeM(2 * count);
    const view = new DataView(this.batch.mmem.buffer);
    const most = wide ? 4096 : 128;
    const style = random.below(3);
    for (let i = 0; i < count; i++) {
      let x = random.below(2 * most) - most;
      if (style === 0) x = [-most, most - 1, 0, -1, 1, 31, 32, -32, -33][random.below(9)];
      view.setInt16(at - M_BASE + 2 * i, x, true);
    }
    return at;
  }

  /** Room in the M memory, on a word; a gap behind it keeps its content. */
  #takeM(bytes: number): number {
    const { batch } = this;
    const at = batch.mUsed;
    batch.mUsed += Math.ceil(bytes / 4) * 4 + 4 * this.#random.below(3);
    for (let i = at; i < batch.mUsed; i++) batch.mmem[i] = this.#random.byte();
    return M_BASE + at;
  }

  /** Something that a driver or memory does wrong in one job of the chain. */
  #spoil(scenario: Scenario, chain: Descriptor[]): string {
    const random = this.#random;
    const i = random.below(chain.length);
    const d = chain[i];
    const beats = d.wbytes / 4;
    const spoilers: (() => string)[] = [
      () => {
        d.waddr += 1 + random.below(3);
        return "misaligned weights";
      },
      () => {
        d.wbytes += 1 + random.below(3);
        return "misaligned size";
      },
      () => {
        d.aaddr += 2;
        return "misaligned activations";
      },
      () => {
        d.oaddr += 1 + random.below(3);
        return "misaligned outputs";
      },
      () => {
        d.next = (d.next === 0 ? M_BASE : d.next) + 1 + random.below(3);
        return "misaligned descriptor";
      },
      () => {
        d.packing = [0, 6, 7, 8, 9, 16, 255][random.below(7)];
        return `packing ${d.packing}`;
      },
      () => {
        d.vectors = [0, this.#config.slots + 1, 15, 8][random.below(4)];
        return `${d.vectors} vectors`;
      },
      () => {
        d.rows = 0;
        return "no rows";
      },
      () => {
        d.cols = [0, 65535, 10241, 5121][random.below(4)];
        return `${d.cols} columns`;
      },
      () => {
        d.cols++;
        return "one column more";
      },
      () => {
        d.rows += 4;
        return "four rows more";
      },
      () => {
        d.wbytes = 4 * random.below(beats + 1);
        return "short weights";
      },
      () => {
        d.wbytes += 4 * (1 + random.below(40));
        return "long weights";
      },
      () => {
        d.keep = !d.keep;
        return "keep or not";
      },
      () => {
        this.batch.wmem[d.waddr - W_BASE + random.below(d.wbytes)] = [27, 55, 251, 252, 253, 254, 255][random.below(7)];
        return "illegal code";
      },
      () => {
        const x = [128, -129, 4096, -4097, 32767, -32768][random.below(6)];
        const at = d.aaddr - M_BASE + 2 * random.below(d.cols);
        new DataView(this.batch.mmem.buffer).setInt16(at, x, true);
        return `activation ${x}`;
      },
      () => {
        d.waddr = [0, W_BASE + MEMORY_BYTES - 4 * random.below(beats + 1), M_BASE, 0xfffffff8][random.below(4)];
        return "weights beyond memory";
      },
      () => {
        d.aaddr = [0, M_BASE + MEMORY_BYTES - 4 * random.below(d.cols), W_BASE][random.below(3)];
        return "activations beyond memory";
      },
      () => {
        d.oaddr = [0, M_BASE + MEMORY_BYTES - 4 * random.below(d.rows), W_BASE, 0xfffffffc][random.below(4)];
        return "outputs beyond memory";
      },
      () => {
        d.next = [4, 0xfffffff0, M_BASE + MEMORY_BYTES - 16][random.below(3)];
        return "next descriptor beyond memory";
      },
      () => {
        scenario.gaps = refusing(this.batch.gaps, scenario.gaps, random.below(beats + 9)) ?? scenario.gaps;
        return "a beat is refused";
      },
      () => {
        const grants = 10 + Math.ceil(d.cols / 2) * d.vectors + d.rows * d.vectors;
        scenario.waits = refusing(this.batch.gaps, scenario.waits, random.below(grants)) ?? scenario.waits;
        return "a grant is refused";
      },
    ];
    return `${spoilers[random.below(spoilers.length)]()} in job ${i}`;
  }

  #spoilDescriptor(addresses: number[]): string {
    const i = this.#random.below(addresses.length);
    this.batch.mmem[addresses[i] - M_BASE + this.#random.below(40)] ^= 1 << this.#random.below(8);
    return `bit flip in descriptor ${i}`;
  }

  /** What the host does: starts the chain, perhaps disturbs it, waits, and reads everything. */
  #host(scenario: Scenario, chain: Descriptor[], addresses: number[]): void {
    const random = this.#random;
    const { ops } = scenario;
    const write = (offset: number, value: number) => ops.push({ do: "write", offset, value });
    if (random.below(2) === 0) write(TGEMV_IRQ_EN, random.below(4));
    if (random.below(8) === 0) write(TGEMV_PC_CTRL, random.below(4));
    if (random.below(4) === 0) {
      // The first job from registers, in any order.
      const words = wordsOf(chain[0]);
      for (let i = 0; i < words.length; i++) write(TGEMV_NEXT + 4 * i, words[i]);
      if (random.below(2) === 0) ops.push({ do: "read", offset: TGEMV_WADDR });
      write(TGEMV_CTRL, TGEMV_CTRL_START);
    } else write(TGEMV_DOORBELL, random.below(60) === 0 ? addresses[0] + 1 + random.below(3) : addresses[0]);
    const beats = chain.reduce((sum, d) => sum + Math.min(d.wbytes, 1e5) / 4, 0);
    for (let n = random.below(2) * random.below(4); n > 0; n--) {
      ops.push({ do: "pause", cycles: 1 + random.below(random.below(2) === 0 ? 60 : 60 + 3 * Math.floor(beats)) });
      ops.push(this.#disturbance(addresses));
    }
    ops.push({ do: "idle", limit: LIMIT });
    for (const offset of ALL) ops.push({ do: "read", offset });
    if (random.below(4) > 0) return;
    // Whatever happened, the unit works afterwards.
    if (random.below(2) === 0) write(TGEMV_IRQ_STAT, random.below(4));
    write(TGEMV_DOORBELL, addresses.at(-1) ?? 0);
    scenario.jobs++;
    ops.push({ do: "idle", limit: LIMIT });
    for (const offset of ALL) ops.push({ do: "read", offset });
  }

  /** An access in the middle of things. */
  #disturbance(addresses: number[]): Op {
    const random = this.#random;
    const write = (offset: number, value: number): Op => ({ do: "write", offset, value });
    switch (random.below(10)) {
      case 0:
        return write(TGEMV_CTRL, TGEMV_CTRL_ABORT);
      case 1:
        return write(TGEMV_CTRL, TGEMV_CTRL_RESET);
      case 2:
        return write(TGEMV_CTRL, [0, 1, 3, 5, 8, 0x80000002][random.below(6)]);
      case 3:
        return write(TGEMV_DOORBELL, addresses[0]);
      case 4:
        return write(TGEMV_NEXT + 4 * random.below(9), random.next());
      case 5:
        return write(TGEMV_PC_CTRL, random.below(4));
      case 6:
        return write(TGEMV_IRQ_STAT, random.below(4));
      case 7:
        return { do: "read", offset: random.below(2) === 0 ? TGEMV_STATUS : TGEMV_ERR };
      case 8:
        return write(4 * random.below(64), random.below(2) === 0 ? 0 : random.next());
      default:
        return { do: "read", offset: ALL[random.below(ALL.length)] };
    }
  }
}

/** The code with its trits from `left` on made zeros. */
function blank(code: number, left: number): number {
  if (left >= 5) return code;
  const t = [0, 1, 2, 3, 4].map((i) => (i < left ? TRITS[5 * code + i] : 0) + 1);
  return PACK_STRIDE * (3 * t[0] + t[1]) + 9 * t[2] + 3 * t[3] + t[4];
}

function describe(d: Descriptor): string {
  return `${d.rows}x${d.cols} t${d.packing} v${d.vectors}${d.wide ? " wide" : ""}${d.keep ? " keep" : ""}`;
}
