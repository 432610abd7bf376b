/*
 * A firmware in place of the product's (boards/common/main.c): the board's own kernels against the module's, as wasm2c made them, on many random
 * cases. Waits for a byte, then says on the UART "same N" or what differs; native_kernels.ts builds it, runs it on QEMU and listens.
 *
 * Odd rows and columns, parts of any size, extreme and zero activations, one weight everywhere, unaligned weights; what lies behind the results
 * is compared too. SysTick interrupts while the kernels run, so that their registers are stacked now and then.
 */
#include <string.h>

#include "device_functions.h"
#include "shim.h"

#ifndef CASES
#define CASES 600
#endif

static void say(const char *text) {
  for (; *text != 0; text++) board_uart_put((uint8_t)*text);
}

static void say_number(uint32_t n) {
  if (n >= 10) say_number(n / 10);
  board_uart_put((uint8_t)('0' + n % 10));
}

static void say_value(const char *name, uint32_t n) {
  board_uart_put(' ');
  say(name);
  board_uart_put(' ');
  say_number(n);
}

void board_trap(const char *what) {
  board_interrupts_off();
  say("stopped: ");
  say(what);
  say("\n");
  for (;;) board_sleep();
}

/* mulberry32 */
static uint32_t state = SEED;
static uint32_t random_below(uint32_t n) {
  uint32_t t = state += 0x6d2b79f5;
  t = (t ^ t >> 15) * (t | 1);
  t ^= t + (t ^ t >> 7) * (t | 61);
  return (t ^ t >> 14) % n;
}

static int32_t between(int32_t low, int32_t high) { return low + (int32_t)random_below((uint32_t)(high - low + 1)); }

/* Numbers up to +-max: of any size, all zero, all at one end, or at either end. */
static int32_t number(uint32_t kind, int32_t max) {
  switch (kind) {
    case 0: return 0;
    case 1: return max;
    case 2: return -max;
    case 3: return random_below(2) != 0 ? max : -max;
    default: return between(-max, max);
  }
}

/* Legal packed bytes: any, all -1, all zero, all +1. */
static uint8_t code(uint32_t kind) {
  if (kind == 0) return 0;
  if (kind == 1) return 125;
  if (kind == 2) return 250;
  return (uint8_t)(28 * random_below(9) + random_below(27));
}

/* Room in the module's memory, behind its data. */
enum { WEIGHTS = 64 << 10, X = 1 << 20, MINE = 2 << 20, THEIRS = 3 << 20, TABLES = 512 << 10, GUARD = 64 };
static uint32_t at(uint32_t offset) { return BOARD_MEMORY_BASE + offset; }
static void *to(uint32_t address) { return (void *)(uintptr_t)address; }

static bool same(uint32_t a, uint32_t b, uint32_t bytes) { return memcmp(to(a), to(b), bytes) == 0; }

static bool rows_agree(void) {
  static const int32_t ends[] = {127, 2047, 4095};
  uint32_t trits = random_below(3) == 0 ? 1 + random_below(5) : 1, rows = 1 + random_below(24), cols = 1 + random_below(random_below(4) == 0 ? 620 : 140);
  uint32_t groups = (cols + 4) / 5, tile = 1 + random_below(groups), w = at(WEIGHTS + random_below(16));
  uint32_t acc_bytes = 4 * ((rows + 3) & ~3u), kind = random_below(6), kind_w = random_below(6);
  int32_t act_max = ends[random_below(3)];
  uint32_t bytes = (rows + 3) / 4 * trits * groups * 4;
  for (uint32_t i = 0; i < bytes; i++) ((uint8_t *)to(w))[i] = code(kind_w);
  for (uint32_t i = 0; i < cols; i++) ((int16_t *)to(at(X)))[i] = (int16_t)number(kind, act_max);
  memset(to(at(MINE)), 0xA5, acc_bytes + GUARD);
  memset(to(at(THEIRS)), 0xA5, acc_bytes + GUARD);
  for (uint32_t from = 0; from < groups; from += tile) {
    uint32_t tables = tile < groups - from ? tile : groups - from, left = cols - 5 * from;
    uint32_t count = 5 * tables < left ? 5 * tables : left, x = at(X + 10 * from);
    memset(to(at(MINE + TABLES)), 0x5A, 504 * tables + GUARD);
    memset(to(at(THEIRS + TABLES)), 0x5A, 504 * tables + GUARD);
    as_kernels_ternary_lut_lut_build(x, count, at(MINE + TABLES));
    if (w2c_hal_gemv_tables(NULL, x, count, at(THEIRS + TABLES)) != 0) return false;
    if (!same(at(MINE + TABLES), at(THEIRS + TABLES), 504 * tables + GUARD)) {
      say("tables differ:"), say_value("count", count), say_value("kind", kind);
      return false;
    }
    as_kernels_ternary_lut_lut_rows(w, trits, rows, groups, from, tables, at(MINE + TABLES), at(MINE));
    if (w2c_hal_gemv_rows(NULL, w, trits, rows, groups, from, tables, at(THEIRS + TABLES), at(THEIRS), (u32)act_max) != 0) return false;
  }
  if (same(at(MINE), at(THEIRS), acc_bytes + GUARD)) return true;
  say("rows differ:"), say_value("trits", trits), say_value("rows", rows), say_value("cols", cols), say_value("tile", tile);
  say_value("act_max", (uint32_t)act_max), say_value("kind", kind), say_value("weights", kind_w);
  return false;
}

