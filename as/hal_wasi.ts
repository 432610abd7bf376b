/**
 * The HAL on a WASI runtime (preview 1): a board named "wasi" whose UART is stdin and stdout, whose flash is a file, and
 * whose other pins are clocks and random_get. Chosen by ASC_WASI in hal.ts.
 *
 *     first argument   path of the flash file, relative to the first preopened directory; made when it is not there.
 *                      Without an argument flash is forgotten at the end
 *     memory           | data | arena, ARENA_BYTES | flash, FLASH_BYTES |    so that flash_map copies nothing
 *
 * Traps: node:wasi answers EPERM to poll_oneoff on files and /dev/null, which are always readable; a clock subscription is
 * what keeps poll_oneoff from blocking, but with less than a millisecond node:wasi never looks at the descriptor (seen with
 * Node 20), so looking costs that much and is done rarely while there is something else to do. The end of stdin is seen as a
 * readable descriptor that gives no bytes.
 *
 * NOT IMPLEMENTED: reset within the process. It ends it, and whoever started it may start it again.
 */
import {
  HAL_ABSENT,
  HAL_EINVAL,
  HAL_EIO,
  INFO_ARENA_END,
  INFO_CPU_HZ,
  INFO_NAME,
  INFO_PARTITION_BYTES,
  INFO_PROGRAM_PAGE,
  INFO_PROGRAM_UNIT,
  INFO_RUN_BYTES,
  INFO_RUN_COUNT,
  INFO_SECTOR_RUNS,
  INFO_UART_BAUD,
  INFO_UART_MAX_BAUD,
  INFO_UART_RX_BYTES,
  INFO_WRITE_ONCE,
} from "../spec/hal.ts";

@external("wasi_snapshot_preview1", "fd_read")
declare function fd_read(fd: u32, iovs: usize, iovs_len: usize, read: usize): u32;
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: u32, iovs: usize, iovs_len: usize, written: usize): u32;
@external("wasi_snapshot_preview1", "fd_pread")
declare function fd_pread(fd: u32, iovs: usize, iovs_len: usize, offset: u64, read: usize): u32;
@external("wasi_snapshot_preview1", "fd_pwrite")
declare function fd_pwrite(fd: u32, iovs: usize, iovs_len: usize, offset: u64, written: usize): u32;
@external("wasi_snapshot_preview1", "path_open")
declare function path_open(
  dirfd: u32,
  dirflags: u32,
  path: usize,
  path_len: usize,
  oflags: u32,
  rights: u64,
  inheriting: u64,
  fdflags: u32,
  fd: usize,
): u32;
@external("wasi_snapshot_preview1", "poll_oneoff")
declare function poll_oneoff(subscriptions: usize, events: usize, count: usize, happened: usize): u32;
@external("wasi_snapshot_preview1", "clock_time_get")
declare function clock_time_get(id: u32, precision: u64, time: usize): u32;
@external("wasi_snapshot_preview1", "random_get")
declare function random_get(ptr: usize, len: usize): u32;
@external("wasi_snapshot_preview1", "args_sizes_get")
declare function args_sizes_get(count: usize, bytes: usize): u32;
@external("wasi_snapshot_preview1", "args_get")
declare function args_get(argv: usize, buffer: usize): u32;
@external("wasi_snapshot_preview1", "proc_exit")
declare function proc_exit(status: u32): void;

const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const PREOPEN: u32 = 3;
const OFLAGS_CREAT: u32 = 1;
/** fd_read, fd_seek (which pread needs), fd_write */
const RIGHTS: u64 = 0x46;
const CLOCK_MONOTONIC: u32 = 1;

/** Shortest look at stdin, and how long to leave it alone after a look that found nothing. */
const LOOK_US: u64 = 1000;
const BETWEEN_LOOKS_US: u64 = 8000;

const PAGE_SHIFT: u32 = 16;
const ARENA_BYTES: u32 = 4 << 20;
const FLASH_BYTES: u32 = 2 << 20;
const SECTOR_BYTES: u32 = 4096;
const PROGRAM_PAGE: u32 = 256;
const RX_BYTES: i32 = 4096;
const BAUD: i32 = 115200;
const NAME: u32 = 0x69736177; // "wasi"

