// A simulated board and a line to it, for a command that talks with one. When the board is recorded and nobody types, board and host live in
// simulated time together, so that the same command leaves the same report; else the board runs by itself, beside whoever talks.
import type { Board } from "../../boards/board.ts";
import type { GenerateOptions } from "../generation.ts";
import { openSimLine, type SimOptions, startSim } from "../transports/sim.ts";
import { startDriven } from "../transports/sim_driven.ts";
import type { Transport } from "../transports/transport.ts";

export interface SimBench {
  readonly board: Board;
  readonly transport: Transport;
  /** Waits for work that talks through the transport. */
  run<T>(work: () => Promise<T>): Promise<T>;
  close(): void;
}

/** What is to be the same in every run says its seed. */
export function recordable(sampling: GenerateOptions, isRecorded: boolean): GenerateOptions {
  return isRecorded ? { ...sampling, seed: sampling.seed ?? 0 } : sampling;
}

/** @param typed somebody types, so that the wall clock is part of what happens */
export async function openBench(boardName: string, options: SimOptions, typed: boolean): Promise<SimBench> {
  if (options.recorder !== undefined && !typed) {
    const driven = await startDriven(boardName, options);
    return { ...driven, run: (work) => driven.run(work()) };
  }
  const running = await startSim(boardName, options);
  try {
    const transport = await openSimLine(running);
    return { board: running.board, transport, run: (work) => work(), close: () => running.close() };
  } catch (error) {
    running.close();
    throw error;
  }
}
