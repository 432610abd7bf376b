/**
 * From a prompt to an answer (spec/WIRE.md, "Generation"): the only file that introduces tokenizer, forward pass, sampler and assistant to each other.
 *
 *     history   u32[context + 1]      | ids whose keys and values are cached | ids to be computed |
 *                                      0                            computed                 count
 *
 * A step computes one position; the step that computes the last one samples the next id, which joins the history. An id has no
 * keys yet when it is sampled, so the history can hold one id more than there are positions; the context slides when that
 * id is to be computed.
 *
 * An assistant that knows tools (spec/TOOLS.md) has a context of its own for each turn, made by assistant/turn.ts; its ids are chosen by assistant/grammar.ts. What is
 * the same in each turn is the beginning of two contexts as any other, and not computed again.
 */
import { IMAGE_BAD_CONFIG, IMAGE_BAD_TOOLS, IMAGE_OK, TAB_EXP2 } from "../spec/image.ts";
import { CALLS_MAX, KINDS, TOOL_TOKENS } from "../spec/tools.ts";
import {
  GEN_DECODE,
  GEN_DONE,
  GEN_PREFILL,
  NEXT_TOKENS_MAX,
  RC_OK,
  TK_RC_BAD_ARGUMENT,
  TK_RC_BUSY,
  TK_RC_NO_MODEL,
  TK_RC_TOO_LONG,
  WHY_EOS,
  WHY_ERROR,
  WHY_MAX,
  WHY_STOPPED,
} from "../spec/wire.ts";
import { assistant_model, assistant_on, assistant_open, token_base, token_end } from "./assistant/assistant.ts";
import { calls_begin } from "./assistant/calls.ts";
import { answer_begins, answer_choose, answer_is_full, answer_is_text } from "./assistant/grammar.ts";
import { words_normalise } from "./assistant/normalise.ts";
import { assistant_prefix, assistant_turn } from "./assistant/turn.ts";
import { copro_damage } from "./copro/unit.ts";
import { BATCHED, batch_of } from "./kernels/engine.ts";
import { PART_BPE, PART_HISTORY, PART_ORDER, part, part_of, run } from "./memory/run_state.ts";
import { config, is_stop } from "./model/config.ts";
import { forward_batch, forward_one, logits_between, logits_of } from "./model/forward.ts";
import { weights } from "./model/weights.ts";
import { sample, sampler_begin, sampler_open } from "./sampler/sampler.ts";
import { chat_open, encode_turn } from "./tokenizer/chat.ts";
import { token_text, token_text_len } from "./tokenizer/decode.ts";
import { ids, ids_begin } from "./tokenizer/ids.ts";
import { NO_ID, tokenizer_close, tokenizer_open } from "./tokenizer/table.ts";

export { token_text, token_text_len };

@unmanaged
class Generation {
  /** Positions; 0: no model, or one whose texts cannot be read. */
  context: u32 = 0;
  /** Ids in the history, and how many of them have keys and values. */
  count: u32 = 0;
  computed: u32 = 0;
  /** GEN_*, and WHY_* when it is done. */
  state: i32 = 0;
  why: i32 = 0;
  /** Tokens of this answer, and how many it may have (0: any number). */
  made: u32 = 0;
  max: u32 = 0;
  /** Times this context slid. */
  slides: u32 = 0;
  prompt_tokens: u32 = 0;
  prefill_done: u32 = 0;
  prefill_total: u32 = 0;
  /** The answer is one of calls. */
  tools: bool = false;
  /** Ids that each turn of an assistant begins with; 0: not known yet. */
  prefix: u32 = 0;
}

/** Positions that the longest list of calls takes. */
const CALL_POSITIONS: u32 = 4 * CALLS_MAX;

const gen = changetype<Generation>(memory.data(offsetof<Generation>(), 8));
/** u32[NEXT_TOKENS_MAX]: token i of this answer is at i modulo its length. */
const answer: usize = memory.data(NEXT_TOKENS_MAX * 4, 4);

/**
 * Another model was opened, or none is: empties the context.
 * @returns 0, or why the model's texts cannot be read: IMAGE_BAD_TOKENIZER, IMAGE_UNSUPPORTED
 */
export function gen_reset(): i32 {
  memory.fill(changetype<usize>(gen), 0, offsetof<Generation>());
  tokenizer_close();
  assistant_model(0, 0, 0, 0);
  if (weights.image == 0 || run.context == 0) return IMAGE_OK;
  const vocab_size = <u32>config.vocab_size;
  let code = tokenizer_open(weights.tokenizer, weights.tokenizer_bytes, vocab_size);
  if (code == IMAGE_OK) code = chat_open(weights.chat, weights.chat_bytes, vocab_size);
  if (code == IMAGE_OK) code = tools_open(vocab_size);
  if (code != IMAGE_OK) {
    tokenizer_close();
    return code;
  }
  const order = part_of(run, PART_ORDER);
  sampler_open(vocab_size, weights.tables + TAB_EXP2, order.address, order.bytes);
  gen.context = <u32>run.context;
  return IMAGE_OK;
}

