/*
 * The fence by Physical Memory Protection: what a stray pointer of the module, or of the shim, runs into instead of doing damage in
 * silence. A violation is an exception, and an exception is a line on the wire and a reset (board_trap).
 *
 *     entry  top of range (TOR)    rights
 *     0, 1   firmware's code       read, execute
 *     2, 3   module's memory       read, write: never executed (where it is fetched: link.ld names that address)
 *     4, 5   end of the stack      FENCE_BYTES that nobody may touch
 *     the rest                     no entry: machine mode may do what the bus lets it
 *
 * Entries are locked, because only such bind machine mode; a reset of the chip opens them (QEMU's before 9.0 leaves them standing: the same
 * firmware then finds its own fence, which start_riscv.c never crosses). The module runs at the same privilege as the shim: the fence catches accidents,
 * it is no sandbox for hostile code. Source: RISC-V Privileged Architecture, 3.6 Physical Memory Protection.
 */
#include "riscv.h"
#include "shim.h"

#define R 1u
#define W 2u
#define X 4u
#define TOR (1u << 3)
#define LOCKED (1u << 7)

extern uint8_t fence_code[], fence_code_end[], fence_memory[], fence_memory_end[], stack_guard[], stack_limit[];

/* The register's number is part of the instruction. A range goes from the entry before to its own. */
#define BORDER(entry, address) __asm__ volatile("csrw pmpaddr" #entry ", %0" ::"r"((uint32_t)(address) >> 2))

void pmp_fence(void) {
  BORDER(0, fence_code);
  BORDER(1, fence_code_end);
  BORDER(2, fence_memory);
  BORDER(3, fence_memory_end);
  BORDER(4, stack_guard);
  BORDER(5, stack_limit);
  __asm__ volatile("csrw pmpcfg1, %0" ::"r"((LOCKED | TOR) << 8));
  __asm__ volatile("csrw pmpcfg0, %0" ::"r"((LOCKED | TOR | R | X) << 8 | (LOCKED | TOR | R | W) << 24));
}
