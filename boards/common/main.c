/*
 * The firmware's one thread: the board's clocks and UART, then the device module: boot() once, poll() for ever.
 *
 * Linear memory of WebAssembly begins as zeros, SRAM after power-on does not: all of what the module owns is cleared first.
 */
#include <string.h>

#include "device.h"
#include "shim.h"

/* What this is, for people with a hex editor, for `strings` and for tools that look at an image before they flash it. */
const char firmware_name[] __attribute__((used, section(".rodata.firmware_name"))) =
    "tritkit firmware " TRITKIT_VERSION " for " BOARD_NAME;

int main(void) {
  board_init();
  memset((void *)BOARD_MEMORY_BASE, 0, BOARD_MEMORY_END - BOARD_MEMORY_BASE);
  wasm2c_device_instantiate(NULL);
  board_interrupts_on();
  w2c_device_boot();
  for (;;) {
    if (w2c_device_poll() != 0) continue;
    board_interrupts_off();
    if (!uart_has_received()) board_sleep();
    board_interrupts_on();
  }
}

void board_trap(const char *what) {
  static const char before[] = "\r\ntritkit: the firmware stopped: ";
  board_interrupts_off();
  for (const char *p = before; *p != 0; p++) board_uart_put((uint8_t)*p);
  for (; *what != 0; what++) board_uart_put((uint8_t)*what);
  board_uart_put('\r');
  board_uart_put('\n');
  /* A UART without a clock is busy for ever: these turns are longer than the bytes of any FIFO take. */
  for (uint32_t turns = BOARD_CPU_HZ / 16; turns > 0 && board_uart_busy(); turns--) {
    __asm__ volatile("" ::: "memory");
  }
  board_reset();
}
