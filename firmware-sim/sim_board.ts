/**
 * SimBoard: the breadboard. It has no logic of its own: it makes the chips that a board's JSON describes, wires them to the
 * device module's HAL and to the host's cable, and switches the power.
 *
 *      host ══ cable ══ UART ──┐                      ┌── TIMER ── CLOCK
 *                              ├── HAL ── core (wasm) ┤
 *        file ── onChange ── FLASH ══ XIP ══╝         ├── GPIO
 *                                                     └── ENTROPY
 *                        (the ternary coprocessor will be wired here, to mmio_* and the XIP bus)
 *
 *     state   powerOn   reset     powerOff   run, step
 *     off     on        refused   off        refused
 *     on      refused   on        off        time passes; off after a power cut or a trap
 *
 * NOT IMPLEMENTED: cycle-true CPU time (see clock.ts: 1 us a HAL call and a poll, computing is free), so a receive
 * buffer overruns only when the module does not come to read it; boot ROM time; SRAM that survives a reset; interrupts;
 * sleep current; the second core; the coprocessor.
 */
import { type Board, sectorsOf } from "../boards/board.ts";
import { halImports } from "./bus/hal.ts";
import { type MemoryMap, memoryMap } from "./bus/memory_map.ts";
import { Clock, type CpuCost, FLAT_COST, US } from "./clock.ts";
import { Entropy } from "./peripherals/entropy.ts";
import { Flash } from "./peripherals/flash.ts";
import { Gpio } from "./peripherals/gpio.ts";
import { Timer } from "./peripherals/timer.ts";
import { Uart } from "./peripherals/uart.ts";
import { PowerCut, SimError } from "./sim_error.ts";
import { type CoreState, loadCore, type Snapshot, saveCore } from "./snapshot.ts";
import { type Device, deviceModule, type HalImports, instantiateDevice } from "./wasm_host.ts";

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
  readonly cost?: CpuCost;
}

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

export class SimBoard {
  readonly board: Board;
  readonly flash: Flash;
  readonly uart: Uart;
  readonly timer: Timer;
  readonly gpio: Gpio;
  readonly entropy: Entropy;
  readonly #clock = new Clock();
  readonly #cost: CpuCost;
  readonly #map: MemoryMap;
  readonly #module: WebAssembly.Module;
  readonly #hal: HalImports;
  /** null: no power. */
  #device: Device | null = null;
  /** Made once: half a gigabyte of address space for each power-on would keep the garbage collector busy. */
  #core: { device: Device; asMade: CoreState } | null = null;
  /** Whether a snapshot holds everything, so that an instance can be put back to how it was made. */
  readonly #complete: boolean;
  #resetRequested = false;
  /** The last poll() slept in wait(): it worked on nothing, whatever it answered. */
  #slept = false;

  /**
   * A board without power.
   * @throws SimError E_SIM_LINK, E_SIM_MEMORY, E_SIM_FLASH
   */
  static create(options: SimBoardOptions): SimBoard {
    return new SimBoard(options);
  }

