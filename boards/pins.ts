/**
 * What a board's pins cannot be used for, alone and together: said before a table of tools is sent to a board whose HAL would refuse (spec/HAL.md).
 *
 *     pinTroubles(board, [{ name: "fan", type: "pwm", pin: 16, hz: 25000 }, { name: "heater", type: "pwm", pin: 17, hz: 1000 }])
 *     -> ["heater: pin 17 has its frequency in common with pin 16 of fan, which wants 25000 Hz, not 1000 Hz"]
 */
import type { Board, Pwm } from "./types.ts";

/** What somebody wants of a pin, or of a channel of the ADC. */
export type PinUse =
  | { readonly name: string; readonly type: "gpio"; readonly pin: number }
  | { readonly name: string; readonly type: "pwm"; readonly pin: number; readonly hz: number }
  | { readonly name: string; readonly type: "adc"; readonly channel: number };

/** One sentence without a full stop for each use that the board cannot serve, or not beside an earlier one; empty: all is well. */
export function pinTroubles(board: Board, uses: readonly PinUse[]): string[] {
  return uses.flatMap((use, i) => {
    const trouble = aloneTrouble(board, use) ?? togetherTrouble(board, use, uses.slice(0, i));
    return trouble === null ? [] : [`${use.name}: ${trouble}`];
  });
}

function aloneTrouble(board: Board, use: PinUse): string | null {
  const { name, gpio, pwm } = board;
  if (use.type === "adc") return channelTrouble(board, use.channel);
  if (use.pin >= gpio.pins) return `${name} has ${gpio.pins} pins, from 0 on, not ${use.pin}`;
  if (gpio.taken.includes(use.pin))
    return `pin ${use.pin} of ${name} is not free: its firmware needs it, or it has none`;
  if (use.type === "gpio") return null;
  if (pwm === null) return `the firmware of ${name} drives no PWM`;
  if (channelOf(pwm, use.pin) === null) return `pin ${use.pin} of ${name} has no PWM`;
  if (use.hz >= pwm.min_hz && use.hz <= pwm.max_hz) return null;
  return `${name} makes ${pwm.min_hz} to ${pwm.max_hz} Hz, not ${use.hz}`;
}

/** Why a channel of the ADC cannot be read; null: it can. */
export function channelTrouble({ name, adc }: Board, channel: number): string | null {
  if (adc === null) return `${name} has no ADC`;
  if (adc.pins === null) return `the firmware of ${name} reads no ADC`;
  return channel < adc.channels ? null : `${name} has ${adc.channels} ADC channels, from 0 on, not ${channel}`;
}

/** Against what was wanted before: a generator has one frequency, a channel one duty, an ADC's pin is no output. */
function togetherTrouble(board: Board, use: PinUse, before: readonly PinUse[]): string | null {
  const pin = pinOf(board, use);
  for (const other of before) {
    const its = pinOf(board, other);
    if (its === null || pin === null) continue;
    if (pin === its && (use.type === "adc") !== (other.type === "adc"))
      return `pin ${pin} is driven and measured: ${other.name} has it too`;
    if (use.type !== "pwm" || other.type !== "pwm" || board.pwm === null) continue;
    const [channel, taken] = [channelOf(board.pwm, pin), channelOf(board.pwm, its)];
    if (channel === null || taken === null || pin === its) continue;
    if (channel === taken) return `pin ${pin} carries the same pulse as pin ${its} of ${other.name}`;
    if (generatorOf(board.pwm, channel) === generatorOf(board.pwm, taken) && use.hz !== other.hz)
      return (
        `pin ${pin} has its frequency in common with pin ${its} of ${other.name}, ` +
        `which wants ${other.hz} Hz, not ${use.hz} Hz`
      );
  }
  return null;
}

function pinOf(board: Board, use: PinUse): number | null {
  return use.type === "adc" ? (board.adc?.pins?.[use.channel] ?? null) : use.pin;
}

/** null: the pin carries no pulse. */
export function channelOf({ pins, channels }: Pwm, pin: number): number | null {
  return channels[pins.indexOf(pin)] ?? null;
}

/** Of a channel. */
export function generatorOf({ per_generator }: Pwm, channel: number): number {
  return Math.floor(channel / per_generator);
}
