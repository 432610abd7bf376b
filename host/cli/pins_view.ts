// What a simulated board does at its pins, for people and as JSON; and what --sensor says. `sim`, `demo` and `chat` share it.
import type { PinEvent } from "../transports/transport.ts";
import { type Arguments, type OptionSpec, usage } from "./command.ts";
import type { Output } from "./output.ts";

/** Something that tells of pins: a board, or the line to it. Real boards do not. */
interface Pinned {
  onPins?(listener: (event: PinEvent) => void): () => void;
}

export const SENSOR_OPTION: OptionSpec = {
  type: "string",
  value: "CH=RAW",
  multiple: true,
  help: "what an ADC channel of the simulated board reads, 0..65535 of full scale (default 0); may be given several times",
};

/** @throws TritkitError E_USAGE */
export function sensorsFrom(args: Arguments): [channel: number, raw: number][] {
  const seen = new Set<number>();
  return args.all("sensor").map((text) => {
    const [, channel, raw] = /^(\d{1,3})=(\d{1,5})$/.exec(text) ?? [];
    if (channel === undefined || Number(raw) > 65535)
      throw usage(`--sensor takes CHANNEL=RAW, RAW from 0 to 65535, not "${text}".`, "It looks like --sensor 0=32768.");
    if (seen.has(Number(channel))) throw usage(`--sensor says channel ${Number(channel)} twice.`);
    seen.add(Number(channel));
    return [Number(channel), Number(raw)];
  });
}

/**
 * Tells of each change as it happens, from now on: `{"event":"pin","pin","level","seconds"}`, `{"event":"pwm","pin","duty","hz","seconds"}`, with
 * `"led":true` at the board's own LED; for people a line.
 * @param quietLed people read nothing of the LED, which is on while a model works
 * @returns ends it
 */
export function showPins(out: Output, pins: Pinned, quietLed = true): () => void {
  const show = (event: PinEvent): void => {
    out.event({ ...event });
    if (event.led && quietLed) return;
    out.info(out.style("dim", `${pinText(event)} at ${event.seconds.toFixed(6)} s`));
  };
  return pins.onPins?.(show) ?? (() => {});
}

/** "pin    15 duty 40.0 % at 1000 Hz". */
function pinText(event: PinEvent): string {
  const name = `pin    ${event.pin}${event.led ? " (LED)" : ""}`;
  if (event.event === "pwm") return `${name} duty ${((100 * event.duty) / 65535).toFixed(1)} % at ${event.hz} Hz,`;
  return `${name} ${event.level === null ? "floats" : event.level === 1 ? "high" : "low"}`;
}
