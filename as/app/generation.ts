/**
 * gen, next, stop and ids (spec/WIRE.md, TRITKIT 3, 5, 6, 7): one prompt and one answer at a time, each request safe to
 * repeat. The tokens themselves are made by generate.ts, one step a poll.
 */
import { INFO_LED_PIN } from "../../spec/hal.ts";
import {
  GEN_DECODE,
  GEN_DONE,
  GEN_PREFILL,
  IDS_MAX,
  LINK_IDLE_US,
  NEXT_POLL_US,
  NEXT_TOKENS_MAX,
  PROMPT_MAX,
  RC_CORRUPT,
  RC_UNKNOWN,
  TK_RC_BAD_ARGUMENT,
  TK_RC_BAD_STATE,
  TK_RC_BUSY,
  TK_RC_NO_MODEL,
  TK_RC_TOO_LONG,
  WHY_ERROR,
} from "../../spec/wire.ts";
import {
  gen_begin,
  gen_context_count,
  gen_context_ids,
  gen_count,
  gen_pos,
  gen_prefill_done,
  gen_prefill_total,
  gen_prompt_tokens,
  gen_reset,
  gen_slides,
  gen_state,
  gen_step,
  gen_stop,
  gen_token,
  gen_why,
  token_text,
  token_text_len,
} from "../generate.ts";
import { assistant_on, token_base } from "../assistant/assistant.ts";
import { board_info, entropy, gpio_write, ticks } from "../hal.ts";
import { run } from "../memory/run_state.ts";
import { fields_wrong, has, want_bool, want_bytes, want_len, want_uint } from "../wire/cbor_read.ts";
import {
  cbor_room,
  put_array,
  put_bytes_later,
  put_key,
  put_map,
  put_uint,
  put_word,
  uint_bytes,
} from "../wire/cbor_write.ts";
import {
  F_ACK,
  F_FROM,
  F_ID,
  F_KEEP,
  F_LEN,
  F_MAX,
  F_OFF,
  F_P,
  F_REP,
  F_SEED,
  F_TEMP,
  F_TOPK,
  F_TOPP,
  K_ALL,
  K_CTX,
  K_FIRST,
  K_ID,
  K_IDS,
  K_L,
  K_N,
  K_OFF,
  K_PD,
  K_POS,
  K_PT,
  K_RC,
  K_SAY,
  K_SL,
  K_ST,
  K_T,
  K_US,
  K_WHY,
} from "../wire/keys.ts";
import { ANSWERED, reply_error, reply_later, reply_resume, WAIT_NEXT } from "./reply.ts";
import { intake_at, intake_is, intake_take, INTAKE_PROMPT } from "./intake.ts";
import { tools_act, tools_drive } from "./tools.ts";
import { put_calls } from "./calls_report.ts";
import { copro_answer_begins, copro_damage } from "../copro/unit.ts";
import { put_answer_copro } from "./copro_report.ts";

/** What the keys of a `next` take beside ids, texts and their lengths, at most. */
const NEXT_ROOM: u32 = isDefined(ASC_COPRO) ? 304 : 256;
/** Text of one token that is passed on: no tokenizer has longer ones, an image may claim so. */
const TOKEN_TEXT_MAX: u32 = 768;
const MILLI: u32 = 1000;

@unmanaged
class Turn {
  id: u32; // 0: none yet
  len: u32;
  off: u32; // bytes of the prompt received
  begun: u32; // 1: the prompt is complete and was taken, or refused with rc
  rc: u32;
  keep: u32;
  max: u32;
  temp: u32;
  topk: u32;
  topp: u32;
  rep: u32;
  seed: u32;
  n: u32; // ids of the prompt
  pos: u32; // positions in use before them
  acked: u32; // tokens that the host has
  started: u32; // ticks
  first_us: u32;
  all_us: u32;
  next_open: u32; // 1: a `next` waits
  next_ack: u32;
  next_at: u32; // ticks at which it came
  heard: u32; // ticks at which its host asked for something last
  lit: u32; // the LED
  said: u32; // TOK_* that an assistant's answer began with, and 1; 0: none yet
}

