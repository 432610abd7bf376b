/**
 * Watches what a board's firmware asks of its pins, and holds it to the tools' table: every request that reaches the HAL is seen, those that it refuses too.
 *
 *     gpio_write   a tool's pin; the pin of a timer; the LED
 *     pwm_write    a tool's pin, with its frequency and a duty between those of min and max
 *     adc_read     a tool's channel
 */
import type { SimBoard } from "../../../firmware-sim/sim_board.ts";
import type { Drive, Tool } from "../../../host/tools/tool.ts";

const DUTY_FULL = 65535;

export class PinWatch {
  /** Sentences; empty: nothing forbidden was asked. */
  readonly broken: string[] = [];
  /** Requests that were allowed. */
  gpioWrites = 0;
  pwmWrites = 0;
  adcReads = 0;
  readonly #drives: readonly Drive[];
  readonly #led: number | null;

  constructor(sim: SimBoard, tools: readonly Tool[]) {
    this.#drives = tools.map(({ drive }) => drive);
    this.#led = sim.board.gpio.led;
    const { gpio, pwm, adc } = sim;
    const [write, pulse, read] = [gpio.write.bind(gpio), pwm.write.bind(pwm), adc.read.bind(adc)];
    gpio.write = (pin, level) => {
      this.#gpio(pin, level);
      return write(pin, level);
    };
    pwm.write = (pin, duty, hz) => {
      this.#pwm(pin, duty, hz);
      return pulse(pin, duty, hz);
    };
    adc.read = (channel) => {
      this.#adc(channel);
      return read(channel);
    };
  }

  #gpio(pin: number, level: number): void {
    if (pin === this.#led) return;
    const isDeclared = this.#drives.some(
      (drive) => (drive.type === "gpio" || drive.type === "timer") && drive.pin === pin,
    );
    if (isDeclared && (level === 0 || level === 1)) this.gpioWrites++;
    else this.broken.push(`gpio_write(${pin}, ${level})`);
  }

  #pwm(pin: number, duty: number, hz: number): void {
    const isAllowed = this.#drives.some((drive) => {
      if (drive.type !== "pwm" || drive.pin !== pin || drive.hz !== hz) return false;
      const ends = drive.duty.map((end) => (drive.inverted ? DUTY_FULL - end : end));
      return duty >= Math.min(...ends) && duty <= Math.max(...ends);
    });
    if (isAllowed) this.pwmWrites++;
    else this.broken.push(`pwm_write(${pin}, ${duty}, ${hz})`);
  }

  #adc(channel: number): void {
    if (this.#drives.some((drive) => drive.type === "adc" && drive.channel === channel)) this.adcReads++;
    else this.broken.push(`adc_read(${channel})`);
  }
}
