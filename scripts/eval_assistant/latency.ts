/**
 * How long words take to become a level on a pin, on each board, by the cycles of its core (docs/simulator.md): from the moment in which the host has the sentence (Enter) to the edge,
 * the serial line at the speed that host and board agree on included. The first turn computes what all turns begin with, later ones find it cached.
 */
import type { Board } from "../../boards/board.ts";
import { type CostOrigin, cyclesOrigin } from "../../firmware-sim/index.ts";
import type { SimBoard } from "../../firmware-sim/sim_board.ts";
import { listBoards } from "../../host/assets.ts";
import { Device } from "../../host/device/device.ts";
import { setDeviceTools } from "../../host/device/tools.ts";
import { TritkitError } from "../../host/errors.ts";
import { partitionWith } from "../../host/fits/speed.ts";
import { readImage } from "../../host/image/reader.ts";
import { compileTools } from "../../host/tools/compile.ts";
import type { ToolTable } from "../../host/tools/tool.ts";
import { Drive, meteredBoard } from "../../host/transports/sim.ts";
import { openDriven } from "../../host/transports/sim_driven.ts";
import { GEN_DONE, TK_GEN, TK_NEXT } from "../../spec/wire.ts";

export interface Latency {
  readonly board: string;
  readonly core: string;
  /** Tokens a second, by the board's clock. */
  readonly promptRate: number;
  readonly answerRate: number;
  /** Seconds from Enter to the edge; null: the pin did not change. */
  readonly first: number | null;
  readonly later: number | null;
  /** How the cycles of the core are known. */
  readonly origin: CostOrigin;
}

/** A board that could not be measured. */
export interface Unmeasured {
  readonly board: string;
  readonly why: string;
}

/** The tool that is switched, and the sentences. */
const TOOL = "switch";
const FIRST = "turn on the plug";
const LATER = "turn off the plug";
const NS = 1e9;
const US = 1e6;
/** A simulated day. */
const DEADLINE = 24 * 3600 * NS;

interface Heard {
  /** Seconds from Enter to the edge. */
  readonly edge: number | null;
  readonly promptTokens: number;
  readonly tokens: number;
  /** Seconds of the board to the first token, and to the last one. */
  readonly first: number;
  readonly all: number;
}

/** @param onBoard a board is done */
export async function latencies(
  image: Uint8Array,
  names: readonly string[],
  onBoard: (found: Latency | Unmeasured) => void,
): Promise<(Latency | Unmeasured)[]> {
  const boards = await listBoards();
  const wanted = boards.filter(({ name }) => (names.length === 0 ? true : names.includes(name)));
  const unknown = names.find((name) => !boards.some((board) => board.name === name));
  if (unknown !== undefined) throw new Error(`there is no board "${unknown}"`);
  const found: (Latency | Unmeasured)[] = [];
  for (const board of wanted) {
    const one = await latencyOn(image, board).catch((error: unknown): Unmeasured => {
      if (!(error instanceof TritkitError) && !(error instanceof RangeError)) throw error;
      return { board: board.name, why: error.message };
    });
    found.push(one);
    onBoard(one);
  }
  return found;
}

async function latencyOn(image: Uint8Array, board: Board): Promise<Latency | Unmeasured> {
  if (image.length > board.flash.partition.bytes) return { board: board.name, why: "its flash is too small" };
  const sim = await meteredBoard(board, partitionWith(image, board));
  const drive = new Drive(sim);
  sim.powerOn();
  const work = async (): Promise<Latency | Unmeasured> => {
    const device = await Device.connect(openDriven(drive, board.uart.default_baud));
    if (device.hello.context === 0) return { board: board.name, why: "its memory is too small" };
    const tools = readImage(image).assistant?.tools;
    if (tools == null) throw new Error("the image is no assistant with tools");
    await setDeviceTools(device, compileTools(onPin(tools, freePin(board))));
    const [first, later] = [await turn(sim, device, FIRST), await turn(sim, device, LATER)];
    await device.close();
    return {
      board: board.name,
      core: board.cpu.core,
      promptRate: first.promptTokens / first.first,
      answerRate: (first.tokens - 1) / (first.all - first.first),
      first: first.edge,
      later: later.edge,
      origin: originOf(sim),
    };
  };
  try {
    return await drive.settle(work(), DEADLINE, () => new Error(`${board.name} was silent for a day`));
  } finally {
    if (sim.state === "on") sim.powerOff();
  }
}

function originOf({ meter }: SimBoard): CostOrigin {
  if (meter === null) throw new Error("the board is not metered");
  return cyclesOrigin(meter.table);
}

/** A pin that no LED and no other part of the board has; null: the board has none. */
function freePin({ gpio }: Board): number | null {
  const pins = Array.from({ length: gpio.pins }, (_, pin) => pin);
  return pins.find((pin) => pin !== gpio.led && !gpio.taken.includes(pin)) ?? null;
}

/** The same tools, one of which has a pin that this board has. */
function onPin(table: ToolTable, pin: number | null): ToolTable {
  const tools = table.tools.map((tool) => ({
    ...tool,
    drive:
      tool.kind === TOOL && pin !== null
        ? ({ type: "gpio", pin, inverted: false } as const)
        : ({ type: "none" } as const),
  }));
  return { ...table, dryRun: false, tools };
}

async function turn(sim: SimBoard, device: Device, text: string): Promise<Heard> {
  const enter = sim.now;
  let edge: number | null = null;
  const led = sim.board.gpio.led;
  const stop = sim.gpio.onChange(({ at, pin }) => {
    if (pin !== led) edge ??= (at - enter) / NS;
  });
  const p = Buffer.from(text, "utf8");
  const id = 1 + device.session.world.random(2 ** 31);
  const begun = await device.write(TK_GEN, { id, off: 0, len: p.length, p, temp: 0, keep: false });
  let tokens = 0;
  for (;;) {
    const reply = await device.read(TK_NEXT, { id, ack: tokens });
    tokens += (reply.ids as number[]).length;
    if (reply.st !== GEN_DONE) continue;
    stop();
    const us = reply.us as { first: number; all: number };
    return { edge, tokens, promptTokens: Number(begun.n), first: us.first / US, all: us.all / US };
  }
}
