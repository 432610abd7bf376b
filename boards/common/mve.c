/*
 * The ternary kernel and attention's products in MVE ("Helium", Armv8.1-M), for every board whose core has it: gemv_tables, gemv_rows,
 * attend_keys and attend_values of spec/HAL.md. They read the packing of the image as it is in flash; nothing is repacked.
 *
 *     gemv_rows     8 packed bytes are 4 rows x 2 groups, 40 weights:      VLDRB.U16  bytes, widened to 16 bits
 *                                                                          VADD       second group's table: 252 entries further
 *                                                                          VLDRH.U16  gather: eight entries of the tables
 *                                                                          VADD.I16   eight sums
 *     gemv_tables   a row of 28 entries is four vectors, the last overlapping the third; a row is another one plus a constant
 *     attend_*      VMLADAVA for keys (a row's dot product), VMLA for values (columns stay in registers)
 *
 * Sums of 16 bits wrap, and are right all the same as long as the true one fits 15 bits and a sign: the tables' bias is taken off before it
 * is put on. With activations of at most 127 that holds for 51 groups to a lane; otherwise each entry is widened.
 *
 * What counts here is instructions, as an emulator counts them, and that flatters. Cortex-M55 has a data path of 64 bits: every vector instruction
 * takes two cycles, which overlap only where loads and arithmetic alternate (Arm's Helium-Optimization guide, general optimizations). A gather
 * is slower than that: as far as we remember about a cycle for each element, eight here; Arm's figure was not at hand. Then a step takes
 * rather 12 cycles than 4 for its 40 weights. NOT MEASURED on silicon. Measured on QEMU, the token at position 64, instructions a ternary
 * weight: bundled 1M model 1.08 (2.18 without MVE), 4M model 0.58 (1.39).
 *
 * Sources: Armv8-M Architecture Reference Manual (DDI 0553), C2.4, MVE instructions; Arm C Language Extensions, MVE intrinsics
 * (arm_mve.h). TRITKIT_NO_MVE leaves it out: the module uses its own kernels, as on every other core.
 */
#include "device.h"
#include "shim.h"

#if BOARD_HAS_MVE

#include <arm_mve.h>

/* spec/packing.ts; the module compares what these kernels compute with its own at boot. */
#define LUT_BIAS 20480
#define GROUP 252 /* entries of a table */
#define ROW 28    /* entries of a row */

/* Trits 2, 3, 4 of entries 8 to 15 and so on of a row; the last vector begins at entry 20. Entry 27, which no legal byte reads, has none. */
#define TRITS_2(lo) ((lo) == 27 ? 0 : (lo) / 9 - 1)
#define TRITS_3(lo) ((lo) == 27 ? 0 : (lo) / 3 % 3 - 1)
#define TRITS_4(lo) ((lo) == 27 ? 0 : (lo) % 3 - 1)
#define EIGHT(f, n) {f(n), f((n) + 1), f((n) + 2), f((n) + 3), f((n) + 4), f((n) + 5), f((n) + 6), f((n) + 7)}
#define FOUR(f) {EIGHT(f, 0), EIGHT(f, 8), EIGHT(f, 16), EIGHT(f, 20)}
static const struct { int16_t trits_2[4][8], trits_3[4][8], trits_4[4][8]; } row_trits = {FOUR(TRITS_2), FOUR(TRITS_3), FOUR(TRITS_4)};

#define INLINE static inline __attribute__((always_inline))

/* A row of the table: four vectors. */
typedef struct { int16x8_t a, b, c, d; } row_t;

/* The compiler shall not look behind: what it knows of a pointer or of a sum it would use to keep more values than there are registers. */
#define OPAQUE_POINTER(p) __asm__("" : "+r"(p))
#define OPAQUE_VECTOR(v) __asm__("" : "+w"(v))

INLINE int16x8_t entries(int i, int base, int x2, int x3, int x4) {
  typeof(&row_trits) k = &row_trits;
  OPAQUE_POINTER(k);
  int16x8_t v = vdupq_n_s16((int16_t)base);
  v = vmlaq_n_s16(v, vld1q_s16(k->trits_2[i]), (int16_t)x2);
  v = vmlaq_n_s16(v, vld1q_s16(k->trits_3[i]), (int16_t)x3);
  return vmlaq_n_s16(v, vld1q_s16(k->trits_4[i]), (int16_t)x4);
}

INLINE void put(int16_t *to, row_t row) {
  vst1q_s16(to, row.a);
  vst1q_s16(to + 8, row.b);
  vst1q_s16(to + 16, row.c);
  vst1q_s16(to + 20, row.d);
}

