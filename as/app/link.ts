/**
 * Framing and speed of the line (spec/WIRE.md, TRITKIT 1). A new mode is on trial until a valid frame comes in it; a
 * negotiated mode ends when nothing valid came for a while, so that the next host finds the device where a reset leaves it.
 *
 *     after reset --link--> (answer leaves) --> trial --frame--> negotiated --10 s silence--> after reset
 *                                                 |--1 s silence--> what it was before
 */
import { INFO_UART_BAUD, INFO_UART_MAX_BAUD } from "../../spec/hal.ts";
import { FRAMING_COBS, FRAMING_CONSOLE, LINK_IDLE_US, LINK_REVERT_US, RC_BAD_ARGUMENT } from "../../spec/wire.ts";
import { board_info, ticks, uart_baud } from "../hal.ts";
import { fields_wrong, want_uint } from "../wire/cbor_read.ts";
import { framing } from "../wire/frame.ts";
import { F_B, F_F } from "../wire/keys.ts";
import { port_framing } from "../wire/port.ts";
import { ANSWERED, reply_error } from "./reply.ts";

/** Slower than any serial port is used at. */
const BAUD_MIN: u32 = 300;

@unmanaged
class Link {
  baud: u32;
  /** 1: the mode below is entered when the answer has left. */
  wanted: u32;
  wanted_framing: u32;
  wanted_baud: u32;
  /** 1: no valid frame has come in this mode yet. */
  trial: u32;
  before_framing: u32;
  before_baud: u32;
  /** When the last valid frame came, or the mode was entered; ticks. */
  heard: u32;
}

const link = changetype<Link>(memory.data(offsetof<Link>()));

export function link_init(): void {
  link.baud = board_info(INFO_UART_BAUD, 0);
  port_framing(FRAMING_CONSOLE);
}

export function link_baud(): u32 {
  return link.baud;
}

/** The request. */
export function link_request(): i32 {
  const f = want_uint(F_F, FRAMING_CONSOLE);
  let b = want_uint(F_B, 0);
  if (b == 0) b = link.baud;
  const known = b == link.baud || (b >= BAUD_MIN && b <= <u32>board_info(INFO_UART_MAX_BAUD, 0));
  if (fields_wrong() || f > <u32>FRAMING_COBS || !known) return reply_error(RC_BAD_ARGUMENT);
  link.wanted = 1;
  link.wanted_framing = f;
  link.wanted_baud = b;
  return ANSWERED;
}

/** To be called when nothing is being sent: enters the mode that was answered. */
export function link_switch(): void {
  if (link.wanted == 0) return;
  link.wanted = 0;
  const framing_before = framing();
  const baud_before = link.baud;
  if (!enter(link.wanted_framing, link.wanted_baud)) return;
  link.before_framing = framing_before;
  link.before_baud = baud_before;
  link.trial = u32(!at_rest());
}

/** Changes the mode; false when the board cannot: then nothing changed. */
function enter(f: u32, baud: u32): bool {
  if (baud != link.baud && uart_baud(baud) != 0) return false;
  link.baud = baud;
  link.trial = 0;
  link.heard = ticks();
  port_framing(f);
  return true;
}

/** Whether this is the mode after reset. */
function at_rest(): bool {
  return framing() == FRAMING_CONSOLE && link.baud == board_info(INFO_UART_BAUD, 0);
}

/** A valid frame came, or the device itself was busy: silence begins now. */
export function link_heard(frame: bool): void {
  if (frame) link.trial = 0;
  link.heard = ticks();
}

/** Ends a mode in which nobody speaks. Returns the microseconds until it wants to be asked again, 0: never. */
export function link_watch(): u32 {
  if (at_rest() && link.trial == 0) return 0;
  const limit: u32 = link.trial != 0 ? LINK_REVERT_US : LINK_IDLE_US;
  const silent = ticks() - link.heard;
  if (silent < limit) return limit - silent;
  if (link.trial != 0) enter(link.before_framing, link.before_baud);
  else enter(FRAMING_CONSOLE, board_info(INFO_UART_BAUD, 0));
  return 0;
}
