/*
 * The HAL of spec/HAL.md as the C of wasm2c imports it, over the dozen functions of a board (shim.h). What a board cannot get wrong any
 * more is checked here: ranges, sector boundaries, program units, pages, and that flash holds what was programmed.
 */
#include <string.h>

#include "device.h"
#include "shim.h"

#define HAL_ABSENT (-1)
#define HAL_EINVAL (-2)
#define HAL_EIO (-3)

/* spec/hal.ts; scripts/test/firmware_constants.test.ts compares them. */
enum {
  INFO_NAME,
  INFO_ARENA_END,
  INFO_PARTITION_BYTES,
  INFO_SECTOR_RUNS,
  INFO_RUN_COUNT,
  INFO_RUN_BYTES,
  INFO_PROGRAM_UNIT,
  INFO_PROGRAM_PAGE,
  INFO_WRITE_ONCE,
  INFO_UART_BAUD,
  INFO_UART_MAX_BAUD,
  INFO_UART_RX_BYTES,
  INFO_LED_PIN,
  INFO_CPU_HZ,
};

/* The sectors of the partition, in runs of equal ones. */
static const struct { uint32_t count, bytes; } runs[] = BOARD_SECTOR_RUNS;
#define RUNS (sizeof runs / sizeof *runs)

static const char name[32] = BOARD_NAME;

u32 w2c_hal_board_info(struct w2c_hal *hal, u32 key, u32 index) {
  (void)hal;
  switch ((int)key) {
    case INFO_NAME: {
      u32 word;
      if (index >= sizeof name / sizeof word) return 0;
      memcpy(&word, name + index * sizeof word, sizeof word);
      return word;
    }
    case INFO_ARENA_END: return BOARD_MEMORY_END;
    case INFO_PARTITION_BYTES: return BOARD_PARTITION_BYTES;
    case INFO_SECTOR_RUNS: return RUNS;
    case INFO_RUN_COUNT: return index < RUNS ? runs[index].count : (u32)HAL_ABSENT;
    case INFO_RUN_BYTES: return index < RUNS ? runs[index].bytes : (u32)HAL_ABSENT;
    case INFO_PROGRAM_UNIT: return BOARD_FLASH_UNIT;
    case INFO_PROGRAM_PAGE: return BOARD_FLASH_PAGE;
    case INFO_WRITE_ONCE: return BOARD_FLASH_WRITE_ONCE;
    case INFO_UART_BAUD: return BOARD_UART_BAUD;
    case INFO_UART_MAX_BAUD: return BOARD_UART_MAX_BAUD;
    case INFO_UART_RX_BYTES: return BOARD_UART_RX_BUFFER;
    case INFO_LED_PIN: return (u32)BOARD_LED_PIN;
    case INFO_CPU_HZ: return BOARD_CPU_HZ;
    default: return (u32)HAL_ABSENT;
  }
}

u32 w2c_hal_uart_read(struct w2c_hal *hal, u32 to, u32 max) {
  (void)hal;
  return (s32)max <= 0 ? 0 : uart_read((uint8_t *)(uintptr_t)to, max);
}

u32 w2c_hal_uart_write(struct w2c_hal *hal, u32 from, u32 bytes) {
  (void)hal;
  return (s32)bytes <= 0 ? 0 : uart_write((const uint8_t *)(uintptr_t)from, bytes);
}

u32 w2c_hal_uart_baud(struct w2c_hal *hal, u32 baud) {
  (void)hal;
  if (baud < 300 || baud > BOARD_UART_MAX_BAUD) return (u32)HAL_EINVAL;
  uart_drain();
  return (u32)board_uart_baud(baud);
}

static bool inside(u32 offset, u32 bytes) {
  return offset <= BOARD_PARTITION_BYTES && bytes <= BOARD_PARTITION_BYTES - offset;
}

static uint8_t *at(u32 offset) { return (uint8_t *)(uintptr_t)(BOARD_FLASH_BASE + BOARD_PARTITION_OFFSET + offset); }

u32 w2c_hal_flash_map(struct w2c_hal *hal, u32 offset, u32 bytes) {
  (void)hal;
  return inside(offset, bytes) ? (u32)(uintptr_t)at(offset) : 0;
}

/* Bytes of the sector that begins at `offset` of the partition, 0 when none does. */
static u32 sector_at(u32 offset) {
  u32 start = 0;
  for (u32 i = 0; i < RUNS; i++) {
    u32 all = runs[i].count * runs[i].bytes;
    if (offset < start + all) return (offset - start) % runs[i].bytes == 0 ? runs[i].bytes : 0;
    start += all;
  }
  return 0;
}