INLINE row_t plus(row_t row, int x) {
  return (row_t){vaddq_n_s16(row.a, (int16_t)x), vaddq_n_s16(row.b, (int16_t)x), vaddq_n_s16(row.c, (int16_t)x),
                 vaddq_n_s16(row.d, (int16_t)x)};
}

INLINE int16_t *put_next(int16_t *to, row_t *row, int x) {
  OPAQUE_POINTER(to);
  *row = plus(*row, x);
  put(to, *row);
  return to;
}

INLINE void build(int x0, int x1, int x2, int x3, int x4, int16_t *t) {
  int base = LUT_BIAS - x0 - x1;
  row_t row = {entries(0, base, x2, x3, x4), entries(1, base, x2, x3, x4), entries(2, base, x2, x3, x4), entries(3, base, x2, x3, x4)};
  row.d = vsetq_lane_s16((int16_t)LUT_BIAS, row.d, 7);
  put(t, row);
  /* Trits 0 and 1 in an order in which one of them changes by one. */
#define NEXT(rows, x) t = put_next(t + (rows) * ROW, &row, x)
  NEXT(1, x1);
  NEXT(1, x1);
  NEXT(3, x0);
  NEXT(-1, -x1);
  NEXT(-1, -x1);
  NEXT(3, x0);
  NEXT(1, x1);
  NEXT(1, x1);
}

u32 w2c_hal_gemv_tables(struct w2c_hal *hal, u32 from, u32 count, u32 to) {
  (void)hal;
  const int16_t *x = (const int16_t *)(uintptr_t)from;
  int16_t *table = (int16_t *)(uintptr_t)to;
  for (; count >= 5; count -= 5) {
    build(x[0], x[1], x[2], x[3], x[4], table);
    x += 5;
    table += GROUP;
  }
  if (count > 0) build(x[0], count > 1 ? x[1] : 0, count > 2 ? x[2] : 0, count > 3 ? x[3] : 0, 0, table);
  return 0;
}

/* Where the table of each lane's group begins, counted from the first of eight: entries. */
static const uint16_t table_of[4][8] = {
#define TWO(n) {(n), (n), (n), (n), (n) + GROUP, (n) + GROUP, (n) + GROUP, (n) + GROUP}
    TWO(0), TWO(2 * GROUP), TWO(4 * GROUP), TWO(6 * GROUP)};

/* Entries of two groups' tables, four rows each. */
INLINE uint16x8_t look_up(const uint16_t *t, const uint8_t *w, uint16x8_t from) {
  return vldrhq_gather_shifted_offset_u16(t, vaddq_u16(vldrbq_u16(w), from));
}

/* Of the last group, when their number is odd. */
INLINE int32x4_t look_up_last(const uint16_t *t, const uint8_t *w) {
  return vreinterpretq_s32_u32(vldrhq_gather_shifted_offset_u32(t, vldrbq_u32(w)));
}

INLINE uint16x8_t add_entries(uint16x8_t sums, const uint16_t *t, const uint8_t *w, uint16x8_t from) {
  sums = vaddq_u16(sums, look_up(t, w, from));
  OPAQUE_VECTOR(sums);
  return sums;
}

/* The products of four rows with the activations of `tables` groups, where sums of entries fit 16 bits. */
INLINE int32x4_t narrow(const uint8_t *w, const uint16_t *t, u32 tables) {
  const uint16x8_t c0 = vld1q_u16(table_of[0]), c1 = vld1q_u16(table_of[1]), c2 = vld1q_u16(table_of[2]), c3 = vld1q_u16(table_of[3]);
  u32 pairs = tables >> 1;
  uint16x8_t sums = vdupq_n_u16((uint16_t)(-pairs * LUT_BIAS));
  for (u32 n = pairs >> 2; n != 0; n--) {
    sums = add_entries(sums, t, w, c0);
    sums = add_entries(sums, t, w + 8, c1);
    sums = add_entries(sums, t, w + 16, c2);
    sums = add_entries(sums, t, w + 24, c3);
    w += 32;
    t += 8 * GROUP;
  }
  if ((pairs & 2) != 0) {
    sums = add_entries(sums, t, w, c0);
    sums = add_entries(sums, t, w + 8, c1);
    w += 16;
    t += 4 * GROUP;
  }
  if ((pairs & 1) != 0) {
    sums = add_entries(sums, t, w, c0);
    w += 8;
    t += 2 * GROUP;
  }
  /* Lanes are rows 0 to 3 of even groups, then of odd ones. */
  int16_t both[8];
  vst1q_s16(both, vreinterpretq_s16_u16(sums));
  int32x4_t total = vaddq_s32(vldrhq_s32(both), vldrhq_s32(both + 4));
  if ((tables & 1) == 0) return total;
  return vaddq_s32(total, vsubq_n_s32(look_up_last(t, w), LUT_BIAS));
}

