// What a model takes of a board's SRAM, by part. The device's own layout code says so, run in the engine build: there is one truth.
import type { Board } from "../../boards/board.ts";
import { FRAME_BUFFER_BYTES, PROMPT_MAX } from "../../spec/wire.ts";
import { deviceStatics } from "./device_statics.ts";
import { engineInstance, place } from "./module.ts";

export interface ArenaPart {
  name: string;
  bytes: number;
}

export interface ArenaPlan {
  fits: boolean;
  /** Why it does not fit and what would; "" when it does. */
  why: string;
  /** Positions the figures are for: the most that fits when more was asked for, 0 when not even the smallest context fits. */
  context: number;
  maxContext: number;
  /** Adds up to total. Parts that are never alive at the same time count once, as "work". */
  parts: ArenaPart[];
  total: number;
  /** The total with the smallest kernel tables; they take what the board has left. */
  least: number;
  /** The arena alone, as the device's hello tells it: what the context takes with the smallest tables, and its size on this board. */
  arena: { need: number; have: number };
  /** SRAM of the module and its stack on this board. */
  available: number;
}

/** A stack of the shim's, taken from the board's reserve (boards/README.md). */
export const STACK_BYTES = 4096;
/** What the firmware keeps behind its receive buffer (as/app): the prompt. */
const RX_BYTES = FRAME_BUFFER_BYTES + PROMPT_MAX;

/** @param context positions; 0: the image's default, else what the device chooses (as/memory/layout.ts) */
export async function arenaParts(image: Uint8Array, board: Board, context = 0): Promise<ArenaPlan> {
  const engine = await engineInstance();
  const statics = await deviceStatics(board);
  const error = engine.read(place(engine, image), image.length);
  if (error !== 0) throw new Error(`the engine refused an image that the reader took (${error})`);
  const arena = board.memory.end - board.memory.base - statics;
  const runs = engine.plan_device(arena, context, RX_BYTES, FRAME_BUFFER_BYTES, board.copro?.slots ?? 0) === 1;
  // The device takes the most that fits when more was asked for; that is no fit.
  const fits = runs && engine.plan_context() >= context;
  const parts: ArenaPart[] = [];
  let end = 0;
  if (runs) {
    // Parts that overlap those before them share their bytes: what sticks out counts.
    for (let part = 0; part < engine.part_count(); part++) {
      const until = engine.part_offset(part) + engine.part_bytes(part);
      const grows = Math.max(0, until - end);
      end = Math.max(end, until);
      if (grows > 0) parts.push({ name: partName(engine.memory, engine.part_name(part)), bytes: grows });
    }
  }
  parts.push({ name: "data segments", bytes: statics }, { name: "stack", bytes: STACK_BYTES });
  const needed = engine.plan_needed();
  const maxContext = engine.plan_max_context();
  const least = needed + statics + STACK_BYTES;
  const why = fits
    ? ""
    : maxContext > 0
      ? `it would with --context ${maxContext}`
      : `the smallest context needs ${needed} bytes, the board has ${arena}`;
  return {
    fits,
    why,
    context: runs ? engine.plan_context() : 0,
    maxContext,
    parts,
    arena: { need: needed, have: arena },
    total: runs ? parts.reduce((sum, part) => sum + part.bytes, 0) : least,
    least,
    available: board.memory.end - board.memory.base + STACK_BYTES,
  };
}

/** An AssemblyScript string: UTF-16 behind its address, its byte length before it. */
function partName(memory: WebAssembly.Memory, address: number): string {
  const bytes = new Uint32Array(memory.buffer, address - 4, 1)[0];
  return String.fromCharCode(...new Uint16Array(memory.buffer, address, bytes / 2));
}
