import { generateOnDevice } from "../../device/chat.ts";
import type { Device } from "../../device/device.ts";
import type { GenerateOptions } from "../../generation.ts";
import { simPort } from "../../transports/open.ts";
import { SAMPLING_OPTIONS, samplingFrom, talk } from "../chat_view.ts";
import { BAUD_OPTION, type Command, type Context, PORT_OPTION, usage } from "../command.ts";
import { deviceOn, withDevice } from "../port.ts";
import { openBench, recordable } from "../sim_bench.ts";
import { REPORT_OPTIONS, SimReport } from "../sim_report.ts";

export const chat: Command = {
  name: "chat",
  summary: "talk with the model on a device",
  usage: "",
  options: { port: PORT_OPTION, baud: BAUD_OPTION, ...SAMPLING_OPTIONS, ...REPORT_OPTIONS },
  examples: [
    "tritkit chat --port /dev/ttyACM0",
    'tritkit chat --port tcp://127.0.0.1:7000 -p "Once upon a time" --json',
    'tritkit chat --port sim:rp2040-pico:board.bin -p "Once upon a time" --report out/',
  ],
  positionals: [0, 0],
  async run(context) {
    const sampling = samplingFrom(context);
    const { args } = context;
    const report = await SimReport.open(args);
    if (report === null) return withDevice(context, (device) => talkWith(context, device, sampling));
    const sim = simPort(args.text("port") ?? "");
    if (sim === null) throw usage("--report is of a simulated board: with --port sim:BOARD or sim:BOARD:FILE.");
    const recorder = report.recorder();
    const typed = args.text("prompt") === undefined;
    const bench = await openBench(sim.board, { flashFile: sim.file, recorder }, typed);
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

function talkWith(context: Context, device: Device, sampling: GenerateOptions): Promise<number> {
  const { hello } = device;
  context.out.info(`${hello.board}  ${hello.model || "no model"}  port ${device.name} at ${hello.baud} baud`);
  const talker = {
    label: "board",
    generate: (prompt: string | Uint8Array, options: GenerateOptions) => generateOnDevice(device, prompt, options),
  };
  return talk(context, talker, sampling);
}
