/*
 * Registers of the RP2350 that board.c and pins.c share. Source: RP2350 Datasheet; compared with Raspberry Pi's headers (pico-sdk,
 * rp2350/hardware_regs).
 */
#ifndef TRITKIT_RP2350_H
#define TRITKIT_RP2350_H

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(uintptr_t)(address))
/* Every register has aliases that set or clear the bits written (2.1.3). */
#define SET(reg) REG((uintptr_t)&(reg) + 0x2000)
#define CLEAR(reg) REG((uintptr_t)&(reg) + 0x3000)

#define RESETS_RESET REG(0x40020000)
#define RESETS_DONE REG(0x40020008)
#define RESET_ADC (1u << 0)
#define RESET_PWM (1u << 16)

#define CLK_ADC_CTRL REG(0x4001006C)
#define CLK_ADC_DIV REG(0x40010070)
#define CLK_ADC_DIVIDER (4u << 16) /* 150 MHz to 37.5 MHz; three would be above the 48 MHz that it is made for */

#define IO_GPIO_CTRL(pin) REG(0x40028004 + 8 * (pin))
#define FUNCTION_SIO 5u
#define PADS_GPIO(pin) REG(0x40038004 + 4 * (pin)) /* | isolated 8 | output off 7 | input on 6 | drive 5:4, 1: 4 mA | pull up 3 | pull down 2 | Schmitt 1 | */
#define GPIO_OUT_SET REG(0xD0000018)
#define GPIO_OUT_CLR REG(0xD0000020)
#define GPIO_OE_SET REG(0xD0000038)

#define ADC_BASE 0x400A0000
#define PWM_BASE 0x400A8000

#endif
