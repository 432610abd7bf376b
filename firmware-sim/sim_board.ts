/**
 * SimBoard: the breadboard. It has no logic of its own: it makes the chips that a board's JSON describes, wires them to the
 * device module's HAL and to the host's cable, and switches the power.
 *
 *      host ══ cable ══ UART ──┐                      ┌── TIMER ── CLOCK
 *                              ├── HAL ── core (wasm) ┤
 *        file ── onChange ── FLASH ══ XIP ══╝         ├── GPIO, PWM, ADC
 *                              ║                      ├── ENTROPY
 *                          FLASH BUS ══ BOOT ROM      └── TGEMV ══ XIP, PSRAM, SRAM (a board that has one: bus/copro.ts)
 *
 *     state   powerOn   reset     powerOff   run, step
 *     off     on        refused   off        refused
 *     on      refused   on        off        time passes; off after a power cut or a trap
 *
 *     The supply can be told to fail (faults/supply.ts): at a time, or in a flash operation; for good, or for a dip that resets.
 *
 *     boot: left out     at reset the module starts, whatever the flash outside the partition holds
 *     boot: from "rom"   the chip's boot ROM runs (rom/); it may jump to what flash holds
 *     boot: from "flash" what flash holds starts: the module where that is the board's firmware byte for byte, otherwise nothing
 *
 *     slots: given       the selector of spec/FIRMWARE.md chooses one of two slots: the module starts where that one holds an image
 *
 *     cpu: "flat"        computing takes no time (clock.ts: 1 us a HAL call and a poll)
 *     cpu: "metered"     what the module does takes the cycles of the board's core and of waiting for flash (meter/)
 *
 * NOT IMPLEMENTED: boot ROM time; SRAM that survives a reset; interrupts; sleep current; the second core.
 */
import { type Board, updateRegion } from "../boards/board.ts";
import { CoproBus } from "./bus/copro.ts";
import { firmwareHal } from "./bus/firmware_hal.ts";
import { FlashBus, splitSectors } from "./bus/flash_bus.ts";
import { halImports } from "./bus/hal.ts";
import { type MemoryMap, memoryMap } from "./bus/memory_map.ts";
import { imageIn, selectSlot } from "./bus/selector.ts";
import { Clock, type CpuCost, FLAT_COST, US } from "./clock.ts";
import { Supply } from "./faults/supply.ts";
import type { Meter } from "./meter/meter.ts";
import { meteredModule } from "./meter/metered_module.ts";
import { Adc } from "./peripherals/adc.ts";
import { Entropy } from "./peripherals/entropy.ts";
import { Flash, type Supplied } from "./peripherals/flash.ts";
import { Gpio } from "./peripherals/gpio.ts";
import { Pwm } from "./peripherals/pwm.ts";
import { Timer } from "./peripherals/timer.ts";
import { Uart } from "./peripherals/uart.ts";
import type { BootRom, FirmwareImage, ModemLines, RomOptions, Strap } from "./rom/rom.ts";
import { bootRomOf } from "./rom/roms.ts";
import { PowerCut, SimError } from "./sim_error.ts";
import { type CoreState, loadCore, type Snapshot, saveCore } from "./snapshot.ts";
import { type Device, deviceModule, type HalImports, instantiateDevice } from "./wasm_host.ts";
import { spanImports, type Watcher } from "./watcher.ts";

export interface SimBoardOptions {
  readonly board: Board;
  /** The device build for the board's memory map. From bytes every snapshot is complete (see wasm_globals.ts). */
  readonly wasm: Uint8Array | WebAssembly.Module;
  /** Content of the model partition, or of the whole flash (of which the partition is taken). Blank when left out. */
  readonly flash?: Uint8Array;
  /** Of entropy and of what power cuts leave. Default 0. */
  readonly seed?: number;
  /** Flash times from the boards' `typ` or `max`. Default "typ". */
  readonly timing?: "typ" | "max";
  /** What computing costs. Default "flat". */
  readonly cpu?: "flat" | "metered";
  /** In place of the CPU's, for tests. */
  readonly cost?: CpuCost;
  /** Looks on; with `cpu` "metered" only. */
  readonly watcher?: Watcher;
  /** How the chip boots. Left out: as a board that was delivered with its firmware and has no boot ROM. */
  readonly boot?: BootOptions;
  /** The board has two slots for its firmware and starts by its selector; `flash` is all of flash. Not together with `boot`. */
  readonly slots?: SlotsOptions;
}

