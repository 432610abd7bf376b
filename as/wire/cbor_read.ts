/**
 * A request's CBOR map (RFC 8949) read in one pass: every pair is checked to its end, the pairs that WIRE.md knows are kept
 * by field number, the rest is skipped. Definite and indefinite lengths, at most DEPTH_MAX containers inside one another.
 *
 *     initial byte:  | major type 7..5 | additional information 4..0 |
 *     information:   0..23 the argument itself, 24..27: 1, 2, 4, 8 bytes follow, 31: indefinite length or break
 */
import { FIELDS, field_of } from "./keys.ts";

export const ABSENT: u32 = 0;
/** value: the number, below 2^32 */
export const UINT: u32 = 1;
/** value: address, len: bytes */
export const BYTES: u32 = 2;
export const TEXT: u32 = 3;
/** value: 0 or 1 */
export const BOOL: u32 = 4;
/** value: address of its first item, len: items, ANY_NUMBER up to a break */
export const ARRAY: u32 = 5;
/** Anything else that is well-formed. */
export const OTHER: u32 = 6;

const ANY_NUMBER: u32 = 0xffffffff;

const DEPTH_MAX: u32 = 8;

const MAJOR_UINT: u32 = 0;
const MAJOR_NEGATIVE: u32 = 1;
const MAJOR_BYTES: u32 = 2;
const MAJOR_TEXT: u32 = 3;
const MAJOR_ARRAY: u32 = 4;
const MAJOR_MAP: u32 = 5;
const MAJOR_TAG: u32 = 6;
const INDEFINITE: u32 = 31;
const BREAK: u32 = 0xff;
const FALSE: u32 = 20;
const TRUE: u32 = 21;
const NULL: u32 = 22;
const UNDEFINED: u32 = 23;
const SIMPLE_1: u32 = 24;
const SIMPLE_MIN: u32 = 32;

@unmanaged
class Field {
  kind: u32;
  value: u32;
  len: u32;
}

/** The item that was read last, and how the present request stands. */
@unmanaged
class Reader {
  end: usize;
  major: u32;
  info: u32;
  /** The argument; its high half only for numbers and tags. */
  low: u32;
  high: u32;
  /** 1: a handler asked for a field that was of another kind or out of range. */
  wrong: u32;
}

const FIELD_BYTES: usize = 12;
const TABLE: usize = memory.data(FIELDS * 12);
const rd = changetype<Reader>(memory.data(offsetof<Reader>()));

function field(f: i32): Field {
  return changetype<Field>(TABLE + <usize>f * FIELD_BYTES);
}

/**
 * Reads the map at [from, from + len) into the fields. A string of indefinite length is joined in place. No bytes at all
 * count as an empty map.
 * @returns false when it is no well-formed map, is followed by anything, or has a known key twice
 */
export function cbor_read(from: usize, len: u32): bool {
  memory.fill(TABLE, 0, FIELD_BYTES * FIELDS);
  rd.wrong = 0;
  rd.end = from + len;
  if (len == 0) return true;
  let p = head(from);
  if (p == 0 || rd.major != MAJOR_MAP || rd.high != 0) return false;
  const indefinite = rd.info == INDEFINITE;
  let pairs: u32 = indefinite ? 0xffffffff : rd.low;
  for (; pairs > 0; pairs--) {
    if (p >= rd.end) return false;
    if (indefinite && load<u8>(p) == BREAK) {
      p++;
      break;
    }
    p = pair(p);
    if (p == 0) return false;
  }
  return p == rd.end;
}

/** Reads one key and its value; returns the address behind them, 0 when malformed. */
function pair(p: usize): usize {
  const at = head(p);
  if (at == 0) return 0;
  let f = -1;
  if (rd.major == MAJOR_TEXT && rd.info != INDEFINITE && rd.low <= 8 && at + rd.low <= rd.end) {
    let key: u64 = 0;
    for (let i = rd.low; i > 0; i--) key = (key << 8) | load<u8>(at + i - 1);
    if (rd.low == 0 || load<u8>(at + rd.low - 1) != 0) f = field_of(key); // a zero at the end would look like padding
  }
  p = skip(p, 1);
  if (p == 0) return 0;
  const value = p;
  p = skip(p, 1);
  if (p == 0 || f < 0) return p;
  if (field(f).kind != ABSENT) return 0;
  keep(field(f), value, p);
  return p;
}

/** Notes the well-formed item at [p, end) as a field. */
function keep(out: Field, p: usize, end: usize): void {
  const at = head(p);
  out.kind = OTHER;
  if (rd.major == MAJOR_UINT && rd.high == 0) {
    out.kind = UINT;
    out.value = rd.low;
  } else if (rd.major == MAJOR_BYTES || rd.major == MAJOR_TEXT) {
    out.kind = rd.major == MAJOR_BYTES ? BYTES : TEXT;
    out.value = u32(at);
    out.len = rd.info == INDEFINITE ? join(at, end) : rd.low;
  } else if (rd.major == MAJOR_ARRAY) {
    out.kind = ARRAY;
    out.value = u32(at);
    out.len = rd.info == INDEFINITE ? ANY_NUMBER : rd.low;
  } else if (rd.major > MAJOR_TAG && (rd.info == FALSE || rd.info == TRUE)) {
    out.kind = BOOL;
    out.value = u32(rd.info == TRUE);
  } else if (rd.major > MAJOR_TAG && (rd.info == NULL || rd.info == UNDEFINED)) {
    out.kind = ABSENT;
  }
}

