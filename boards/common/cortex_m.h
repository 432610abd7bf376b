/* Registers of the System Control Space that every Cortex-M has (ARMv6-M ARM B3, ARMv7-M ARM B3, ARMv8-M ARM D1). */
#ifndef TRITKIT_CORTEX_M_H
#define TRITKIT_CORTEX_M_H

#include <stdint.h>

#define REG32(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define SYST_CSR REG32(0xE000E010)
#define SYST_RVR REG32(0xE000E014)
#define SYST_CVR REG32(0xE000E018)
#define NVIC_ISER(n) REG32(0xE000E100 + 4 * (n))
#define NVIC_ICER(n) REG32(0xE000E180 + 4 * (n))
#define NVIC_ICPR(n) REG32(0xE000E280 + 4 * (n))
/* Words of the interrupt controller's registers: 32 lines each. ARMv6-M has one and no register that says so. */
#ifdef __ARM_ARCH_6M__
#define NVIC_WORDS 1u
#else
#define NVIC_WORDS ((REG32(0xE000E004) & 15) + 1) /* ICTR.INTLINESNUM */
#endif
#define SCB_ICSR REG32(0xE000ED04)
#define ICSR_PENDSTSET (1u << 26)
#define ICSR_PENDSTCLR (1u << 25)
#define SCB_VTOR REG32(0xE000ED08)
#define SCB_AIRCR REG32(0xE000ED0C)
#define SCB_CCR REG32(0xE000ED14)
#define CCR_LOB (1u << 19) /* Armv8.1-M only; the bit from memory, as CMSIS names it (SCB_CCR_LOB_Msk) */

/* Starts the millisecond interrupt; board_init calls it when the clock runs at BOARD_CPU_HZ. */
void systick_start(void);

/* Puts up the fence (mpu.c); board_init calls it last. */
void mpu_fence(void);

/* board.c: IRQ_HANDLERS = { [UART0_IRQ] = uart_handler };  The highest line named decides how long the table is. */
#define IRQ_HANDLERS __attribute__((used, section(".irq_handlers"))) void (*const irq_handlers[])(void)

static inline void irq_enable(uint32_t irq) { NVIC_ISER(irq / 32) = 1u << (irq % 32); }

#endif
