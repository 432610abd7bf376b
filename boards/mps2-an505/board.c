/*
 * MPS2 with AN505 (SSE-200), Cortex-M33 at 20 MHz, as QEMU's mps2-an505 models it; secure world only. Source: Arm Application Note AN505;
 * QEMU hw/arm/mps2-tz.c. Flash is imitated in the PSRAM, since the board has none that a program may erase.
 */
#define UART_BASE 0x50200000
#define UART_CLOCK 20000000
#define UART_RX_IRQ 32
#define UART_TX_IRQ 33
#define FPGAIO_LEDS 0x50302000

#include "mps.h"
