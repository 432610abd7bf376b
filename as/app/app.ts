/**
 * The device as a program: boot() once after reset, then poll() for ever, each a bounded piece of work. An SMP server on the
 * UART; requests go to their group, one at a time and in order; a token is made between any two of them.
 */
import { ARENA_ALIGN, HAL_EINVAL, INFO_ARENA_END } from "../../spec/hal.ts";
import {
  FRAME_BUFFER_BYTES,
  GROUP_ENUM,
  GROUP_IMAGE,
  GROUP_OS,
  GROUP_TRITKIT,
  OP_READ,
  OP_WRITE,
  RC_BAD_ARGUMENT,
  RC_NOT_SUPPORTED,
  SMP_HEADER_BYTES,
  SMP_V2,
} from "../../spec/wire.ts";
import { board_info, reset, wait, watchdog_feed } from "../hal.ts";
import { update_boot, update_overdue } from "../firmware/update.ts";
import { gen_prepare } from "../generate.ts";
import { layout_arena } from "../memory/layout.ts";
import { PART_RX, PART_TX, part, run } from "../memory/run_state.ts";
import { store_boot } from "../store/recover.ts";
import { NO_SLOT, slots_active, slots_active_ctx } from "../store/slots.ts";
import { upload_step } from "../store/upload.ts";
import { cbor_read } from "../wire/cbor_read.ts";
import { frame_buffers, rx_message } from "../wire/frame.ts";
import { port_pump, port_receive, port_send, port_sending, RECEIVED_FRAME, RECEIVED_NOTHING } from "../wire/port.ts";
import { smp_command, smp_group, smp_length, smp_op, smp_version } from "../wire/smp.ts";
import { enum_request } from "./enum_group.ts";
import { generation_step, next_later, next_waits } from "./generation.ts";
import { image_request, upload_later, upload_waits } from "./image_group.ts";
import { INTAKE_BYTES, intake_init } from "./intake.ts";
import { link_heard, link_init, link_switch, link_watch } from "./link.ts";
import { names_init } from "./names.ts";
import { native_init } from "./native.ts";
import { os_request, os_reset_wanted } from "./os_group.ts";
import { LATER, reply_begin, reply_end, reply_rc } from "./reply.ts";
import { running_close, running_open } from "./running.ts";
import { tools_step, tools_wait } from "./tools.ts";
import { tritkit_request } from "./tritkit_group.ts";
import { copro_init } from "./copro.ts";

/** Longest sleep while something has its time or the transmitter is full: the watchdog wants to be fed. */
const NAP_US: u32 = 10000;

@unmanaged
class App {
  /** 1: boot() found what it needs. */
  up: u32;
}

const app = changetype<App>(memory.data(offsetof<App>()));

/**
 * Starts the device. A board without a usable partition, or whose model cannot be opened, still answers, and says so.
 * @returns 0, or HAL_EINVAL when the arena is too small for the frame buffers: then poll() does nothing
 */
export function boot(): i32 {
  watchdog_feed();
  const base = (__heap_base + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
  const end = <usize>board_info(INFO_ARENA_END, 0);
  if (end < base || !layout_arena(run, base, end, FRAME_BUFFER_BYTES + INTAKE_BYTES, FRAME_BUFFER_BYTES))
    return HAL_EINVAL;
  frame_buffers(part(PART_RX), part(PART_TX));
  intake_init(part(PART_RX) + FRAME_BUFFER_BYTES);
  names_init();
  native_init();
  if (isDefined(ASC_COPRO)) copro_init();
  link_init();
  running_close();
  if (store_boot() && slots_active() != NO_SLOT) running_open(slots_active(), slots_active_ctx());
  update_boot();
  app.up = 1;
  return 0;
}

/** Does a bounded piece of work; returns 1 when it did something, 0 when the board may sleep. */
export function poll(): i32 {
  watchdog_feed();
  if (app.up == 0) return 0;
  // Also while a transmitter that is dead keeps an answer waiting: that is what a trial finds out.
  if (update_overdue() || (os_reset_wanted() && !port_sending())) {
    reset();
    return 1;
  }
  let worked = port_pump();
  let nap: u32 = NAP_US;
  if (!port_sending()) {
    link_switch();
    if (serve()) worked = true;
    nap = link_watch();
  }
  if (upload_step()) worked = true;
  if (generation_step()) worked = true;
  if (tools_step()) worked = true;
  if (worked || gen_prepare()) return 1;
  const next = next_waits();
  if (next != 0) nap = nap == 0 ? next : min(nap, next);
  if (nap == 0 && tools_wait()) nap = NAP_US;
  if (nap == 0) return 0;
  wait(min(nap, NAP_US));
  return 1;
}

/** Receives and answers; whether anything happened. */
function serve(): bool {
  if (upload_waits()) {
    // Nothing is read until the hash is done: requests queue in the board's receiver.
    link_heard(false);
    if (upload_later()) send();
    return true;
  }
  const received = port_receive();
  if (received == RECEIVED_FRAME) {
    link_heard(true);
    if (answer()) send();
    return true;
  }
  if (next_later()) {
    send();
    return true;
  }
  return received != RECEIVED_NOTHING;
}

function send(): void {
  port_send(reply_end());
  port_pump();
}

/** Handles the received message; true when there is an answer to send now. */
function answer(): bool {
  const message = rx_message();
  const op = smp_op(message);
  if (op != OP_READ && op != OP_WRITE) return false; // nobody answers an answer
  reply_begin(message);
  if (smp_version(message) > <u32>SMP_V2) return reply_rc(RC_NOT_SUPPORTED) != LATER;
  if (!cbor_read(message + SMP_HEADER_BYTES, smp_length(message))) return reply_rc(RC_BAD_ARGUMENT) != LATER;
  return dispatch(smp_group(message), smp_command(message), op) != LATER;
}

function dispatch(group: u32, command: u32, op: u32): i32 {
  if (group == GROUP_OS) return os_request(command, op);
  if (group == GROUP_IMAGE) return image_request(command, op);
  if (group == GROUP_ENUM) return enum_request(command, op);
  if (group == GROUP_TRITKIT) return tritkit_request(command, op);
  return reply_rc(RC_NOT_SUPPORTED);
}
