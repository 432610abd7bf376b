/**
 * A Raspberry Pi Pico in this process: real RP2040 machine code on rp2040js (mcu.ts), with a flash that obeys physics (w25q.ts), from the boot
 * ROM on. Time is simulated and deterministic: the same calls give the same cycles.
 *
 *     const pico = startRp2040({ firmware });
 *     pico.onData((bytes) => ...);               what the UART sends
 *     pico.write(request);                       what it receives, at its own speed
 *     pico.run({ until: () => answered, cycles: 125e6 });
 *     pico.cycles, pico.seconds, pico.startProfile()
 *
 * Everything happens inside run(); there are no timers and no threads. While the core sleeps, time jumps to its next event, and so it does
 * while flash code polls a busy flash: such polling costs simulated time but no instructions (`pollsSkipped`).
 */
import { startFromFlash, startWithoutBoot2 } from "./boot_rom.ts";
import { Rp2040Error } from "./fault.ts";
import { Mcu } from "./mcu.ts";
import { CycleCounts } from "./profile.ts";
import { FLASH_BYTES, W25q, type W25qTiming } from "./w25q.ts";

export { Rp2040Error } from "./fault.ts";
export { CycleCounts } from "./profile.ts";
export { FLASH_BYTES } from "./w25q.ts";

export interface Rp2040Options {
  /** Laid over flash from offset 0 on, as a flasher would have. Left out: flash already holds it. */
  readonly firmware?: Uint8Array;
  /** The whole flash, 2 MiB; blank when left out. Taken over, not copied. */
  readonly flash?: Uint8Array;
  /** false: no boot2, start at the vector table at offset 0x100. */
  readonly boot2?: boolean;
  readonly timing?: W25qTiming;
  /** The flash left the factory with QE set (W25Q16JV-IQ). Default false: the firmware must set it. */
  readonly quadEnable?: boolean;
  /** For what a broken flash operation leaves. */
  readonly seed?: number;
  /** Power fails in the middle of this erase or program, counted from 1 since the start. */
  readonly cutAtOperation?: number;
  /** Cells of flash changed (a firmware laid over it does not count). The array is only valid in the call. */
  readonly onFlashChange?: (offset: number, bytes: Uint8Array) => void;
}

export interface RunLimits {
  /** Asked between slices of about 8 microseconds to a millisecond; run() ends when it answers true. */
  readonly until?: () => boolean;
  /** run() ends after this many cycles of clk_sys (125 MHz once the firmware has set its clocks). */
  readonly cycles: number;
}

/** Why run() ended: `until` said so, the cycles are over, or power was cut. */
export type RunEnd = "until" | "cycles" | "power cut";

const NO_CUT = 0;
/** `until` is asked this often, cycles. */
const SLICE = 20000;

export function startRp2040(options: Rp2040Options): Rp2040 {
  return new Rp2040(options);
}

const POWER_UP = "power-up";
const RUN_PIN = "the RUN pin";

export class Rp2040 {
  /** Times that simulated time jumped because flash code polled a busy flash. */
  pollsSkipped = 0;
  /** Instructions executed since the start, resets included. */
  instructions = 0;
  /** Resets that the chip went through by itself, and what caused the last. */
  resets = 0;
  lastReset: string = POWER_UP;
  readonly #flash: W25q;
  readonly #boot2: boolean;
  #mcu: Mcu;
  #on = true;
  #resetting = false;
  #polled = false;
  #cutAt: number;
  #pastCycles = 0;
  #asleep = 0;
  #profile: CycleCounts | null = null;
  #listener: (bytes: Uint8Array) => void = () => {};
  #sent: number[] = [];

