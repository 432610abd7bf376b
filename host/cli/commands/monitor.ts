import { openPort } from "../../transports/open.ts";
import { consoleFraming } from "../../wire/console_framing.ts";
import { type Command, PORT_HINT, PORT_OPTION } from "../command.ts";

/** Ctrl-] and Ctrl-C, which a terminal in raw mode hands over as bytes. */
const LEAVE = [0x1d, 0x03];

export const monitor: Command = {
  name: "monitor",
  summary: "show the log of a device, what its firmware prints; Ctrl-] or Ctrl-C leaves",
  usage: "",
  options: { port: PORT_OPTION },
  examples: ["tritkit monitor --port /dev/ttyACM0"],
  positionals: [0, 0],
  async run({ args, out, signal, stdin, stdout }) {
    const transport = await openPort(args.required("port", PORT_HINT));
    out.info(`monitor ${transport.name}, Ctrl-] or Ctrl-C leaves`);
    // Frames of other programs are no text for people: the decoder takes them out of the log.
    const utf8 = new TextDecoder();
    const text = (bytes: Uint8Array) => {
      if (out.json) out.event({ event: "log", text: utf8.decode(bytes, { stream: true }) });
      else stdout.write(bytes);
    };
    const decoder = consoleFraming.decoder({ frame: () => {}, text });
    transport.onData((bytes) => decoder.push(bytes));
    try {
      await new Promise<void>((resolve, reject) => {
        transport.onClose((error) => (error === undefined ? resolve() : reject(error)));
        signal.addEventListener("abort", () => resolve());
        if (signal.aborted) resolve();
        stdin.on("data", (keys: Buffer) => {
          if (LEAVE.some((key) => keys.includes(key))) resolve();
        });
        if (stdin.isTTY) stdin.setRawMode(true);
        stdin.resume();
      });
    } finally {
      if (stdin.isTTY) stdin.setRawMode(false);
      stdin.pause();
      await transport.close();
    }
    return 0;
  },
};
