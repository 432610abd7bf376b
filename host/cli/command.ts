// What a command is, and how its arguments are read. The parser is Node's own.
import { type ParseArgsConfig, parseArgs } from "node:util";
import { EXIT_USAGE, TritkitError } from "../errors.ts";
import type { Output } from "./output.ts";

export type OptionSpec = NonNullable<ParseArgsConfig["options"]>[string] & {
  /** What stands behind the name in the help, e.g. "PORT". */
  value?: string;
  help: string;
};

export interface Command {
  name: string;
  summary: string;
  /** Arguments after the name, e.g. "FILE". */
  usage: string;
  options: Record<string, OptionSpec>;
  /** Lines that work as they stand. */
  examples: string[];
  /** Fewest and most positional arguments. */
  positionals: [number, number];
  run(context: Context): Promise<number | undefined>;
}

export interface Context {
  out: Output;
  args: Arguments;
  /** Aborted by the first Ctrl-C, unless the command took it over by `onInterrupt`. */
  signal: AbortSignal;
  /** Takes Ctrl-C over; returns how to give it back. */
  onInterrupt(handler: () => void): () => void;
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
}

const COMMON: Record<string, OptionSpec> = {
  json: { type: "boolean", help: "one JSON object a line on stdout" },
  quiet: { type: "boolean", short: "q", help: "no text for people" },
  debug: { type: "boolean", help: "stack traces and counters" },
  help: { type: "boolean", short: "h", help: "this text" },
};

/** Options that several commands share, worded once. */
export const PORT_OPTION: OptionSpec = {
  type: "string",
  short: "P",
  value: "PORT",
  help: "/dev/ttyUSB0, COM3, tcp://host:port, sim:BOARD[:FILE]",
};
export const BAUD_OPTION: OptionSpec = {
  type: "string",
  value: "N",
  help: "speed to negotiate, 0: leave the line as it is (default 921600)",
};

export class Arguments {
  readonly positionals: string[];
  readonly #values: Record<string, unknown>;

  constructor(positionals: string[], values: Record<string, unknown>) {
    this.positionals = positionals;
    this.#values = values;
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === "string" ? value : undefined;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw usage(`--${name} is missing.`);
    return value;
  }

  /** A number, or `fallback`. @throws TritkitError E_USAGE for anything else */
  number(name: string): number | undefined;
  number(name: string, fallback: number): number;
  number(name: string, fallback?: number): number | undefined {
    const value = this.text(name);
    if (value === undefined) return fallback;
    const number = Number(value);
    if (value.trim() === "" || !Number.isFinite(number)) throw usage(`--${name} takes a number, not "${value}".`);
    return number;
  }

  /** A whole number of at least `low`. */
  integer(name: string, fallback: number, low = 0): number {
    const number = this.number(name, fallback);
    if (!Number.isInteger(number) || number < low) {
      throw usage(`--${name} takes a whole number of at least ${low}, not "${this.text(name)}".`);
    }
    return number;
  }
}

export function usage(message: string): TritkitError {
  return new TritkitError("E_USAGE", message, "--help shows how it is used.", EXIT_USAGE);
}

/** @throws TritkitError E_USAGE */
export function readArguments(command: Command, argv: string[]): Arguments {
  const options = { ...command.options, ...COMMON };
  const parsed = (() => {
    try {
      return parseArgs({ args: argv, options, allowPositionals: true, strict: true });
    } catch (error) {
      const text = (error as Error).message.split(/\. |\n/)[0].replace(/\.?$/, ".");
      throw usage(text);
    }
  })();
  const { positionals, values } = parsed;
  const [fewest, most] = command.positionals;
  if (values.help !== true) {
    if (positionals.length < fewest) throw usage(`${command.name} needs ${command.usage}.`);
    if (positionals.length > most) throw usage(`${command.name} does not take "${positionals[most]}".`);
  }
  return new Arguments(positionals, values);
}

export function helpText(command: Command): string {
  const rows = Object.entries({ ...command.options, ...COMMON }).map(([name, spec]) => {
    const short = spec.short === undefined ? "    " : `-${spec.short}, `;
    return [`  ${short}--${name}${spec.value === undefined ? "" : ` ${spec.value}`}`, spec.help];
  });
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return [
    `tritkit ${command.name} ${command.usage}`.trimEnd(),
    "",
    command.summary,
    "",
    ...rows.map(([left, right]) => left.padEnd(width) + right),
    "",
    command.examples.length === 1 ? "Example" : "Examples",
    ...command.examples.map((example) => `  ${example}`),
    "",
  ].join("\n");
}
