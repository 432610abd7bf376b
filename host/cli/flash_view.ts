// How flashing looks: one line for the bytes, then what was verified and activated. `flash` and `demo` share it.

import type { Device } from "../device/device.ts";
import { type FlashOptions, type FlashProgress, flashModel } from "../device/flasher.ts";
import type { Output } from "./output.ts";
import { bytesText, ProgressLine, secondsText } from "./progress.ts";

export async function flashWithProgress(
  out: Output,
  device: Device,
  image: Uint8Array,
  options: FlashOptions,
): Promise<FlashProgress> {
  const { transport } = device.session;
  const line = new ProgressLine(out, "flash", () => transport.seconds());
  const note = `${device.hello.baud} baud${transport.simulated ? ", simulated time" : ""}`;
  const done = await flashModel(device, image, {
    ...options,
    onProgress: (progress) => {
      const { phase, bytes, total, skipped, seconds, sha256 } = progress;
      out.event({ event: "flash", phase, bytes, total, skipped, seconds: round(seconds), sha256 });
      if (phase === "plan") out.status("flash  looking at what is there");
      if (phase === "write") line.update(bytes, total, note);
      if (phase === "verify") out.status("flash  verifying sha256");
      if (phase === "activate") out.status("flash  activating");
    },
  });
  const sent = done.total - done.skipped;
  const what =
    sent === 0
      ? `${bytesText(done.total)} was there already`
      : `${bytesText(sent)}${done.skipped > 0 ? ` (${bytesText(done.skipped)} were there already)` : ""} in ${secondsText(done.seconds)}, ${bytesText(sent / done.seconds)}/s`;
  line.end(`${what}, ${note}  verified sha256 ${done.sha256.slice(0, 8)}`);
  return done;
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
