/*
 * Raspberry Pi Pico: RP2040 at 125 MHz, UART0 on GPIO0 (out) and GPIO1 (in). Flash is flash.c's, clocks and watchdog are clocks.c's, pins are pins.c's. Source: RP2040
 * Datasheet; the sections stand in rp2040.h.
 *
 * NOT IMPLEMENTED: the second core, I2C, USB.
 */
#include "cortex_m.h"
#include "rp2040.h"
#include "shim.h"

#define HAL_EINVAL (-2)
#define TX_PIN 0
#define RX_PIN 1

void board_init(void) {
  clocks_start();
  watchdog_start();
  unreset(RESET_IO_BANK0 | RESET_PADS_BANK0 | RESET_UART0);
  PADS_GPIO(RX_PIN) = PAD_INPUT_PULLED_UP; /* silent when nothing is connected */
  IO_GPIO_CTRL(TX_PIN) = FUNCTION_UART;
  IO_GPIO_CTRL(RX_PIN) = FUNCTION_UART;
  UART_IFLS = 0; /* both levels at 4 of 32: 28 characters of time to react to a full line */
  board_uart_baud(BOARD_UART_BAUD);
  UART_IMSC = INT_RX | INT_RT;
  irq_enable(UART0_IRQ);
  systick_start();
  mpu_fence();
}

int32_t board_uart_baud(uint32_t baud) {
  uint32_t divisor = (BOARD_CPU_HZ * 4 + baud / 2) / baud; /* in 1/64 of clk_peri / 16 */
  if (divisor < 64 || divisor >= 65536 * 64) return HAL_EINVAL;
  uint32_t made = BOARD_CPU_HZ * 4 / divisor;
  uint32_t off = made > baud ? made - baud : baud - made;
  if (off > baud * 3 / 100) return HAL_EINVAL;
  UART_CR = 0;
  UART_IBRD = divisor >> 6;
  UART_FBRD = divisor & 63;
  UART_LCR_H = LCR_8N1_FIFO; /* takes the divisor over, too */
  UART_CR = CR_ON;
  return 0;
}

/*
 * Fills the transmit FIFO. Its interrupt comes when the FIFO falls through its level, not because it is empty: so the first bytes are put in
 * here, and the interrupt is on only while there are more of them than the FIFO holds.
 */
RAM_CODE(uart_fill) static void uart_fill(void) {
  while ((UART_FR & FR_TXFF) == 0) {
    int32_t byte = uart_next();
    if (byte < 0) {
      CLEAR(UART_IMSC) = INT_TX;
      return;
    }
    UART_DR = (uint32_t)byte;
  }
  SET(UART_IMSC) = INT_TX;
}

/* Reading until the FIFO is empty also takes back both receive interrupts. */
RAM_CODE(uart0_handler) static void uart0_handler(void) {
  while ((UART_FR & FR_RXFE) == 0) uart_received((uint8_t)UART_DR);
  uart_fill();
}

IRQ_HANDLERS = {[UART0_IRQ] = uart0_handler};

void board_uart_start(void) {
  board_interrupts_off();
  uart_fill();
  board_interrupts_on();
}

bool board_uart_busy(void) { return (UART_FR & FR_BUSY) != 0; }

void board_uart_put(uint8_t byte) {
  while ((UART_FR & FR_TXFF) != 0) {
  }
  UART_DR = byte;
}

/* ROSC's random bit is biased and its neighbours resemble each other (RP2040 Datasheet 2.17.5): several are mixed for each bit. */
uint32_t board_entropy(void) {
  uint32_t word = board_ticks();
  for (uint32_t i = 0; i < 32 * 8; i++) {
    word = (word << 1 | word >> 31) ^ (ROSC_RANDOMBIT & 1);
    word *= 0x9E3779B1;
  }
  return word;
}

void board_watchdog_feed(void) { WATCHDOG_LOAD = WATCHDOG_LONGEST; }

void board_try_slot(uint32_t slot) {
  WATCHDOG_SCRATCH0 = TRY_MAGIC ^ slot;
  WATCHDOG_SCRATCH1 = slot < 2 ? ~(TRY_MAGIC ^ slot) : 0;
}

/* SYSRESETREQ would reset the core and leave peripherals as they are (from memory); the watchdog resets the chip. */
void board_reset(void) {
  SET(WATCHDOG_CTRL) = WATCHDOG_TRIGGER;
  for (;;) {
  }
}
