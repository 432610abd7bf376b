// The hand on a simulated board that serves a port: commands on standard input, one a line, answered with one line (firmware-sim/control/commands.ts).
// The terminal stays as it is (Ctrl-C ends the simulator); a program writes into the pipe.
import { createInterface } from "node:readline";
import { TritkitError } from "../errors.ts";
import { Commands, type FaultPanel, type RunningSim, translated } from "../transports/sim.ts";
import type { Context } from "./command.ts";

const AT_ONCE = ["pause", "p", "status", "?"];

/** @returns ends it */
export function controlBoard({ out, stdin }: Context, { live }: RunningSim, faults: FaultPanel): () => void {
  const commands = new Commands(live, faults);
  const lines = createInterface({ input: stdin, terminal: false });
  /** Commands wait for one another, as a program means that writes them one after the other; pause and status do not. */
  let before: Promise<void> = Promise.resolve();
  const carryOut = async (text: string): Promise<void> => {
    try {
      const said = await translated(() => commands.execute(text));
      out.event({ event: "control", command: text, said, seconds: live.board.now / 1e9 });
      out.info(said);
    } catch (error) {
      // What was typed wrong ends nothing.
      if (!(error instanceof TritkitError)) throw error;
      out.failure(error);
    }
  };
  lines.on("line", (line) => {
    const text = line.trim();
    if (AT_ONCE.includes(text)) void carryOut(text);
    else before = before.then(() => carryOut(text));
  });
  return () => lines.close();
}
