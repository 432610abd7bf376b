/*
 * A firmware in place of the product's (boards/common/main.c): makes the HAL's calls that the line asks for, so that a test can ask pins, pulses and the
 * ADC for anything. A request is 13 bytes, a letter and three u32, little-endian; the answer is the call's, as i32.
 *
 *     'g' pin level | 'p' pin duty hz | 'a' channel
 */
#include <string.h>

#include "device.h"
#include "shim.h"

/* The module as it ships may import none of these yet. */
u32 w2c_hal_gpio_write(struct w2c_hal *, u32, u32);
u32 w2c_hal_pwm_write(struct w2c_hal *, u32, u32, u32);
u32 w2c_hal_adc_read(struct w2c_hal *, u32);

void board_trap(const char *what) {
  (void)what;
  board_reset();
}

int main(void) {
  uint8_t request[13];
  board_init();
  board_interrupts_on();
  for (uint32_t have = 0;;) {
    board_watchdog_feed();
    have += uart_read(request + have, sizeof request - have);
    if (have < sizeof request) continue;
    have = 0;
    u32 args[3], answer = 0;
    memcpy(args, request + 1, sizeof args);
    if (request[0] == 'g') answer = w2c_hal_gpio_write(NULL, args[0], args[1]);
    if (request[0] == 'p') answer = w2c_hal_pwm_write(NULL, args[0], args[1], args[2]);
    if (request[0] == 'a') answer = w2c_hal_adc_read(NULL, args[0]);
    uart_write((const uint8_t *)&answer, sizeof answer);
  }
}
