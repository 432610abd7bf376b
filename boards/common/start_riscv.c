/*
 * Start-up for RISC-V in machine mode: stack, memory, traps. Source: The RISC-V Instruction Set Manual, Volume II: Privileged Architecture
 * (mtvec, mcause, mstatus).
 *
 * Interrupt controllers, clocks and reset differ from chip to chip: board.c has board_interrupt, board_ticks, board_sleep, board_reset. Where RAM
 * may stand in an instruction cache its board_init begins with fence.i: nothing in RAM has run by then.
 *
 * mtvec is set to vectored mode, because it is the only one that Espressif's cores have. An exception goes to the first entry of the table,
 * an interrupt to the one of its number; the table lies in RAM, where interrupts find it while flash is busy.
 */
#include "riscv.h"
#include "shim.h"

extern uint32_t ramcode_start[], ramcode_end[], ramcode_load[], data_start[], data_end[], data_load[], bss_start[], bss_end[];
extern uint8_t trap_vectors[];

int main(void);

/* Naked: nothing may touch the stack or gp before both are there. The first instruction of the code region (riscv.ld). */
__attribute__((naked, noreturn, section(".reset"))) void reset_handler(void) {
  __asm__ volatile(
      "csrci mstatus, 8\n"
      ".option push\n"
      ".option norelax\n" /* or it would be computed from itself */
      "la gp, __global_pointer$\n"
      ".option pop\n"
      "la sp, stack_top\n"
      "j start\n");
}

__attribute__((used, noreturn)) static void start(void) {
  /* Word by word: code is fetched and written on a bus that may take nothing else. */
  for (volatile uint32_t *to = ramcode_start, *from = ramcode_load; to < ramcode_end;) *to++ = *from++;
  for (volatile uint32_t *to = data_start, *from = data_load; to < data_end;) *to++ = *from++;
  for (volatile uint32_t *p = bss_start; p < bss_end;) *p++ = 0;
  __asm__ volatile("csrw mtvec, %0" ::"r"((uint32_t)trap_vectors | 1) : "memory");
  main();
  board_trap("main returned");
}

/* 256 bytes of alignment: what Espressif's mtvec keeps of a base. */
__asm__(
    ".section .ramcode.trap_vectors, \"ax\"\n"
    ".balign 256\n"
    ".option push\n"
    ".option norvc\n"
    ".global trap_vectors\n"
    "trap_vectors:\n"
    "j exception_entry\n"
    ".rept 31\n"
    "j interrupt_entry\n"
    ".endr\n"
    ".option pop\n");

/* Nobody returns from here, and the stack may be what failed: it begins anew. */
__attribute__((naked, used, section(".ramcode.exception_entry"))) static void exception_entry(void) {
  __asm__ volatile(
      "la sp, stack_top\n"
      "j exception\n");
}

RAM_CODE(exception) __attribute__((used, noreturn)) static void exception(void) { board_trap("CPU FAULT"); }

RAM_CODE(interrupt_entry) __attribute__((interrupt("machine"), used)) static void interrupt_entry(void) {
  uint32_t cause;
  __asm__ volatile("csrr %0, mcause" : "=r"(cause));
  board_interrupt(cause & 0x7fffffff);
}

void board_interrupts_off(void) { __asm__ volatile("csrci mstatus, 8" ::: "memory"); }

void board_interrupts_on(void) { __asm__ volatile("csrsi mstatus, 8" ::: "memory"); }
