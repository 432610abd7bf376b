/** The model partition of a board with a model in it, as a file: what a simulated board's flash holds after a real upload over its wire. */
import { rm } from "node:fs/promises";
import { Device } from "../../host/device/device.ts";
import { flashModel } from "../../host/device/flasher.ts";
import { openSim } from "../../host/transports/sim.ts";

/** @param context positions; 0: the image's default or the most that fits */
export async function flashFileWith(board: string, image: Uint8Array, file: string, context = 0): Promise<void> {
  await rm(file, { force: true });
  const device = await Device.connect(await openSim(board, { flashFile: file }));
  try {
    await flashModel(device, image, { context, single: image.length > device.hello.slots[0].bytes });
  } finally {
    await device.close();
  }
}
