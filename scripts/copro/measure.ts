/**
 * What a token costs on a board with a coprocessor, and on the same board whose unit is switched off: time by the board's own clock, and where it goes.
 *
 * Two greedy answers to a prompt whose keys and values are cached already, one of them TOKENS longer; what the longer one took beyond the other is those
 * tokens, whole. So with the prompt: what the first answer took beyond the second, whose prompt was cached.
 */

import { activityOfBoard, energyOf, energyProfile, type SimBoard } from "../../firmware-sim/index.ts";
import { loadBoard } from "../../host/assets.ts";
import { generateOnDevice } from "../../host/device/chat.ts";
import { Device } from "../../host/device/device.ts";
import { partitionWith } from "../../host/fits/speed.ts";
import { readImage } from "../../host/image/reader.ts";
import { Drive, meteredBoard } from "../../host/transports/sim.ts";
import { openDriven } from "../../host/transports/sim_driven.ts";
import { KIND_EMBED, KIND_HEAD } from "../../spec/image.ts";
import { PACK_TRITS_1, PACK_TRITS_5 } from "../../spec/packing.ts";
import { type Part, partOf } from "./parts.ts";

/** Tokens that are measured. */
const TOKENS = 2;

/** What went by between two moments. */
export interface Cost {
  /** By the board's clock: the CPU computing, waiting for memory, and sleeping for the unit. Work for the wire is left out: it depends on the host. */
  readonly seconds: number;
  /** In which the unit worked, and in which the CPU slept for it: what is missing it computed meanwhile. */
  readonly unit: number;
  readonly slept: number;
  /** Weights that the unit took. */
  readonly weightBytes: number;
  /** Seconds of the CPU by part; waiting for memory apart. */
  readonly cpu: ReadonlyMap<Part, number>;
  readonly waiting: number;
  /** Millijoules by the board's energy profile (docs/energy.md), work for the wire included; null where it has none. */
  readonly mj: number | null;
  /** Seconds by function, the dearest first. */
  readonly functions: ReadonlyMap<string, number>;
}

export interface Measured {
  readonly context: number;
  readonly token: Cost;
  /** Of the prompt, for each of its tokens. */
  readonly promptToken: Cost;
  readonly tokenIds: readonly number[];
  readonly errors: number;
}

/** A board whose flash holds a model, and a host in simulated time with it: the figures are the same in every run, however busy this machine is. */
export interface Bench {
  readonly sim: SimBoard;
  readonly drive: Drive;
}

/** A simulated day. */
const DEADLINE = 24 * 3600 * 1e9;

export async function benchWith(name: string, image: Uint8Array): Promise<Bench> {
  const board = await loadBoard(name);
  const sim = await meteredBoard(board, partitionWith(image, board));
  const drive = new Drive(sim);
  sim.powerOn();
  return { sim, drive };
}

/**
 * @param position tokens of the answer before those that are measured
 * @param off the unit answers nothing: the CPU computes everything
 */
export async function measure(
  { sim, drive }: Bench,
  prompt: string,
  position: number,
  off: boolean,
): Promise<Measured> {
  if (sim.copro !== null) sim.copro.faults = off ? { gone: true } : {};
  sim.reset();
  const work = async (): Promise<Measured> => {
    const device = await Device.connect(openDriven(drive, sim.board.uart.default_baud));
    try {
      return await measured(sim, device, prompt, position);
    } finally {
      await device.close();
    }
  };
  return drive.settle(work(), sim.now + DEADLINE, () => new Error(`${sim.board.name} was silent for a day`));
}

async function measured(sim: SimBoard, device: Device, prompt: string, position: number): Promise<Measured> {
  const answer = (maxTokens: number) => generateOnDevice(device, prompt, { temperature: 0, maxTokens });
  const start = reading(sim);
  const first = await answer(position);
  const between = reading(sim);
  await answer(position);
  const middle = reading(sim);
  const { tokenIds } = await answer(position + TOKENS);
  const end = reading(sim);
  const cached = less(middle, between);
  const read = less(less(between, start), cached);
  return {
    context: device.hello.context,
    token: costOf(sim, less(less(end, middle), cached), TOKENS),
    promptToken: costOf(sim, read, first.promptTokens - 1),
    tokenIds,
    errors: (await device.refresh()).copro?.errors ?? 0,
  };
}

interface Reading {
  readonly slept: number;
  readonly unitCycles: number;
  readonly beats: number;
  readonly cycles: ReadonlyMap<string, number>;
  readonly waitCycles: number;
  readonly mj: number | null;
}

function reading(sim: SimBoard): Reading {
  const unit = sim.copro?.unit;
  const { cycles, pushes } = unit?.activity(unit.state.cycle) ?? { cycles: 0, pushes: 0 };
  const functions = sim.meter?.byFunction() ?? [];
  return {
    slept: sim.copro?.slept ?? 0,
    unitCycles: cycles,
    beats: pushes,
    cycles: new Map(functions.map(({ name, cycles: each }) => [name, each])),
    waitCycles: functions.reduce((sum, { waitCycles }) => sum + waitCycles, 0),
    mj: millijoules(sim),
  };
}

/** Of all time in which the board did something: between two answers it waits for a host that is no part of the comparison. */
function millijoules(sim: SimBoard): number | null {
  const { meter, board, copro } = sim;
  if (meter === null || board.energy === null) return null;
  const ns = (meter.cycles * 1e9) / board.cpu.hz + (copro?.slept ?? 0);
  const activity = activityOfBoard(sim, ns);
  return activity === null ? null : energyOf(activity, energyProfile(board.energy)).pj / 1e9;
}

function less(a: Reading, b: Reading): Reading {
  return {
    slept: a.slept - b.slept,
    unitCycles: a.unitCycles - b.unitCycles,
    beats: a.beats - b.beats,
    cycles: new Map([...a.cycles].map(([name, cycles]) => [name, cycles - (b.cycles.get(name) ?? 0)])),
    waitCycles: a.waitCycles - b.waitCycles,
    mj: a.mj === null || b.mj === null ? null : a.mj - b.mj,
  };
}

function costOf({ board }: SimBoard, spent: Reading, times: number): Cost {
  const { slept, unitCycles, beats, cycles, waitCycles, mj } = spent;
  const cpu = new Map<Part, number>();
  const functions = new Map<string, number>();
  for (const [name, count] of [...cycles].sort(([, a], [, b]) => b - a)) {
    const part = partOf(name);
    if (part === null) continue;
    const seconds = count / board.cpu.hz / times;
    functions.set(name, seconds);
    cpu.set(part, (cpu.get(part) ?? 0) + seconds);
  }
  const waiting = waitCycles / board.cpu.hz / times;
  const asleep = slept / 1e9 / times;
  return {
    seconds: asleep + waiting + [...cpu.values()].reduce((sum, each) => sum + each, 0),
    slept: asleep,
    unit: unitCycles / (board.copro?.hz ?? 1) / times,
    weightBytes: (4 * beats) / times,
    cpu,
    waiting,
    mj: mj === null ? null : mj / times,
    functions,
  };
}

/** Bytes of the ternary matrices that a token needs: those of the layers, and the planes of the head. */
export function ternaryBytes(image: Uint8Array): number {
  const { tensors, config } = readImage(image, { verify: false });
  const head = config.tied ? KIND_EMBED : KIND_HEAD;
  return tensors
    .filter(({ kind, packing }) => packing <= PACK_TRITS_5 && (kind === head || packing === PACK_TRITS_1))
    .reduce((sum, { bytes }) => sum + bytes, 0);
}
