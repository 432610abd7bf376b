/*
 * The MPU fence: what a stray pointer of the module, or of the shim, runs into instead of doing damage in silence. A violation is a
 * fault, and a fault is a line on the wire and a reset (board_trap).
 *
 *                            PMSAv6, v7 (M0+, M3, M4, M7)           PMSAv8 (M33, M55)
 *     firmware's code        read-only                              read-only
 *     module's memory        as the core's default map              never executed
 *     end of the stack       256 bytes that nobody may touch        MSPLIM: a stack pointer below it faults
 *     the rest               the core's default map: device registers are not executable, unmapped addresses fault on the bus
 *
 * The module runs at the same privilege as the shim: the fence catches accidents, it is no sandbox for hostile code.
 * Regions of PMSAv7 are aligned powers of two, so link.ld names the one that holds the code (fence_code, fence_code_bits), and a second
 * where flash is in two pieces (fence_module, fence_module_bits; 0 bits: none); the module's borders are no such powers.
 * Sources: ARMv7-M ARM B3.5, ARMv8-M ARM D1.2 (MPU_RBAR, MPU_RLAR, MPU_MAIR0).
 */
#include "cortex_m.h"
#include "shim.h"

#define MPU_TYPE REG32(0xE000ED90)
#define MPU_CTRL REG32(0xE000ED94)
#define MPU_RNR REG32(0xE000ED98)
#define MPU_RBAR REG32(0xE000ED9C)
#define MPU_RASR REG32(0xE000EDA0) /* PMSAv7 */
#define MPU_RLAR REG32(0xE000EDA0) /* PMSAv8 */
#define MPU_MAIR0 REG32(0xE000EDC0)

#define ENABLE_OVER_DEFAULT_MAP 5 /* ENABLE, PRIVDEFENA; HFNMIENA off: board_trap may speak */

extern uint8_t fence_code[], fence_code_end[], fence_code_bits[], fence_module[], fence_module_bits[], stack_limit[];

#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)

/* base: | address 31:5 | SH 4:3 | AP 2:1 | XN |     limit: | address 31:5 | . | attribute 3:1 | enable | */
#define READ_ONLY (2u << 1)
#define READ_WRITE (0u << 1)
#define NEVER_EXECUTE 1u

static void region(uint32_t number, uint32_t from, uint32_t to, uint32_t rights) {
  MPU_RNR = number;
  MPU_RBAR = (from & ~31u) | rights;
  MPU_RLAR = ((to - 1) & ~31u) | 1;
}

void mpu_fence(void) {
  __asm__ volatile("msr msplim, %0" ::"r"(stack_limit));
  if ((MPU_TYPE >> 8 & 0xff) < 2) return;
  MPU_MAIR0 = 0xAA; /* attribute 0: normal memory, write-through */
  region(0, (uint32_t)fence_code, (uint32_t)fence_code_end, READ_ONLY);
  region(1, BOARD_MEMORY_BASE, BOARD_MEMORY_END, READ_WRITE | NEVER_EXECUTE);
  MPU_CTRL = ENABLE_OVER_DEFAULT_MAP;
  __asm__ volatile("dsb\nisb" ::: "memory");
}

#else

/* RASR: | XN 28 | AP 26:24 | TEX S C B 21:16 | subregions off 15:8 | size 5:1, 2^(n+1) bytes | enable | */
#define READ_ONLY (6u << 24)
#define NO_ACCESS (0u << 24)
#define NORMAL_MEMORY (2u << 16) /* C: write-through */

static void region(uint32_t number, uint32_t from, uint32_t bits, uint32_t rights) {
  MPU_RNR = number;
  MPU_RBAR = from;
  MPU_RASR = rights | NORMAL_MEMORY | ((bits - 1) << 1) | 1;
}

void mpu_fence(void) {
  if ((MPU_TYPE >> 8 & 0xff) < 2) return;
  region(0, (uint32_t)fence_code, (uint32_t)fence_code_bits, READ_ONLY);
  region(1, (uint32_t)stack_limit, 8, NO_ACCESS);
  if ((uint32_t)fence_module_bits != 0) region(2, (uint32_t)fence_module, (uint32_t)fence_module_bits, READ_ONLY);
  MPU_CTRL = ENABLE_OVER_DEFAULT_MAP;
  __asm__ volatile("dsb\nisb" ::: "memory");
}

#endif
