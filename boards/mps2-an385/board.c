/*
 * MPS2 with AN385, Cortex-M3 at 25 MHz, as QEMU's mps2-an385 models it. Source: Arm Application Note AN385; QEMU hw/arm/mps2.c.
 * Flash is imitated in the PSRAM, since the board has none that a program may erase.
 */
#define UART_BASE 0x40004000
#define UART_CLOCK 25000000
#define UART_RX_IRQ 0
#define UART_TX_IRQ 1
#define FPGAIO_LEDS 0x40028000

#include "mps.h"
