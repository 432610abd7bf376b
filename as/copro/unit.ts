/**
 * The ternary coprocessor (spec/TGEMV.md) as a device: found at boot, given chains of descriptors, waited for while the CPU sleeps, and taken back when it
 * does not answer. What goes wrong is counted and told on the wire (WIRE.md, `copro`); the caller computes the product itself. Boards with a
 * coprocessor have a build of their own (ASC_COPRO): nothing of this folder is in any other firmware.
 */
import { HAL_ABSENT, INFO_COPRO_BASE, INFO_COPRO_KIB_US } from "../../spec/hal.ts";
import { PACK_ILLEGAL_REMAINDER, PACK_MAX, PACK_STRIDE } from "../../spec/packing.ts";
import {
  TGEMV_CAP,
  TGEMV_CAP2,
  TGEMV_CAP_SLOTS_MASK,
  TGEMV_CAP_SLOTS_SHIFT,
  TGEMV_CTRL,
  TGEMV_CTRL_ABORT,
  TGEMV_CTRL_RESET,
  TGEMV_DOORBELL,
  TGEMV_ERR,
  TGEMV_ERR_BAD_CODE,
  TGEMV_ERR_INFO,
  TGEMV_ID,
  TGEMV_ID_VALUE,
  TGEMV_IRQ_DONE,
  TGEMV_IRQ_EN,
  TGEMV_IRQ_ERROR,
  TGEMV_IRQ_STAT,
  TGEMV_STATUS,
  TGEMV_STATUS_BUSY,
  TGEMV_STATUS_ERR,
  TGEMV_VERSION,
  TGEMV_VERSION_VALUE,
} from "../../spec/tgemv.ts";
import {
  COPRO_ABSENT,
  COPRO_ERR_LOST_IRQ,
  COPRO_ERR_TIMEOUT,
  COPRO_LEFT_ALONE,
  COPRO_REFUSED,
  COPRO_USED,
} from "../../spec/wire.ts";
import { board_info, copro_wait, mmio_read32, mmio_write32, ticks } from "../hal.ts";

/** Errors one after the other after which the unit is left alone until reset. */
const STREAK_MAX = 3;
/** Patience beyond what the job's weights take: a few registers, descriptors and activations, and whatever memory was busy with. */
const SPARE_US: u32 = 1000;
/** How many times as long as the board says a job may take. */
const PATIENCE: u32 = 4;

@unmanaged
class Unit {
  /** Address of its registers. */
  base: usize;
  kib_us: u32;
  /** COPRO_* of spec/wire.ts. */
  state: u32;
  slots: i32;
  /** Of the activation buffer. */
  entries: i32;
  /** Of the chain under way: ticks at which it was started, and microseconds that it may take. */
  started: u32;
  patience: u32;
  /** Errors since reset, of the answer under way, and one after the other. */
  errors: u32;
  answer_errors: u32;
  streak: u32;
  /** Of the last error. */
  code: u32;
  info: u32;
  /** Address of a weight byte that the CPU reads as illegal too; 0: none was met in this answer. */
  damage: u32;
}

@lazy
const unit = changetype<Unit>(memory.data(offsetof<Unit>(), 8));

@inline
function read(register: usize): u32 {
  return mmio_read32(unit.base + register);
}

@inline
function write(register: usize, value: u32): void {
  mmio_write32(unit.base + register, value);
}

/** Finds the unit and resets it; false when the board has none that this driver knows. It is not in use before copro_judge() says so. */
export function copro_find(): bool {
  unit.state = COPRO_ABSENT;
  const base = board_info(INFO_COPRO_BASE, 0);
  if (base == HAL_ABSENT) return false;
  unit.base = <usize>base;
  unit.kib_us = board_info(INFO_COPRO_KIB_US, 0);
  if (read(TGEMV_ID) != TGEMV_ID_VALUE || read(TGEMV_VERSION) != TGEMV_VERSION_VALUE) return false;
  write(TGEMV_CTRL, TGEMV_CTRL_RESET);
  write(TGEMV_IRQ_EN, TGEMV_IRQ_DONE | TGEMV_IRQ_ERROR);
  unit.slots = (read(TGEMV_CAP) >> TGEMV_CAP_SLOTS_SHIFT) & TGEMV_CAP_SLOTS_MASK;
  unit.entries = read(TGEMV_CAP2);
  unit.state = COPRO_REFUSED;
  return true;
}

