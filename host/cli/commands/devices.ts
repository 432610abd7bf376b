import { listDevices } from "../../transports/discover.ts";
import type { Command } from "../command.ts";
import { table } from "../table.ts";

export const devices: Command = {
  name: "devices",
  summary: "serial ports, the boards they may be, and what answered; never resets or writes to an unknown port",
  usage: "",
  options: { probe: { type: "boolean", help: "say hello to ports with unknown USB ids too" } },
  examples: ["tritkit devices", "tritkit devices --json"],
  positionals: [0, 0],
  async run({ out, args, signal }) {
    const found = await listDevices({ probeUnknown: args.flag("probe"), signal });
    const rows = found.map(({ path, usb, likely, answer }) => {
      const answered = answer.kind === "tritkit" ? `${answer.board}, tritkit ${answer.firmware}` : answer.why;
      out.event({ event: "device", port: path, usb, likely, answer });
      return [path, usb ?? "-", likely.join(" or ") || "-", answered];
    });
    if (rows.length === 0)
      out.info("No serial port. `tritkit demo` needs none; `tritkit doctor` looks for the reason.");
    else out.text(table(["port", "USB", "may be", "answer"], rows));
    return 0;
  },
};
