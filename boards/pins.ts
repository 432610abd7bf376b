/** What a board's pins and channels are, from its JSON: which of them the HAL serves (spec/HAL.md), and which have something in common. */
import type { Board, Pwm } from "./types.ts";

/** Why a channel of the ADC cannot be read; null: it can. */
export function channelTrouble({ name, adc }: Board, channel: number): string | null {
  if (adc === null) return `${name} has no ADC`;
  if (adc.pins === null) return `the firmware of ${name} reads no ADC`;
  return channel < adc.channels ? null : `${name} has ${adc.channels} ADC channels, from 0 on, not ${channel}`;
}

/** Of the PWM: pins of one channel carry the same pulse. null: the pin carries none. */
export function channelOf({ pins, channels }: Pwm, pin: number): number | null {
  return channels[pins.indexOf(pin)] ?? null;
}

/** Of a channel: those of one generator have one frequency. */
export function generatorOf({ per_generator }: Pwm, channel: number): number {
  return Math.floor(channel / per_generator);
}