/** Moves the chunks of a string of indefinite length together at its start; returns their bytes. */
function join(start: usize, end: usize): u32 {
  let to = start;
  for (let p = start; p < end && load<u8>(p) != BREAK; ) {
    const at = head(p);
    memory.copy(to, at, rd.low);
    to += rd.low;
    p = at + rd.low;
  }
  return u32(to - start);
}

/** Reads an item's head into `rd`; returns the address behind it, 0 when malformed or cut off. */
function head(p: usize): usize {
  if (p >= rd.end) return 0;
  const initial: u32 = load<u8>(p++);
  rd.major = initial >> 5;
  rd.info = initial & 31;
  rd.low = rd.info;
  rd.high = 0;
  if (rd.info < 24) return p;
  if (rd.info == INDEFINITE)
    return rd.major == MAJOR_UINT || rd.major == MAJOR_NEGATIVE || rd.major == MAJOR_TAG ? 0 : p;
  if (rd.info > 27) return 0;
  const bytes: u32 = 1 << (rd.info - 24);
  if (rd.end - p < bytes) return 0;
  rd.low = 0;
  for (let i: u32 = 0; i < bytes; i++) {
    rd.high = (rd.high << 8) | (rd.low >> 24);
    rd.low = (rd.low << 8) | load<u8>(p++);
  }
  return p;
}

/** The address behind the item at p, 0 when malformed. `depth`: containers around it. */
function skip(p: usize, depth: u32): usize {
  p = head(p);
  while (p != 0 && rd.major == MAJOR_TAG) p = head(p);
  if (p == 0) return 0;
  const major = rd.major;
  if (major <= MAJOR_NEGATIVE) return p;
  if (major == MAJOR_BYTES || major == MAJOR_TEXT) return rd.info == INDEFINITE ? chunks(p, major) : string(p);
  if (major > MAJOR_TAG) return simple(p);
  return container(p, depth + 1);
}

/** Behind a string of definite length. */
function string(p: usize): usize {
  return rd.high == 0 && rd.low <= <u32>(rd.end - p) ? p + rd.low : 0;
}

/** Behind the break of a string of indefinite length: its chunks are strings of the same kind, of definite length. */
function chunks(p: usize, major: u32): usize {
  while (p < rd.end) {
    if (load<u8>(p) == BREAK) return p + 1;
    p = head(p);
    if (p == 0 || rd.major != major || rd.info == INDEFINITE) return 0;
    p = string(p);
    if (p == 0) return 0;
  }
  return 0;
}

/** Behind a simple value or a float (whose bytes head() took for an argument). */
function simple(p: usize): usize {
  if (rd.info == INDEFINITE) return 0; // a break where no item ends
  return rd.info == SIMPLE_1 && rd.low < SIMPLE_MIN ? 0 : p;
}

/** Behind an array or map. */
function container(p: usize, depth: u32): usize {
  if (depth > DEPTH_MAX || rd.high != 0) return 0;
  const each: u32 = rd.major == MAJOR_MAP ? 2 : 1;
  const indefinite = rd.info == INDEFINITE;
  let count: u32 = indefinite ? 0xffffffff : rd.low;
  for (; count > 0; count--) {
    if (indefinite) {
      if (p >= rd.end) return 0;
      if (load<u8>(p) == BREAK) return p + 1;
    }
    for (let i: u32 = 0; i < each; i++) {
      p = skip(p, depth);
      if (p == 0) return 0;
    }
  }
  return p;
}

/** Whether the request has the field (null counts as absent). */
export function has(f: i32): bool {
  return field(f).kind != ABSENT;
}

/** The field as a number; `absent` without it. Of another kind: `fields_wrong`. */
export function want_uint(f: i32, absent: u32): u32 {
  if (field(f).kind == ABSENT) return absent;
  if (field(f).kind != UINT) rd.wrong = 1;
  return field(f).value;
}

/** The field as true or false; `absent` without it. */
export function want_bool(f: i32, absent: bool): bool {
  if (field(f).kind == ABSENT) return absent;
  if (field(f).kind != BOOL) rd.wrong = 1;
  return field(f).value != 0;
}

/** Address of the field's bytes (their number: `want_len`). Absent or of another kind: `fields_wrong`. */
export function want_bytes(f: i32): usize {
  if (field(f).kind != BYTES) rd.wrong = 1;
  return field(f).value;
}

/** Address of the field's text. Absent or of another kind: `fields_wrong`. */
export function want_text(f: i32): usize {
  if (field(f).kind != TEXT) rd.wrong = 1;
  return field(f).value;
}

/** Bytes of a string field, 0 when it is none. */
export function want_len(f: i32): u32 {
  return field(f).len;
}

/** Item i of the field, an array, as a signed number; `absent` when it is null or the array ends before. Of another kind: `fields_wrong`. */
export function want_item(f: i32, i: u32, absent: i32): i32 {
  if (field(f).kind != ARRAY) rd.wrong = 1;
  if (field(f).kind != ARRAY || i >= field(f).len) return absent;
  let p = <usize>field(f).value;
  for (; i > 0 && load<u8>(p) != BREAK; i--) p = skip(p, 1);
  if (load<u8>(p) == BREAK) return absent; // no item begins so
  head(p);
  if (rd.major > MAJOR_TAG && rd.info == NULL) return absent;
  if (rd.major <= MAJOR_NEGATIVE && rd.high == 0 && <i32>rd.low >= 0)
    return rd.major == MAJOR_UINT ? rd.low : ~(<i32>rd.low);
  rd.wrong = 1;
  return absent;
}

/** Whether a handler asked for something that was not there as asked. */
export function fields_wrong(): bool {
  return rd.wrong != 0;
}
