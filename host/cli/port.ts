// Opening the device that a command names.
import { Device } from "../device/device.ts";
import { openPort } from "../transports/open.ts";
import type { Transport } from "../transports/transport.ts";
import { type Context, PORT_HINT } from "./command.ts";

/** Connects to --port, runs `work`, and always gives the line back. */
export async function withDevice<T>(context: Context, work: (device: Device) => Promise<T>): Promise<T> {
  return deviceOn(context, await openPort(context.args.required("port", PORT_HINT)), work);
}

/** The same on a line that is open. */
export async function deviceOn<T>(
  context: Context,
  transport: Transport,
  work: (device: Device) => Promise<T>,
): Promise<T> {
  const { args, signal, out } = context;
  const baud = args.text("baud") === undefined ? undefined : args.integer("baud", 0);
  const device = await Device.connect(transport, { baud, signal });
  try {
    return await work(device);
  } finally {
    await device.close();
    if (out.debug)
      out.info(`line   ${JSON.stringify({ ...device.session.counters, damaged: device.session.damaged })}`);
  }
}
