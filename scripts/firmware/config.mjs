/**
 * board_config.h: the numbers of boards/<name>.json that C and the linker script need. Plain #defines, because the preprocessor runs
 * over link.ld too.
 */

/** @typedef {import("../../boards/types.ts").Board} Board */

/**
 * @param {Board} board
 * @param {{ count: number, bytes: number }[]} runs of equal sectors in the partition
 * @param {string} version
 * @param {number} sector bytes of a sector of flash.update; 0 for a board without one
 */
export function boardConfig(board, runs, version, sector = 0) {
  const { memory, flash, uart, gpio, pwm, adc, cpu } = board;
  const numbers = {
    CPU_HZ: cpu.hz,
    MEMORY_BASE: memory.base,
    MEMORY_END: memory.end,
    RESERVE_BASE: memory.reserve_base,
    RESERVE: memory.reserve,
    FLASH_BASE: flash.base,
    FLASH_BYTES: flash.bytes,
    FLASH_UNIT: flash.program_unit,
    FLASH_PAGE: flash.page,
    FLASH_WRITE_ONCE: flash.write_once ? 1 : 0,
    PARTITION_OFFSET: flash.partition.offset,
    PARTITION_BYTES: flash.partition.bytes,
    UART_BAUD: uart.default_baud,
    UART_MAX_BAUD: uart.max_baud,
    UART_RX_BUFFER: uart.rx_buffer,
    GPIO_PINS: gpio.pins,
    LED_PIN: gpio.led ?? -1,
    // Left out where the firmware drives no pulses, or reads no ADC: the HAL answers HAL_ABSENT then.
    ...(pwm === null ? {} : { PWM_MIN_HZ: pwm.min_hz, PWM_MAX_HZ: pwm.max_hz }),
    ...(adc === null || adc.pins === null ? {} : { ADC_CHANNELS: adc.channels }),
    ...(flash.update === null ? {} : updateNumbers(flash.update, sector)),
  };
  const lines = Object.entries(numbers).map(([name, value]) => `#define BOARD_${name} ${literal(value)}`);
  const taken = gpio.taken.map((pin) => `(pin) == ${pin}`).join(" || ");
  const list = runs.map(({ count, bytes }) => `{ ${count}, ${bytes} }`).join(", ");
  return [
    `/* Made from boards/${board.name}.json by scripts/firmware/config.mjs. */`,
    "#ifndef TRITKIT_BOARD_CONFIG_H",
    "#define TRITKIT_BOARD_CONFIG_H",
    ...lines,
    `#define BOARD_GPIO_TAKEN(pin) (${taken === "" ? "(void)(pin), 0" : taken})`,
    `#define BOARD_SECTOR_RUNS { ${list} }`,
    `#define BOARD_NAME "${board.name}"`,
    `#define TRITKIT_VERSION "${version}"`,
    "#endif",
    "",
  ].join("\n");
}

/**
 * Firmware that can replace itself (spec/FIRMWARE.md): a board has all of these or none.
 * @param {{ offset: number, slot_bytes: number }} update
 * @param {number} sector
 */
function updateNumbers({ offset, slot_bytes }, sector) {
  return {
    UPDATE_OFFSET: offset,
    UPDATE_SECTOR: sector,
    UPDATE_SLOT_BYTES: slot_bytes,
    UPDATE_SLOT0: offset + 2 * sector,
    UPDATE_SLOT1: offset + 2 * sector + slot_bytes,
  };
}

/**
 * Hexadecimal from 64 KiB on, where it reads better; no suffix, which a linker script would not take.
 * @param {number} value
 */
function literal(value) {
  if (value < 0) return `(${value})`;
  return value >= 65536 ? `0x${value.toString(16).toUpperCase()}` : String(value);
}
