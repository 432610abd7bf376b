/*
 * Start-up for Cortex-M: vector table, memory, SysTick as clock and alarm, the MPU fence, faults. Sources: ARMv6-M, ARMv7-M and ARMv8-M
 * Architecture Reference Manuals (SCS registers, MPU).
 *
 * The vector table is copied to RAM, where interrupts find it while flash is busy. SysTick interrupts every millisecond: it wakes the CPU
 * from board_sleep and counts; microseconds come from its counter.
 */
#include <stddef.h>

#include "cortex_m.h"
#include "shim.h"

extern uint32_t stack_top[], data_start[], data_end[], data_load[], bss_start[], bss_end[];

int main(void);

void reset_handler(void) __attribute__((noreturn));

/* The core's own 16 entries; those of the chip's interrupts follow: what board.c put into IRQ_HANDLERS, NULL for lines without one. */
struct vectors {
  uint32_t *stack;
  void (*system[15])(void);
};

extern void (*const irq_handlers_start[])(void);
extern void (*const irq_handlers_end[])(void);

/* The table in RAM (cortex_m.ld), aligned as VTOR wants. */
extern struct vectors vectors_ram;
extern void (*irq_vectors_ram[])(void);

static volatile uint32_t milliseconds;

RAM_CODE(systick_handler) static void systick_handler(void) { milliseconds++; }

__attribute__((used, noreturn)) static void fault(void) { board_trap("CPU FAULT"); }

/* Begins at the top of the stack again, because the fault may be that it was used up: nothing goes back. */
__attribute__((naked)) static void fault_handler(void) {
  __asm__ volatile(
      "ldr r0, =stack_top\n"
      "mov sp, r0\n"
      "bl fault\n"
      ".ltorg\n");
}

/* In flash: what the core reads at reset. Interrupts come after the table has moved. */
__attribute__((used, section(".vectors"))) const struct vectors boot_vectors = {
    stack_top, {reset_handler, fault_handler, fault_handler}};

#if defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__) || defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
#define HAS_FPU_BITS 1
#else
#define HAS_FPU_BITS 0
#endif

/* Naked: nothing may touch the stack or a coprocessor before both are there. */
__attribute__((naked)) void reset_handler(void) {
  __asm__ volatile(
      "cpsid i\n"
      "ldr r0, =stack_top\n"
      "mov sp, r0\n"
#if HAS_FPU_BITS
      "ldr r0, =0xE000ED88\n" /* CPACR: CP10 and CP11, FPU and MVE; no effect where there is none */
      "ldr r1, [r0]\n"
      "orr r1, r1, #0xF00000\n"
      "str r1, [r0]\n"
      "dsb\n"
      "isb\n"
#endif
      "bl start\n"
      ".ltorg\n");
}

__attribute__((used, noreturn)) static void start(void) {
  /* Word by word, not by memcpy: that may itself lie in .data. */
  for (volatile uint32_t *to = data_start, *from = data_load; to < data_end;) *to++ = *from++;
  for (volatile uint32_t *p = bss_start; p < bss_end;) *p++ = 0;
  /* A boot ROM may have left interrupts enabled or pending that the table does not reach. */
  for (uint32_t i = 0; i < NVIC_WORDS; i++) {
    NVIC_ICER(i) = ~0u;
    NVIC_ICPR(i) = ~0u;
  }
  SCB_ICSR = ICSR_PENDSTCLR;
  vectors_ram = boot_vectors;
  for (uint32_t i = 2; i < 15; i++) vectors_ram.system[i] = fault_handler;
  vectors_ram.system[14] = systick_handler;
  for (uint32_t i = 0; irq_handlers_start + i < irq_handlers_end; i++)
    irq_vectors_ram[i] = irq_handlers_start[i] != NULL ? irq_handlers_start[i] : fault_handler;
  SCB_VTOR = (uint32_t)&vectors_ram;
#ifdef __ARM_FEATURE_MVE
  SCB_CCR |= CCR_LOB; /* low-overhead loops remember where they begin (Armv8.1-M, D1.2 CCR); without it each LE is a branch */
#endif
  __asm__ volatile("dsb\nisb" ::: "memory");
  main();
  board_trap("main returned");
}

void systick_start(void) {
  SYST_RVR = BOARD_CPU_HZ / 1000 - 1;
  SYST_CVR = 0;
  SYST_CSR = 7; /* enable, interrupt, processor clock */
}

RAM_CODE(board_ticks) uint32_t board_ticks(void) {
  uint32_t before, after, count;
  uint32_t pending;
  do {
    before = milliseconds;
    count = SYST_CVR;
    pending = SCB_ICSR & ICSR_PENDSTSET;
    after = milliseconds;
  } while (before != after);
  /* The counter has wrapped and its interrupt waits (interrupts are off): the count was read on either side of it. */
  if (pending != 0 && count > (BOARD_CPU_HZ / 2000)) before++;
  return before * 1000 + (BOARD_CPU_HZ / 1000 - 1 - count) / (BOARD_CPU_HZ / 1000000);
}

void board_sleep(void) { __asm__ volatile("dsb\nwfi" ::: "memory"); }

void board_interrupts_off(void) { __asm__ volatile("cpsid i" ::: "memory"); }

void board_interrupts_on(void) { __asm__ volatile("cpsie i\nisb" ::: "memory"); }

/* Weak: a chip whose SYSRESETREQ resets the core alone has a better way in its board.c. */
__attribute__((weak)) void board_reset(void) {
  __asm__ volatile("dsb" ::: "memory");
  SCB_AIRCR = 0x05FA0004; /* SYSRESETREQ */
  for (;;) __asm__ volatile("dsb");
}
