/**
 * Framing A (spec/WIRE.md): base64 lines that share the wire with log text.
 *
 *     06 09 | base64 of len16, message, crc16, at most 124 characters | 0A
 *     04 14 | more of it                                              | 0A     each line decodable by itself
 *
 * Receiver, a byte at a time:
 *
 *     TEXT --06--> FIRST --09--> LINE (a new frame)        any other byte: back to TEXT
 *     TEXT --04--> NEXT  --14--> LINE (the frame goes on)
 *     LINE --0A--> TEXT, or a frame is complete            06 or 04 inside a line: damaged, and looked at as in TEXT
 */
import {
  CONSOLE_BASE64_MAX,
  CONSOLE_FIRST_0,
  CONSOLE_FIRST_1,
  CONSOLE_NEXT_0,
  CONSOLE_NEXT_1,
} from "../../spec/wire.ts";
import { BASE64_BAD, BASE64_PAD, base64_encode, base64_value } from "./base64.ts";
import {
  BODY_MAX,
  count_damaged,
  count_long,
  LEN_BYTES,
  rx_check,
  rx_clear,
  rx_fill,
  rx_put,
  tx_message,
} from "./frame.ts";

const TEXT: u32 = 0;
const FIRST: u32 = 1;
const NEXT: u32 = 2;
const LINE: u32 = 3;

const NEWLINE: u32 = 0x0a;
/** Bytes that a line carries. */
const LINE_BYTES: u32 = (CONSOLE_BASE64_MAX / 4) * 3;

@unmanaged
class Receiver {
  state: u32;
  /** 1: a frame began and may go on. */
  open: u32;
  /** The group of four characters under way: how many, how many of them padding, their bits. */
  chars: u32;
  pads: u32;
  group: u32;
  /** Bytes of len16 seen, and its value. */
  len_seen: u32;
  len: u32;
}

@unmanaged
class Sender {
  at: usize;
  left: u32;
  first: u32;
}

const r = changetype<Receiver>(memory.data(offsetof<Receiver>()));
const s = changetype<Sender>(memory.data(offsetof<Sender>()));
const line: usize = memory.data(128);

export function console_reset(): void {
  r.state = TEXT;
  r.open = 0;
}

/** Takes one byte from the wire; true when it completes a good frame. */
export function console_push(byte: u32): bool {
  if (r.state == LINE) {
    if (byte == NEWLINE) return end_of_line();
    if (take(byte)) return false;
    drop();
  } else if (r.state == FIRST && byte == CONSOLE_FIRST_1) {
    begin();
    return false;
  } else if (r.state == NEXT && byte == CONSOLE_NEXT_1) {
    r.state = r.open != 0 ? LINE : TEXT;
    return false;
  }
  r.state = byte == CONSOLE_FIRST_0 ? FIRST : byte == CONSOLE_NEXT_0 ? NEXT : TEXT;
  return false;
}

function begin(): void {
  if (r.open != 0) count_damaged(); // the frame before it never ended
  rx_clear();
  r.state = LINE;
  r.open = 1;
  r.chars = 0;
  r.pads = 0;
  r.group = 0;
  r.len_seen = 0;
  r.len = 0;
}

/** Gives the frame under way up as damaged. */
function drop(): void {
  count_damaged();
  console_reset();
}

/** One character of a line; false when it cannot stand here. */
function take(c: u32): bool {
  let value: u32 = 0;
  if (c == BASE64_PAD) {
    if (r.chars < 2) return false;
    r.pads++;
  } else {
    value = base64_value(c);
    if (value == BASE64_BAD || r.pads != 0) return false;
  }
  r.group = (r.group << 6) | value;
  r.chars++;
  if (r.chars < 4) return true;
  const bytes: u32 = 3 - r.pads;
  for (let i: u32 = 0; i < bytes; i++) if (!put((r.group >> (16 - 8 * i)) & 0xff)) return false;
  r.chars = 0;
  r.group = 0;
  // Padding ends the line: `pads` stays until then and refuses more characters.
  return true;
}

/** One byte of the frame; false when there are more than it announced. */
function put(byte: u32): bool {
  if (r.len_seen == LEN_BYTES) return rx_fill() < r.len && rx_put(byte);
  r.len = (r.len << 8) | byte;
  r.len_seen++;
  return true;
}

function end_of_line(): bool {
  if (r.chars != 0 || r.len_seen < LEN_BYTES) {
    drop();
    return false;
  }
  if (r.len > BODY_MAX) {
    count_long();
    console_reset();
    return false;
  }
  r.state = TEXT;
  r.pads = 0;
  if (rx_fill() < r.len) return false;
  r.open = 0;
  return rx_check();
}

/** Begins to send the sealed body of `bytes` (frame.ts). */
export function console_send(bytes: u32): void {
  s.at = tx_message() - LEN_BYTES;
  s.left = LEN_BYTES + bytes;
  s.first = 1;
}

/** Makes the next line; returns its bytes at `console_line()`, 0 when the frame is done. */
export function console_next(): u32 {
  if (s.left == 0) return 0;
  const n = min(s.left, LINE_BYTES);
  store<u8>(line, s.first != 0 ? CONSOLE_FIRST_0 : CONSOLE_NEXT_0);
  store<u8>(line, s.first != 0 ? CONSOLE_FIRST_1 : CONSOLE_NEXT_1, 1);
  const chars = base64_encode(line + 2, s.at, n);
  store<u8>(line + 2 + chars, NEWLINE);
  s.first = 0;
  s.at += n;
  s.left -= n;
  return chars + 3;
}

export function console_line(): usize {
  return line;
}
