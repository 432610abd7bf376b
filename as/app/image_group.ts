/** Group 1, image: models come, become active and go by the commands that any SMP client knows. */
import { IMAGE_OK } from "../../spec/image.ts";
import { REC_ACTIVE, REC_EMPTY, REC_TEST, SLOTS } from "../../spec/store.ts";
import {
  IMAGE_NUMBER_FIRMWARE,
  IMAGE_NUMBER_MODEL,
  IMG_ERASE,
  IMG_RC_BAD_ARGUMENT,
  IMG_RC_BAD_STATE,
  IMG_RC_CORRUPT,
  IMG_RC_FLASH,
  IMG_RC_NO_ENTRY,
  IMG_RC_REFUSED,
  IMG_STATE,
  IMG_UPLOAD,
  OP_READ,
  OP_WRITE,
  RC_NOT_SUPPORTED,
  SLOT_VERIFIED,
} from "../../spec/wire.ts";
import { firmware_present } from "../firmware/region.ts";
import { update_cancel, update_trial } from "../firmware/update.ts";
import { journal_append } from "../store/journal.ts";
import { SHA_BYTES } from "../store/sha256.ts";
import {
  NO_SLOT,
  slot_distrust,
  slot_len,
  slot_sha,
  slot_state,
  slot_usable,
  slots_active,
  slots_active_ctx,
  slots_find,
  slots_recorded,
  slots_running,
  slots_test,
} from "../store/slots.ts";
import {
  UPLOAD_HASHING,
  UPLOAD_MATCH,
  UPLOAD_MISMATCH,
  UPLOAD_OPEN,
  upload_begin,
  upload_cancel,
  upload_off,
  upload_phase,
  upload_slot,
  upload_target,
  upload_write,
} from "../store/upload.ts";
import { fields_wrong, has, want_bool, want_bytes, want_len, want_uint } from "../wire/cbor_read.ts";
import {
  put_array,
  put_bool,
  put_bytes,
  put_key,
  put_map,
  put_text,
  put_uint,
  put_word,
  put_word9,
} from "../wire/cbor_write.ts";
import {
  F_CONFIRM,
  F_CTX,
  F_DATA,
  F_HASH,
  F_IMAGE,
  F_LEN,
  F_OFF,
  F_SHA,
  F_SINGLE,
  F_SLOT,
  K_ACTIVE,
  K_BOOTABLE,
  K_CONFIRME,
  K_HASH,
  K_IMAGE,
  K_IMAGES,
  K_IMG,
  K_MATCH,
  K_OFF,
  K_PENDING,
  K_PERMANEN,
  K_SLOT,
  K_VERSION,
} from "../wire/keys.ts";
import {
  firmware_choose,
  firmware_find,
  firmware_images,
  firmware_keep,
  firmware_meant,
  firmware_upload,
  put_firmware_images,
} from "./firmware_images.ts";
import { model_name, name_bytes } from "./names.ts";
import { ANSWERED, reply_error, reply_later, reply_rc, reply_resume, WAIT_UPLOAD } from "./reply.ts";
import { running_asked, running_close, running_context, running_open, running_slot } from "./running.ts";

const D: u32 = 0x64; // the ninth letter of confirmed
const T: u32 = 0x74; // and of permanent
const HIGHEST_BYTES: u32 = 0xffffffff;

@unmanaged
class Later {
  /** 1: the answer to the last chunk waits for the hash. */
  upload: u32;
}

const later = changetype<Later>(memory.data(offsetof<Later>()));

export function image_request(command: u32, op: u32): i32 {
  if (command == IMG_STATE && op == OP_READ) return state_list();
  if (command == IMG_STATE && op == OP_WRITE) return state_write();
  if (command == IMG_UPLOAD && op == OP_WRITE) return upload();
  if (command == IMG_ERASE && op == OP_WRITE) return erase();
  return reply_rc(RC_NOT_SUPPORTED);
}

function state_list(): i32 {
  let n = firmware_images();
  for (let slot: u32 = 0; slot < <u32>SLOTS; slot++) n += u32(slot_state(slot) == SLOT_VERIFIED);
  put_key(K_IMAGES);
  put_array(n);
  put_firmware_images();
  for (let slot: u32 = 0; slot < <u32>SLOTS; slot++) if (slot_state(slot) == SLOT_VERIFIED) put_image(slot);
  return ANSWERED;
}

function put_image(slot: u32): void {
  const name = model_name(slot);
  const confirmed = slot == slots_active();
  put_map(9);
  put_word(K_IMAGE);
  put_uint(IMAGE_NUMBER_MODEL);
  put_word(K_SLOT);
  put_uint(slot);
  put_word(K_VERSION);
  put_text(name, name_bytes(name));
  put_word(K_HASH);
  put_bytes(slot_sha(slot), SHA_BYTES);
  put_word(K_BOOTABLE);
  put_bool(true);
  put_word(K_PENDING);
  put_bool(false);
  put_word9(K_CONFIRME, D);
  put_bool(confirmed);
  put_word(K_ACTIVE);
  put_bool(slot == slots_running());
  put_word9(K_PERMANEN, T);
  put_bool(confirmed);
}