u32 w2c_hal_flash_erase(struct w2c_hal *hal, u32 offset, u32 bytes) {
  (void)hal;
  if (!inside(offset, bytes)) return (u32)HAL_EINVAL;
  u32 end = offset + bytes;
  for (u32 sector, o = offset; o < end; o += sector) {
    sector = sector_at(o);
    if (sector == 0 || sector > end - o) return (u32)HAL_EINVAL;
  }
  for (u32 sector; offset < end; offset += sector) {
    sector = sector_at(offset);
    board_watchdog_feed();
    if (board_flash_erase(BOARD_PARTITION_OFFSET + offset, sector) != 0) return (u32)HAL_EIO;
  }
  return 0;
}

u32 w2c_hal_flash_program(struct w2c_hal *hal, u32 offset, u32 from, u32 bytes) {
  (void)hal;
  static uint8_t wanted[BOARD_FLASH_PAGE];
  const uint8_t *source = (const uint8_t *)(uintptr_t)from;
  if (!inside(offset, bytes) || offset % BOARD_FLASH_UNIT != 0 || bytes % BOARD_FLASH_UNIT != 0 ||
      from < BOARD_MEMORY_BASE || from > BOARD_MEMORY_END || bytes > BOARD_MEMORY_END - from)
    return (u32)HAL_EINVAL;
  if (bytes == 0) return 0;
  if (offset / BOARD_FLASH_PAGE != (offset + bytes - 1) / BOARD_FLASH_PAGE) return (u32)HAL_EINVAL;
  for (u32 i = 0; i < bytes; i++) {
    uint8_t before = at(offset)[i];
    if (BOARD_FLASH_WRITE_ONCE && before != 0xff) return (u32)HAL_EIO;
    wanted[i] = before & source[i];
  }
  board_watchdog_feed();
  if (board_flash_program(BOARD_PARTITION_OFFSET + offset, source, bytes) != 0) return (u32)HAL_EIO;
  return memcmp(at(offset), wanted, bytes) == 0 ? 0 : (u32)HAL_EIO;
}

u32 w2c_hal_ticks(struct w2c_hal *hal) {
  (void)hal;
  return board_ticks();
}

u32 w2c_hal_wait(struct w2c_hal *hal, u32 us) {
  (void)hal;
  bool full = !uart_has_room();
  u32 start = board_ticks();
  for (;;) {
    /* With interrupts off, so that none slips in between the look and the sleep. */
    board_interrupts_off();
    bool ready = uart_has_received() || (full && uart_has_room()) || board_ticks() - start >= us;
    if (!ready) board_sleep();
    board_interrupts_on();
    if (ready) return 0;
  }
}

u32 w2c_hal_reset(struct w2c_hal *hal) {
  (void)hal;
  uart_drain();
  board_reset();
}

u32 w2c_hal_entropy(struct w2c_hal *hal, u32 to, u32 bytes) {
  (void)hal;
  uint8_t *p = (uint8_t *)(uintptr_t)to;
  for (u32 i = 0; i < bytes; i += 4) {
    uint32_t word = board_entropy();
    memcpy(p + i, &word, bytes - i < 4 ? bytes - i : 4);
  }
  return bytes;
}

u32 w2c_hal_gpio_write(struct w2c_hal *hal, u32 pin, u32 level) {
  (void)hal;
  return (u32)board_gpio_write((s32)pin, (s32)level);
}

u32 w2c_hal_watchdog_feed(struct w2c_hal *hal) {
  (void)hal;
  board_watchdog_feed();
  return 0;
}

#if !BOARD_HAS_MVE

/* Kernels of the board's own (mve.c): the module uses its own. */
u32 w2c_hal_gemv_tables(struct w2c_hal *hal, u32 x, u32 count, u32 table) {
  (void)hal, (void)x, (void)count, (void)table;
  return (u32)HAL_ABSENT;
}

u32 w2c_hal_gemv_rows(struct w2c_hal *hal, u32 weights, u32 trits, u32 rows, u32 groups, u32 from, u32 tables, u32 table, u32 acc,
                      u32 act_max) {
  (void)hal, (void)weights, (void)trits, (void)rows, (void)groups, (void)from, (void)tables, (void)table, (void)acc, (void)act_max;
  return (u32)HAL_ABSENT;
}

u32 w2c_hal_attend_keys(struct w2c_hal *hal, u32 keys, u32 rows, u32 cols, u32 x0, u32 x1, u32 acc) {
  (void)hal, (void)keys, (void)rows, (void)cols, (void)x0, (void)x1, (void)acc;
  return (u32)HAL_ABSENT;
}

u32 w2c_hal_attend_values(struct w2c_hal *hal, u32 values, u32 rows, u32 cols, u32 y, u32 sums) {
  (void)hal, (void)values, (void)rows, (void)cols, (void)y, (void)sums;
  return (u32)HAL_ABSENT;
}

#endif
