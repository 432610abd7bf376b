/**
 * An answer's CBOR map, written once from front to back, definite lengths only. The outermost map has at most 23 pairs: its
 * one-byte head is filled in at the end. Every write is checked against the end of the buffer.
 */
const MAJOR_UINT: u32 = 0x00;
const MAJOR_NEGATIVE: u32 = 0x20;
const MAJOR_BYTES: u32 = 0x40;
const MAJOR_TEXT: u32 = 0x60;
const MAJOR_ARRAY: u32 = 0x80;
const MAJOR_MAP: u32 = 0xa0;
const FALSE: u32 = 0xf4;
const TRUE: u32 = 0xf5;
const NULL: u32 = 0xf6;

@unmanaged
class Writer {
  start: usize;
  at: usize;
  end: usize;
  /** Pairs of the outermost map. */
  pairs: u32;
  /** 1: something did not fit. */
  overflow: u32;
}

const w = changetype<Writer>(memory.data(offsetof<Writer>()));

/** Begins a map at [at, end). */
export function cbor_begin(at: usize, end: usize): void {
  w.start = at;
  w.at = at + 1;
  w.end = end;
  w.pairs = 0;
  w.overflow = 0;
}

/** Ends the map; returns its bytes, 0 when it did not fit. */
export function cbor_end(): u32 {
  store<u8>(w.start, MAJOR_MAP | w.pairs);
  return w.overflow != 0 ? 0 : u32(w.at - w.start);
}

/** Bytes that still fit. */
export function cbor_room(): u32 {
  return u32(w.end - w.at);
}

function put(byte: u32): void {
  if (w.at < w.end) store<u8>(w.at++, byte);
  else w.overflow = 1;
}

function head(major: u32, value: u32): void {
  if (value < 24) {
    put(major | value);
  } else if (value < 0x100) {
    put(major | 24);
    put(value);
  } else if (value < 0x10000) {
    put(major | 25);
    put(value >> 8);
    put(value);
  } else {
    put(major | 26);
    put(value >> 24);
    put(value >> 16);
    put(value >> 8);
    put(value);
  }
}

/** Bytes of a string whose head was written. */
export function put_raw(from: usize, len: u32): void {
  if (len > cbor_room()) {
    w.overflow = 1;
    return;
  }
  memory.copy(w.at, from, len);
  w.at += len;
}

/** A short text packed as keys.ts does. */
export function put_word(word: u64): void {
  let len: u32 = 0;
  for (let rest = word; rest != 0; rest >>= 8) len++;
  head(MAJOR_TEXT, len);
  put_more(word);
}

/** Further bytes of a text whose head was written by `put_text_head`. */
export function put_more(word: u64): void {
  for (; word != 0; word >>= 8) put(u32(word & 0xff));
}

export function put_text_head(len: u32): void {
  head(MAJOR_TEXT, len);
}

/** A key of the outermost map. */
export function put_key(key: u64): void {
  w.pairs++;
  put_word(key);
}

/** A key of nine bytes, its last one apart. */
export function put_key9(key: u64, last: u32): void {
  w.pairs++;
  put_word9(key, last);
}

export function put_word9(word: u64, last: u32): void {
  head(MAJOR_TEXT, 9);
  put_more(word);
  put(last);
}

export function put_uint(value: u32): void {
  head(MAJOR_UINT, value);
}

export function put_int(value: i32): void {
  if (value < 0) head(MAJOR_NEGATIVE, ~value);
  else head(MAJOR_UINT, value);
}

export function put_null(): void {
  put(NULL);
}

export function put_bool(value: bool): void {
  put(value ? TRUE : FALSE);
}

export function put_bytes(from: usize, len: u32): void {
  head(MAJOR_BYTES, len);
  put_raw(from, len);
}

export function put_text(from: usize, len: u32): void {
  head(MAJOR_TEXT, len);
  put_raw(from, len);
}

/** Reserves `len` bytes of a byte string; returns their address, 0 when they do not fit. */
export function put_bytes_later(len: u32): usize {
  head(MAJOR_BYTES, len);
  if (len > cbor_room()) {
    w.overflow = 1;
    return 0;
  }
  const at = w.at;
  w.at += len;
  return at;
}

export function put_array(count: u32): void {
  head(MAJOR_ARRAY, count);
}

/** An inner map of `count` pairs; its keys are written with put_word. */
export function put_map(count: u32): void {
  head(MAJOR_MAP, count);
}

/** Bytes that put_uint would take. */
export function uint_bytes(value: u32): u32 {
  return value < 24 ? 1 : value < 0x100 ? 2 : value < 0x10000 ? 3 : 5;
}
