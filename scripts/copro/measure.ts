/**
 * What a token costs on a board with a coprocessor, and on the same board whose unit is switched off: time by the board's own clock, and where it goes.
 *
 * Two greedy answers to a prompt whose keys and values are cached already, one of them TOKENS longer; what the longer one took beyond the other is those
 * tokens, whole. So with the prompt: what the first answer took beyond the second, whose prompt was cached.
 */

import { activityOfBoard, energyOf, energyProfile, type SimBoard } from "../../firmware-sim/index.ts";
import { generateOnDevice } from "../../host/device/chat.ts";
import { Device } from "../../host/device/device.ts";
import { flashModel } from "../../host/device/flasher.ts";
import { readImage } from "../../host/image/reader.ts";
import { openSimLine, type RunningSim, startSim } from "../../host/transports/sim.ts";
import { KIND_EMBED, KIND_HEAD } from "../../spec/image.ts";
import { PACK_TRITS_1, PACK_TRITS_5 } from "../../spec/packing.ts";
import { type Part, partOf } from "./parts.ts";

/** Tokens that are measured. */
const TOKENS = 2;
/** Sectors of the store's records before the slots (spec/STORE.md). */
const RECORD_SECTORS = 2;

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

/** A board with the model in its flash, as an upload leaves it. */
export async function boardWith(name: string, image: Uint8Array): Promise<RunningSim> {
  const running = await startSim(name);
  preload(running.sim, image);
  const device = await Device.connect(await openSimLine(running));
  try {
    await flashModel(device, image, { single: image.length > device.hello.slots[0].bytes });
  } finally {
    await device.close();
  }
  return running;
}

/** The bytes where an upload will look for them: it sends what is missing, and checks all of it. */
function preload({ board, flash }: SimBoard, image: Uint8Array): void {
  const content = flash.image();
  content.set(image, RECORD_SECTORS * board.flash.sectors[0].bytes);
  flash.load(content);
}

/**
 * @param position tokens of the answer before those that are measured
 * @param off the unit answers nothing: the CPU computes everything
 */
export async function measure(running: RunningSim, prompt: string, position: number, off: boolean): Promise<Measured> {
  const { sim } = running;
  if (sim.copro !== null) sim.copro.faults = off ? { gone: true } : {};
  sim.reset();
  const device = await Device.connect(await openSimLine(running));
  try {
    return await measured(sim, device, prompt, position);
  } finally {
    await device.close();
  }
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
