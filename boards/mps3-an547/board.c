/*
 * MPS3 with AN547 (SSE-300), Cortex-M55 at 32 MHz, as QEMU's mps3-an547 models it; secure world only. Source: Arm Application Note AN547;
 * QEMU hw/arm/mps2-tz.c. Flash is imitated in the DDR, since QEMU lets no program erase the board's QSPI.
 */
#define UART_BASE 0x59303000
#define UART_CLOCK 25000000
#define UART_RX_IRQ 33
#define UART_TX_IRQ 34
#define FPGAIO_LEDS 0x59302000

#include "mps.h"
