import { inspectMachine } from "../../doctor.ts";
import { type Command, PORT_OPTION } from "../command.ts";

const MARKS = { ok: "ok", warn: "note", fail: "FAIL" } as const;

export const doctor: Command = {
  name: "doctor",
  summary: "look for what could be wrong: Node, SIMD, ports, permissions, firmware and model",
  usage: "",
  options: { port: PORT_OPTION },
  examples: ["tritkit doctor", "tritkit doctor --port /dev/ttyACM0"],
  positionals: [0, 0],
  async run({ args, out, signal }) {
    const findings = await inspectMachine({ port: args.text("port"), signal });
    for (const { check, state, detail, advice } of findings) {
      out.event({ event: "finding", check, state, detail, advice });
      const style = state === "ok" ? "green" : state === "warn" ? "yellow" : "red";
      const line = `${out.style(style, MARKS[state].padEnd(5))} ${check.padEnd(12)} ${detail}`;
      const stop = detail.endsWith(".") ? "" : ".";
      out.text(`${line}${advice === "" ? "" : `${stop} ${advice}`}\n`);
    }
    return findings.some((finding) => finding.state === "fail") ? 1 : 0;
  },
};
