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
  INFO_FIRMWARE_SLOT,
  INFO_FIRMWARE_SLOT_BYTES,
  INFO_FIRMWARE_SECTOR_BYTES,
  INFO_FIRMWARE_ADDRESS,
  /* Of a coprocessor and of PSRAM, which no real board has. */
  INFO_COPRO_BASE,
  INFO_COPRO_KIB_US,
  INFO_PSRAM_BASE,
  INFO_PSRAM_BYTES,
};

/* The sectors of the partition, in runs of equal ones. */
static const struct { uint32_t count, bytes; } runs[] = BOARD_SECTOR_RUNS;
#define RUNS (sizeof runs / sizeof *runs)

static const char name[32] = BOARD_NAME;

#ifdef BOARD_UPDATE_OFFSET
/* Where this firmware was linked to begin (link.ld): one of the two slots. */
extern const uint8_t firmware_header[];
#define SLOT ((u32)((uintptr_t)firmware_header == BOARD_FLASH_BASE + BOARD_UPDATE_SLOT1))
static const u32 slots[2] = {BOARD_UPDATE_SLOT0, BOARD_UPDATE_SLOT1};
#endif

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
#ifdef BOARD_UPDATE_OFFSET
    case INFO_FIRMWARE_SLOT: return SLOT;
    case INFO_FIRMWARE_SLOT_BYTES: return BOARD_UPDATE_SLOT_BYTES;
    case INFO_FIRMWARE_SECTOR_BYTES: return BOARD_UPDATE_SECTOR;
    case INFO_FIRMWARE_ADDRESS: return index < 2 ? BOARD_FLASH_BASE + slots[index] : (u32)HAL_ABSENT;
#endif
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

/* `offset` counts from the first byte of flash. */
static uint8_t *at(u32 offset) { return (uint8_t *)(uintptr_t)(BOARD_FLASH_BASE + offset); }