/** Makes a verified model the one that runs, or confirms the one that does; so it does with firmware, which a reset starts. */
function state_write(): i32 {
  const confirm = want_bool(F_CONFIRM, false);
  let ctx = want_uint(F_CTX, 0);
  let slot = slots_running();
  if (has(F_HASH)) {
    const hash = want_bytes(F_HASH);
    if (fields_wrong() || want_len(F_HASH) != SHA_BYTES) return reply_error(IMG_RC_BAD_ARGUMENT);
    const firmware = firmware_find(hash);
    if (firmware != NO_SLOT) {
      const rc = firmware_choose(firmware, confirm);
      return rc != 0 ? reply_error(rc) : state_list();
    }
    slot = slots_find(SLOT_VERIFIED, hash, 0);
  } else {
    if (fields_wrong() || !confirm) return reply_error(IMG_RC_BAD_ARGUMENT);
    if (!has(F_CTX)) ctx = running_asked();
    const trial = update_trial();
    const rc = firmware_keep();
    if (rc != 0) return reply_error(rc);
    if (trial && slot == NO_SLOT) return state_list();
  }
  if (slot == NO_SLOT) return reply_error(IMG_RC_NO_ENTRY);
  return activate(slot, ctx, confirm);
}

function activate(slot: u32, ctx: u32, confirm: bool): i32 {
  if (!slot_usable(slot)) {
    slot_distrust(slot);
    if (slot == running_slot()) running_close();
    return reply_error(IMG_RC_CORRUPT);
  }
  // A repeated request finds all done.
  if (slot != running_slot() || ctx != running_asked() || running_context() == 0) {
    const old = running_slot();
    const old_ctx = running_asked();
    const error = running_open(slot, ctx);
    if (error != IMAGE_OK) {
      if (old != NO_SLOT) running_open(old, old_ctx);
      else running_close();
      reply_error(IMG_RC_REFUSED);
      // Some foreign clients take no key beside `err`; ours always sends ctx.
      if (has(F_CTX)) {
        put_key(K_IMG);
        put_uint(error);
      }
      return ANSWERED;
    }
  }
  const same = slots_recorded() && ctx == slots_active_ctx() && slot == slots_active() && slots_test() == NO_SLOT;
  const tested = slot == slots_test() && !confirm;
  if (!same && !tested && !journal_append(confirm ? REC_ACTIVE : REC_TEST, slot, slot_len(slot), ctx, 0))
    return reply_error(IMG_RC_FLASH);
  return state_list();
}

function upload(): i32 {
  const image = want_uint(F_IMAGE, IMAGE_NUMBER_MODEL);
  const off = want_uint(F_OFF, HIGHEST_BYTES);
  const data = has(F_DATA) ? want_bytes(F_DATA) : 0;
  const n = want_len(F_DATA);
  if (fields_wrong() || image > <u32>IMAGE_NUMBER_MODEL || off == HIGHEST_BYTES)
    return reply_error(IMG_RC_BAD_ARGUMENT);
  if (has(F_IMAGE) ? image == IMAGE_NUMBER_FIRMWARE : firmware_meant(off, data, n))
    return firmware_present() ? firmware_upload(off, data, n) : reply_rc(RC_NOT_SUPPORTED);
  if (off == 0) update_cancel();
  if (off == 0 && has(F_SHA)) {
    const rc = begin(n);
    if (rc != 0) return reply_error(rc);
  } else if (off == 0 && has(F_LEN) && !continues(want_uint(F_LEN, 0))) {
    return reply_error(IMG_RC_BAD_ARGUMENT);
  }
  const rc = upload_write(off, data, n);
  if (rc != 0) return reply_error(rc);
  if (upload_phase() == UPLOAD_HASHING) {
    later.upload = 1;
    return reply_later(WAIT_UPLOAD);
  }
  return put_progress();
}

/**
 * Whether a first chunk without sha can belong to the upload under way. Anything else would get the answers of an upload that
 * is done, and its sender would take another file for uploaded.
 */
function continues(len: u32): bool {
  return !fields_wrong() && upload_phase() == UPLOAD_OPEN && slot_len(upload_slot()) == len;
}

/** The first chunk, which carries `n` bytes. */
function begin(n: u32): u32 {
  const sha = want_bytes(F_SHA);
  const len = want_uint(F_LEN, 0);
  const single = want_bool(F_SINGLE, false);
  if (fields_wrong() || want_len(F_SHA) != SHA_BYTES || len == 0 || n > len) return IMG_RC_BAD_ARGUMENT;
  const rc = upload_begin(len, sha, single);
  // It may have taken the place of the model that ran.
  if (running_slot() != NO_SLOT && slots_running() != running_slot()) running_close();
  return rc;
}

function put_progress(): i32 {
  put_key(K_OFF);
  put_uint(upload_off());
  const phase = upload_phase();
  if (phase == UPLOAD_MATCH || phase == UPLOAD_MISMATCH) {
    put_key(K_MATCH);
    put_bool(phase == UPLOAD_MATCH);
  }
  return ANSWERED;
}

/** Whether the last chunk's answer waits for the hash: nothing else is read meanwhile. */
export function upload_waits(): bool {
  return later.upload != 0;
}

/** Answers the last chunk when the hash is done; true when an answer stands in the transmit buffer. */
export function upload_later(): bool {
  if (later.upload == 0 || upload_phase() == UPLOAD_HASHING) return false;
  later.upload = 0;
  reply_resume(WAIT_UPLOAD);
  put_progress();
  return true;
}

/** Gives a slot's content up; without `slot` the one that an upload would take. */
function erase(): i32 {
  const slot = want_uint(F_SLOT, upload_target());
  if (fields_wrong()) return reply_error(IMG_RC_BAD_ARGUMENT);
  if (slot == NO_SLOT || slot == slots_running() || slot == slots_active()) return reply_error(IMG_RC_BAD_STATE);
  if (slot >= <u32>SLOTS) return reply_error(IMG_RC_BAD_ARGUMENT);
  if (slot_len(slot) == 0) return ANSWERED;
  if (upload_slot() == slot) upload_cancel();
  return journal_append(REC_EMPTY, slot, slot_len(slot), 0, 0) ? ANSWERED : reply_error(IMG_RC_FLASH);
}
