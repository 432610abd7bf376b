/**
 * Frames in both directions: one buffer each, one framing at a time. What a framing is, console.ts and cobs.ts know; here
 * lie the buffers, the CRC and the counters.
 *
 *     received: | len16 (console only) | message, at most MTU | crc16 |
 *     sent:     | len16 (console only) | message, at most MTU | crc16 |
 */
import { FRAMING_COBS, MTU, SMP_HEADER_BYTES } from "../../spec/wire.ts";
import { crc16 } from "./crc16.ts";
import { read16, smp_length, write16 } from "./smp.ts";

/** The two bytes before the message: the console framing's length. */
export const LEN_BYTES: u32 = 2;
export const CRC_BYTES: u32 = 2;
/** Message and CRC. */
export const BODY_MAX: u32 = MTU + CRC_BYTES;

@unmanaged
class Frame {
  rx: usize;
  tx: usize;
  framing: u32;
  /** Bytes of the message under way in rx_body, CRC included. */
  fill: u32;
  /** Frames dropped because they were longer than MTU. */
  lost_long: u32;
  /** Frames dropped because a byte of them was damaged. */
  lost_damaged: u32;
}

const frame = changetype<Frame>(memory.data(offsetof<Frame>()));

/** Gives the buffers, FRAME_BUFFER_BYTES each. */
export function frame_buffers(rx: usize, tx: usize): void {
  frame.rx = rx;
  frame.tx = tx;
}

export function framing(): u32 {
  return frame.framing;
}

/** FRAMING_CONSOLE or FRAMING_COBS, for both directions; the framings' own states are reset by the caller. */
export function set_framing(value: u32): void {
  frame.framing = value == FRAMING_COBS ? FRAMING_COBS : 0;
  frame.fill = 0;
}

export function lost_long(): u32 {
  return frame.lost_long;
}

export function lost_damaged(): u32 {
  return frame.lost_damaged;
}

export function count_long(): void {
  frame.lost_long++;
}

export function count_damaged(): void {
  frame.lost_damaged++;
}

/** Address of the received message. */
export function rx_message(): usize {
  return frame.rx + LEN_BYTES;
}

/** Bytes of the message that rx_check found good. */
export function rx_length(): u32 {
  return frame.fill - CRC_BYTES;
}

export function rx_clear(): void {
  frame.fill = 0;
}

export function rx_fill(): u32 {
  return frame.fill;
}

/** Appends a byte of the body; false when there is no room. */
export function rx_put(byte: u32): bool {
  if (frame.fill == BODY_MAX) return false;
  store<u8>(rx_message() + frame.fill, byte);
  frame.fill++;
  return true;
}

/**
 * Whether the body is a message with the right CRC. The header's length must agree: the CRC starts at 0 and is blind to
 * zeros in front. What is none is counted.
 */
export function rx_check(): bool {
  if (frame.fill >= <u32>SMP_HEADER_BYTES + CRC_BYTES) {
    const length = frame.fill - CRC_BYTES;
    const right = crc16(rx_message(), length) == read16(rx_message() + length);
    if (right && SMP_HEADER_BYTES + smp_length(rx_message()) == length) return true;
  }
  count_damaged();
  return false;
}

/** Address of the message to send, MTU bytes. */
export function tx_message(): usize {
  return frame.tx + LEN_BYTES;
}

/** Puts length and CRC around a message of `length` bytes; returns the bytes of the body. */
export function tx_seal(length: u32): u32 {
  write16(frame.tx, length + CRC_BYTES);
  write16(tx_message() + length, crc16(tx_message(), length));
  return length + CRC_BYTES;
}