const turn = changetype<Turn>(memory.data(offsetof<Turn>()));

/** Another model, or none: forgets turn and context. Returns 0 or why the model's texts cannot be read (IMAGE_*). */
export function generation_reset(): i32 {
  light(0);
  memory.fill(changetype<usize>(turn), 0, offsetof<Turn>());
  return gen_reset();
}

function busy(): bool {
  const state = gen_state();
  return state == GEN_PREFILL || state == GEN_DECODE;
}

/**
 * An answer that nobody fetches any more: its host was unplugged or killed. It ends only when another one asks, because it
 * may also come back. Without this a device that had filled its ring would refuse everybody until its reset.
 */
function abandoned(): bool {
  return ticks() - turn.heard >= <u32>LINK_IDLE_US;
}

/** Whether no answer is under way, or one that is abandoned: that one ends now. */
export function generation_free(): bool {
  if (!busy()) return true;
  if (!abandoned()) return false;
  gen_stop();
  light(0);
  return true;
}

/** The board's LED shows that the model works, unless a tool has it. */
function light(level: u32): void {
  if (turn.lit == level) return;
  turn.lit = level;
  const pin = board_info(INFO_LED_PIN, 0);
  if (pin >= 0 && !tools_drive(pin)) gpio_write(pin, level);
}

/** One forward pass at most; returns whether there was one to do. Pauses while the host has not taken the last tokens. */
export function generation_step(): bool {
  if (!busy() || gen_count() - turn.acked >= <u32>NEXT_TOKENS_MAX) return false;
  const before = gen_count();
  gen_step();
  if (assistant_on()) act(before);
  const us = ticks() - turn.started;
  if (before == 0 && gen_count() == 1) turn.first_us = us;
  if (gen_count() != before || !busy()) turn.all_us = us;
  if (!busy()) light(0);
  return true;
}

/** What an assistant's step brought: a call that is complete is made at once. */
function act(before: u32): void {
  if (before == 0 && gen_count() != 0) turn.said = gen_token(0) - token_base() + 1;
  tools_act();
}

/** A part of a prompt. */
export function gen_request(): i32 {
  const id = want_uint(F_ID, 0);
  const off = want_uint(F_OFF, 0);
  const len = want_uint(F_LEN, 0);
  const piece = has(F_P) ? want_bytes(F_P) : 0;
  const n = want_len(F_P);
  if (id != turn.id && off == 0 && !begin_turn(id, len)) return ANSWERED;
  if (fields_wrong() || id == 0) return reply_error(TK_RC_BAD_ARGUMENT);
  if (run.context == 0) return reply_error(TK_RC_NO_MODEL);
  if (id != turn.id) return reply_error(busy() ? TK_RC_BUSY : TK_RC_BAD_STATE);
  if (turn.begun == 0 && !intake_is(INTAKE_PROMPT)) {
    turn.id = 0; // a table took the place of what had come
    return reply_error(TK_RC_BAD_STATE);
  }
  turn.heard = ticks();
  if (turn.begun == 0 && off == turn.off) {
    if (n > turn.len - turn.off) return reply_error(TK_RC_BAD_ARGUMENT);
    memory.copy(intake_at() + turn.off, piece, n);
    turn.off += n;
    if (turn.off == turn.len) begin_answer();
  }
  if (turn.rc != 0) return refused();
  put_key(K_ID);
  put_uint(turn.id);
  put_key(K_OFF);
  put_uint(turn.off);
  if (turn.begun != 0) {
    put_key(K_N);
    put_uint(turn.n);
    put_key(K_POS);
    put_uint(turn.pos);
  }
  return ANSWERED;
}