/** Whether its results were right. */
export function copro_judge(right: bool): void {
  unit.state = right ? COPRO_USED : COPRO_REFUSED;
}

/** COPRO_* of spec/wire.ts. */
export function copro_state(): u32 {
  return unit.state;
}

/** Vectors that one pass over the weights can serve. */
export function copro_slots(): i32 {
  return unit.slots;
}

/** Vectors of `cols` activations that one job takes; 0: the unit cannot multiply by such a matrix. A wide vector takes two slots. */
export function copro_vectors(cols: i32, wide: bool): i32 {
  const room = unit.entries / ((cols + 4) / 5);
  const slots = min(unit.slots, room);
  return wide ? slots >> 1 : slots;
}

/**
 * Starts a chain; copro_finish() says how it ended. The CPU may do something else meanwhile.
 * @param head its first descriptor
 * @param bytes of weights in all
 */
export function copro_start(head: usize, bytes: u32): void {
  unit.patience = SPARE_US + PATIENCE * unit.kib_us * ((bytes + 1023) >> 10);
  unit.started = ticks();
  write(TGEMV_DOORBELL, <u32>head);
}

/**
 * Sleeps until the chain that was started is done. The interrupt is acknowledged then: a line that stays high would keep the CPU from sleeping.
 * @returns false when the unit failed: nothing of what it wrote counts
 */
export function copro_finish(): bool {
  const good = ended();
  write(TGEMV_IRQ_STAT, TGEMV_IRQ_DONE | TGEMV_IRQ_ERROR);
  return good;
}

function ended(): bool {
  const patience = unit.patience;
  let status = read(TGEMV_STATUS);
  let slept: u32 = 0;
  while ((status & TGEMV_STATUS_BUSY) != 0) {
    const spent = ticks() - unit.started;
    if (spent >= patience) break;
    copro_wait(patience - spent);
    slept = ticks() - unit.started;
    status = read(TGEMV_STATUS);
  }
  // The line falls: a board that sleeps by its interrupts must not be kept awake.
  write(TGEMV_IRQ_STAT, TGEMV_IRQ_DONE | TGEMV_IRQ_ERROR);
  if ((status & TGEMV_STATUS_BUSY) != 0) {
    const ran = read(TGEMV_ERR_INFO);
    write(TGEMV_CTRL, TGEMV_CTRL_ABORT);
    return failed(COPRO_ERR_TIMEOUT, ran);
  }
  if ((status & TGEMV_STATUS_ERR) != 0) return failed(read(TGEMV_ERR), read(TGEMV_ERR_INFO));
  // It is done and nobody was told: the sums are good, the waiting is not.
  if (slept >= patience) failed(COPRO_ERR_LOST_IRQ, patience);
  else unit.streak = 0;
  return true;
}

function failed(code: u32, info: u32): bool {
  unit.code = code;
  unit.info = info;
  unit.errors++;
  unit.answer_errors++;
  if (code == TGEMV_ERR_BAD_CODE && is_illegal(load<u8>(<usize>info))) {
    // Not the unit's fault.
    unit.damage = info;
    return false;
  }
  if (++unit.streak == STREAK_MAX) {
    unit.state = COPRO_LEFT_ALONE;
    write(TGEMV_CTRL, TGEMV_CTRL_RESET);
  }
  return false;
}

function is_illegal(code: u32): bool {
  return code > <u32>PACK_MAX || code % PACK_STRIDE == PACK_ILLEGAL_REMAINDER;
}

/** An answer begins: its errors are told with its last tokens. */
export function copro_answer_begins(): void {
  unit.answer_errors = 0;
  unit.damage = 0;
}

/** Errors since reset, and of this answer. */
export function copro_errors(): u32 {
  return unit.errors;
}

export function copro_answer_errors(): u32 {
  return unit.answer_errors;
}

/** Of the last error: TGEMV_ERR_* or COPRO_ERR_*, and what belongs to it. */
export function copro_error_code(): u32 {
  return unit.code;
}

export function copro_error_info(): u32 {
  return unit.info;
}

/** Address of an illegal weight byte that was met in this answer, 0: none. */
export function copro_damage(): u32 {
  return unit.damage;
}
