import { generateOnDevice } from "../../device/chat.ts";
import type { GenerateOptions } from "../../generation.ts";
import { SAMPLING_OPTIONS, samplingFrom, talk } from "../chat_view.ts";
import { BAUD_OPTION, type Command, PORT_OPTION } from "../command.ts";
import { withDevice } from "../port.ts";

export const chat: Command = {
  name: "chat",
  summary: "talk with the model on a device",
  usage: "",
  options: { port: PORT_OPTION, baud: BAUD_OPTION, ...SAMPLING_OPTIONS },
  examples: [
    "tritkit chat --port /dev/ttyACM0",
    'tritkit chat --port tcp://127.0.0.1:7000 -p "Once upon a time" --json',
  ],
  positionals: [0, 0],
  async run(context) {
    const sampling = samplingFrom(context);
    return withDevice(context, async (device) => {
      const { hello } = device;
      context.out.info(`${hello.board}  ${hello.model || "no model"}  port ${device.name} at ${hello.baud} baud`);
      const talker = {
        label: "board",
        generate: (prompt: string | Uint8Array, options: GenerateOptions) => generateOnDevice(device, prompt, options),
      };
      return talk(context, talker, sampling);
    });
  },
};
