/*
 * Pins, pulses and the ADC of the RP2040 and the RP2350, which have the same blocks at other addresses. Included by the pins.c of a board, behind the
 * registers of its chip: one translation unit each.
 *
 *     GPIO n -> channel n % 16 of the PWM: comparator A (even) or B (odd) of slice (n / 2) % 8, whose counter both share
 *     ADC    -> inputs 0 to 3 are GPIO26 to GPIO29, input 4 is the temperature sensor
 *
 * Sources: RP2040 Datasheet 4.5 PWM, 4.9 ADC, 2.15 clocks; RP2350 Datasheet 12.5, 12.4, 8.1 (sections from memory). Offsets, bits and reset values were
 * compared with Raspberry Pi's headers (pico-sdk, hardware/regs/{pwm,adc,clocks,resets}.h of both chips).
 *
 * NOT IMPLEMENTED: phase-correct pulses, inputs of the PWM, the ADC's FIFO and free running, 48 MHz for the ADC (it gets a part of PLL_SYS just below).
 */
#include "shim.h"

#define HAL_EINVAL (-2)
#define HAL_EIO (-3)

#define FUNCTION_PWM 4u
#define FUNCTION_NULL 31u
/* Output: input on, 4 mA, Schmitt, no pulls. Analogue: output off, input off, no pulls. Bit 8, the RP2350's isolation, is off in both. */
#define PAD_DRIVEN 0x52u
#define PAD_ANALOGUE 0x80u

#define PWM_CSR(slice) REG(PWM_BASE + 0x14 * (slice) + 0x00) /* | enable 0 |, the rest 0: counts up, free running */
#define PWM_DIV(slice) REG(PWM_BASE + 0x14 * (slice) + 0x04) /* sixteenths, 12 bits, at least 16 */
#define PWM_CC(slice) REG(PWM_BASE + 0x14 * (slice) + 0x0C)  /* | B 31:16 | A 15:0 |: high while the counter is below */
#define PWM_TOP(slice) REG(PWM_BASE + 0x14 * (slice) + 0x10) /* the counter's last value */
#define PERIOD_MAX 65535u /* so that a comparator can be above the counter's last value: high all the time */

#define ADC_CS REG(ADC_BASE + 0x00) /* | input 15:12 | error 9 | ready 8 | start 2 | temperature sensor on 1 | on 0 | */
#define ADC_RESULT REG(ADC_BASE + 0x04)
#define CS_ON (1u << 1 | 1u << 0)
#define CS_START (1u << 2)
#define CS_READY (1u << 8)
#define CS_ERROR (1u << 9)
#define ADC_FIRST_PIN 26u
#define ADC_PINS 4u
#define ADC_LIMIT_US 1000u /* a conversion takes 96 cycles of its clock */
#define CLK_ADC_OFF_PLL_SYS (1u << 5)
#define CLK_ADC_ENABLE (1u << 11)

static void leave_reset(uint32_t block) {
  CLEAR(RESETS_RESET) = block;
  while ((~RESETS_DONE & block) != 0) {
  }
}

int32_t board_gpio_write(int32_t pin, int32_t level) {
  if (level != 0) GPIO_OUT_SET = 1u << pin;
  else GPIO_OUT_CLR = 1u << pin;
  GPIO_OE_SET = 1u << pin;
  PADS_GPIO(pin) = PAD_DRIVEN;
  IO_GPIO_CTRL(pin) = FUNCTION_SIO;
  return 0;
}

/* A running slice takes CC and TOP over when its counter wraps, so no period is cut short by a new duty. */
int32_t board_pwm_write(int32_t pin, uint32_t duty, uint32_t hz) {
  _Static_assert(BOARD_CPU_HZ <= UINT32_MAX / 16, "a period of 1 Hz in sixteenths of a cycle fits");
  uint32_t channel = (uint32_t)pin % 16, slice = channel / 2;
  uint32_t sixteenths = 16u * BOARD_CPU_HZ / hz;
  uint32_t div = (sixteenths + PERIOD_MAX - 1) / PERIOD_MAX;
  if (div < 16) div = 16;
  uint32_t period = (sixteenths + div / 2) / div;
  leave_reset(RESET_PWM);
  /* The slice's other pins: 2s, 2s + 1, 2s + 16, 2s + 17. */
  for (uint32_t other = 2 * slice; other < BOARD_GPIO_PINS; other += other % 2 == 0 ? 1 : 15) {
    if (other == (uint32_t)pin || (IO_GPIO_CTRL(other) & 31) != FUNCTION_PWM) continue;
    if (other % 16 == channel || PWM_DIV(slice) != div || PWM_TOP(slice) != period - 1) return HAL_EINVAL;
  }
  uint32_t shift = 16 * (channel % 2), compare = (duty * period + 32767) / 65535;
  PWM_DIV(slice) = div;
  PWM_TOP(slice) = period - 1;
  PWM_CC(slice) = (PWM_CC(slice) & ~(0xFFFFu << shift)) | compare << shift;
  PWM_CSR(slice) = 1;
  PADS_GPIO(pin) = PAD_DRIVEN;
  IO_GPIO_CTRL(pin) = FUNCTION_PWM;
  return 0;
}

/* Until the converter is ready, which it is within microseconds. */
static bool adc_ready(void) {
  uint32_t start = board_ticks();
  while ((ADC_CS & CS_READY) == 0)
    if (board_ticks() - start > ADC_LIMIT_US) return false;
  return (ADC_CS & CS_ERROR) == 0;
}

int32_t board_adc_read(uint32_t channel) {
  if ((CLK_ADC_CTRL & CLK_ADC_ENABLE) == 0) {
    CLK_ADC_DIV = CLK_ADC_DIVIDER;
    CLK_ADC_CTRL = CLK_ADC_OFF_PLL_SYS;
    CLK_ADC_CTRL = CLK_ADC_OFF_PLL_SYS | CLK_ADC_ENABLE;
  }
  leave_reset(RESET_ADC);
  if (channel < ADC_PINS) {
    PADS_GPIO(ADC_FIRST_PIN + channel) = PAD_ANALOGUE;
    IO_GPIO_CTRL(ADC_FIRST_PIN + channel) = FUNCTION_NULL;
  }
  ADC_CS = channel << 12 | CS_ON;
  if (!adc_ready()) return HAL_EIO;
  ADC_CS = channel << 12 | CS_ON | CS_START;
  if (!adc_ready()) return HAL_EIO;
  uint32_t raw = ADC_RESULT;
  return (int32_t)(raw << 4 | raw >> 8); /* 12 bits to 16: 4095 is 65535 */
}