/** A new turn takes the place of the one that is done; false when it must not: the answer says why. */
function begin_turn(id: u32, len: u32): bool {
  const keep = want_bool(F_KEEP, false);
  const max = want_uint(F_MAX, 0);
  const temp = want_uint(F_TEMP, 0);
  const topk = want_uint(F_TOPK, 0);
  const topp = want_uint(F_TOPP, MILLI);
  const rep = want_uint(F_REP, MILLI);
  const seed = want_uint(F_SEED, 0);
  if (fields_wrong() || id == 0) return refuse(TK_RC_BAD_ARGUMENT);
  if (run.context == 0) return refuse(TK_RC_NO_MODEL);
  if (!generation_free()) return refuse(TK_RC_BUSY);
  if (len > <u32>PROMPT_MAX) return refuse(TK_RC_TOO_LONG);
  memory.fill(changetype<usize>(turn), 0, offsetof<Turn>());
  intake_take(INTAKE_PROMPT);
  turn.id = id;
  turn.len = len;
  turn.keep = u32(keep);
  turn.max = max;
  turn.temp = temp;
  turn.topk = topk;
  turn.topp = topp;
  turn.rep = rep;
  turn.seed = seed;
  if (!has(F_SEED)) entropy(changetype<usize>(turn) + offsetof<Turn>("seed"), 4);
  return true;
}

function refuse(rc: u32): bool {
  reply_error(rc);
  return false;
}

/** The prompt is complete. */
function begin_answer(): void {
  const t = turn;
  t.begun = 1;
  t.started = ticks();
  if (isDefined(ASC_COPRO)) copro_answer_begins();
  t.rc = gen_begin(t.keep != 0, intake_at(), t.len, t.max, t.temp, t.topk, t.topp, t.rep, t.seed);
  t.n = gen_prompt_tokens();
  t.pos = gen_pos();
  if (t.rc == 0) light(1);
}

/** The error that gen_begin gave. */
function refused(): i32 {
  reply_error(turn.rc);
  if (turn.rc == TK_RC_TOO_LONG) {
    put_key(K_N);
    put_uint(turn.n);
    put_key(K_CTX);
    put_uint(run.context);
  }
  return ANSWERED;
}

/** Whether `id` names an answer that was begun. */
function known(id: u32): bool {
  return id != 0 && id == turn.id && turn.begun != 0 && turn.rc == 0;
}

/** The long poll; answered at once when there is something to say. */
export function next_request(): i32 {
  const id = want_uint(F_ID, 0);
  const ack = want_uint(F_ACK, 0);
  if (fields_wrong()) return reply_error(TK_RC_BAD_ARGUMENT);
  if (!known(id)) return reply_error(TK_RC_BAD_STATE);
  if (ack > gen_count()) return reply_error(TK_RC_BAD_ARGUMENT);
  turn.acked = max(turn.acked, ack);
  turn.next_ack = ack;
  turn.next_at = ticks();
  turn.heard = turn.next_at;
  turn.next_open = 0;
  if (next_ready()) return next_answer();
  turn.next_open = 1;
  return reply_later(WAIT_NEXT);
}

function next_ready(): bool {
  return gen_count() > turn.next_ack || !busy() || ticks() - turn.next_at >= <u32>NEXT_POLL_US;
}

/** Microseconds until a waiting `next` must be answered at the latest, 0 when none waits. */
export function next_waits(): u32 {
  if (turn.next_open == 0) return 0;
  const waited = ticks() - turn.next_at;
  return waited < <u32>NEXT_POLL_US ? NEXT_POLL_US - waited : 1;
}

/** Answers a `next` that waits, when it is time; true when an answer stands in the transmit buffer. */
export function next_later(): bool {
  if (turn.next_open == 0 || !next_ready()) return false;
  turn.next_open = 0;
  reply_resume(WAIT_NEXT);
  next_answer();
  return true;
}

function text_len(i: u32): u32 {
  return min(token_text_len(gen_token(i)), TOKEN_TEXT_MAX);
}

