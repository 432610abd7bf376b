/* What start_riscv.c wants from a board and gives to it. RISC-V names as in the Privileged Architecture, version 1.11. */
#ifndef TRITKIT_RISCV_H
#define TRITKIT_RISCV_H

#include <stdint.h>

#define REG8(address) (*(volatile uint8_t *)(uintptr_t)(address))
#define REG32(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* board.c: an interrupt with this code in mcause; interrupts are off meanwhile. RAM_CODE. */
void board_interrupt(uint32_t code);

/* Puts up the fence (pmp.c); board_init calls it last. */
void pmp_fence(void);

#endif
