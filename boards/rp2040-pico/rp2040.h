/*
 * Registers of the RP2040 that boot2 and the shim use. Source: RP2040 Datasheet; sections are named. Numbers come from memory of it where the
 * line says so.
 */
#ifndef TRITKIT_RP2040_H
#define TRITKIT_RP2040_H

#include <stddef.h>
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(uintptr_t)(address))
/* 2.1.2: the aliases of a register at +0x2000 and +0x3000 set and clear the bits that are written. */
#define SET(reg) REG((uintptr_t)&(reg) + 0x2000)
#define CLEAR(reg) REG((uintptr_t)&(reg) + 0x3000)

/* 2.6.3 XIP cache */
#define XIP_FLUSH REG(0x14000004)

/* 4.10.13 SSI. It has no aliases (from memory), and its settings change only while ENABLE is 0. */
struct ssi {
  uint32_t CTRLR0, CTRLR1, ENABLE, MWCR, SER, BAUDR, TXFTLR, RXFTLR, TXFLR, RXFLR, SR;
  uint32_t interrupts[13];
  uint32_t DR0, DR1_35[35];
  uint32_t RX_SAMPLE_DLY, SPI_CTRLR0;
};
_Static_assert(offsetof(struct ssi, DR0) == 0x60 && offsetof(struct ssi, SPI_CTRLR0) == 0xF4, "offsets of the datasheet");
#define XIP_SSI 0x18000000
#define SR_BUSY (1u << 0)
#define SR_TFE (1u << 2)
#define SR_RFNE (1u << 3)
/* CTRLR0: | SPI_FRF 22:21, 2 = four lines | bits of a frame - 1, 20:16 | TMOD 9:8, 3 = send, then receive | */
#define SERIAL_BYTES (7u << 16)
#define QUAD_READ ((2u << 21) | (31u << 16) | (3u << 8))
/* SPI_CTRLR0: | XIP_CMD 31:24 | wait clocks 15:11 | instruction 9:8, 2 = 8 bits | address in nibbles 5:2 | 1:0 what is on four lines | */
#define WITH_INSTRUCTION ((4u << 11) | (2u << 8) | (8u << 2) | 1u)
#define WITHOUT_INSTRUCTION ((0xA0u << 24) | (4u << 11) | (0u << 8) | (8u << 2) | 2u)

/* 2.19.6 IO_BANK0, IO_QSPI: | OUTOVER 9:8, 2 = low, 3 = high | function 4:0 | */
#define IO_GPIO_CTRL(pin) REG(0x40014004 + 8 * (pin))
#define FUNCTION_UART 2u
#define FUNCTION_SIO 5u
#define IO_QSPI_SS_CTRL REG(0x4001800C)
#define OUT_LOW (2u << 8)
#define OUT_NORMAL 0u
/* 2.19.6.3 PADS_BANK0 */
#define PADS_GPIO(pin) REG(0x4001C004 + 4 * (pin))
#define PAD_INPUT_PULLED_UP ((1u << 6) | (1u << 4) | (1u << 3) | (1u << 1)) /* IE, 4 mA, PUE, SCHMITT */

/* 2.14 resets */
#define RESETS_RESET REG(0x4000C000)
#define RESETS_DONE REG(0x4000C008)
#define RESET_ADC (1u << 0)
#define RESET_IO_BANK0 (1u << 5)
#define RESET_PADS_BANK0 (1u << 8)
#define RESET_PLL_SYS (1u << 12)
#define RESET_PWM (1u << 14)
#define RESET_UART0 (1u << 22)

/* 2.13 power-on state machine: what the watchdog resets */
#define PSM_WDSEL REG(0x40010008)
#define PSM_ALL_BUT_OSCILLATORS 0x1FFFCu