// subscription: 0 userdata u64 | 8 tag u8 | 16 clock id u32 or fd u32 | 24 timeout u64, ns | 32 precision u64 | 40 flags u16
const SUBSCRIPTION_BYTES: usize = 48;
const SUB_TAG: usize = 8;
const SUB_FD: usize = 16;
const SUB_CLOCK: usize = 16;
const SUB_TIMEOUT: usize = 24;
const TAG_CLOCK: u8 = 0;
const TAG_FD_READ: u8 = 1;
// event: 0 userdata u64 | 8 errno u16 | 10 type u8 | ...
const EVENT_BYTES: usize = 32;
const EVENT_TYPE: usize = 10;

const ARGS_MAX: u32 = 16;
const ARG_BYTES_MAX: u32 = 4096;

@unmanaged
class Wasi {
  arena_end: usize;
  flash: usize;
  file: u32; // 0: none
  eof: u32;
  ready: u32; // 1: a look found stdin readable, and it was not read since
  boot_us: u64;
  looked_us: u64; // when the last look found nothing
  // results of calls
  word: u32;
  word2: u32;
  iov_at: usize;
  iov_len: usize;
  time: u64;
}

const w = changetype<Wasi>(memory.data(offsetof<Wasi>()));
const subscriptions: usize = memory.data(96);
const events: usize = memory.data(64);
const argv: usize = memory.data(64);
const arguments_at: usize = memory.data(4096);

const WORD: usize = offsetof<Wasi>("word");
const WORD2: usize = offsetof<Wasi>("word2");
const IOV: usize = offsetof<Wasi>("iov_at");
const TIME: usize = offsetof<Wasi>("time");

@inline
function address(field: usize): usize {
  return changetype<usize>(w) + field;
}

/**
 * Gets memory for arena and flash and reads the flash file.
 * @returns false when there is no memory, or the file cannot be used
 */
export function wasi_begin(): bool {
  w.arena_end = ((<usize>memory.size()) << PAGE_SHIFT) + ARENA_BYTES;
  if (memory.grow((ARENA_BYTES + FLASH_BYTES) >> PAGE_SHIFT) < 0) return false;
  w.flash = w.arena_end;
  memory.fill(w.flash, 0xff, FLASH_BYTES);
  w.boot_us = now_us();
  return open_flash();
}

/** Ends the process with status 1: there is no memory, or no such flash file. */
export function wasi_fail(): void {
  proc_exit(1);
}

/** Whether stdin has ended. */
export function wasi_eof(): bool {
  return w.eof != 0;
}

function open_flash(): bool {
  if (args_sizes_get(address(WORD), address(WORD2)) != 0) return false;
  if (w.word < 2) return true;
  if (w.word > ARGS_MAX || w.word2 > ARG_BYTES_MAX || args_get(argv, arguments_at) != 0) return false;
  let path = <usize>load<u32>(argv, 4);
  while (load<u8>(path) == 0x2f) path++; // the preopened directory is the root
  let len: usize = 0;
  while (load<u8>(path + len) != 0) len++;
  if (path_open(PREOPEN, 0, path, len, OFLAGS_CREAT, RIGHTS, 0, 0, address(WORD)) != 0) return false;
  w.file = w.word;
  for (let done: u32 = 0; done < FLASH_BYTES; done += w.word) {
    set_iov(w.flash + done, FLASH_BYTES - done);
    if (fd_pread(w.file, address(IOV), 1, done, address(WORD)) != 0) return false;
    if (w.word == 0) return save(done, FLASH_BYTES - done); // a shorter file is filled up with erased bytes
  }
  return true;
}

function set_iov(at: usize, len: usize): void {
  w.iov_at = at;
  w.iov_len = len;
}

/** Writes a piece of flash to the file. */
function save(offset: u32, len: u32): bool {
  if (w.file == 0) return true;
  while (len > 0) {
    set_iov(w.flash + offset, len);
    if (fd_pwrite(w.file, address(IOV), 1, offset, address(WORD)) != 0 || w.word == 0) return false;
    offset += w.word;
    len -= w.word;
  }
  return true;
}