/** The image's assistant and its table. Another table may be opened between answers: assistant_open(). */
function tools_open(vocab_size: u32): i32 {
  if (weights.assistant == 0) return IMAGE_OK;
  if (!assistant_model(weights.assistant, weights.assistant_bytes, vocab_size, config.eos)) return IMAGE_BAD_CONFIG;
  return assistant_open(weights.tools, weights.tools_bytes) ? IMAGE_OK : IMAGE_BAD_TOOLS;
}

/**
 * Takes a turn. The forward passes are made by gen_step().
 * @param keep the context stays and the turn is appended; false: a new context, of which the part that is cached is reused. To an assistant's new context it adds
 *   the calls of the answer before
 * @param text `len` bytes, any bytes; read before the function returns, and by an assistant written over
 * @param max tokens of the answer, 0: until it ends by itself
 * @param temp,topp,rep in 1/1000 (temp 0: greedy; topp 1000, rep 1000: off)
 * @param topk 0: off
 * @returns 0, or TK_RC_NO_MODEL, TK_RC_BUSY (an answer is not done), TK_RC_BAD_ARGUMENT (a new context without any id),
 *   TK_RC_TOO_LONG (gen_prompt_tokens() says how long); after an error everything is as it was
 */
export function gen_begin(
  keep: bool,
  text: usize,
  len: u32,
  max: u32,
  temp: u32,
  topk: u32,
  topp: u32,
  rep: u32,
  seed: u32,
): i32 {
  if (gen.context == 0) return TK_RC_NO_MODEL;
  if (gen.state == GEN_PREFILL || gen.state == GEN_DECODE) return TK_RC_BUSY;
  const tools = assistant_on();
  const first = !keep || gen.count == 0 || tools;
  const room = gen.context - 1;
  const bos = start_id();

  if (tools) len = words_normalise(text, len);
  ids_begin(0, 0);
  const fits = add_turn(tools, keep, first, bos, text, len);
  const fresh = ids.n;
  gen.prompt_tokens = fresh;
  if (!fits || fresh > room || (tools && fresh + CALL_POSITIONS > gen.context)) return TK_RC_TOO_LONG;
  if (first) {
    if (fresh == 0) return TK_RC_BAD_ARGUMENT;
    ids_begin(part(PART_HISTORY), gen.computed);
    add_turn(tools, keep, first, bos, text, len);
    gen.count = fresh;
    gen.computed = ids.same;
    gen.slides = 0;
  } else {
    if (gen.count + fresh > room) {
      if (bos != NO_ID && fresh + 1 > room) return TK_RC_TOO_LONG;
      slide(min(gen.context >> 1, room - fresh));
    }
    ids_begin(history_at(gen.count), 0);
    add_turn(tools, keep, first, bos, text, len);
    gen.count += fresh;
  }
  // Logits are not kept: the last position is computed again.
  gen.computed = min(gen.computed, gen.count - 1);
  sampler_begin(temp, topk, topp, rep, seed);
  gen.tools = tools;
  if (tools) {
    calls_begin(keep);
    answer_begins();
  }
  gen.made = 0;
  gen.max = max;
  begin_prefill();
  return RC_OK;
}

/**
 * Computes a position of what each turn of an assistant begins with: done while there is nothing else to do, it makes the first turn as fast as those after it.
 * @returns whether there was one to compute
 */
export function gen_prepare(): bool {
  if (!assistant_on() || gen.context < <u32>(2 + KINDS)) return false;
  if (gen.count == 0) {
    ids_begin(part(PART_HISTORY), 0);
    assistant_prefix(start_id());
    gen.count = ids.n;
    gen.prefix = ids.n;
  }
  const position = gen.computed;
  if (position >= gen.prefix || gen.state == GEN_PREFILL || gen.state == GEN_DECODE) return false;
  forward_one(load<i32>(history_at(position)), <i32>position);
  // Of damaged weights nothing is kept: the next turn finds them again and says so.
  if (isDefined(ASC_COPRO) && copro_damage() != 0) gen.prefix = 0;
  else gen.computed = position + 1;
  return true;
}

/** The assistant has other tools than before: nothing of the context can be used again. */
export function gen_forget(): void {
  gen.count = 0;
  gen.computed = 0;
  gen.prefix = 0;
}

/**
 * Does at most one forward pass: of one position, or of as many of the prompt as the engine computes side by side. Returns GEN_*.
 * An answer whose model was closed, or whose weights turn out to be damaged, ends with WHY_ERROR.
 */
