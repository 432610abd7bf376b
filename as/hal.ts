/**
 * The pins of the device module (spec/HAL.md): the only imports it has. Every argument and result is an i32, pointers
 * are addresses of linear memory, offsets of flash are relative to the model partition.
 *
 * With ASC_WASI the same names are served by hal_wasi.ts; the test is static, so the other half is never compiled. Kernels of the board's own
 * are asked for only with ASC_NATIVE, which the device's targets define: Node's engine and WASI have no such pins. A coprocessor is there with ASC_COPRO.
 */
import { HAL_ABSENT } from "../spec/hal.ts";
import * as wasi from "./hal_wasi.ts";

@external("hal", "board_info")
declare function hal_board_info(key: i32, index: i32): i32;
@external("hal", "uart_read")
declare function hal_uart_read(ptr: usize, max: i32): i32;
@external("hal", "uart_write")
declare function hal_uart_write(ptr: usize, len: i32): i32;
@external("hal", "uart_baud")
declare function hal_uart_baud(baud: i32): i32;
@external("hal", "flash_map")
declare function hal_flash_map(offset: u32, len: u32): usize;
@external("hal", "flash_erase")
declare function hal_flash_erase(offset: u32, len: u32): i32;
@external("hal", "flash_program")
declare function hal_flash_program(offset: u32, ptr: usize, len: u32): i32;
@external("hal", "firmware_map")
declare function hal_firmware_map(offset: u32, len: u32): usize;
@external("hal", "firmware_erase")
declare function hal_firmware_erase(offset: u32, len: u32): i32;
@external("hal", "firmware_program")
declare function hal_firmware_program(offset: u32, ptr: usize, len: u32): i32;
@external("hal", "firmware_try")
declare function hal_firmware_try(wanted: i32): i32;
@external("hal", "ticks")
declare function hal_ticks(): u32;
@external("hal", "wait")
declare function hal_wait(us: u32): i32;
@external("hal", "reset")
declare function hal_reset(): i32;
@external("hal", "entropy")
declare function hal_entropy(ptr: usize, len: i32): i32;
@external("hal", "gpio_write")
declare function hal_gpio_write(pin: i32, level: i32): i32;
@external("hal", "pwm_write")
declare function hal_pwm_write(pin: i32, duty: i32, hz: i32): i32;
@external("hal", "adc_read")
declare function hal_adc_read(channel: i32): i32;
@external("hal", "watchdog_feed")
declare function hal_watchdog_feed(): i32;
@external("hal", "gemv_tables")
declare function hal_gemv_tables(x: usize, count: i32, table: usize): i32;
@external("hal", "gemv_rows")
declare function hal_gemv_rows(
  w: usize,
  trits: i32,
  rows: i32,
  groups: i32,
  from: i32,
  tables: i32,
  table: usize,
  acc: usize,
  act_max: i32,
): i32;
@external("hal", "attend_keys")
declare function hal_attend_keys(w: usize, rows: i32, cols: i32, x0: usize, x1: usize, acc: usize): i32;
@external("hal", "attend_values")
declare function hal_attend_values(w: usize, rows: i32, cols: i32, y: usize, sums: usize): i32;
@external("hal", "mmio_read32")
declare function hal_mmio_read32(address: usize): u32;
@external("hal", "mmio_write32")
declare function hal_mmio_write32(address: usize, value: u32): i32;
@external("hal", "copro_wait")
declare function hal_copro_wait(us: u32): i32;

/** A fact about the board; HAL_ABSENT for an unknown key. */
export function board_info(key: i32, index: i32): i32 {
  if (isDefined(ASC_WASI)) return wasi.board_info(key, index);
  return hal_board_info(key, index);
}

/** Moves at most `max` received bytes to `ptr`; returns their number, 0 when there are none. */
export function uart_read(ptr: usize, max: i32): i32 {
  if (isDefined(ASC_WASI)) return wasi.uart_read(ptr, max);
  return hal_uart_read(ptr, max);
}

/** Hands over at most `len` bytes; returns the number taken, 0 when the transmitter is full. */
export function uart_write(ptr: usize, len: i32): i32 {
  if (isDefined(ASC_WASI)) return wasi.uart_write(ptr, len);
  return hal_uart_write(ptr, len);
}

/** Waits until the transmitter is empty, then changes the speed; 0 or HAL_EINVAL. */
export function uart_baud(baud: i32): i32 {
  if (isDefined(ASC_WASI)) return wasi.uart_baud(baud);
  return hal_uart_baud(baud);
}

/** Address of `len` readable bytes of the partition (valid until the next call on a board that copies), 0 outside it. */
export function flash_map(offset: u32, len: u32): usize {
  if (isDefined(ASC_WASI)) return wasi.flash_map(offset, len);
  return hal_flash_map(offset, len);
}

/** Sets whole sectors to 0xFF; 0, HAL_EINVAL, HAL_EIO. */
export function flash_erase(offset: u32, len: u32): i32 {
  if (isDefined(ASC_WASI)) return wasi.flash_erase(offset, len);
  return hal_flash_erase(offset, len);
}

