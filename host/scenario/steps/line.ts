// Steps on the raw serial line.
import type { Action, Given, StepContext } from "./step.ts";

export const LINE_STEPS: Readonly<Record<string, Action>> = {
  async send({ bench }, { text }) {
    bench.sim.uart.hostWrite(Buffer.from(text, "utf8"));
    return "";
  },
  async send_hex({ bench }, { text }) {
    bench.sim.uart.hostWrite(fromHex(text));
    return "";
  },
  receive: (context, given) => receive(context, Buffer.from(given.text, "utf8").toString("latin1"), given),
  receive_hex: (context, given) => receive(context, Buffer.from(fromHex(given.text)).toString("latin1"), given),
  receive_regex: (context, given) => receive(context, new RegExp(given.text, "s"), given),
  async baud({ bench }, { number }) {
    bench.sim.uart.setHostBaud(number);
    return "";
  },
};

async function receive({ bench }: StepContext, wanted: string | RegExp, { until }: Given): Promise<string> {
  await bench.until(
    () => bench.line.take(wanted),
    until(),
    () => bench.line.shown,
    () => null,
  );
  return "";
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/\s+/g, ""), "hex"));
}