/* The same for any activations: sums of 32 bits, of rows 0 and 2, and of rows 1 and 3. */
INLINE int32x4_t wide(const uint8_t *w, const uint16_t *t, u32 tables) {
  const uint16x8_t c0 = vld1q_u16(table_of[0]), c1 = vld1q_u16(table_of[1]);
  uint32x4_t even = vdupq_n_u32(-(tables >> 1) * LUT_BIAS), odd = even;
  for (u32 n = tables >> 2; n != 0; n--) {
    uint16x8_t eight = look_up(t, w, c0);
    even = vaddq_u32(even, vmovlbq_u16(eight));
    odd = vaddq_u32(odd, vmovltq_u16(eight));
    eight = look_up(t, w + 8, c1);
    even = vaddq_u32(even, vmovlbq_u16(eight));
    odd = vaddq_u32(odd, vmovltq_u16(eight));
    w += 16;
    t += 4 * GROUP;
  }
  if ((tables & 2) != 0) {
    uint16x8_t eight = look_up(t, w, c0);
    even = vaddq_u32(even, vmovlbq_u16(eight));
    odd = vaddq_u32(odd, vmovltq_u16(eight));
    w += 8;
    t += 2 * GROUP;
  }
  /* even: rows 0 and 2 of an even group, then of an odd one */
  uint32_t rows[8];
  const uint32x4x2_t both = {{even, odd}};
  vst2q_u32(rows, both);
  int32x4_t total = vreinterpretq_s32_u32(vaddq_u32(vld1q_u32(rows), vld1q_u32(rows + 4)));
  if ((tables & 1) == 0) return total;
  return vaddq_s32(total, vsubq_n_s32(look_up_last(t, w), LUT_BIAS));
}

/* What all rows have in common. */
typedef struct {
  const uint8_t *w; /* the first of these groups */
  const uint16_t *t;
  int32_t *acc;
  u32 plane; /* bytes */
  u32 trits, blocks, tables;
  bool first;
} rows_t;

/* All rows; the most significant plane first. */
INLINE void all_rows(int32x4_t product(const uint8_t *, const uint16_t *, u32), const rows_t *job, u32 trits) {
  const uint8_t *w = job->w;
  int32_t *acc = job->acc;
  for (u32 blocks = job->blocks; blocks != 0; blocks--) {
    int32x4_t total = vdupq_n_s32(0);
    if (!job->first) total = vld1q_s32(acc);
    if (trits == 1) {
      total = vaddq_s32(total, product(w, job->t, job->tables));
      w += job->plane;
    } else {
      int32x4_t planes = vdupq_n_s32(0);
      for (u32 k = trits; k != 0; k--) {
        planes = vmlaq_n_s32(product(w, job->t, job->tables), planes, 3);
        w += job->plane;
      }
      total = vaddq_s32(total, planes);
    }
    vst1q_s32(acc, total);
    acc += 4;
  }
}

/* Apart, so that each has the registers for itself. */
__attribute__((noinline)) static void gemv_rows_1(const rows_t *job) { all_rows(narrow, job, 1); }
__attribute__((noinline)) static void gemv_rows_planes(const rows_t *job) { all_rows(narrow, job, job->trits); }
__attribute__((noinline)) static void gemv_rows_wide(const rows_t *job) { all_rows(wide, job, job->trits); }

u32 w2c_hal_gemv_rows(struct w2c_hal *hal, u32 weights, u32 trits, u32 rows, u32 groups, u32 from, u32 tables, u32 table, u32 acc,
                      u32 act_max) {
  (void)hal;
  const rows_t job = {.w = (const uint8_t *)(uintptr_t)weights + 4 * from,
                      .t = (const uint16_t *)(uintptr_t)table,
                      .acc = (int32_t *)(uintptr_t)acc,
                      .plane = 4 * groups,
                      .trits = trits,
                      .blocks = (rows + 3) >> 2,
                      .tables = tables,
                      .first = from == 0};
  if ((tables >> 1) * 5 * act_max > INT16_MAX) gemv_rows_wide(&job);
  else if (trits == 1) gemv_rows_1(&job);
  else gemv_rows_planes(&job);
  return 0;
}