  private constructor({ board, wasm, flash, seed = 0, timing = "typ", cost = FLAT_COST }: SimBoardOptions) {
    this.board = board;
    this.#cost = cost;
    this.#map = memoryMap(board);
    this.#module = deviceModule(wasm);
    this.#complete = !(wasm instanceof WebAssembly.Module);
    this.uart = new Uart(board.uart, this.#clock);
    this.timer = new Timer(this.#clock);
    this.gpio = new Gpio(board.gpio.pins, this.#clock);
    this.entropy = new Entropy(seed);
    this.flash = new Flash({
      ...board.flash,
      sectors: partitionSectors(board),
      worst_case: timing === "max",
      seed,
      busy: (ns) => this.#flashBusy(ns),
    });
    if (flash !== undefined) this.flash.load(partitionOf(board, flash));
    const { uart, timer, gpio, entropy } = this;
    this.#hal = halImports({
      ...{ board, clock: this.#clock, cost, map: this.#map, uart, flash: this.flash, timer, gpio, entropy },
      memory: { bytes: () => this.#powered().bytes() },
      requestReset: () => {
        this.#resetRequested = true;
      },
      onSlept: () => {
        this.#slept = true;
      },
    });
  }

  get state(): "on" | "off" {
    return this.#device === null ? "off" : "on";
  }

  /** Simulated nanoseconds since the board was made. */
  get now(): number {
    return this.#clock.now;
  }

  /**
   * Switches on and boots.
   * @returns "off" when power was cut while booting
   * @throws SimError E_SIM_BOOT, E_SIM_TRAP, E_SIM_BUS; the board is off then
   */
  powerOn(): "on" | "off" {
    if (this.#device !== null) throw new SimError("E_SIM_OFF", `${this.board.name} is on already`);
    return this.#guarded(() => this.#start()) === "power-cut" ? "off" : "on";
  }

  /** Presses the reset button: as powerOn, with time and cable going on. */
  reset(): "on" | "off" {
    this.#powered();
    return this.#guarded(() => this.#start()) === "power-cut" ? "off" : "on";
  }

  /** SRAM and what is on the line are lost, flash is kept. */
  powerOff(): void {
    this.#device = null;
    this.#resetRequested = false;
    this.flash.connect(0, null);
    this.uart.powerOff();
    this.gpio.reset();
  }

  /**
   * One poll(), and the reset that it asked for. What the host gets waits for `uart.deliver`.
   * @throws SimError E_SIM_OFF, E_SIM_TRAP, E_SIM_BUS, and E_SIM_BOOT after a reset
   */
  step(): Step {
    const device = this.#powered();
    return this.#guarded(() => {
      this.#slept = false;
      const worked = device.poll() !== 0 && !this.#slept;
      this.#clock.advance(Math.max(this.#cost.poll(), 1));
      this.uart.sync();
      if (!this.#resetRequested) return worked ? "busy" : "idle";
      this.#clock.advanceTo(this.uart.txEmptyAt());
      this.#start();
      return "busy";
    });
  }

  /** When a sleeping CPU has a reason to wake, or the host's end gets bytes: ns, Infinity when only a tick will come. */
  nextEventAt(): number {
    return Math.min(this.uart.rxInterruptAt(), this.uart.txRoomAt(), this.uart.hostAt());
  }

  /** Lets time pass while the CPU sleeps. */
  sleepUntil(at: number): void {
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
      if (untilIdle && this.uart.quiet) return "idle";
      this.sleepUntil(Math.min(this.nextEventAt(), this.now + TICK, end));
      this.uart.deliver(this.now);
    }
    return "time";
  }

  /** The whole state, between two calls; listeners and what was ordered by cutAt and failAt are not part of it. */
  snapshot(): Snapshot {
    const { timer, gpio, uart, entropy } = this;
    return {
      board: this.board.name,
      module: this.#module,
      now: this.now,
      core: this.#device === null ? null : saveCore(this.#device, this.#map),
      flash: this.flash.state,
      uart: uart.state,
      timer: structuredClone(timer.state),
      gpio: structuredClone(gpio.state),
      entropy: entropy.state,
    };
  }

  /**
   * Continues from a snapshot of this board, or of another one with the same JSON and module.
   * @throws SimError E_SIM_SNAPSHOT
   */
  restore(snapshot: Snapshot): void {
    if (snapshot.board !== this.board.name || snapshot.module !== this.#module)
      throw new SimError("E_SIM_SNAPSHOT", "the snapshot belongs to another board or another device build");
    this.#device = null;
    this.#resetRequested = false;
    this.flash.connect(0, null);
    if (snapshot.core !== null) {
      this.#device = this.#freshCore(snapshot.core);
      this.flash.connect(this.#map.xip, this.#device);
    }
    this.#clock.set(snapshot.now);
    this.flash.state = snapshot.flash;
    this.uart.state = snapshot.uart;
    this.timer.state = structuredClone(snapshot.timer);
    this.gpio.state = structuredClone(snapshot.gpio);
    this.entropy.state = snapshot.entropy;
  }

  #powered(): Device {
    if (this.#device === null) throw new SimError("E_SIM_OFF", `${this.board.name} has no power`);
    return this.#device;
  }

  /** The module as after power-on, or in `state`. */
  #freshCore(state?: CoreState): Device {
    if (this.#core === null || !this.#complete) {
      const device = instantiateDevice(this.#module, this.#hal, this.#map);
      this.#core = { device, asMade: saveCore(device, this.#map) };
      if (state !== undefined) loadCore(device, this.#map, state);
      return device;
    }
    const { device, asMade } = this.#core;
    loadCore(device, this.#map, state ?? asMade);
    return device;
  }

  /** The module as it was made, every chip reset, boot(). */
  #start(): void {
    this.#resetRequested = false;
    this.#device = this.#freshCore();
    this.flash.connect(this.#map.xip, this.#device);
    this.uart.reset();
    this.gpio.reset();
    this.timer.reset();
    const code = this.#device.boot();
    this.#clock.advance(Math.max(this.#cost.poll(), 1));
    this.uart.sync();
    if (code < 0) throw new SimError("E_SIM_BOOT", `boot() answered ${code}`);
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
  #flashBusy(ns: number): void {
    const deaf = !this.board.uart.rx_while_flash_busy;
    if (deaf) this.uart.setListening(false);
    this.#clock.advance(ns);
    if (deaf) this.uart.setListening(true);
  }
}

function partitionSectors(board: Board): number[] {
  const { offset, bytes } = board.flash.partition;
  return sectorsOf(board)
    .filter((sector) => sector.offset >= offset && sector.offset < offset + bytes)
    .map((sector) => sector.bytes);
}

function partitionOf(board: Board, content: Uint8Array): Uint8Array {
  const { bytes, partition } = board.flash;
  if (content.length === bytes) return content.subarray(partition.offset, partition.offset + partition.bytes);
  if (content.length === partition.bytes) return content;
  throw new SimError(
    "E_SIM_FLASH",
    `${board.name}: expected ${partition.bytes} bytes (partition) or ${bytes} (flash), got ${content.length}`,
  );
}
