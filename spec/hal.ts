// Numbers of HAL.md, compiled by asc (device) and tsc (host, simulator).
export const HAL_ABSENT = -1;
export const HAL_EINVAL = -2;
export const HAL_EIO = -3;

export const INFO_NAME = 0;
export const INFO_ARENA_END = 1;
export const INFO_PARTITION_BYTES = 2;
export const INFO_SECTOR_RUNS = 3;
export const INFO_RUN_COUNT = 4;
export const INFO_RUN_BYTES = 5;
export const INFO_PROGRAM_UNIT = 6;
export const INFO_PROGRAM_PAGE = 7;
export const INFO_WRITE_ONCE = 8;
export const INFO_UART_BAUD = 9;
export const INFO_UART_MAX_BAUD = 10;
export const INFO_UART_RX_BYTES = 11;
export const INFO_LED_PIN = 12;
export const INFO_CPU_HZ = 13;
export const INFO_FIRMWARE_SLOT = 14;
export const INFO_FIRMWARE_SLOT_BYTES = 15;
export const INFO_FIRMWARE_SECTOR_BYTES = 16;
export const INFO_FIRMWARE_ADDRESS = 17;
export const INFO_COPRO_BASE = 18;
export const INFO_COPRO_KIB_US = 19;
export const INFO_PSRAM_BASE = 20;
export const INFO_PSRAM_BYTES = 21;

/** The arena begins at the first multiple of this that is not below heap_base, bytes. */
export const ARENA_ALIGN = 16;

/** Longest board name, bytes of UTF-8. */
export const BOARD_NAME_MAX = 32;
