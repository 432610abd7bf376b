/**
 * The serial port: bytes of the UART into frames, frames into bytes, in whichever framing is in use. Nothing here blocks:
 * what the UART does not take now is taken at the next call.
 */
import { FRAMING_COBS } from "../../spec/wire.ts";
import { uart_read, uart_write } from "../hal.ts";
import { cobs_next, cobs_piece, cobs_push, cobs_reset, cobs_send } from "./cobs.ts";
import { console_line, console_next, console_push, console_reset, console_send } from "./console.ts";
import { framing, set_framing, tx_seal } from "./frame.ts";

const PIECE: u32 = 128;
/** Bytes looked at in one call: noise must not hold a token up for ever. */
const BURST: u32 = 4096;

@unmanaged
class Port {
  /** Received bytes not looked at yet: piece[at..end). */
  at: u32;
  end: u32;
  /** Bytes on their way out. */
  out: usize;
  out_left: u32;
  /** 1: a frame is on its way out. */
  sending: u32;
}

const port = changetype<Port>(memory.data(offsetof<Port>()));
const piece: usize = memory.data(128);

export const RECEIVED_NOTHING: i32 = 0;
export const RECEIVED_BYTES: i32 = 1;
export const RECEIVED_FRAME: i32 = 2;

/** Changes the framing; what was received in the old one and not looked at is forgotten. */
export function port_framing(value: u32): void {
  set_framing(value);
  console_reset();
  cobs_reset();
  port.at = 0;
  port.end = 0;
}

/** Reads until a frame is complete (its message: frame.ts), at most until the receiver is empty; RECEIVED_*. */
export function port_receive(): i32 {
  const cobs = framing() == FRAMING_COBS;
  let seen: u32 = 0;
  while (seen < BURST) {
    if (port.at == port.end) {
      const n = uart_read(piece, PIECE);
      if (n <= 0) break;
      port.at = 0;
      port.end = min(<u32>n, PIECE);
    }
    while (port.at < port.end) {
      const byte = load<u8>(piece + port.at++);
      seen++;
      if (cobs ? cobs_push(byte) : console_push(byte)) return RECEIVED_FRAME;
    }
  }
  return seen > 0 ? RECEIVED_BYTES : RECEIVED_NOTHING;
}

/** Begins to send the message of `length` bytes at tx_message(); only when nothing is being sent. */
export function port_send(length: u32): void {
  const bytes = tx_seal(length);
  if (framing() == FRAMING_COBS) cobs_send(bytes);
  else console_send(bytes);
  port.out_left = 0;
  port.sending = 1;
}

export function port_sending(): bool {
  return port.sending != 0;
}

/** Hands the UART what it takes; returns whether it took anything. */
export function port_pump(): bool {
  let moved = false;
  while (port.sending != 0) {
    if (port.out_left == 0) {
      const cobs = framing() == FRAMING_COBS;
      port.out_left = cobs ? cobs_next() : console_next();
      port.out = cobs ? cobs_piece() : console_line();
      if (port.out_left == 0) port.sending = 0;
      continue;
    }
    const n = uart_write(port.out, port.out_left);
    if (n <= 0) break;
    const taken = min(<u32>n, port.out_left);
    port.out += taken;
    port.out_left -= taken;
    moved = true;
  }
  return moved;
}
