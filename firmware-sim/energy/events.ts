/**
 * What costs energy, and what one of it is counted in. A profile (profiles/*.json) says what each costs on its chip or in its
 * process; an activity (activity.ts) says how often it happened.
 *
 *     unit   one event                                       energy = count * value
 *     pJ     an operation, a word, a byte, a cycle           pJ
 *     mW     a nanosecond of being in a state                1 mW for 1 ns is 1 pJ
 *
 * Time adds up like this: leakage for every nanosecond with power, `core_cycle` for every cycle the CPU computes, `wait_cycle` for
 * every cycle it stands still for memory, `sleep` for every nanosecond it waits for an event. So a profile's core_cycle is
 * what a cycle adds to leakage, and nothing is counted twice.
 */
export type Unit = "pJ" | "mW";

interface EventKind {
  readonly unit: Unit;
  /** What one of it is. */
  readonly what: string;
}

export const EVENTS = {
  core_cycle: { unit: "pJ", what: "a CPU cycle that computes: core, bus and SRAM of the chip" },
  wait_cycle: { unit: "pJ", what: "a CPU cycle that waits for flash or PSRAM" },
  sleep: { unit: "mW", what: "the CPU waits for an event, clocks on" },
  leakage: { unit: "mW", what: "the chip has power" },
  flash_byte: { unit: "pJ", what: "a byte read from flash" },
  flash_busy: { unit: "mW", what: "flash is erased or programmed" },
  psram_byte: { unit: "pJ", what: "a byte moved to or from PSRAM" },
  uart_byte: { unit: "pJ", what: "a byte on the UART's transmit line" },
  sram_word: { unit: "pJ", what: "32 bits of SRAM that the coprocessor reads or writes" },
  ternary_lane: { unit: "pJ", what: "one trit times one int8 activation, decoded and summed" },
  tgemv_cycle: { unit: "pJ", what: "a cycle of the coprocessor's registers, FIFO and control" },
  int8_add: { unit: "pJ", what: "int8 addition" },
  int32_add: { unit: "pJ", what: "int32 addition" },
  fp16_add: { unit: "pJ", what: "float16 addition" },
  fp32_add: { unit: "pJ", what: "float32 addition" },
  int8_mul: { unit: "pJ", what: "int8 multiplication" },
  int32_mul: { unit: "pJ", what: "int32 multiplication" },
  fp16_mul: { unit: "pJ", what: "float16 multiplication" },
  fp32_mul: { unit: "pJ", what: "float32 multiplication" },
  sram64_8k: { unit: "pJ", what: "64 bits of an SRAM of 8 KB" },
  sram64_32k: { unit: "pJ", what: "64 bits of an SRAM of 32 KB" },
  sram64_1m: { unit: "pJ", what: "64 bits of an SRAM of 1 MB" },
  dram64: { unit: "pJ", what: "64 bits of DDR DRAM" },
  hbm64: { unit: "pJ", what: "64 bits of HBM2" },
} as const satisfies Record<string, EventKind>;

export type EnergyEvent = keyof typeof EVENTS;

export const EVENT_NAMES = Object.keys(EVENTS) as EnergyEvent[];
