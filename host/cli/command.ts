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

/** Where a port is to be had from. */
export const PORT_HINT = "`tritkit devices` lists serial ports, `tritkit sim` makes one without a board.";
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

  given(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === "string" ? value : undefined;
  }

  /** Every value of an option that may be given several times. */
  all(name: string): string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
  }

  /** @param hint where a value is to be had from */
  required(name: string, hint?: string): string {
    const value = this.text(name);
    if (value === undefined) throw usage(`--${name} is missing.`, hint);
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

  /** A number from `low` to `high`. */
  within(name: string, low: number, high: number): number {
    const number = this.number(name, low);
    if (number < low || number > high) {
      throw usage(`--${name} takes a number from ${low} to ${high}, not "${this.text(name)}".`);
    }
    return number;
  }

  /** A whole number of at least `low` and at most `high`. */
  integer(name: string, fallback: number, low = 0, high = Number.MAX_SAFE_INTEGER): number {
    const number = this.number(name, fallback);
    if (!Number.isInteger(number) || number < low) {
      throw usage(`--${name} takes a whole number of at least ${low}, not "${this.text(name)}".`);
    }
    if (number > high) throw usage(`--${name} takes at most ${high}, not "${this.text(name)}".`);
    return number;
  }
}

export function usage(message: string, hint = "--help shows how it is used."): TritkitError {
  return new TritkitError("E_USAGE", message, hint, EXIT_USAGE);
}

/** What Node's parser has against the arguments, in one sentence. */
function parserWords(error: Error): string {
  // Its own words take three lines here: the next argument may be the value or another option.
  const dash = /^Option '(.+?)' argument is ambiguous.*'(--[\w-]+)=/s.exec(error.message);
  if (dash !== null)
    return `What stands behind ${dash[1]} begins with a dash: as a value it is written ${dash[2]}=VALUE.`;
  return error.message.split(/\. |\n/)[0].replace(/\.?$/, ".");
}

/** @throws TritkitError E_USAGE */
export function readArguments(command: Command, argv: string[]): Arguments {
  const options = { ...command.options, ...COMMON };
  const parsed = (() => {
    try {
      return parseArgs({ args: argv, options, allowPositionals: true, strict: true });
    } catch (error) {
      throw usage(parserWords(error as Error));
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

/** What MODEL may be: sources only where the engine can be the one that runs them. */
function modelHelp({ options }: Command): string {
  const image = "a .trit file or the name of a bundled model, e.g. stories-1m";
  return "engine" in options ? `${image}; with --engine float also whatever \`tritkit convert\` takes` : image;
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
    ...(command.usage.includes("MODEL") ? [`MODEL is ${modelHelp(command)}`] : []),
    "",
    ...rows.map(([left, right]) => left.padEnd(width) + right),
    "",
    command.examples.length === 1 ? "Example" : "Examples",
    ...command.examples.map((example) => `  ${example}`),
    "",
  ].join("\n");
}
