/**
 * SysTick of the Cortex-M0+ (ARMv6-M ARM B3.3), in place of rp2040js's, whose period is a cycle short and whose alarm can come due in no time.
 *
 *     CSR  16 COUNTFLAG, cleared by reading | 2 CLKSOURCE, 1 = processor | 1 TICKINT | 0 ENABLE      RVR 24 bits      CVR, written: 0
 *
 * NOT IMPLEMENTED: the reference clock (CLKSOURCE 0).
 */
export const SYST_CSR = 0xe000e010;
export const SYST_RVR = 0xe000e014;
export const SYST_CVR = 0xe000e018;
export const SYST_CALIB = 0xe000e01c;

export interface SysTickPins {
  readonly cycles: () => number;
  /** Cycles of clk_sys from now on. */
  readonly alarm: (run: () => void) => { schedule: (cycles: number) => void; cancel: () => void };
  readonly pend: () => void;
  readonly onMisuse: (what: string) => void;
}

export class SysTick {
  readonly #pins: SysTickPins;
  readonly #alarm: { schedule: (cycles: number) => void; cancel: () => void };
  #control = 0;
  #reload = 0;
  #counted = false;
  /** Counter while disabled; enabled: the cycle at which it is 0 next. */
  #counter = 0;
  #zeroAt = 0;

  constructor(pins: SysTickPins) {
    this.#pins = pins;
    this.#alarm = pins.alarm(() => this.#zero());
  }

  read(address: number): number {
    if (address === SYST_RVR) return this.#reload;
    if (address === SYST_CVR) return this.#now();
    if (address === SYST_CALIB) return 0xc0000000;
    const flag = this.#counted ? 1 << 16 : 0;
    this.#counted = false;
    return this.#control | flag;
  }

  write(address: number, value: number): void {
    if (address === SYST_RVR) this.#reload = value & 0xffffff;
    else if (address === SYST_CVR) {
      this.#counted = false;
      this.#counter = 0;
      if (this.#enabled) this.#start();
    } else if (address === SYST_CSR) this.#write(value);
  }

  get #enabled(): boolean {
    return (this.#control & 1) !== 0;
  }

  #write(value: number): void {
    const was = this.#enabled;
    if (was) this.#counter = this.#now();
    this.#control = value & 7;
    if (!this.#enabled) this.#alarm.cancel();
    else if ((value & 4) === 0) this.#pins.onMisuse("SysTick's reference clock, which is not modelled");
    else if (!was) this.#start();
  }

  /** A counter at 0 takes one cycle to load the reload value, and says nothing about it. */
  #start(): void {
    const left = this.#counter === 0 ? this.#reload + 1 : this.#counter;
    this.#zeroAt = this.#pins.cycles() + left;
    this.#alarm.schedule(left);
  }

  #now(): number {
    if (!this.#enabled) return this.#counter;
    const left = this.#zeroAt - this.#pins.cycles();
    // The alarm may be a few cycles late, because an instruction is not interrupted.
    if (left < 0) return this.#reload + 1 + left;
    return left > this.#reload ? 0 : left;
  }

  #zero(): void {
    this.#counted = true;
    this.#zeroAt += this.#reload + 1;
    this.#alarm.schedule(this.#zeroAt - this.#pins.cycles());
    if ((this.#control & 2) !== 0) this.#pins.pend();
  }
}