/** Clears bits, whole program units inside one page, `ptr` in SRAM; 0, HAL_EINVAL, HAL_EIO. */
export function flash_program(offset: u32, ptr: usize, len: u32): i32 {
  if (isDefined(ASC_WASI)) return wasi.flash_program(offset, ptr, len);
  return hal_flash_program(offset, ptr, len);
}

/** As flash_map, of the firmware's region: two record sectors, two slots. 0 on a board without one. */
export function firmware_map(offset: u32, len: u32): usize {
  if (isDefined(ASC_WASI)) return 0;
  return hal_firmware_map(offset, len);
}

/** As flash_erase, of the firmware's region but for the slot that runs. */
export function firmware_erase(offset: u32, len: u32): i32 {
  if (isDefined(ASC_WASI)) return HAL_ABSENT;
  return hal_firmware_erase(offset, len);
}

/** As flash_program, of the firmware's region but for the slot that runs. */
export function firmware_program(offset: u32, ptr: usize, len: u32): i32 {
  if (isDefined(ASC_WASI)) return HAL_ABSENT;
  return hal_firmware_program(offset, ptr, len);
}

/** Whether reset() starts the other slot, once; 0, or HAL_ABSENT. */
export function firmware_try(wanted: bool): i32 {
  if (isDefined(ASC_WASI)) return HAL_ABSENT;
  return hal_firmware_try(wanted);
}

/** Microseconds since reset, modulo 2^32. */
export function ticks(): u32 {
  if (isDefined(ASC_WASI)) return wasi.ticks();
  return hal_ticks();
}

/** Sleeps until a byte is received, the transmitter has room again, or `us` microseconds passed. */
export function wait(us: u32): void {
  if (isDefined(ASC_WASI)) wasi.wait(us);
  else hal_wait(us);
}

/** Resets the chip when the transmitter is empty. The caller returns from poll at once. */
export function reset(): void {
  if (isDefined(ASC_WASI)) wasi.reset();
  else hal_reset();
}

/** Fills `len` bytes with random ones; returns their number. */
export function entropy(ptr: usize, len: i32): i32 {
  if (isDefined(ASC_WASI)) return wasi.entropy(ptr, len);
  return hal_entropy(ptr, len);
}

/** Drives a pin; 0, or HAL_EINVAL for one the board lacks. */
export function gpio_write(pin: i32, level: i32): i32 {
  if (isDefined(ASC_WASI)) return wasi.gpio_write(pin, level);
  return hal_gpio_write(pin, level);
}

/** Pulses on a pin, high for duty / 65535 of the time; 0, HAL_EINVAL for a pin that cannot, HAL_ABSENT. */
export function pwm_write(pin: i32, duty: i32, hz: i32): i32 {
  if (isDefined(ASC_WASI)) return HAL_ABSENT;
  return hal_pwm_write(pin, duty, hz);
}

/** Measures once: 0..65535, HAL_EINVAL for a channel that the board lacks, HAL_ABSENT. */
export function adc_read(channel: i32): i32 {
  if (isDefined(ASC_WASI)) return HAL_ABSENT;
  return hal_adc_read(channel);
}

export function watchdog_feed(): void {
  if (!isDefined(ASC_WASI)) hal_watchdog_feed();
}

/** As lut_build of kernels/ternary_lut.ts; 0, or HAL_ABSENT where the board has no kernels of its own (then nothing was written). */
export function gemv_tables(x: usize, count: i32, table: usize): i32 {
  if (isDefined(ASC_NATIVE)) return hal_gemv_tables(x, count, table);
  return HAL_ABSENT;
}

/** As lut_rows, when called for all parts in order; `act_max` bounds the activations that the tables were made from. */
export function gemv_rows(
  w: usize,
  trits: i32,
  rows: i32,
  groups: i32,
  from: i32,
  tables: i32,
  table: usize,
  acc: usize,
  act_max: i32,
): i32 {
  if (isDefined(ASC_NATIVE)) return hal_gemv_rows(w, trits, rows, groups, from, tables, table, acc, act_max);
  return HAL_ABSENT;
}

/** As rows_int8_pair of kernels/pair_int8.ts. */
export function attend_keys(w: usize, rows: i32, cols: i32, x0: usize, x1: usize, acc: usize): i32 {
  if (isDefined(ASC_NATIVE)) return hal_attend_keys(w, rows, cols, x0, x1, acc);
  return HAL_ABSENT;
}

/** As columns_int8_pair. */
export function attend_values(w: usize, rows: i32, cols: i32, y: usize, sums: usize): i32 {
  if (isDefined(ASC_NATIVE)) return hal_attend_values(w, rows, cols, y, sums);
  return HAL_ABSENT;
}

/** A register of the coprocessor; HAL_ABSENT without one. */
export function mmio_read32(address: usize): u32 {
  if (isDefined(ASC_COPRO)) return hal_mmio_read32(address);
  return HAL_ABSENT;
}

export function mmio_write32(address: usize, value: u32): void {
  if (isDefined(ASC_COPRO)) hal_mmio_write32(address, value);
}

/** Sleeps until the coprocessor's interrupt line is high or `us` microseconds passed. */
export function copro_wait(us: u32): void {
  if (isDefined(ASC_COPRO)) hal_copro_wait(us);
}
