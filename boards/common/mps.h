/*
 * What Arm's MPS boards share, included by their board.c behind a few addresses: CMSDK UART, LEDs, no watchdog, flash imitated in RAM.
 *
 *     CMSDK UART (DDI 0479, 4.3)   +0 DATA   +4 STATE: 0 TX full, 1 RX full   +8 CTRL: 0 TX on, 1 RX on, 2 TX irq, 3 RX irq
 *                                  +C INTSTATUS, write one to clear: 0 TX, 1 RX   +10 BAUDDIV, at least 16
 *
 * The receiver holds one byte: its interrupt must come before the next is complete.
 * NOT IMPLEMENTED: waiting for the shift register (the UART shows only its buffer, so that a reset may cut the last byte); the CMSDK watchdog; entropy (a counter-seeded generator: these boards have no source of noise).
 */
#include <string.h>

#include "cortex_m.h"
#include "shim.h"

#define UART_DATA REG32(UART_BASE + 0x0)
#define UART_STATE REG32(UART_BASE + 0x4)
#define UART_CTRL REG32(UART_BASE + 0x8)
#define UART_INTCLEAR REG32(UART_BASE + 0xC)
#define UART_BAUDDIV REG32(UART_BASE + 0x10)
#define TX_FULL 1u
#define RX_FULL 2u
#define TX_ON 1u
#define RX_ON 2u
#define TX_IRQ 4u
#define RX_IRQ 8u

#define HAL_EINVAL (-2)

/* Bytes leave through the transmit buffer of one; its interrupt asks for the next. */
RAM_CODE(uart_feed) static void uart_feed(void) {
  while ((UART_STATE & TX_FULL) == 0) {
    int32_t byte = uart_next();
    if (byte < 0) return;
    UART_DATA = (uint32_t)byte;
  }
}

RAM_CODE(uart_handler) static void uart_handler(void) {
  UART_INTCLEAR = 3;
  while ((UART_STATE & RX_FULL) != 0) uart_received((uint8_t)UART_DATA);
  uart_feed();
}

IRQ_HANDLERS = {[UART_RX_IRQ] = uart_handler, [UART_TX_IRQ] = uart_handler};

int32_t board_uart_baud(uint32_t baud) {
  uint32_t divider = (UART_CLOCK + baud / 2) / baud;
  if (divider < 16) return HAL_EINVAL;
  UART_BAUDDIV = divider;
  return 0;
}

void board_init(void) {
  UART_CTRL = 0;
  board_uart_baud(BOARD_UART_BAUD);
  UART_CTRL = TX_ON | RX_ON | TX_IRQ | RX_IRQ;
  irq_enable(UART_RX_IRQ);
  irq_enable(UART_TX_IRQ);
  systick_start();
  mpu_fence();
}

void board_uart_start(void) {
  board_interrupts_off();
  uart_feed();
  board_interrupts_on();
}

bool board_uart_busy(void) { return (UART_STATE & TX_FULL) != 0; }

void board_uart_put(uint8_t byte) {
  while ((UART_STATE & TX_FULL) != 0) {}
  UART_DATA = byte;
}

/* NOR semantics on RAM: erase sets, program only clears. */
static uint8_t *flash_at(uint32_t offset) { return (uint8_t *)(uintptr_t)(BOARD_FLASH_BASE + offset); }

int32_t board_flash_erase(uint32_t offset, uint32_t bytes) {
  memset(flash_at(offset), 0xff, bytes);
  return 0;
}

int32_t board_flash_program(uint32_t offset, const uint8_t *from, uint32_t bytes) {
  for (uint8_t *to = flash_at(offset), *end = to + bytes; to < end;) *to++ &= *from++;
  return 0;
}

/* xorshift (Marsaglia 2003) over the time of the request. */
uint32_t board_entropy(void) {
  static uint32_t state = 0x2545F491;
  state ^= board_ticks() | 1;
  state ^= state << 13;
  state ^= state >> 17;
  return state ^= state << 5;
}

int32_t board_gpio_write(int32_t pin, int32_t level) {
  uint32_t bit = 1u << pin;
  REG32(FPGAIO_LEDS) = level != 0 ? REG32(FPGAIO_LEDS) | bit : REG32(FPGAIO_LEDS) & ~bit;
  return 0;
}

void board_watchdog_feed(void) {}
