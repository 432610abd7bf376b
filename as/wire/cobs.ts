/**
 * Framing B (spec/WIRE.md): 00 | COBS(message, crc16) | 00. Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999):
 *
 *     code c: c - 1 bytes other than zero follow, then a zero that is not sent; none after c = 255, none at the end
 */
import { count_damaged, count_long, rx_check, rx_clear, rx_put, tx_message } from "./frame.ts";

const RUN_MAX: u32 = 254;

@unmanaged
class Receiver {
  /** Code of the block under way, 0 before the first. */
  code: u32;
  /** Bytes of the block still to come. */
  left: u32;
  /** 1: the rest of this frame is thrown away. */
  dead: u32;
}

/** What is sent next. */
const OPENING: u32 = 0;
const CODE: u32 = 1;
const RUN: u32 = 2;
const CLOSING: u32 = 3;
const DONE: u32 = 4;

@unmanaged
class Sender {
  state: u32;
  at: usize;
  end: usize;
  /** Bytes of the block under way. */
  run: u32;
  /** Address of the piece to send. */
  piece: usize;
}

const r = changetype<Receiver>(memory.data(offsetof<Receiver>()));
const s = changetype<Sender>(memory.data(offsetof<Sender>()));
const octet: usize = memory.data(4);

export function cobs_reset(): void {
  r.code = 0;
  r.left = 0;
  r.dead = 0;
  rx_clear();
}

/** Takes one byte from the wire; true when it completes a good frame. */
export function cobs_push(byte: u32): bool {
  if (byte == 0) return end_of_frame();
  if (r.dead != 0) return false;
  let room = true;
  if (r.left > 0) {
    r.left--;
    room = rx_put(byte);
  } else {
    if (r.code == 0) rx_clear();
    else if (r.code <= RUN_MAX) room = rx_put(0);
    r.code = byte;
    r.left = byte - 1;
  }
  if (!room) {
    count_long();
    r.dead = 1;
  }
  return false;
}

function end_of_frame(): bool {
  const empty = r.code == 0;
  const whole = r.left == 0;
  const dead = r.dead != 0;
  r.code = 0;
  r.left = 0;
  r.dead = 0;
  if (empty || dead) return false; // the zero before a frame; one that was counted already
  if (whole) return rx_check();
  count_damaged();
  return false;
}

/** Begins to send the sealed body of `bytes` (frame.ts). */
export function cobs_send(bytes: u32): void {
  s.state = OPENING;
  s.at = tx_message();
  s.end = s.at + bytes;
}

/** Makes the next piece; returns its bytes at `cobs_piece()`, 0 when the frame is done. */
export function cobs_next(): u32 {
  if (s.state == RUN) {
    s.piece = s.at;
    const n = s.run;
    s.at += n;
    s.state = s.at == s.end ? CLOSING : CODE;
    if (s.state == CODE && n < RUN_MAX) s.at++; // the zero that goes without saying
    if (n > 0) return n;
  }
  if (s.state == DONE) return 0;
  s.piece = octet;
  if (s.state == CODE) {
    s.run = 0;
    while (s.run < RUN_MAX && s.at + s.run < s.end && load<u8>(s.at + s.run) != 0) s.run++;
    store<u8>(octet, s.run + 1);
    s.state = RUN;
  } else {
    store<u8>(octet, 0);
    s.state = s.state == OPENING ? CODE : DONE;
  }
  return 1;
}

export function cobs_piece(): usize {
  return s.piece;
}
