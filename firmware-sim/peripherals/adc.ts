/**
 * ADC: what the board's sensors say, channel by channel.
 *
 *                ┌─────┐
 *     adc_read <─│ IN  │──o channel 0      <── set: a sensor
 *                └─────┘──o ...
 *
 * A channel that nobody set reads 0. Full scale is 65535, whatever the converter's own resolution (HAL.md).
 *
 * NOT IMPLEMENTED: noise, conversion time, the resolution of the real converter.
 */
import { HAL_ABSENT, HAL_EINVAL } from "../../spec/hal.ts";

export class Adc {
  readonly #values: Uint16Array;

  /** @param channels 0: the board has no ADC, or its firmware reads none */
  constructor(channels: number) {
    this.#values = new Uint16Array(channels);
  }

  get channels(): number {
    return this.#values.length;
  }

  /** @returns 0..65535, HAL_ABSENT without an ADC, HAL_EINVAL for a channel it lacks */
  read(channel: number): number {
    if (this.#values.length === 0) return HAL_ABSENT;
    return this.#values[channel] ?? HAL_EINVAL;
  }

  /** @param value 0..65535; nothing for a channel the board lacks */
  set(channel: number, value: number): void {
    if (channel < this.#values.length) this.#values[channel] = value;
  }

  get state(): Uint16Array {
    return this.#values.slice();
  }

  set state(state: Uint16Array) {
    this.#values.set(state);
  }
}