/* Sixteen columns of both queries times all keys; with `tail` only the first `cols_left`. */
INLINE void keys_pass(const int8_t *w, u32 rows, u32 cols, const int16_t *x0, const int16_t *x1,
                                                           int32_t *acc, bool first, bool tail, u32 left) {
  mve_pred16_t low = tail ? vctp16q(left) : 0xffff, high = tail ? vctp16q(left > 8 ? left - 8 : 0) : 0xffff;
  int16x8_t a0 = tail ? vldrhq_z_s16(x0, low) : vldrhq_s16(x0), a1 = tail ? vldrhq_z_s16(x0 + 8, high) : vldrhq_s16(x0 + 8);
  int16x8_t b0 = tail ? vldrhq_z_s16(x1, low) : vldrhq_s16(x1), b1 = tail ? vldrhq_z_s16(x1 + 8, high) : vldrhq_s16(x1 + 8);
  for (; rows != 0; rows--) {
    int16x8_t k0 = tail ? vldrbq_z_s16(w, low) : vldrbq_s16(w), k1 = tail ? vldrbq_z_s16(w + 8, high) : vldrbq_s16(w + 8);
    int32_t s = vmladavaq_s16(first ? 0 : acc[0], k0, a0);
    int32_t u = vmladavaq_s16(first ? 0 : acc[1], k0, b0);
    acc[0] = vmladavaq_s16(s, k1, a1);
    acc[1] = vmladavaq_s16(u, k1, b1);
    acc += 2;
    w += cols;
  }
}

u32 w2c_hal_attend_keys(struct w2c_hal *hal, u32 weights, u32 rows, u32 cols, u32 at0, u32 at1, u32 to) {
  (void)hal;
  const int8_t *w = (const int8_t *)(uintptr_t)weights;
  const int16_t *x0 = (const int16_t *)(uintptr_t)at0, *x1 = (const int16_t *)(uintptr_t)at1;
  int32_t *acc = (int32_t *)(uintptr_t)to;
  u32 col = 0;
  for (; col + 16 <= cols; col += 16) {
    if (col == 0) keys_pass(w, rows, cols, x0, x1, acc, true, false, 0);
    else keys_pass(w + col, rows, cols, x0 + col, x1 + col, acc, false, false, 0);
  }
  if (col < cols || cols == 0) keys_pass(w + col, rows, cols, x0 + col, x1 + col, acc, col == 0, true, cols - col);
  return 0;
}

/* Sums of this many rows of 15-bit weights times 7-bit values fit 32 bits. */
#define CHUNK 512

/* Eight columns of values, weighted by a pair for each row; with `tail` only the first `left` of them. */
INLINE void values_pass(const int8_t *w, u32 rows, u32 cols, const int32_t *y, int32_t *sums,
                                                             bool tail, u32 left) {
  mve_pred16_t low = tail ? vctp32q(left) : 0xffff, high = tail ? vctp32q(left > 4 ? left - 4 : 0) : 0xffff;
  int32x4_t a0 = vdupq_n_s32(0), a1 = a0, b0 = a0, b1 = a0;
  for (; rows != 0; rows--) {
    int32x4_t v0 = tail ? vldrbq_z_s32(w, low) : vldrbq_s32(w), v1 = tail ? vldrbq_z_s32(w + 4, high) : vldrbq_s32(w + 4);
    int32_t a = y[0], b = y[1];
    a0 = vmlaq_n_s32(a0, v0, a);
    b0 = vmlaq_n_s32(b0, v0, b);
    a1 = vmlaq_n_s32(a1, v1, a);
    b1 = vmlaq_n_s32(b1, v1, b);
    y += 2;
    w += cols;
  }
  vst1q_s32(sums, a0);
  vst1q_s32(sums + 4, a1);
  vst1q_s32(sums + 8, b0);
  vst1q_s32(sums + 12, b1);
}

u32 w2c_hal_attend_values(struct w2c_hal *hal, u32 weights, u32 rows, u32 cols, u32 from, u32 to) {
  (void)hal;
  const int8_t *w = (const int8_t *)(uintptr_t)weights;
  const int32_t *y = (const int32_t *)(uintptr_t)from;
  mem_s64 *sums = (mem_s64 *)(uintptr_t)to;
  for (u32 start = 0; start == 0 || start < rows; start += CHUNK) {
    u32 n = rows - start < CHUNK ? rows - start : CHUNK;
    for (u32 col = 0; col < cols; col += 8) {
      int32_t part[16];
      u32 left = cols - col < 8 ? cols - col : 8;
      if (left == 8) values_pass(w + col, n, cols, y, part, false, 8);
      else values_pass(w + col, n, cols, y, part, true, left);
      for (u32 i = 0; i < left; i++) {
        sums[col + i] = (start == 0 ? 0 : sums[col + i]) + part[i];
        sums[cols + col + i] = (start == 0 ? 0 : sums[cols + col + i]) + part[8 + i];
      }
    }
    w += CHUNK * cols;
    y += 2 * CHUNK;
  }
  return 0;
}

#endif
