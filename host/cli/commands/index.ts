// The commands, in the order in which the help lists them.
import type { Command } from "../command.ts";
import { bench } from "./bench.ts";
import { boards } from "./boards.ts";
import { chat } from "./chat.ts";
import { convert } from "./convert.ts";
import { demo } from "./demo.ts";
import { devices } from "./devices.ts";
import { doctor } from "./doctor.ts";
import { evaluateCommand } from "./eval.ts";
import { fits } from "./fits.ts";
import { flash } from "./flash.ts";
import { inspect } from "./inspect.ts";
import { models } from "./models.ts";
import { monitor } from "./monitor.ts";
import { report } from "./report.ts";
import { reset } from "./reset.ts";
import { run } from "./run.ts";
import { sim } from "./sim.ts";
import { tools } from "./tools.ts";

export const COMMANDS: readonly Command[] = [
  ...[demo, boards, devices, doctor],
  ...[convert, inspect, fits, flash, chat, run, evaluateCommand, tools],
  ...[sim, models, reset, monitor, bench, report],
];