export interface SlotsOptions {
  /** What the code of an image turns out to be; left out: always the device module. "nothing": it hangs. */
  readonly runs?: (image: Uint8Array) => "module" | "nothing";
  /** The CPU begins with this: at power-on and reset. "nothing": no slot holds a firmware, or it hangs. */
  readonly onBoot?: (running: Running) => void;
}

export interface BootOptions extends RomOptions {
  /** Where the straps point at first. */
  readonly from: Strap;
  /** What flash must hold so that the module starts, the piece with the entry first; null: nothing is known to be firmware. */
  readonly firmware: readonly FirmwareImage[] | null;
  /** The CPU begins with this: at power-on, reset and a jump. */
  readonly onBoot?: (running: Running) => void;
}

/** What the CPU runs: the device module, the boot ROM, or no code that makes sense (a flash without the firmware; held in reset). */
export type Running = "module" | "rom" | "nothing";

/** idle: poll() had nothing to do, or slept until a time was over. power-cut: the board is off now. */
export type Step = "busy" | "idle" | "power-cut";
export type RunEnd = "idle" | "time" | "power-cut";

export interface RunOptions {
  /** Stop when poll() has nothing to do and nothing is on the line. */
  readonly untilIdle?: boolean;
  /** Simulated microseconds. Default 60 s. */
  readonly maxUs?: number;
}

/** A sleeping CPU is woken this often, as by a system tick, ns: firmware may wait for a time without asking for it. */
export const TICK = 1000 * US;
const DEFAULT_RUN_US = 60_000_000;
/** The watchdog that a selector starts, about the longest of an RP2040. */
const WATCHDOG = 8_300_000 * US;

export class SimBoard {
  readonly board: Board;
  /** The model partition. */
  readonly flash: Flash;
  /** The sectors around it. */
  readonly firmwareFlash: Flash;
  /** Both, by the chip's addresses. */
  readonly flashBus: FlashBus;
  readonly uart: Uart;
  readonly timer: Timer;
  readonly gpio: Gpio;
  readonly pwm: Pwm;
  /** What its sensors say. */
  readonly adc: Adc;
  readonly supply: Supply;
  readonly entropy: Entropy;
  /** Called before each step: for faults that come and go. */
  onStep: (() => void) | null = null;
  /** null: the board has no coprocessor. */
  readonly copro: CoproBus | null;
  readonly #clock = new Clock();
  /** null: its CPU is flat. */
  readonly meter: Meter | null;
  readonly #cost: CpuCost;
  readonly #map: MemoryMap;
  readonly #module: WebAssembly.Module;
  readonly #hal: HalImports;
  readonly #watcher: Watcher | null;
  readonly #boot: BootOptions | null;
  readonly #slots: SlotsOptions | null;
  /** The slot that was started, and the one that is to be tried once; null: none. */
  #slot: number | null = null;
  #wish: number | null = null;
  #watchdogAt = Number.POSITIVE_INFINITY;
  readonly #rom: BootRom | null;
  #busyNs = 0;
  #strap: Strap = "flash";
  #lines: ModemLines = { dtr: false, rts: false };
  /** null: no power. */
  #running: Running | null = null;
  /** null: the CPU does not run the module. */
  #device: Device | null = null;
  /** Made once: half a gigabyte of address space for each power-on would keep the garbage collector busy. */
  #core: { device: Device; asMade: CoreState } | null = null;
  /** Whether a snapshot holds everything, so that an instance can be put back to how it was made. */
  readonly #complete: boolean;
  #resetRequested = false;
  /** Where the boot ROM wants to jump. */
  #jumpRequested: number | null = null;
  /** The last poll() slept in wait(): it worked on nothing, whatever it answered. */
  #slept = false;

  /**
   * A board without power.
   * @throws SimError E_SIM_LINK, E_SIM_MEMORY, E_SIM_FLASH, E_SIM_ROM
   */
  static create(options: SimBoardOptions): SimBoard {
    return new SimBoard(options);
  }

