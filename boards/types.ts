/**
 * What a board is: the shape of boards/<name>.json. Addresses and sizes are bytes, plain decimal numbers in the JSON.
 * boards/README.md is the field table. NOT IMPLEMENTED: several flash chips, boards without flash.
 */

export const CORES = [
  "cortex-m0plus",
  "cortex-m3",
  "cortex-m33",
  "xtensa-lx7",
  "riscv32imc",
  "riscv32imac",
  "cortex-m4",
  "cortex-m7",
  "cortex-m55",
] as const;
export type Core = (typeof CORES)[number];

/**
 * How the boot ROM of a chip takes firmware. an3155: ST's USART bootloader. esp32: Espressif's serial download mode.
 * uf2: a USB drive onto which a UF2 file is copied.
 */
export const ROMS = ["an3155", "esp32", "uf2"] as const;
export type Rom = (typeof ROMS)[number];

/** How a statement about a board was tried: on which kind of thing it ran; "built": its firmware compiles, and nothing more is known. */
export const VERIFIED_HOW = ["simulator", "built", "emulator", "silicon"] as const;

/** Where a number comes from; every entry of `sources` begins with one of these words and a colon. */
export const ORIGINS = ["measured", "datasheet", "derived", "chosen", "assumed"] as const;
export type Origin = (typeof ORIGINS)[number];

export interface SramRegion {
  readonly name: string;
  readonly base: number;
  readonly bytes: number;
}

export interface Memory {
  /** First byte of the module's data segments. The module's address is the chip's address. */
  readonly base: number;
  /** One past the last byte the module's arena may use. */
  readonly end: number;
  /** First byte of the SRAM kept for the shim: stacks, vector table, UART rings, .data, .bss, code run from RAM. */
  readonly reserve_base: number;
  /** Bytes kept for the shim. */
  readonly reserve: number;
  /** Every SRAM region of the chip that data can be in, in the chip's address map. */
  readonly sram: readonly SramRegion[];
}

/** `count` neighbouring sectors of `bytes` each. A sector is what one erase clears. */
export interface SectorRun {
  readonly count: number;
  readonly bytes: number;
}

/** Microseconds to erase one sector of `bytes`. */
export interface EraseTime {
  readonly bytes: number;
  readonly typ: number;
  readonly max: number;
}

export interface FlashTiming {
  /** One entry for each sector size in use. */
  readonly erase_us: readonly EraseTime[];
  /** Microseconds to program `program_us_per` bytes or any part of them. */
  readonly program_us: { readonly typ: number; readonly max: number };
  readonly program_us_per: number;
}

/**
 * What the CPU waits when it reads flash, beside what reading SRAM takes: the cache in front of flash, and the cycles of the CPU's clock that a line takes
 * to come. A line that follows the one fetched before it may come cheaper (a burst that goes on, a prefetch).
 */
export interface Xip {
  readonly line_bytes: number;
  /** Of data; one line where there is a buffer only. */
  readonly cache_bytes: number;
  readonly ways: number;
  /** Cycles until the first byte of a line comes: command, address, latency. */
  readonly overhead_cycles: number;
  /** The same for a line that follows the one fetched before. */
  readonly following_cycles: number;
  readonly cycles_per_byte: number;
  /** Bytes of the device module's code that the CPU fetches through this cache as it runs; 0: code comes another way, or from RAM. */
  readonly code_bytes: number;
}

export interface Flash {
  readonly part: string;
  /** Address at which byte 0 can be read. */
  readonly base: number;
  readonly bytes: number;
  /** In address order; together they fill `bytes`. */
  readonly sectors: readonly SectorRun[];
  /** Address and length of a program call are multiples of this. */
  readonly program_unit: number;
  /** One program call stays inside one aligned page of this many bytes. */
  readonly page: number;
  /** True: a unit takes one program between erases, because an error-correcting code is stored beside it. */
  readonly write_once: boolean;
  readonly erase_value: 255;
  readonly timing: FlashTiming;
  /** null: reading it takes no longer than reading SRAM. */
  readonly xip: Xip | null;
  /** Erases a sector survives. */
  readonly endurance_cycles: number;
  /** True: code in flash stands still while a sector is erased or a page programmed. */
  readonly stalls_cpu: boolean;
  /** Where models live; the firmware lies before it. `offset` counts from `base`. */
  readonly partition: { readonly offset: number; readonly bytes: number };
  /**
   * Where firmware that can replace itself lies (spec/FIRMWARE.md): the selector before `offset`, at it two record sectors, then two slots of
   * `slot_bytes`. null: one firmware, which a boot ROM or a probe replaces.
   */
  readonly update: { readonly offset: number; readonly slot_bytes: number } | null;
}