function next_answer(): i32 {
  const count = gen_count();
  // What was acknowledged before may be asked for again as long as it is in the ring.
  const first = max(turn.next_ack, count > <u32>NEXT_TOKENS_MAX ? count - NEXT_TOKENS_MAX : 0);
  let n: u32 = 0;
  let text: u32 = 0;
  for (let used = NEXT_ROOM; first + n < count; n++) {
    const len = text_len(first + n);
    used += uint_bytes(gen_token(first + n)) + uint_bytes(len) + len;
    if (used > cbor_room()) break;
    text += len;
  }
  put_key(K_ID);
  put_uint(turn.id);
  put_key(K_OFF);
  put_uint(first);
  put_key(K_IDS);
  put_array(n);
  for (let i: u32 = 0; i < n; i++) put_uint(gen_token(first + i));
  put_key(K_T);
  let to = put_bytes_later(text);
  for (let i: u32 = 0; i < n && to != 0; i++) {
    const len = text_len(first + i);
    memory.copy(to, token_text(gen_token(first + i)), len);
    to += len;
  }
  put_key(K_L);
  put_array(n);
  for (let i: u32 = 0; i < n; i++) put_uint(text_len(first + i));
  // Done is said together with the last tokens.
  const done = gen_state() == GEN_DONE && first + n == count;
  put_key(K_ST);
  put_uint(gen_state() == GEN_DONE && !done ? GEN_DECODE : gen_state());
  put_key(K_POS);
  put_uint(gen_pos());
  put_key(K_CTX);
  put_uint(run.context);
  put_key(K_SL);
  put_uint(gen_slides());
  put_key(K_PD);
  put_uint(gen_prefill_done());
  put_key(K_PT);
  put_uint(gen_prefill_total());
  if (done) {
    put_key(K_WHY);
    put_uint(gen_why());
    if (gen_why() == WHY_ERROR) {
      put_key(K_RC);
      put_uint(error_rc());
    }
    if (isDefined(ASC_COPRO)) put_answer_copro();
    if (assistant_on()) {
      put_calls();
      if (turn.said != 0) {
        put_key(K_SAY);
        put_uint(turn.said - 1);
      }
    }
  }
  put_key(K_US);
  put_map(2);
  put_word(K_FIRST);
  put_uint(turn.first_us);
  put_word(K_ALL);
  put_uint(turn.all_us);
  return ANSWERED;
}

/** Why an answer failed: its weights are damaged, where a coprocessor checks them, or the model was closed. */
@inline
function error_rc(): u32 {
  if (isDefined(ASC_COPRO)) {
    if (copro_damage() != 0) return RC_CORRUPT;
  }
  return RC_UNKNOWN;
}

/** Ends the answer, or forgets a prompt that is not complete. */
export function stop_request(): i32 {
  const id = want_uint(F_ID, 0);
  if (fields_wrong()) return reply_error(TK_RC_BAD_ARGUMENT);
  if (id == 0 || id != turn.id) return reply_error(TK_RC_BAD_STATE);
  gen_stop();
  light(0);
  put_key(K_ID);
  put_uint(id);
  put_key(K_N);
  put_uint(turn.begun != 0 && turn.rc == 0 ? gen_count() : 0);
  if (turn.begun == 0) turn.id = 0;
  return ANSWERED;
}

/** Ids of the context, for tools and tests. */
export function ids_request(): i32 {
  const id = want_uint(F_ID, 0);
  const from = want_uint(F_FROM, 0);
  const count = gen_context_count();
  if (fields_wrong() || from > count) return reply_error(TK_RC_BAD_ARGUMENT);
  if (!known(id)) return reply_error(TK_RC_BAD_STATE);
  const n = min(<u32>IDS_MAX, count - from);
  put_key(K_IDS);
  put_array(n);
  for (let i: u32 = 0; i < n; i++) put_uint(gen_context_ids(from + i));
  put_key(K_N);
  put_uint(count);
  return ANSWERED;
}
