/**
 * The grammar of an answer (spec/TOOLS.md, "Decoding"): which ids may come next, and the likeliest of them. The calls that are said join the list of calls.ts.
 *
 *     answer := (CALL verb target [slot])+ EOS | NONE EOS | CONFIRM EOS | (DECLINE | ASK | SAY) text EOS
 *
 *     bit i of a mask: special token base + i
 */
import {
  CALLS_MAX,
  SLOT_CLASSES,
  SLOT_TIME,
  SLOT_TOKENS,
  TOK_ALL,
  TOK_ASK,
  TOK_CALL,
  TOK_CONFIRM,
  TOK_DECLINE,
  TOK_KIND,
  TOK_NONE,
  TOK_SAY,
  TOK_SLOT,
  TOK_VERB,
  TOOL_NOBODY,
  TOOL_TOKENS,
  KINDS,
  VERB_DOWN,
  VERB_GET,
  VERB_OFF,
  VERB_ON,
  VERB_SET,
  VERB_UP,
  VERBS,
} from "../../spec/tools.ts";
import { gate, text_max, token_base, token_end } from "./assistant.ts";
import { calls_add, calls_confirm, calls_count, calls_waiting } from "./calls.ts";
import { mentioned, slots_of } from "./words.ts";

/** What comes next. */
const FIRST: u32 = 0;
const VERB: u32 = 1;
const TARGET: u32 = 2;
const SLOT: u32 = 3; // after `set`; otherwise, if none, what NEXT allows
const NEXT: u32 = 4; // another call, or the end
const END: u32 = 5;
const TEXT: u32 = 6;

/** Below every logit. */
const NOTHING: i64 = i64.MIN_VALUE;

@unmanaged
class Answer {
  /** The largest logit of a choice, and the second. */
  largest: i64;
  second: i64;
  /** The id of the largest. */
  best: u32;
  place: u32;
  /** Of the call that is being said. */
  verb: u32;
  target: u32;
  margin: u32;
  /** Tokens of text so far. */
  text: u32;
}

const answer = changetype<Answer>(memory.data(offsetof<Answer>(), 8));

/** An answer begins, to the turn that was read last. */
export function answer_begins(): void {
  answer.place = FIRST;
  answer.text = 0;
}

/** Whether any text may come next: all logits are wanted. */
export function answer_is_text(): bool {
  return answer.place == TEXT;
}

/** Whether the answer has all the text that it may have. */
export function answer_is_full(): bool {
  return answer.place == TEXT && answer.text >= text_max();
}

@inline
function bit(token: u32): u64 {
  return (<u64>1) << token;
}

/** `n` bits from bit `token` on. */
function bits(token: u32, n: u32): u64 {
  return (bit(n) - 1) << token;
}

/** Special tokens that may come next. */
function allowed(): u64 {
  const place = answer.place;
  const verb = answer.verb;
  if (place == FIRST) return bits(TOK_CALL, TOK_SAY + 1) | (calls_waiting() ? bit(TOK_CONFIRM) : 0);
  if (place == VERB) return bits(TOK_VERB, VERBS) & ~(said() == 0 ? bit(TOK_VERB + VERB_SET) : 0);
  if (place == TARGET) return targets() | (is_switching(verb) ? bit(TOK_ALL) : 0);
  if (place >= END) return 0;
  let tokens: u64 = 0;
  let calls = calls_count();
  if (place == SLOT) {
    if (verb != VERB_GET) tokens = said();
    if (is_switching(verb)) tokens &= bits(TOK_SLOT + SLOT_TIME * SLOT_TOKENS, SLOT_TOKENS);
    if (verb == VERB_SET) return tokens;
    calls++; // the one that is being said
  }
  return calls < <u32>CALLS_MAX ? tokens | bit(TOK_CALL) : tokens;
}

/** Whether the answer may end here. */
function may_end(): bool {
  return answer.place >= NEXT || (answer.place == SLOT && answer.verb != VERB_SET);
}

@inline
function is_switching(verb: u32): bool {
  return verb == VERB_ON || verb == VERB_OFF;
}

/** The slots of this turn. */
function said(): u64 {
  let tokens: u64 = 0;
  for (let cls: u32 = 0; cls < <u32>SLOT_CLASSES; cls++) tokens |= bits(TOK_SLOT + cls * SLOT_TOKENS, slots_of(cls));
  return tokens;
}

/** Every kind, and the second tools that this turn mentions. */
function targets(): u64 {
  let tokens = bits(TOK_KIND, KINDS);
  for (let k: u32 = KINDS; k < 2 * KINDS; k++) if (mentioned(k) != TOOL_NOBODY) tokens |= bit(TOK_KIND + k);
  return tokens;
}

/**
 * The likeliest id of those that may come next, the lowest among equals; it counts as said.
 * @param logits i32[vocab_size]; but for text only those of the special tokens and the end are read
 */
export function answer_choose(logits: usize, vocab_size: u32): u32 {
  const base = token_base();
  const tokens = allowed();
  answer.largest = NOTHING;
  answer.second = NOTHING;
  for (let i: u32 = 0; i < <u32>TOOL_TOKENS; i++) if (((tokens >> i) & 1) != 0) consider(base + i, logits);
  if (answer_is_text()) {
    for (let id: u32 = 0; id < vocab_size; id++) if (id - base >= <u32>TOOL_TOKENS) consider(id, logits);
  } else if (may_end()) consider(token_end(), logits);
  say(answer.best - base);
  return answer.best;
}

function consider(id: u32, logits: usize): void {
  const a = answer;
  const logit = <i64>load<i32>(logits + ((<usize>id) << 2));
  if (logit > a.largest || (logit == a.largest && id < a.best)) {
    a.second = a.largest;
    a.largest = logit;
    a.best = id;
  } else if (logit > a.second) a.second = logit;
}

/** Distance of the choice from the next best one; without another one as large as it can be. */
function distance(): u32 {
  return answer.second == NOTHING ? u32.MAX_VALUE : <u32>(answer.largest - answer.second);
}

/** The answer goes on with special token `token`, TOOL_TOKENS and above: with text or its end. */
function say(token: u32): void {
  const a = answer;
  const place = a.place;
  if (place == TEXT) a.text++;
  if (place >= END) return;
  if (place == FIRST) calls_confirm(token == TOK_CONFIRM);
  // A call without a slot is complete when something else follows it.
  const is_slot = token - TOK_SLOT < <u32>(TOK_ALL - TOK_SLOT);
  if (place == SLOT && !is_slot) calls_add(a.verb, a.target, 0, a.margin, gate());
  if (token == TOK_CALL) {
    a.margin = distance();
    a.place = VERB;
    return;
  }
  a.margin = min(a.margin, distance());
  if (place == VERB) {
    a.verb = token - TOK_VERB;
    a.place = TARGET;
  } else if (place == TARGET) {
    a.target = token;
    a.place = SLOT;
  } else if (is_slot) {
    calls_add(a.verb, a.target, token, a.margin, gate());
    a.place = NEXT;
  } else a.place = token == TOK_DECLINE || token == TOK_ASK || token == TOK_SAY ? TEXT : END;
}
