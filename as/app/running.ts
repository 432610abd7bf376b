/** The model that runs: opened where it lies in flash, or in a copy in PSRAM. NOT IMPLEMENTED: boards that only copy windows of flash. */
import { IMAGE_OK, IMAGE_UNSUPPORTED } from "../../spec/image.ts";
import { COPRO_USED } from "../../spec/wire.ts";
import { flash_map } from "../hal.ts";
import { run } from "../memory/run_state.ts";
import { open_model } from "../model/open.ts";
import { slot_offset } from "../store/geometry.ts";
import { NO_SLOT, slot_len, slots_single } from "../store/slots.ts";
import { generation_reset } from "./generation.ts";
import { board_name } from "./names.ts";
import { native_engine } from "./native.ts";
import { copro_slots, copro_state } from "../copro/unit.ts";
import { copro_engine } from "../kernels/engine.ts";
import { in_psram } from "./copro.ts";
import { tools_end } from "./tools.ts";
import { tools_open } from "./tools_group.ts";

@unmanaged
class Running {
  /** The slot that is open, or that could not be opened (then `error`), or NO_SLOT. */
  slot: u32;
  /** The context that was asked for. */
  asked: u32;
  error: u32;
}

const running = changetype<Running>(memory.data(offsetof<Running>()));

/**
 * Opens the model in a slot; the answer under way ends, the context is forgotten.
 * @param context positions, 0: the image's default or what layout_model chooses
 * @returns IMAGE_OK, or why not: then no model is open
 */
export function running_open(slot: u32, context: u32): u32 {
  tools_end();
  running.slot = slot;
  running.asked = context;
  const bytes = slot_len(slot);
  const image = flash_map(slot_offset(slot, slots_single()), bytes);
  let error: u32 = IMAGE_UNSUPPORTED;
  if (image == 0) run.context = 0;
  else error = open_model(placed(image, bytes), bytes, board_name(), min<u32>(context, i32.MAX_VALUE), engine());
  const unread: u32 = generation_reset();
  if (error == IMAGE_OK && unread != IMAGE_OK) {
    run.context = 0;
    error = unread;
  }
  running.error = error;
  if (error == IMAGE_OK) tools_open(slot);
  return error;
}

@inline
function engine(): i32 {
  if (isDefined(ASC_COPRO)) {
    if (copro_state() == COPRO_USED) return copro_engine(copro_slots());
  }
  return native_engine();
}

/** Where the image is to run from: a board that has RAM for it and a coprocessor that streams from there keeps a copy. */
@inline
function placed(image: usize, bytes: u32): usize {
  if (isDefined(ASC_COPRO)) return in_psram(image, bytes);
  return image;
}

/** Nothing runs any more. */
export function running_close(): void {
  tools_end();
  running.slot = NO_SLOT;
  running.error = IMAGE_OK;
  run.context = 0;
  generation_reset();
}

export function running_slot(): u32 {
  return running.slot;
}

export function running_asked(): u32 {
  return running.asked;
}

/** IMAGE_* of the slot that should run and does not. */
export function running_error(): u32 {
  return running.error;
}

/** Positions of the open model, 0 without one. */
export function running_context(): u32 {
  return run.context;
}