  private constructor(options: SimBoardOptions) {
    const { board, wasm, flash, seed = 0, timing = "typ", cpu = "flat", watcher, boot, slots = null } = options;
    this.board = board;
    this.#map = memoryMap(board);
    const metered = cpu === "metered" ? meteredModule(board, wasm, this.#map, watcher?.spans) : null;
    this.#watcher = metered === null ? null : (watcher ?? null);
    this.meter = metered?.meter ?? null;
    const cost = options.cost ?? this.meter ?? FLAT_COST;
    this.#cost = cost;
    this.#module = deviceModule(metered?.wasm ?? wasm);
    this.#complete = !(wasm instanceof WebAssembly.Module);
    this.uart = new Uart(board.uart, this.#clock);
    this.timer = new Timer(this.#clock);
    this.gpio = new Gpio(board.gpio.pins, board.gpio.taken, this.#clock);
    this.pwm = new Pwm(board.pwm, this.#clock);
    this.adc = new Adc(board.adc?.pins?.length ?? 0);
    this.entropy = new Entropy(seed);
    const sectors = splitSectors(board);
    const physics = { ...board.flash, worst_case: timing === "max", busy: (ns: number) => this.#flashBusy(ns) };
    this.flash = new Flash({ ...physics, sectors: sectors.partition, seed });
    this.firmwareFlash = new Flash({ ...physics, sectors: sectors.around, seed: seed + 1 });
    this.supply = new Supply([this.flash, this.firmwareFlash]);
    this.flashBus = new FlashBus(board, this.flash, this.firmwareFlash);
    if (flash !== undefined) this.#load(flash);
    this.#boot = boot ?? null;
    this.#rom = boot === undefined ? null : this.#makeRom(boot);
    this.#strap = boot?.from ?? "flash";
    this.#slots = slots;
    const { uart, timer, gpio, pwm, adc, entropy } = this;
    const firmwarePins = {
      board,
      flash: this.firmwareFlash,
      running: () => this.#slot ?? 0,
      wish: (slot: number | null) => {
        this.#wish = slot;
      },
    };
    const firmware = slots === null ? null : firmwareHal(firmwarePins);
    const memory = { bytes: () => this.#moduleOf().bytes() };
    this.copro = CoproBus.of({ board, clock: this.#clock, map: this.#map, memory, flash: this.flash });
    this.#hal = halImports({
      ...{
        board,
        clock: this.#clock,
        cost,
        map: this.#map,
        uart,
        flash: this.flash,
        timer,
        gpio,
        pwm,
        adc,
        entropy,
        firmware,
      },
      memory,
      copro: this.copro,
      requestReset: () => {
        this.#resetRequested = true;
      },
      onSlept: () => {
        this.#slept = true;
      },
      onWait: (until) => this.#watcher?.slept(until),
    });
  }

  get state(): "on" | "off" {
    return this.#running === null ? "off" : "on";
  }

  /** null: no power. */
  get running(): Running | null {
    return this.#running;
  }

  /** The slot for firmware that was started; null: none, or the board has no slots. */
  get slot(): number | null {
    return this.#slot;
  }

  /** Simulated nanoseconds since the board was made. */
  get now(): number {
    return this.#clock.now;
  }

  /** The same in the middle of the module's work: with what the CPU has done since it called the board last. */
  get nowExactly(): number {
    return this.now + (this.meter?.ahead ?? 0);
  }

  /** Of them, those in which poll() had something to do; since this object was made, snapshots or not. */
  get busyNs(): number {
    return this.#busyNs;
  }

  /**
   * Switches on and boots.
   * @returns "off" when power was cut while booting
   * @throws SimError E_SIM_BOOT, E_SIM_TRAP, E_SIM_BUS; the board is off then
   */
  powerOn(): "on" | "off" {
    if (this.#running !== null) throw new SimError("E_SIM_OFF", `${this.board.name} is on already`);
    // What was ordered for a time at which there was no power anyway.
    if (this.supply.failsAt <= this.now) this.supply.hold();
    return this.#supplied(() => this.#start()) === "power-cut" ? "off" : "on";
  }

  /** Presses the reset button: as powerOn, with time and cable going on. */
  reset(): "on" | "off" {
    this.#powered();
    return this.#supplied(() => this.#start()) === "power-cut" ? "off" : "on";
  }

  /** Sets the straps; they count at the next reset. Nothing where no boot ROM is modelled. */
  setStrap(strap: Strap): void {
    this.#strap = strap;
  }

  /**
   * The serial adapter's lines, on a board that has them wired to its reset and straps: the chip is held in reset, or starts when it
   * is released. Nothing where no boot ROM is modelled.
   */
  setModemLines(lines: ModemLines): void {
    const before = this.#rom?.wiring(this.#lines);
    const after = this.#rom?.wiring(lines);
    this.#lines = lines;
    if (before === undefined || after === undefined) return;
    if (after.strap !== before.strap) this.setStrap(after.strap);
    if (after.reset === before.reset || this.#running === null) return;
    if (after.reset) this.#halt();
    else this.reset();
  }

  /** SRAM and what is on the line are lost, flash is kept. */
  powerOff(): void {
    this.copro?.reset();
    this.#watcher?.stopped();
    this.#running = null;
    this.#device = null;
    this.#resetRequested = false;
    this.#jumpRequested = null;
    this.#wish = null;
    this.#slot = null;
    this.#disconnect();
    this.uart.powerOff();
    this.gpio.reset();
    this.pwm.reset();
  }

  /**
   * One poll(), and the reset that it asked for. What the host gets waits for `uart.deliver`.
   * @throws SimError E_SIM_OFF, E_SIM_TRAP, E_SIM_BUS, and E_SIM_BOOT after a reset
   */
  step(): Step {
    this.#powered();
    this.onStep?.();
    return this.#supplied(() => {
      this.#slept = false;
      const begun = this.now;
      const worked = this.#poll() !== 0 && !this.#slept;
      this.#clock.advance(Math.max(this.#cost.poll(), 1));
      this.uart.sync();
      if (this.now >= this.#watchdogAt) this.#resetRequested = true;
      const jump = this.#jumpRequested;
      if (worked) this.#busyNs += this.now - begun;
      if (!this.#resetRequested && jump === null) return worked ? "busy" : "idle";
      this.#clock.advanceTo(this.uart.txEmptyAt());
      if (this.#resetRequested || jump === null) this.#start();
      else this.#startCode(jump);
      return "busy";
    });
  }

  /** When a sleeping CPU has a reason to wake, or the host's end gets bytes: ns, Infinity when only a tick will come. */
  nextEventAt(): number {
    // A boot ROM polls the receiver, byte by byte.
    const rx = this.#running === "rom" ? this.uart.rxAt() : this.uart.rxInterruptAt();
    const copro = this.#device === null ? Number.POSITIVE_INFINITY : (this.copro?.irqAt() ?? Number.POSITIVE_INFINITY);
    return Math.min(rx, this.uart.txRoomAt(), this.uart.hostAt(), this.#watchdogAt, copro);
  }

  /** Lets time pass while the CPU sleeps. */
  sleepUntil(at: number): void {
    if (at > this.now) this.#watcher?.slept(at);
    this.#clock.advanceTo(at);
    this.uart.sync();
  }

  /**
   * Steps the board until time is over, or it is idle.
   * @returns why it ended
   * @throws as `step`
   */
  run({ untilIdle = false, maxUs = DEFAULT_RUN_US }: RunOptions): RunEnd {
    const end = this.now + maxUs * US;
    while (this.now < end) {
      const step = this.step();
      this.uart.deliver(this.now);
      if (step === "power-cut") return step;
      if (step === "busy") continue;
      if (untilIdle && this.uart.quiet && this.#watchdogAt === Number.POSITIVE_INFINITY) return "idle";
      this.sleepUntil(Math.min(this.nextEventAt(), this.now + TICK, end));
      this.uart.deliver(this.now);
    }
    return "time";
  }

  /** The whole state, between two calls; listeners and what was ordered by cutAt and failAt are not part of it. */
  snapshot(): Snapshot {
    const { timer, gpio, pwm, uart, entropy } = this;
    const copro = this.copro?.state ?? null; // before SRAM is saved: what the unit wrote is in it
    return {
      board: this.board.name,
      module: this.#module,
      now: this.now,
      running: this.#running,
      core: this.#device === null ? null : saveCore(this.#device, this.#map),
      flash: this.flash.state,
      firmwareFlash: this.firmwareFlash.state,
      rom: this.#rom === null ? null : structuredClone(this.#rom.state),
      strap: this.#strap,
      slot: this.#slot,
      wish: this.#wish,
      watchdogAt: this.#watchdogAt,
      cost: this.#cost.state,
      uart: uart.state,
      timer: structuredClone(timer.state),
      gpio: structuredClone(gpio.state),
      pwm: structuredClone(pwm.state),
      adc: this.adc.state,
      entropy: entropy.state,
      copro,
    };
  }

  /**
   * Continues from a snapshot of this board, or of another one with the same JSON and module.
   * @throws SimError E_SIM_SNAPSHOT
   */
  restore(snapshot: Snapshot): void {
    if (snapshot.board !== this.board.name || snapshot.module !== this.#module)
      throw new SimError("E_SIM_SNAPSHOT", "the snapshot belongs to another board or another device build");
    this.#running = snapshot.running;
    this.#device = null;
    this.#resetRequested = false;
    this.#jumpRequested = null;
    this.#disconnect();
    this.#slot = snapshot.slot;
    this.#wish = snapshot.wish;
    this.#watchdogAt = snapshot.watchdogAt;
    if (snapshot.core !== null) this.#connect(this.#freshCore(snapshot.core));
    this.#cost.state = snapshot.cost;
    this.#clock.set(snapshot.now);
    this.flash.state = snapshot.flash;
    this.firmwareFlash.state = snapshot.firmwareFlash;
    if (this.#rom !== null) this.#rom.state = structuredClone(snapshot.rom);
    this.#strap = snapshot.strap;
    this.uart.state = snapshot.uart;
    this.timer.state = structuredClone(snapshot.timer);
    this.gpio.state = structuredClone(snapshot.gpio);
    this.pwm.state = structuredClone(snapshot.pwm);
    this.adc.state = snapshot.adc;
    this.entropy.state = snapshot.entropy;
    if (this.copro !== null && snapshot.copro !== null) this.copro.state = snapshot.copro;
  }

  #powered(): void {
    if (this.#running === null) throw new SimError("E_SIM_OFF", `${this.board.name} has no power`);
  }

  #moduleOf(): Device {
    if (this.#device === null) throw new SimError("E_SIM_OFF", `${this.board.name} does not run the device module`);
    return this.#device;
  }

  #poll(): number {
    if (this.#running === "module") return this.#moduleOf().poll();
    return this.#running === "rom" ? (this.#rom?.poll() ?? 0) : 0;
  }

  /** The module as after power-on, or in `state`. */
  #freshCore(state?: CoreState): Device {
    if (this.#core === null || !this.#complete) {
      const device = instantiateDevice(this.#module, this.#hal, this.#map, this.#spans());
      this.#core = { device, asMade: saveCore(device, this.#map) };
      if (state !== undefined) loadCore(device, this.#map, state);
      return device;
    }
    const { device, asMade } = this.#core;
    loadCore(device, this.#map, state ?? asMade);
    return device;
  }

  #spans(): HalImports {
    return spanImports(this.#watcher, this.meter?.module.functions ?? []);
  }

  /** Every chip reset; then what the straps say. */
  #start(): void {
    this.#halt();
    if (this.#rom?.wiring(this.#lines).reset === true) return;
    if (this.#slots !== null) this.#startSlot(this.#slots);
    else if (this.#boot === null) this.#startModule();
    else if (this.#strap === "flash") this.#startCode(null);
    else {
      this.#begins("rom");
      this.#rom?.start();
      // Nobody's finger is on the button any more; a modem line that holds it will say so when it changes.
      if (this.#rom?.strapIsButton === true && this.#rom.wiring(this.#lines).strap === "flash") this.#strap = "flash";
    }
  }

  /** The selector: a slot that is to be tried is, once, whatever comes of it. */
  #startSlot({ runs = () => "module" }: SlotsOptions): void {
    const { base } = this.board.flash;
    const region = updateRegion(this.board);
    const wish = this.#wish;
    this.#wish = null;
    const flash = this.flashBus.image();
    this.#slot = region === null ? null : selectSlot(flash, region, base, wish);
    const image = region === null || this.#slot === null ? null : imageIn(flash, region, base, this.#slot);
    if (image === null) this.#begins("nothing");
    else if (runs(image) === "module") this.#startModule();
    else {
      this.#begins("nothing");
      this.#watchdogAt = this.now + WATCHDOG;
    }
  }

  /** The CPU fetches from flash: `entry` of a jump, null for the reset vector. */
  #startCode(entry: number | null): void {
    const firmware = this.#boot?.firmware ?? null;
    const isFirmware = firmware !== null && firmware.length > 0 && firmware.every((image) => this.#holds(image));
    this.#halt();
    if (isFirmware && (entry === null || entry === firmware[0].address)) this.#startModule();
    else this.#begins("nothing");
  }

  #holds({ address, bytes }: FirmwareImage): boolean {
    if (!this.flashBus.contains(address, bytes.length)) return false;
    const held = this.flashBus.read(address, bytes.length);
    return bytes.every((byte, i) => byte === held[i]);
  }

  /** Every chip as after reset, and a CPU that does nothing. */
  #halt(): void {
    this.copro?.reset();
    this.#watcher?.stopped();
    this.#resetRequested = false;
    this.#jumpRequested = null;
    this.#running = "nothing";
    this.#watchdogAt = Number.POSITIVE_INFINITY;
    this.#disconnect();
    this.uart.reset();
    this.gpio.reset();
    this.pwm.reset();
    this.timer.reset();
  }

  /** The module as it was made, boot(). */
  #startModule(): void {
    const device = this.#freshCore();
    this.#connect(device);
    this.#cost.flush();
    this.#begins("module");
    const code = device.boot();
    this.#clock.advance(Math.max(this.#cost.poll(), 1));
    this.uart.sync();
    if (code < 0) throw new SimError("E_SIM_BOOT", `boot() answered ${code}`);
  }

  /** Flash shows in the memory of the module. */
  #connect(device: Device): void {
    this.#device = device;
    this.#cost.attach(device);
    this.flash.connect(this.#map.xip, device);
    if (this.#slots !== null) this.firmwareFlash.connect(this.board.flash.base, device);
  }

  #disconnect(): void {
    this.#device = null;
    this.flash.connect(0, null);
    this.firmwareFlash.connect(0, null);
  }

  #begins(running: Running): void {
    this.#running = running;
    this.#boot?.onBoot?.(running);
    this.#slots?.onBoot?.(running);
  }

  #makeRom(boot: BootOptions): BootRom {
    const pins = {
      board: this.board,
      uart: this.uart,
      flash: this.flashBus,
      requestReset: () => {
        this.#resetRequested = true;
      },
      requestJump: (address: number) => {
        this.#jumpRequested = address;
      },
    };
    return bootRomOf(this.board)(pins, boot);
  }

  /** Content of the whole flash, or of the partition alone. */
  #load(content: Uint8Array): void {
    const { name, flash } = this.board;
    if (content.length === flash.bytes) this.flashBus.load(content);
    else if (content.length === flash.partition.bytes) this.flash.load(content);
    else {
      const expected = `expected ${flash.partition.bytes} bytes (partition) or ${flash.bytes} (flash)`;
      throw new SimError("E_SIM_FLASH", `${name}: ${expected}, got ${content.length}`);
    }
  }

  /**
   * As `guarded`, for as long as the supply holds. What the module did after it failed in this piece of work is nothing that anybody saw:
   * flash refused it, SRAM is lost, and of the line only what had left by then arrives.
   */
  #supplied<T>(run: () => T): T | "busy" | "power-cut" {
    const { supply } = this;
    if (supply.failsAt > this.now) {
      const result = this.#guarded(run);
      if (result !== "power-cut" && supply.failsAt > this.now) return result;
    }
    if (supply.failsAt <= this.now) this.uart.deliver(supply.failsAt);
    if (this.state === "on") this.powerOff();
    const dip = supply.failed();
    if (dip === null) return "power-cut";
    this.#clock.advance(dip);
    return this.#supplied(() => this.#start()) === "power-cut" ? "power-cut" : "busy";
  }

  /** Runs the module. When it does not come back, the board is off. */
  #guarded<T>(run: () => T): T | "power-cut" {
    try {
      return run();
    } catch (cause) {
      this.powerOff();
      if (cause instanceof PowerCut) return "power-cut";
      if (cause instanceof SimError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new SimError("E_SIM_TRAP", `the device module stopped: ${reason}`, { cause });
    }
  }

  /** The CPU waits for the flash. Whether the UART hears meanwhile is the board's matter. */
  #flashBusy(ns: number): Supplied {
    const { failsAt } = this.supply;
    if (failsAt <= this.now) return "before";
    const deaf = !this.board.uart.rx_while_flash_busy;
    if (deaf) this.uart.setListening(false);
    const holds = failsAt > this.now + ns;
    this.#clock.advance(holds ? ns : failsAt - this.now);
    this.#cost.flush();
    if (deaf) this.uart.setListening(true);
    return holds ? "held" : "during";
  }
}