  constructor(options: Rp2040Options) {
    const cells = options.flash ?? new Uint8Array(FLASH_BYTES).fill(0xff);
    const { firmware } = options;
    if (cells.length !== FLASH_BYTES)
      throw new Rp2040Error("E_RP2040_FILE", `flash content has ${cells.length} bytes, the part has ${FLASH_BYTES}`);
    if (firmware !== undefined) {
      if (firmware.length > cells.length)
        throw new Rp2040Error("E_RP2040_FILE", `a firmware of ${firmware.length} bytes for ${cells.length} of flash`);
      cells.set(firmware);
    }
    this.#boot2 = options.boot2 ?? true;
    this.#cutAt = options.cutAtOperation ?? NO_CUT;
    this.#flash = new W25q({ cells, timing: options.timing, quadEnable: options.quadEnable, seed: options.seed });
    this.#flash.onIgnored = (what) => this.#mcu.fault(`the flash ignores ${what}`);
    this.#flash.onChange = (offset, bytes) => {
      this.#mcu.flashChanged();
      options.onFlashChange?.(offset, bytes);
    };
    this.#flash.onPoll = () => {
      this.#polled = true;
      this.#mcu.time.pause();
    };
    this.#flash.onOperation = (operation) => {
      if (operation === this.#cutAt) this.#mcu.time.stop();
    };
    this.#mcu = this.#powerUp(0);
  }

  /** Cells of the flash, live. */
  get flash(): Uint8Array {
    return this.#flash.cells;
  }

  /** Erases and programs so far. */
  get flashOperations(): number {
    return this.#flash.operations;
  }

  /** Cycles of clk_sys since the start, asleep or not. */
  get cycles(): number {
    return this.#pastCycles + this.#mcu.core.cycles;
  }

  /** Of `cycles`, those in which the core slept or polled a busy flash. */
  get idleCycles(): number {
    return this.#asleep;
  }

  /** Simulated time since the start. */
  get seconds(): number {
    return this.#mcu.time.nanos / 1e9;
  }

  get powered(): boolean {
    return this.#on;
  }

  /** The chip itself, for tests that look at pins or registers. */
  get mcu(): Mcu {
    return this.#mcu;
  }

  /** The core sleeps, and nothing is on its way to it: only its own timers will wake it. */
  get idle(): boolean {
    return !this.#on || (this.#mcu.core.waiting && !this.#mcu.interruptWaits && !this.#mcu.uart0.active);
  }

  /** Bytes for the UART; they arrive at the line's speed. */
  write(bytes: Uint8Array): void {
    this.#mcu.uart0.receive(bytes);
  }

  /** What the UART sends. One listener; called inside run(), at the end of a slice. */
  onData(listener: (bytes: Uint8Array) => void): void {
    this.#listener = listener;
  }

  /** Speed of the other end of the line; null (at the start): whatever the chip's is. */
  setLineBaud(baud: number | null): void {
    this.#mcu.uart0.lineBaud = baud;
  }

  /** @throws Rp2040Error what the firmware does wrong; the chip cannot go on */
  run({ until, cycles }: RunLimits): RunEnd {
    const end = this.cycles + cycles;
    while (this.#on) {
      if (until?.() === true) return "until";
      const left = end - this.cycles;
      if (left <= 0) return "cycles";
      this.#slice(until === undefined ? left : Math.min(left, SLICE));
      this.#deliver();
    }
    return "power cut";
  }

  /** Power fails now; flash keeps what it holds, a running operation is torn. */
  cutPower(): void {
    this.#on = false;
    this.#flash.now = Math.max(this.#flash.now, this.#mcu.time.nanos);
    this.#flash.cutPower();
  }

  /** Power comes back: the boot ROM, boot2, the firmware. */
  powerOn(): void {
    if (!this.#on) this.#restart(POWER_UP);
    this.#on = true;
  }

  /** The RUN pin: a reset of everything but flash. */
  reset(): void {
    this.#restart(RUN_PIN);
  }

  /** Cuts power in the middle of this operation, counted from 1 since the start; 0: never. */
  cutAtOperation(operation: number): void {
    this.#cutAt = operation;
  }

  /** Counts from now on, from nothing. */
  startProfile(): CycleCounts {
    this.#profile = new CycleCounts();
    return this.#profile;
  }

  stopProfile(): void {
    this.#profile = null;
  }

  #slice(cycles: number): void {
    const { core, time } = this.#mcu;
    time.runTo(core.cycles + cycles);
    while (!time.stopped) {
      if (core.waiting && !this.#mcu.interruptWaits) this.#skipTo(time.stopAt);
      else {
        core.waiting = false;
        if (this.#profile === null) this.#execute(core);
        else this.#executeCounted(core, this.#profile);
      }
      time.fire();
      if (this.#polled) this.#skipPolling();
    }
    if (this.#flash.operations === this.#cutAt && this.#cutAt !== NO_CUT) {
      this.#cutAt = NO_CUT;
      this.cutPower();
    } else if (this.#resetting) this.#restart(this.lastReset);
  }

  #execute(core: Mcu["core"]): void {
    const { time } = this.#mcu;
    let instructions = 0;
    while (core.cycles < time.stopAt && !core.waiting) {
      core.executeInstruction();
      instructions++;
    }
    this.instructions += instructions;
  }

  #executeCounted(core: Mcu["core"], profile: CycleCounts): void {
    const { time } = this.#mcu;
    while (core.cycles < time.stopAt && !core.waiting) {
      const { PC, cycles } = core;
      core.executeInstruction();
      profile.count(PC, core.cycles - cycles);
      this.instructions++;
    }
  }

  #skipTo(cycle: number): void {
    const { core } = this.#mcu;
    this.#asleep += Math.max(0, cycle - core.cycles);
    core.cycles = Math.max(core.cycles, cycle);
  }

  /** A status read said "busy": nothing changes before the flash is ready, or before the next event. */
  #skipPolling(): void {
    this.#polled = false;
    const { core, time, interruptWaits } = this.#mcu;
    if (interruptWaits) return;
    const ready = Math.min(time.cycleAt(this.#flash.busyUntil), time.stopAt);
    if (ready <= core.cycles) return;
    this.#skipTo(ready);
    this.pollsSkipped++;
    time.fire();
  }

  #deliver(): void {
    if (this.#sent.length === 0) return;
    const bytes = Uint8Array.from(this.#sent);
    this.#sent = [];
    this.#listener(bytes);
  }

  #restart(how: string): void {
    const { time, core, uart0, scratch } = this.#mcu;
    this.resets++;
    this.lastReset = how;
    this.#resetting = false;
    this.#pastCycles += core.cycles;
    this.#mcu = this.#powerUp(time.nanos);
    this.#mcu.uart0.lineBaud = uart0.lineBaud;
    // RP2040 Datasheet 4.7: the scratch registers outlive every reset but those of the supply and of the RUN pin (from memory).
    if (how !== POWER_UP && how !== RUN_PIN) this.#mcu.scratch = scratch;
  }

  #powerUp(ns: number): Mcu {
    const mcu = new Mcu({
      flash: this.#flash,
      ns,
      onByte: (byte) => this.#sent.push(byte),
      onReset: (how) => {
        this.lastReset = how;
        this.#resetting = true;
      },
    });
    this.#mcu = mcu;
    if (this.#boot2) startFromFlash(mcu, this.#flash);
    else startWithoutBoot2(mcu, this.#flash);
    return mcu;
  }
}
