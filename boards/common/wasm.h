/*
 * What the C that wasm2c makes of the device module needs, and nothing else: our own in place of wasm2c's prelude and of its wasm-rt.
 *
 * Identity mapping: an address of linear memory is an address of the chip. There is no bounds check, no address mask and no memory
 * object; wild accesses are what the MPU fence (mpu.c) is for. Measured on the table kernel with 768 rows, instructions a weight on
 * Cortex-M3: identity 0.85, pointer base 1.01, address mask 1.75, bounds checks 4.4, wasm2c's own header 4.0.
 *
 * Accesses are aligned, because neither Cortex-M0+ nor every RISC-V can do others; a byte-wise load would cost nine times as much.
 * asc aligns what it lays out itself; TRITKIT_CHECK_ALIGNMENT builds a firmware that stops at the first access that is not.
 * 64-bit accesses are two words and need the alignment of one.
 *
 * A trap of WebAssembly (division by zero, unreachable) stops the board: board_trap.
 *
 * NOT IMPLEMENTED: floating point, tables and indirect calls, bulk memory, memory.grow, more than one memory. The device has none
 * of them (as/test/device_wasm.test.ts); a module that had would not compile here.
 */
#ifndef TRITKIT_WASM_H
#define TRITKIT_WASM_H

#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef int8_t s8;
typedef uint16_t u16;
typedef int16_t s16;
typedef uint32_t u32;
typedef int32_t s32;
typedef uint64_t u64;
typedef int64_t s64;

/* wasm2c gives every module one; there is nothing in it. */
typedef struct { u8 unused; } wasm_rt_memory_t;

void board_trap(const char *what) __attribute__((noreturn, cold));

#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define LIKELY(x) __builtin_expect(!!(x), 1)

#define TRAP(x) (board_trap(#x), 0)
#define UNREACHABLE TRAP(UNREACHABLE)
#define FUNC_PROLOGUE
#define FUNC_EPILOGUE

#ifdef TRITKIT_CHECK_ALIGNMENT
static inline u32 checked(u32 address, u32 bytes) {
  if (UNLIKELY((address & (bytes - 1)) != 0)) board_trap("UNALIGNED");
  return address;
}
#else
#define checked(address, bytes) (address)
#endif

/* Types that may alias anything, since linear memory has no types. */
typedef u8 __attribute__((may_alias)) mem_u8;
typedef s8 __attribute__((may_alias)) mem_s8;
typedef u16 __attribute__((may_alias)) mem_u16;
typedef s16 __attribute__((may_alias)) mem_s16;
typedef u32 __attribute__((may_alias)) mem_u32;
typedef u64 __attribute__((may_alias)) mem_u64; /* LDRD and STRD, which gcc makes of it, are content with the alignment of a word */
typedef s32 __attribute__((may_alias)) mem_s32;
typedef s64 __attribute__((may_alias)) mem_s64;

#define LOAD(name, in_memory, extended, result, alignment)                                             \
  static inline __attribute__((always_inline)) result name(u64 at) {                                   \
    return (result)(extended)*(const in_memory *)(uintptr_t)checked((u32)at, alignment);               \
  }
#define STORE(name, in_memory, value_type, alignment)                                                   \
  static inline __attribute__((always_inline)) void name(u64 at, value_type v) {                        \
    *(in_memory *)(uintptr_t)checked((u32)at, alignment) = (in_memory)v;                                \
  }

LOAD(i32_load_default32, mem_u32, u32, u32, 4)
LOAD(i32_load8_s_default32, mem_s8, s32, u32, 1)
LOAD(i32_load8_u_default32, mem_u8, u32, u32, 1)
LOAD(i32_load16_s_default32, mem_s16, s32, u32, 2)
LOAD(i32_load16_u_default32, mem_u16, u32, u32, 2)
LOAD(i64_load_default32, mem_u64, u64, u64, 4)
LOAD(i64_load8_s_default32, mem_s8, s64, u64, 1)
LOAD(i64_load8_u_default32, mem_u8, u64, u64, 1)
LOAD(i64_load16_s_default32, mem_s16, s64, u64, 2)
LOAD(i64_load16_u_default32, mem_u16, u64, u64, 2)
LOAD(i64_load32_s_default32, mem_s32, s64, u64, 4)
LOAD(i64_load32_u_default32, mem_u32, u64, u64, 4)
STORE(i32_store_default32, mem_u32, u32, 4)
STORE(i32_store8_default32, mem_u8, u32, 1)
STORE(i32_store16_default32, mem_u16, u32, 2)
STORE(i64_store_default32, mem_u64, u64, 4)
STORE(i64_store8_default32, mem_u8, u64, 1)
STORE(i64_store16_default32, mem_u16, u64, 2)
STORE(i64_store32_default32, mem_u32, u64, 4)

#define I32_CLZ(x) ((x) ? __builtin_clz(x) : 32)
#define I64_CLZ(x) ((x) ? __builtin_clzll(x) : 64)
#define I32_CTZ(x) ((x) ? __builtin_ctz(x) : 32)
#define I64_CTZ(x) ((x) ? __builtin_ctzll(x) : 64)
#define I32_POPCNT(x) (__builtin_popcount(x))
#define I64_POPCNT(x) (__builtin_popcountll(x))

#define ROTL(x, y, mask) (((x) << ((y) & (mask))) | ((x) >> (((mask) - (y) + 1) & (mask))))
#define ROTR(x, y, mask) (((x) >> ((y) & (mask))) | ((x) << (((mask) - (y) + 1) & (mask))))
#define I32_ROTL(x, y) ROTL(x, y, 31)
#define I64_ROTL(x, y) ROTL(x, y, 63)
#define I32_ROTR(x, y) ROTR(x, y, 31)
#define I64_ROTR(x, y) ROTR(x, y, 63)

/* A division by zero, and the one quotient that does not fit, trap; the remainder of the latter is 0. */
#define DIV_S(ut, min, x, y) \
  (UNLIKELY((y) == 0) ? TRAP(DIV_BY_ZERO) : UNLIKELY((x) == (min) && (y) == -1) ? TRAP(INT_OVERFLOW) : (ut)((x) / (y)))
#define REM_S(ut, min, x, y) \
  (UNLIKELY((y) == 0) ? TRAP(DIV_BY_ZERO) : UNLIKELY((x) == (min) && (y) == -1) ? 0 : (ut)((x) % (y)))
#define I32_DIV_S(x, y) DIV_S(u32, INT32_MIN, (s32)x, (s32)y)
#define I64_DIV_S(x, y) DIV_S(u64, INT64_MIN, (s64)x, (s64)y)
#define I32_REM_S(x, y) REM_S(u32, INT32_MIN, (s32)x, (s32)y)
#define I64_REM_S(x, y) REM_S(u64, INT64_MIN, (s64)x, (s64)y)
#define DIV_U(x, y) (UNLIKELY((y) == 0) ? TRAP(DIV_BY_ZERO) : ((x) / (y)))
#define REM_U(x, y) (UNLIKELY((y) == 0) ? TRAP(DIV_BY_ZERO) : ((x) % (y)))

/* A data segment; the memory around it was zeroed before (main.c). */
#define LOAD_DATA(offset, from, bytes) memcpy((void *)(uintptr_t)(offset), (from), (bytes))

#endif