export function board_info(key: i32, index: i32): i32 {
  if (key == INFO_NAME) return index == 0 ? NAME : 0;
  if (key == INFO_ARENA_END) return <i32>w.arena_end;
  if (key == INFO_PARTITION_BYTES) return FLASH_BYTES;
  if (key == INFO_SECTOR_RUNS) return 1;
  if (key == INFO_RUN_COUNT) return FLASH_BYTES / SECTOR_BYTES;
  if (key == INFO_RUN_BYTES) return SECTOR_BYTES;
  if (key == INFO_PROGRAM_UNIT) return 1;
  if (key == INFO_PROGRAM_PAGE) return PROGRAM_PAGE;
  if (key == INFO_WRITE_ONCE || key == INFO_CPU_HZ) return 0;
  if (key == INFO_UART_BAUD || key == INFO_UART_MAX_BAUD) return BAUD;
  if (key == INFO_UART_RX_BYTES) return RX_BYTES;
  return HAL_ABSENT;
}

/** Waits at most `us` microseconds for stdin; notes whether it can be read. */
function look(us: u64): void {
  memory.fill(subscriptions, 0, 2 * SUBSCRIPTION_BYTES);
  store<u8>(subscriptions + SUB_TAG, TAG_CLOCK);
  store<u32>(subscriptions + SUB_CLOCK, CLOCK_MONOTONIC);
  store<u64>(subscriptions + SUB_TIMEOUT, max<u64>(us, LOOK_US) * 1000);
  const input = subscriptions + SUBSCRIPTION_BYTES;
  store<u8>(input + SUB_TAG, TAG_FD_READ);
  store<u32>(input + SUB_FD, STDIN);
  if (poll_oneoff(subscriptions, events, w.eof != 0 ? 1 : 2, address(WORD)) != 0) {
    w.ready = 1;
    return;
  }
  for (let i: usize = 0; i < <usize>w.word; i++)
    if (load<u8>(events + i * EVENT_BYTES + EVENT_TYPE) == TAG_FD_READ) w.ready = 1;
  if (w.ready == 0) w.looked_us = now_us();
}

export function uart_read(ptr: usize, max: i32): i32 {
  if (w.eof != 0) return 0;
  if (w.ready == 0 && now_us() - w.looked_us >= BETWEEN_LOOKS_US) look(0);
  if (w.ready == 0) return 0;
  w.ready = 0;
  w.looked_us = 0;
  set_iov(ptr, max);
  if (fd_read(STDIN, address(IOV), 1, address(WORD)) != 0 || w.word == 0) {
    w.eof = 1;
    return 0;
  }
  return w.word;
}

export function uart_write(ptr: usize, len: i32): i32 {
  set_iov(ptr, len);
  if (fd_write(STDOUT, address(IOV), 1, address(WORD)) != 0) proc_exit(1); // nobody listens any more
  return w.word;
}

/** A pipe has one speed. */
export function uart_baud(baud: i32): i32 {
  return baud == BAUD ? 0 : HAL_EINVAL;
}

function inside(offset: u32, len: u32): bool {
  return offset <= FLASH_BYTES && len <= FLASH_BYTES - offset;
}

export function flash_map(offset: u32, len: u32): usize {
  return inside(offset, len) ? w.flash + offset : 0;
}

export function flash_erase(offset: u32, len: u32): i32 {
  if (!inside(offset, len) || ((offset | len) & (SECTOR_BYTES - 1)) != 0) return HAL_EINVAL;
  memory.fill(w.flash + offset, 0xff, len);
  return save(offset, len) ? 0 : HAL_EIO;
}

export function flash_program(offset: u32, ptr: usize, len: u32): i32 {
  if (!inside(offset, len) || len > PROGRAM_PAGE - (offset & (PROGRAM_PAGE - 1))) return HAL_EINVAL;
  for (let i: usize = 0; i < <usize>len; i++) {
    const at = w.flash + offset + i;
    store<u8>(at, load<u8>(at) & load<u8>(ptr + i));
  }
  return save(offset, len) ? 0 : HAL_EIO;
}

function now_us(): u64 {
  return clock_time_get(CLOCK_MONOTONIC, 1000, address(TIME)) == 0 ? w.time / 1000 : 0;
}

export function ticks(): u32 {
  return <u32>(now_us() - w.boot_us);
}

export function wait(us: u32): void {
  if (w.ready == 0) look(us);
}

export function reset(): void {
  proc_exit(0);
}

export function entropy(ptr: usize, len: i32): i32 {
  return random_get(ptr, len) == 0 ? len : 0;
}

/** It has no pins. */
export function gpio_write(_pin: i32, _level: i32): i32 {
  return HAL_ABSENT;
}