static bool heads_agree(void) {
  uint32_t rows = 1 + random_below(random_below(4) == 0 ? 1300 : 80), cols = 1 + random_below(96), kind = random_below(6), kind_w = random_below(6);
  uint32_t w = at(WEIGHTS + random_below(16)), x = at(X), second = x + 2 * cols;
  for (uint32_t i = 0; i < rows * cols; i++) ((int8_t *)to(w))[i] = (int8_t)number(kind_w, 127);
  for (uint32_t i = 0; i < 2 * cols; i++) ((int16_t *)to(x))[i] = (int16_t)number(kind, 2047);
  memset(to(at(MINE)), 0xA5, 8 * rows + GUARD);
  memset(to(at(THEIRS)), 0xA5, 8 * rows + GUARD);
  as_kernels_pair_int8_rows_int8_pair(w, rows, cols, x, second, at(MINE));
  if (w2c_hal_attend_keys(NULL, w, rows, cols, x, second, at(THEIRS)) != 0) return false;
  if (!same(at(MINE), at(THEIRS), 8 * rows + GUARD)) {
    say("keys differ:"), say_value("rows", rows), say_value("cols", cols), say_value("kind", kind);
    return false;
  }
  cols &= ~1u; /* values have an even number of columns, maybe none here */
  const uint32_t sums = 16 * cols;
  for (uint32_t i = 0; i < 2 * rows; i++) ((int32_t *)to(x))[i] = kind == 1 ? 0x7fff : number(kind, 0x7fff) & 0x7fff;
  memset(to(at(MINE)), 0xA5, sums + GUARD);
  memset(to(at(THEIRS)), 0xA5, sums + GUARD);
  as_kernels_pair_int8_columns_int8_pair(w, rows, cols, x, at(MINE));
  if (w2c_hal_attend_values(NULL, w, rows, cols, x, at(THEIRS)) != 0) return false;
  if (same(at(MINE), at(THEIRS), sums + GUARD)) return true;
  say("values differ:"), say_value("rows", rows), say_value("cols", cols), say_value("kind", kind);
  return false;
}

int main(void) {
  board_init();
  memset(to(BOARD_MEMORY_BASE), 0, BOARD_MEMORY_END - BOARD_MEMORY_BASE);
  wasm2c_device_instantiate(NULL); /* the kernels have constants in linear memory */
  board_interrupts_on();
  while (!uart_has_received()) board_sleep(); /* what is said before somebody listens is lost */
  if (w2c_hal_gemv_tables(NULL, 0, 0, 0) != 0) say("absent\n");
  else {
    uint32_t n = 0;
    while (n < CASES && rows_agree() && heads_agree()) n++;
    if (n == CASES) say("same");
    say_value("", n);
    say("\n");
  }
  for (;;) {
    board_interrupts_off();
    board_sleep();
    board_interrupts_on();
  }
}
