import type { Board } from "../../../boards/board.ts";
import { loadBoard } from "../../assets.ts";
import { readRelease } from "../../device/firmware/release.ts";
import { EXIT_FAILED, TritkitError } from "../../errors.ts";
import {
  FAULT_KINDS,
  type Fault,
  FaultPanel,
  onPins,
  parseFault,
  type Running,
  serveSim,
  startSim,
  translated,
} from "../../transports/sim.ts";
import { type Arguments, type Command, usage } from "../command.ts";
import { SENSOR_OPTION, sensorsFrom, showPins } from "../pins_view.ts";
import { bytesText } from "../progress.ts";
import { controlBoard } from "../sim_control.ts";
import { REPORT_OPTIONS, SimReport } from "../sim_report.ts";
import { runScripts, SCRIPT_OPTIONS } from "../sim_script.ts";

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
    boot: {
      type: "string",
      value: "rom|flash",
      help: "rom: strapped into the chip's boot ROM; flash: start the firmware that flash holds. The flash file is then all of flash (default: started)",
    },
    firmware: {
      type: "string",
      value: "DIR",
      help: "with --boot: the release that flash must hold to start (default: the one that ships for the board)",
    },
    protect: { type: "boolean", help: "with --boot: the chip is protected against reading" },
    speed: { type: "string", value: "1|max", help: "1: real time; max: as fast as this machine can (default)" },
    seed: { type: "string", value: "N", help: "of the board's random numbers (default 0)" },
    sensor: SENSOR_OPTION,
    fault: {
      type: "string",
      value: "KIND",
      multiple: true,
      help: `inject a fault, KIND or KIND:name=value,...: ${Object.keys(FAULT_KINDS).join(", ")} (docs/scenarios.md)`,
    },
    ...SCRIPT_OPTIONS,
    ...REPORT_OPTIONS,
  },
  examples: [
    "tritkit sim --board rp2040-pico --port pty --flash board.bin",
    "tritkit sim --port tcp:7000",
    "tritkit sim --port tcp:7000 --sensor 0=24000 --json",
    "tritkit sim --board stm32f405 --boot rom --flash chip.bin",
    "tritkit sim --script examples/scenarios/first-chat.json --junit report.xml",
    "tritkit sim --port tcp:7000 --flash board.bin --fault uart-noise:per=300",
    "tritkit sim --script examples/scenarios/first-chat.json --report out/",
  ],
  positionals: [0, 0],
  async run(context) {
    const { args, out, signal } = context;
    const speed = args.text("speed") ?? "max";
    if (speed !== "1" && speed !== "max") throw usage(`--speed is 1 or max, not "${speed}".`);
    const faults = args.all("fault").map(faultFrom);
    const sensors = sensorsFrom(args);
    if (args.given("script")) return runScripts(context);
    for (const option of ["junit", "baseline", "update"])
      if (args.given(option)) throw usage(`--${option} is for --script, which is missing.`);
    const port = args.text("port") ?? "pty";
    const tcp = /^tcp:(\d+)$/.exec(port)?.[1];
    if (port !== "pty" && !(Number(tcp) <= 65535)) throw usage(`--port is pty or tcp:PORT, not "${port}".`);
    const { boot, firmware: folder } = bootArguments(args);
    const name = args.text("board") ?? "rp2040-pico";
    const firmware = folder === undefined ? undefined : await readRelease(folder, (await loadBoard(name)).name);
    let wentOff: (error: Error | null) => void = () => {};
    const ended = new Promise<Error | null | undefined>((resolve) => {
      wentOff = resolve;
      signal.addEventListener("abort", () => resolve(undefined));
    });
    let board: Board | null = null;
    let begun: Running | null = null;
    const say = (): void => {
      if (board === null || begun === null) return;
      out.event({ event: "boot", board: board.name, running: begun });
      out.info(bootText(board, begun));
    };
    const report = await SimReport.open(args);
    const recorder = report?.recorder();
    const running = await startSim(name, {
      recorder,
      flashFile: args.text("flash"),
      boot,
      firmware,
      protected: args.flag("protect"),
      onBoot: (what) => {
        begun = what;
        say();
      },
      speed: speed === "1" ? 1 : "max",
      seed: args.integer("seed", 0),
      sensors,
      onOff: (error) => wentOff(error),
    });
    const panel = new FaultPanel(running.sim);
    const injected = await translated(async () => faults.map((fault) => panel.inject(fault)));
    const served = await serveSim(running, port === "pty" ? "pty" : { tcp: Number(tcp) });
    board = running.board;
    out.event({ event: "sim", board: board.name, port: served.port });
    out.text(`${served.port}\n`);
    out.info(
      `${board.name}  ${board.title}, simulated: ${board.cpu.core}, ${bytesText(board.flash.partition.bytes)} for models` +
        `${args.text("flash") === undefined ? ", flash not kept" : ` in ${args.text("flash")}`}. Ctrl-C ends it; type help for pause, step and the rest.
` +
        (speed === "1"
          ? `Time at this port is the board's: cycles of its core ${running.cyclesOrigin}, waiting for flash derived from the board's data.`
          : "The board runs as fast as this machine can: tokens a second seen at this port are this computer's, with --speed 1 the board's."),
    );
    say();
    for (const fault of injected) {
      out.event({ event: "fault", board: board.name, fault });
      out.info(`fault  ${fault}`);
    }
    for (const [channel, raw] of sensors) {
      out.event({ event: "sensor", board: board.name, channel, raw });
      out.info(`sensor ${channel} reads ${raw}`);
    }
    const blind = showPins(out, { onPins: (listener) => onPins(running.sim, listener) }, false);
    const letGo = controlBoard(context, running, panel);
    const end = await ended;
    letGo();
    blind();
    await served.close();
    running.close();
    // Behind the ^C that the terminal shows.
    if (end === undefined && out.live) out.info();
    if (recorder !== undefined) await report?.write(out, recorder);
    if (end === undefined) return 0;
    if (end === null) throw new TritkitError("E_SIM_POWER", "The board lost its power.", "Start it again.");
    const text = `The board stopped: ${end.message.split("\n")[0].replace(/\.?$/, ".")}`;
    throw new TritkitError("E_SIM_STOPPED", text, "Start it again; --debug says more.", EXIT_FAILED, { cause: end });
  },
};

/** @throws TritkitError E_USAGE */
function faultFrom(text: string): Fault {
  try {
    return parseFault(text);
  } catch (error) {
    throw usage(`--fault: ${(error as Error).message}.`);
  }
}

function bootArguments(args: Arguments): { boot?: "rom" | "flash"; firmware?: string } {
  const boot = args.text("boot");
  const firmware = args.text("firmware");
  if (boot === "rom" || boot === "flash") return { boot, firmware };
  if (boot !== undefined) throw usage(`--boot is rom or flash, not "${boot}".`);
  if (firmware !== undefined) throw usage("--firmware says what --boot starts; --boot is missing.");
  if (args.flag("protect")) throw usage("--protect is for --boot, which is missing.");
  return {};
}

/** What the chip does now that it was switched on, reset or told to jump. */
function bootText({ name }: Board, running: Running): string {
  if (running === "rom") return `${name} is in its boot ROM.`;
  if (running === "module") return `${name} runs its firmware.`;
  return `${name} is silent: its flash does not hold the release firmware of ${name}.`;
}
