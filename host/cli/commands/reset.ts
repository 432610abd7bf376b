import { BAUD_OPTION, type Command, PORT_OPTION } from "../command.ts";
import { withDevice } from "../port.ts";

export const reset: Command = {
  name: "reset",
  summary: "reset the board",
  usage: "",
  options: { port: PORT_OPTION, baud: BAUD_OPTION },
  examples: ["tritkit reset --port /dev/ttyACM0"],
  positionals: [0, 0],
  async run(context) {
    await withDevice(context, async (device) => {
      await device.reset();
      context.out.info(`reset  ${device.hello.board} at ${device.name}`);
      context.out.event({ event: "reset", board: device.hello.board, port: device.name });
    });
    return 0;
  },
};
