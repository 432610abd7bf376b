import { generateOnDevice } from "../../device/chat.ts";
import type { Device } from "../../device/device.ts";
import { currentTable } from "../../device/tools.ts";
import type { GenerateOptions } from "../../generation.ts";
import { simPort } from "../../transports/open.ts";
import { openSim } from "../../transports/sim.ts";
import { SAMPLING_OPTIONS, samplingFrom, talk } from "../chat_view.ts";
import { BAUD_OPTION, type Command, type Context, PORT_OPTION, usage } from "../command.ts";
import { SENSOR_OPTION, sensorsFrom, showPins } from "../pins_view.ts";
import { deviceOn, withDevice } from "../port.ts";
import { openBench, recordable } from "../sim_bench.ts";
import { REPORT_OPTIONS, SimReport } from "../sim_report.ts";
import { tellTools } from "../tools_view.ts";

export const chat: Command = {
  name: "chat",
  summary: "talk with the model on a device",
  usage: "",
  options: { port: PORT_OPTION, baud: BAUD_OPTION, sensor: SENSOR_OPTION, ...SAMPLING_OPTIONS, ...REPORT_OPTIONS },
  examples: [
    "tritkit chat --port /dev/ttyACM0",
    'tritkit chat --port tcp://127.0.0.1:7000 -p "Once upon a time" --json',
    'tritkit chat --port sim:rp2040-pico:board.bin -p "Once upon a time" --report out/',
    'tritkit chat --port sim:rp2040-pico:board.bin --sensor 0=24000 -p "Once upon a time"',
  ],
  positionals: [0, 0],
  async run(context) {
    const sampling = samplingFrom(context);
    const { args } = context;
    const sensors = sensorsFrom(args);
    const report = await SimReport.open(args);
    const sim = simPort(args.text("port") ?? "");
    for (const [name, given] of [
      ["report", report !== null],
      ["sensor", sensors.length > 0],
    ])
      if (given && sim === null)
        throw usage(`--${name} is of a simulated board: with --port sim:BOARD or sim:BOARD:FILE.`);
    if (sim === null) return withDevice(context, (device) => talkWith(context, device, sampling));
    const simulated = { flashFile: sim.file, sensors };
    if (report === null)
      return deviceOn(context, await openSim(sim.board, simulated), (device) => talkWith(context, device, sampling));
    const recorder = report.recorder();
    const typed = args.text("prompt") === undefined;
    const bench = await openBench(sim.board, { ...simulated, recorder }, typed);
    try {
      return await bench.run(() =>
        deviceOn(context, bench.transport, (device) => talkWith(context, device, recordable(sampling, !typed))),
      );
    } finally {
      bench.close();
      await report.write(context.out, recorder);
    }
  },
};

async function talkWith(context: Context, device: Device, sampling: GenerateOptions): Promise<number> {
  const { hello } = device;
  context.out.info(`${hello.board}  ${hello.model || "no model"}  port ${device.name} at ${hello.baud} baud`);
  const talker = {
    label: "board",
    generate: (prompt: string | Uint8Array, options: GenerateOptions) => generateOnDevice(device, prompt, options),
    tools: () => currentTable(device),
  };
  await tellTools(context.out, device);
  const blind = showPins(context.out, device.session.transport);
  return talk(context, talker, sampling).finally(blind);
}