u32 w2c_hal_flash_map(struct w2c_hal *hal, u32 offset, u32 bytes) {
  (void)hal;
  return inside(offset, bytes) ? (u32)(uintptr_t)at(BOARD_PARTITION_OFFSET + offset) : 0;
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

/* `offset` counts from the first byte of flash, and the range may be written. */
static u32 program(u32 offset, u32 from, u32 bytes) {
  static uint8_t wanted[BOARD_FLASH_PAGE];
  const uint8_t *source = (const uint8_t *)(uintptr_t)from;
  if (offset % BOARD_FLASH_UNIT != 0 || bytes % BOARD_FLASH_UNIT != 0 || from < BOARD_MEMORY_BASE ||
      from > BOARD_MEMORY_END || bytes > BOARD_MEMORY_END - from)
    return (u32)HAL_EINVAL;
  if (bytes == 0) return 0;
  if (offset / BOARD_FLASH_PAGE != (offset + bytes - 1) / BOARD_FLASH_PAGE) return (u32)HAL_EINVAL;
  for (u32 i = 0; i < bytes; i++) {
    uint8_t before = at(offset)[i];
    if (BOARD_FLASH_WRITE_ONCE && before != 0xff) return (u32)HAL_EIO;
    wanted[i] = before & source[i];
  }
  board_watchdog_feed();
  if (board_flash_program(offset, source, bytes) != 0) return (u32)HAL_EIO;
  return memcmp(at(offset), wanted, bytes) == 0 ? 0 : (u32)HAL_EIO;
}

u32 w2c_hal_flash_program(struct w2c_hal *hal, u32 offset, u32 from, u32 bytes) {
  (void)hal;
  return inside(offset, bytes) ? program(BOARD_PARTITION_OFFSET + offset, from, bytes) : (u32)HAL_EINVAL;
}

#ifdef BOARD_UPDATE_OFFSET

/* The firmware's region: record sectors and both slots. */
static bool in_region(u32 offset, u32 bytes) {
  u32 all = BOARD_UPDATE_SLOT1 + BOARD_UPDATE_SLOT_BYTES - BOARD_UPDATE_OFFSET;
  return offset <= all && bytes <= all - offset;
}

/* All of it but the slot that runs. */
static bool replaceable(u32 offset, u32 bytes) {
  u32 running = slots[SLOT] - BOARD_UPDATE_OFFSET;
  return in_region(offset, bytes) && (offset + bytes <= running || offset >= running + BOARD_UPDATE_SLOT_BYTES);
}

u32 w2c_hal_firmware_map(struct w2c_hal *hal, u32 offset, u32 bytes) {
  (void)hal;
  return in_region(offset, bytes) ? (u32)(uintptr_t)at(BOARD_UPDATE_OFFSET + offset) : 0;
}

u32 w2c_hal_firmware_erase(struct w2c_hal *hal, u32 offset, u32 bytes) {
  (void)hal;
  if (!replaceable(offset, bytes) || offset % BOARD_UPDATE_SECTOR != 0 || bytes % BOARD_UPDATE_SECTOR != 0)
    return (u32)HAL_EINVAL;
  for (u32 end = offset + bytes; offset < end; offset += BOARD_UPDATE_SECTOR) {
    board_watchdog_feed();
    if (board_flash_erase(BOARD_UPDATE_OFFSET + offset, BOARD_UPDATE_SECTOR) != 0) return (u32)HAL_EIO;
  }
  return 0;
}

u32 w2c_hal_firmware_program(struct w2c_hal *hal, u32 offset, u32 from, u32 bytes) {
  (void)hal;
  return replaceable(offset, bytes) ? program(BOARD_UPDATE_OFFSET + offset, from, bytes) : (u32)HAL_EINVAL;
}

u32 w2c_hal_firmware_try(struct w2c_hal *hal, u32 wanted) {
  (void)hal;
  board_try_slot(wanted != 0 ? 1 - SLOT : 2);
  return 0;
}

#else

u32 w2c_hal_firmware_map(struct w2c_hal *hal, u32 offset, u32 bytes) {
  (void)hal, (void)offset, (void)bytes;
  return 0;
}

u32 w2c_hal_firmware_erase(struct w2c_hal *hal, u32 offset, u32 bytes) {
  (void)hal, (void)offset, (void)bytes;
  return (u32)HAL_ABSENT;
}

u32 w2c_hal_firmware_program(struct w2c_hal *hal, u32 offset, u32 from, u32 bytes) {
  (void)hal, (void)offset, (void)from, (void)bytes;
  return (u32)HAL_ABSENT;
}

u32 w2c_hal_firmware_try(struct w2c_hal *hal, u32 wanted) {
  (void)hal, (void)wanted;
  return (u32)HAL_ABSENT;
}

#endif

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

/* The board has the pin, and the firmware does not need it itself (gpio.taken of its JSON). */
static bool pin_is_free(s32 pin) { return pin >= 0 && pin < BOARD_GPIO_PINS && !BOARD_GPIO_TAKEN(pin); }

u32 w2c_hal_gpio_write(struct w2c_hal *hal, u32 pin, u32 level) {
  (void)hal;
  if (pin_is_free((s32)pin)) return (u32)board_gpio_write((s32)pin, (s32)level);
  return (u32)(BOARD_GPIO_PINS == 0 ? HAL_ABSENT : HAL_EINVAL);
}

#ifdef BOARD_PWM_MIN_HZ

u32 w2c_hal_pwm_write(struct w2c_hal *hal, u32 pin, u32 duty, u32 hz) {
  (void)hal;
  if (!pin_is_free((s32)pin) || duty > 65535 || hz < BOARD_PWM_MIN_HZ || hz > BOARD_PWM_MAX_HZ) return (u32)HAL_EINVAL;
  return (u32)board_pwm_write((s32)pin, duty, hz);
}

#else

u32 w2c_hal_pwm_write(struct w2c_hal *hal, u32 pin, u32 duty, u32 hz) {
  (void)hal, (void)pin, (void)duty, (void)hz;
  return (u32)HAL_ABSENT;
}

#endif

u32 w2c_hal_adc_read(struct w2c_hal *hal, u32 channel) {
  (void)hal;
#ifdef BOARD_ADC_CHANNELS
  return channel < BOARD_ADC_CHANNELS ? (u32)board_adc_read(channel) : (u32)HAL_EINVAL;
#else
  (void)channel;
  return (u32)HAL_ABSENT;
#endif
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