/**
 * External RAM that the firmware uses: the running model is copied there from flash when it is opened, because it streams faster. What the part
 * does is told in its own clock; the clock of who reads it is another.
 */
export interface Psram {
  readonly part: string;
  /** Address at which byte 0 can be read and written. */
  readonly base: number;
  readonly bytes: number;
  /** Clock of the part's bus. */
  readonly hz: number;
  /** Bits that a clock carries: lines, times two where both edges do. */
  readonly bits_per_clock: number;
  /** Clocks from chip select to the first data of a burst, and what the part needs between two bursts. */
  readonly setup_clocks: number;
  /** Longest burst, bytes. */
  readonly burst_bytes: number;
}

export const COPRO_UNITS = ["tgemv"] as const;

/** A ternary matrix-vector unit on the chip's bus (spec/TGEMV.md). No such chip is sold: a board that has one exists in the simulator only. */
export interface Copro {
  readonly unit: (typeof COPRO_UNITS)[number];
  /** Address of its registers. */
  readonly base: number;
  /** Number of its interrupt. */
  readonly irq: number;
  /** Its clock. */
  readonly hz: number;
  /** Vectors that one pass over the weights serves. */
  readonly slots: number;
  /** Groups of five activations that its buffer holds, all slots together. */
  readonly capacity: number;
  /** Beats between memory and datapath. */
  readonly fifo: number;
  /** Cycles of its clock from one beat of four bytes to the next, and before the first, when it streams from flash. */
  readonly flash_cycles_per_beat: number;
  readonly flash_setup_cycles: number;
}

export interface Uart {
  readonly default_baud: number;
  readonly max_baud: number;
  /** Bytes that can arrive unread before one is lost: hardware FIFO plus the shim's ring. */
  readonly rx_buffer: number;
  /** Bytes that can be written without waiting: hardware FIFO plus the shim's ring. */
  readonly tx_buffer: number;
  /** True: bytes are still received while flash is erased or programmed. */
  readonly rx_while_flash_busy: boolean;
}

/** A USB identity under which a host may find this board's serial port. Bridges are shared: never proof of a board. */
export interface UsbId {
  readonly vid: number;
  readonly pid: number;
  readonly what: string;
}

export interface Gpio {
  /** Pin numbers are 0..pins-1. */
  readonly pins: number;
  /** Pin of a plain LED, null without one. */
  readonly led: number | null;
  /** Of them, those that the HAL refuses: the firmware needs them itself (UART, flash), or the package lacks them. Ascending. */
  readonly taken: readonly number[];
}

/**
 * Pins that can carry a pulse width. A channel is a comparator: pins of one channel carry the same wave. A generator is a counter with
 * `per_generator` channels, which have its frequency in common.
 */
export interface Pwm {
  /** Ascending. */
  readonly pins: readonly number[];
  /** The channel of each of `pins`; its generator is channel / per_generator, rounded down. */
  readonly channels: readonly number[];
  readonly per_generator: number;
  readonly min_hz: number;
  readonly max_hz: number;
}

export interface Adc {
  readonly channels: number;
  readonly bits: number;
  readonly vref_mv: number;
  /** The pin of each channel, null for one inside the chip. Null in place of the list: the firmware reads no channel. */
  readonly pins: readonly (number | null)[] | null;
}

export interface Verified {
  readonly how: (typeof VERIFIED_HOW)[number];
  readonly what: string;
  readonly version: string;
}

export interface Board {
  /** Lower-case letters, digits and hyphens, at most 32: the file's name. A variant adds + and what it has more than its board. */
  readonly name: string;
  readonly title: string;
  readonly chip: string;
  /** null: it has none that takes firmware; an emulator or a debug probe puts it into memory. */
  readonly rom: Rom | null;
  readonly cpu: {
    readonly core: Core;
    readonly hz: number;
    readonly cores: number;
  };
  /** null: none, as on every chip that is sold. */
  readonly copro: Copro | null;
  readonly memory: Memory;
  /** null: none, or none that the firmware uses. */
  readonly psram: Psram | null;
  readonly flash: Flash;
  readonly uart: Uart;
  readonly usb: readonly UsbId[];
  readonly gpio: Gpio;
  /** null: none, or none that the firmware drives. */
  readonly pwm: Pwm | null;
  /** null: no ADC. */
  readonly adc: Adc | null;
  /** The energy profile of its chip (firmware-sim/energy/profiles). null: nobody has figures worth printing. */
  readonly energy: string | null;
  readonly verified: readonly Verified[];
  /** Dotted path, or a prefix of paths, to "origin: where the number stands". */
  readonly sources: Readonly<Record<string, string>>;
}
