#!/usr/bin/env node
// The command line: finds the command, runs it, turns whatever is thrown into one line and an exit status.
import { EXIT_INTERRUPTED, EXIT_USAGE, TritkitError } from "../errors.ts";
import { version } from "../version.ts";
import { type Command, type Context, helpText, readArguments } from "./command.ts";
import { COMMANDS } from "./commands/index.ts";
import { Output } from "./output.ts";

function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 2;
  return [
    `tritkit ${version()}: ternary language models on microcontroller boards`,
    "",
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`),
    "",
    "`tritkit COMMAND --help` says more. The first thing to try: tritkit demo",
    "",
  ].join("\n");
}

async function run(argv: string[], out: Output): Promise<number> {
  // Read before anything can fail, so that even a usage error is printed the way it was asked for.
  out.json = argv.includes("--json");
  out.quiet = argv.includes("--quiet") || argv.includes("-q");
  out.debug = argv.includes("--debug");
  const [name, ...rest] = argv;
  if (name === "--version" || name === "-V" || name === "version") {
    process.stdout.write(`${version()}\n`);
    return 0;
  }
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    const wanted = name === "help" ? COMMANDS.find((command) => command.name === rest[0]) : undefined;
    process.stdout.write(wanted === undefined ? overview(COMMANDS) : helpText(wanted));
    return name === undefined ? EXIT_USAGE : 0;
  }
  const command = COMMANDS.find((each) => each.name === name);
  if (command === undefined) {
    throw new TritkitError("E_USAGE", `There is no command "${name}".`, "`tritkit --help` lists them.", EXIT_USAGE);
  }
  const args = readArguments(command, rest);
  if (args.flag("help")) {
    process.stdout.write(helpText(command));
    return 0;
  }
  const abort = new AbortController();
  let takeOver: (() => void) | null = null;
  process.on("SIGINT", () => {
    if (takeOver !== null) return takeOver();
    // A second Ctrl-C never waits for anything.
    if (abort.signal.aborted) process.exit(EXIT_INTERRUPTED);
    abort.abort();
  });
  process.on("SIGTERM", () => abort.abort());
  const context: Context = {
    out,
    args,
    signal: abort.signal,
    onInterrupt: (handler) => {
      takeOver = handler;
      return () => {
        takeOver = null;
      };
    },
    stdin: process.stdin,
    stdout: process.stdout,
  };
  return (await command.run(context)) ?? 0;
}

const out = new Output({ stdout: process.stdout, stderr: process.stderr, env: process.env });
let deaf = false;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // `tritkit ... | head` closes the pipe early: that is no error.
  if (error.code === "EPIPE") process.exit(0);
  // Anything else is (a full disk behind `>`), told once: nothing can be written there any more.
  if (!deaf) leave(out.failure(error));
  deaf = true;
});
const leave = (status: number) => {
  // A failure stays one, whatever ends after it.
  process.exitCode ||= status;
  // Ports and simulators are closed by now; nothing that is left over may keep the command alive.
  // A write that failed is told a turn later than that it is done.
  process.stdout.write("", () => setImmediate(() => process.stderr.write("", () => process.exit())));
};
process.on("uncaughtException", (error) => leave(out.failure(error)));
process.on("unhandledRejection", (error) => leave(out.failure(error)));
run(process.argv.slice(2), out).then(leave, (error) => leave(out.failure(error)));
