import { EXIT_FAILED, TritkitError } from "../../errors.ts";
import { serveSim, startSim } from "../../transports/sim.ts";
import { type Command, usage } from "../command.ts";
import { bytesText } from "../progress.ts";

export const sim: Command = {
  name: "sim",
  summary: "a simulated board that any program can open; its flash lives in a file",
  usage: "",
  options: {
    board: { type: "string", short: "b", value: "NAME", help: "default rp2040-pico; `tritkit boards` lists them" },
    port: {
      type: "string",
      short: "P",
      value: "PORT",
      help: "pty: a pseudo-terminal, which programs open like a serial port (default); tcp:PORT, 0: any free one",
    },
    flash: { type: "string", value: "FILE", help: "keep the flash in this file (default: blank and forgotten)" },
    speed: { type: "string", value: "1|max", help: "1: real time; max: as fast as this machine can (default)" },
    seed: { type: "string", value: "N", help: "of the board's random numbers (default 0)" },
  },
  examples: ["tritkit sim --board rp2040-pico --port pty --flash board.bin", "tritkit sim --port tcp:7000"],
  positionals: [0, 0],
  async run({ args, out, signal }) {
    const speed = args.text("speed") ?? "max";
    if (speed !== "1" && speed !== "max") throw usage(`--speed is 1 or max, not "${speed}".`);
    const port = args.text("port") ?? "pty";
    const tcp = /^tcp:(\d+)$/.exec(port)?.[1];
    if (port !== "pty" && !(Number(tcp) <= 65535)) throw usage(`--port is pty or tcp:PORT, not "${port}".`);
    let wentOff: (error: Error | null) => void = () => {};
    const ended = new Promise<Error | null | undefined>((resolve) => {
      wentOff = resolve;
      signal.addEventListener("abort", () => resolve(undefined));
    });
    const running = await startSim(args.text("board") ?? "rp2040-pico", {
      flashFile: args.text("flash"),
      speed: speed === "1" ? 1 : "max",
      seed: args.integer("seed", 0),
      onOff: (error) => wentOff(error),
    });
    const served = await serveSim(running, port === "pty" ? "pty" : { tcp: Number(tcp) });
    const { board } = running;
    out.event({ event: "sim", board: board.name, port: served.port });
    out.text(`${served.port}\n`);
    out.info(
      `${board.name}  ${board.title}, simulated: ${board.cpu.core}, ${bytesText(board.flash.partition.bytes)} for models` +
        `${args.text("flash") === undefined ? ", flash not kept" : ` in ${args.text("flash")}`}. Ctrl-C ends it.\n` +
        "Tokens a second seen at this port are this computer's: the chip's cycles are not modelled yet.",
    );
    const end = await ended;
    await served.close();
    running.close();
    if (end === undefined) {
      // Behind the ^C that the terminal shows.
      if (out.live) out.info();
      return 0;
    }
    if (end === null) throw new TritkitError("E_SIM_POWER", "The board lost its power.", "Start it again.");
    const text = `The board stopped: ${end.message.split("\n")[0].replace(/\.?$/, ".")}`;
    throw new TritkitError("E_SIM_STOPPED", text, "Start it again; --debug says more.", EXIT_FAILED, { cause: end });
  },
};