export function gen_step(): i32 {
  if (gen.state != GEN_PREFILL && gen.state != GEN_DECODE) return gen.state;
  if (gen.computed == gen.context) {
    if (gen.tools) {
      end_answer(WHY_MAX);
      return gen.state;
    }
    slide(gen.context >> 1);
    begin_prefill();
  }
  const position = gen.computed;
  let n: u32 = 1;
  let done: bool;
  if (BATCHED) {
    n = min(min(gen.count, gen.context) - position, <u32>batch_of(run.engine));
    done = forward_batch(history_at(position), <i32>n, <i32>position);
  } else done = forward_one(load<i32>(history_at(position)), <i32>position);
  gen.computed += n;
  const is_last = gen.computed == gen.count;
  const logits = done && is_last ? logits_at(n - 1) : 0;
  if (gen.state == GEN_PREFILL) gen.prefill_done += n;
  if (isDefined(ASC_COPRO)) {
    if (copro_damage() != 0) {
      // The weights are damaged: what was computed with them is no position of this context.
      gen.computed = position;
      end_answer(WHY_ERROR);
      return gen.state;
    }
  }
  if (is_last) {
    if (logits == 0) end_answer(WHY_ERROR);
    else if (!gen.tools) take(sample(logits, part(PART_HISTORY), gen.count));
    else {
      take(answer_choose(logits, config.vocab_size));
      if (gen.state == GEN_DECODE && answer_is_full()) end_answer(WHY_MAX);
    }
  }
  return gen.state;
}

/** Ends the answer; what was made of it stays in the context. */
export function gen_stop(): void {
  if (gen.state == GEN_PREFILL || gen.state == GEN_DECODE) end_answer(WHY_STOPPED);
}

/** GEN_*: idle, prefill (also after a slide), decode, done. */
export function gen_state(): i32 {
  return gen.state;
}

/** WHY_* of an answer that is done. */
export function gen_why(): i32 {
  return gen.why;
}

/** Tokens of this answer so far; the id that ended it is not one of them. */
export function gen_count(): u32 {
  return gen.made;
}

/** Token i of this answer, i one of the last NEXT_TOKENS_MAX below gen_count(). */
export function gen_token(i: u32): u32 {
  return load<u32>(answer + ((<usize>(i % NEXT_TOKENS_MAX)) << 2));
}

/** Positions in use: ids with keys and values. */
export function gen_pos(): u32 {
  return gen.computed;
}

/** Times the context slid since it was begun. */
export function gen_slides(): u32 {
  return gen.slides;
}

/** Positions computed of this prefill, of gen_prefill_total(). */
export function gen_prefill_done(): u32 {
  return gen.prefill_done;
}

export function gen_prefill_total(): u32 {
  return gen.prefill_total;
}

/** Ids of the last turn that gen_begin() saw, also of a refused one (then at most: a word too long counts a token a byte). */
export function gen_prompt_tokens(): u32 {
  return gen.prompt_tokens;
}

/** Ids in the context: prompts, answers, and the ids that ended them. */
export function gen_context_count(): u32 {
  return gen.count;
}

/** Id i of the context, i < gen_context_count(). */
export function gen_context_ids(i: u32): u32 {
  return load<u32>(history_at(i));
}

@inline
function history_at(i: u32): usize {
  return part(PART_HISTORY) + ((<usize>i) << 2);
}

/** What a context starts with that comes from no template: BOS or NO_ID. */
@inline
function start_id(): u32 {
  return config.add_bos != 0 ? <u32>config.bos : NO_ID;
}

function add_turn(tools: bool, keep: bool, first: bool, bos: u32, text: usize, len: u32): bool {
  const scratch = part_of(run, PART_BPE);
  if (tools) return assistant_turn(bos, keep, text, len, scratch.address, scratch.bytes);
  return encode_turn(first, bos, text, len, scratch.address, scratch.bytes);
}

/** Logits of position i of the batch. A grammar that allows no text reads few of them: on Cortex-M0+ the head is a good part of a small model's pass. */
function logits_at(i: i32): usize {
  if (!gen.tools || answer_is_text()) return logits_of(i);
  const base = token_base();
  const end = token_end();
  return logits_between(i, min(base, end), max(base + TOOL_TOKENS, end + 1));
}

/** Forgets the oldest ids: [BOS] and the last ones, `size` in all, are to be computed anew. */
function slide(size: u32): void {
  const bos = start_id();
  const head: u32 = bos != NO_ID && size > 0 ? 1 : 0;
  const tail = size - head;
  memory.copy(history_at(head), history_at(gen.count - tail), (<usize>tail) << 2);
  if (head == 1) store<u32>(history_at(0), bos);
  gen.count = size;
  gen.computed = 0;
  gen.slides++;
}

function begin_prefill(): void {
  gen.state = GEN_PREFILL;
  gen.prefill_done = 0;
  gen.prefill_total = gen.count - gen.computed;
}

/** A sampled id joins the context; it is part of the answer unless it ends it. */
function take(id: u32): void {
  store<u32>(history_at(gen.count++), id);
  gen.state = GEN_DECODE;
  if (is_stop(id)) return end_answer(WHY_EOS);
  store<u32>(answer + ((<usize>(gen.made++ % NEXT_TOKENS_MAX)) << 2), id);
  if (gen.made == gen.max) end_answer(WHY_MAX);
}

function end_answer(why: i32): void {
  gen.state = GEN_DONE;
  gen.why = why;
}
