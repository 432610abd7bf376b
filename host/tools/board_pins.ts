/** Whether a board has the pins and channels that tools are to drive (spec/HAL.md, the board's JSON). */
import type { Board } from "../../boards/board.ts";
import { channelOf, generatorOf } from "../../boards/pins.ts";
import { TritkitError } from "../errors.ts";
import type { Problem } from "./fields.ts";
import type { Drive, Tool } from "./tool.ts";

/** @throws TritkitError E_TOOLS_BOARD with the first problem */
export function checkPins(where: string, tools: readonly Tool[], board: Board): void {
  const problems = pinProblems(tools, board);
  if (problems.length === 0) return;
  const [{ place, what }] = problems;
  const more = problems.length === 1 ? "" : ` and ${problems.length - 1} more`;
  const hint = `\`tritkit tools check ${where} --board ${board.name}\` lists all.`;
  throw new TritkitError("E_TOOLS_BOARD", `${where}, ${place}: ${what}${more}.`, hint);
}

/** What the board cannot do, in the order of the tools. */
export function pinProblems(tools: readonly Tool[], board: Board): Problem[] {
  return tools.flatMap((tool, i) => {
    const own = cannot(tool.drive, board);
    if (own !== null) return [{ place: `tools[${i}].drive`, what: own }];
    const before = tools.slice(0, i).find((other) => quarrel(other.drive, tool.drive, board));
    if (before === undefined) return [];
    return [{ place: `tools[${i}].drive`, what: `${quarrel(before.drive, tool.drive, board)} ${before.name}` }];
  });
}

/** Why the board cannot drive this by itself; null: it can. */
function cannot(drive: Drive, { name, gpio, pwm, adc }: Board): string | null {
  switch (drive.type) {
    case "none":
      return null;
    case "adc": {
      const channels = adc?.pins?.length ?? 0;
      if (channels === 0) return `${name} has no ADC that the firmware reads`;
      return drive.channel < channels
        ? null
        : `${name} has the ADC channels 0 to ${channels - 1}, not ${drive.channel}`;
    }
    case "pwm":
      if (pwm === null) return `${name} has no PWM that the firmware drives`;
      if (gpio.taken.includes(drive.pin)) return taken(name, drive.pin);
      if (!pwm.pins.includes(drive.pin)) return `${name} has no PWM on pin ${drive.pin}, but on ${listed(pwm.pins)}`;
      if (drive.hz >= pwm.min_hz && drive.hz <= pwm.max_hz) return null;
      return `${name} makes ${pwm.min_hz} to ${pwm.max_hz} Hz, not ${drive.hz}`;
    default:
      if (drive.pin === null) return null;
      if (drive.pin >= gpio.pins) return `${name} has the pins 0 to ${gpio.pins - 1}, not ${drive.pin}`;
      return gpio.taken.includes(drive.pin) ? taken(name, drive.pin) : null;
  }
}

function taken(name: string, pin: number): string {
  return `pin ${pin} of ${name} is the firmware's own, or has no contact`;
}

/** What the second of two drives cannot have beside the first, up to the first one's name; "": they get along. */
function quarrel(first: Drive, second: Drive, board: Board): string {
  const [a, b] = [pinOf(first, board), pinOf(second, board)];
  // Two that read one channel, or drive one pin alike, are no contradiction.
  if (a !== null && a === b && first.type !== second.type) return `pin ${b} is already that of`;
  const { pwm } = board;
  if (pwm === null || first.type !== "pwm" || second.type !== "pwm" || a === b) return "";
  const [mine, its] = [channelOf(pwm, second.pin), channelOf(pwm, first.pin)];
  if (mine === null || its === null) return "";
  if (mine === its) return `pin ${second.pin} carries the same wave as pin ${first.pin} of`;
  if (generatorOf(pwm, mine) !== generatorOf(pwm, its) || first.hz === second.hz) return "";
  return `pin ${second.pin} has one frequency with pin ${first.pin}, and ${second.hz} Hz are not the ${first.hz} Hz of`;
}

/** null: none that a package shows. */
function pinOf(drive: Drive, { adc }: Board): number | null {
  if (drive.type === "adc") return adc?.pins?.[drive.channel] ?? null;
  return "pin" in drive ? drive.pin : null;
}

/** "2-28, 30" */
function listed(pins: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const pin of pins) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === pin - 1) last[1] = pin;
    else runs.push([pin, pin]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(", ");
}