/* 2.15 clocks: | AUXSRC 7:5 | SRC | and a one-hot SELECTED */
#define CLK_REF_CTRL REG(0x40008030)
#define CLK_REF_DIV REG(0x40008034)
#define CLK_REF_SELECTED REG(0x40008038)
#define CLK_SYS_CTRL REG(0x4000803C)
#define CLK_SYS_DIV REG(0x40008040)
#define CLK_SYS_SELECTED REG(0x40008044)
#define CLK_PERI_CTRL REG(0x40008048)
#define CLK_ADC_CTRL REG(0x40008060)
#define CLK_ADC_DIV REG(0x40008064)
#define CLK_ADC_DIVIDER (3u << 8) /* 125 MHz to 41.7 MHz; whole numbers up to 3 only */
#define REF_FROM_XOSC 2u
#define SYS_FROM_AUX 1u
#define PERI_ENABLE (1u << 11)

/* 2.16 XOSC */
#define XOSC_CTRL REG(0x40024000)
#define XOSC_STATUS REG(0x40024004)
#define XOSC_STARTUP REG(0x4002400C)
#define XOSC_1_15MHZ 0xAA0u
#define XOSC_ENABLE (0xFABu << 12)
#define XOSC_STABLE (1u << 31)

/* 2.18 PLL_SYS: 12 MHz / REFDIV * FBDIV / POSTDIV1 / POSTDIV2 */
#define PLL_CS REG(0x40028000)
#define PLL_PWR REG(0x40028004)
#define PLL_FBDIV REG(0x40028008)
#define PLL_PRIM REG(0x4002800C)
#define PLL_LOCK (1u << 31)
#define PLL_PD (1u << 0)
#define PLL_POSTDIVPD (1u << 3)
#define PLL_VCOPD (1u << 5)

/* 2.17.8 ROSC */
#define ROSC_RANDOMBIT REG(0x4006001C)

/* 2.3.1.7 SIO */
#define GPIO_OUT_SET REG(0xD0000014)
#define GPIO_OUT_CLR REG(0xD0000018)
#define GPIO_OE_SET REG(0xD0000024)

/* 4.5.3 PWM, 4.9.6 ADC */
#define PWM_BASE 0x40050000
#define ADC_BASE 0x4004C000

/* 4.2.8 UART0, a PL011 */
#define UART_DR REG(0x40034000)
#define UART_FR REG(0x40034018)
#define FR_BUSY (1u << 3)
#define FR_RXFE (1u << 4)
#define FR_TXFF (1u << 5)
#define UART_IBRD REG(0x40034024)
#define UART_FBRD REG(0x40034028)
#define UART_LCR_H REG(0x4003402C)
#define LCR_8N1_FIFO 0x70u
#define UART_CR REG(0x40034030)
#define CR_ON 0x301u
#define UART_IFLS REG(0x40034034)
#define UART_IMSC REG(0x40034038)
#define INT_RX (1u << 4)
#define INT_TX (1u << 5)
#define INT_RT (1u << 6)
#define UART0_IRQ 20

/* 4.7 watchdog */
#define WATCHDOG_CTRL REG(0x40058000)
#define WATCHDOG_LOAD REG(0x40058004)
/* Kept over every reset but those of the supply and the RUN pin (from memory). The boot ROM looks at SCRATCH4 to 7 only. */
#define WATCHDOG_SCRATCH0 REG(0x4005800C)
#define WATCHDOG_SCRATCH1 REG(0x40058010)
#define WATCHDOG_SCRATCH4 REG(0x4005801C)
#define WATCHDOG_TICK REG(0x4005802C)
#define WATCHDOG_TRIGGER (1u << 31)
#define WATCHDOG_ENABLE (1u << 30)
/* The counter has 24 bits and loses two a microsecond (erratum RP2040-E1): 8.3 s. */
#define WATCHDOG_LONGEST 0xFFFFFFu

/* Which slot to start once (spec/FIRMWARE.md): SCRATCH0 is this ^ slot, SCRATCH1 its complement. */
#define TRY_MAGIC 0x59525446u

/* clocks.c */
void unreset(uint32_t blocks);
void clocks_start(void);
void watchdog_start(void);

#endif
