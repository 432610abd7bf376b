/**
 * From logits to one id, in integers (spec/NUMERICS.md, "Sampler"): penalty, temperature, top-k, top-p, one draw.
 *
 * Weights are u64 with 30 fraction bits below the largest; a sum over 131,072 of them stays below 2^47.
 */
import { LOG2E_EXP, LOG2E_MANT, LOGIT_FRAC, MILLI } from "../../spec/numerics.ts";
import { order_begin, order_next, order_rewind } from "./order.ts";
import { Pcg, pcg_next, pcg_seed } from "./pcg.ts";
import { penalise } from "./penalty.ts";

/** Fraction bits of an exponent: entries of EXP2. */
const EXP2_BITS = 8;
/** 2^-46 of the largest weight is less than one unit of it. */
const EXPONENT_MAX: u64 = 45;

@unmanaged
class Sampler {
  /** i32[vocab_size] of the present sample() call. */
  logits: usize = 0;
  /** u16[256] of the image's TABLES: 2^15 * 2^(-i/256). */
  exp2: usize = 0;
  /** u32[order_room]: scratch of one sample() call. */
  order: usize = 0;
  order_room: u32 = 0;
  vocab_size: u32 = 0;
  /** Thousandths; 0 is greedy. */
  temperature: u32 = 0;
  /** 0: all. */
  top_k: u32 = 0;
  /** Thousandths; 1000 and more: all. */
  top_p: u32 = 0;
  /** Thousandths; 0 and 1000 are off. */
  penalty: u32 = 0;
  /** Logits to log2 at this temperature: mantissa and exponent of a scale. */
  mantissa: u32 = 0;
  exponent: i32 = 0;
  largest: i32 = 0;
}

const sampler = changetype<Sampler>(memory.data(offsetof<Sampler>(), 8));
const pcg = changetype<Pcg>(memory.data(offsetof<Pcg>(), 8));

/**
 * Where the sampler works, once per model.
 * @param order,order_bytes scratch that is free while a token is drawn, 4-byte aligned, at least 4 bytes: 4 bytes an id.
 *   Less than 4 * vocab_size only costs time when a distribution is flat.
 */
export function sampler_open(vocab_size: u32, exp2: usize, order: usize, order_bytes: u32): void {
  sampler.vocab_size = vocab_size;
  sampler.exp2 = exp2;
  sampler.order = order;
  sampler.order_room = order_bytes >> 2;
}

/**
 * Options of one answer; the generator starts at `seed`.
 * @param temperature,top_p,penalty in 1/1000
 */
export function sampler_begin(temperature: u32, top_k: u32, top_p: u32, penalty: u32, seed: u32): void {
  sampler.temperature = temperature;
  sampler.top_k = top_k;
  sampler.top_p = top_p;
  sampler.penalty = penalty;
  pcg_seed(pcg, seed);
  if (temperature > 0) set_scale(((<u32>MILLI) << LOGIT_FRAC) / temperature);
}

/** The scale log2(e) * inverse * 2^-16, rounded twice as spec/NUMERICS.md says: scale_mul(LOG2E, scale_of(inverse, -16)). */
function set_scale(inverse: u32): void {
  scale_of(inverse, -LOGIT_FRAC);
  if (sampler.mantissa > 0) scale_of(sampler.mantissa * LOG2E_MANT, sampler.exponent + LOG2E_EXP);
}

/** v * 2^e as a scale, into the sampler. */
function scale_of(v: u32, e: i32): void {
  if (v == 0) {
    sampler.mantissa = 0;
    return;
  }
  let n = 16 - <i32>clz<u32>(v);
  let m = n > 0 ? <u32>((<u64>v + ((<u64>1) << (n - 1))) >> n) : v << -n;
  if (m == 0x10000) {
    m = 0x8000;
    n++;
  }
  sampler.mantissa = m;
  sampler.exponent = e + n;
}

/**
 * The next id.
 * @param logits i32[vocab_size], 16 fraction bits; the penalty changes them
 * @param ids u32[count], the context whose last ids are penalised
 */
export function sample(logits: usize, ids: usize, count: u32): u32 {
  sampler.logits = logits;
  penalise(logits, ids, count, sampler.penalty);
  const best = arg_max();
  if (sampler.temperature == 0) return best;
  sampler.largest = logit_of(best);

  const vocab_size = sampler.vocab_size;
  const kept = sampler.top_k > 0 ? min(sampler.top_k, vocab_size) : vocab_size;
  order_begin(logits, vocab_size, sampler.order, sampler.order_room, kept < vocab_size ? kept : 0);
  let total: u64 = 0;
  if (kept == vocab_size) for (let id: u32 = 0; id < vocab_size; id++) total += weight(id);
  else for (let i: u32 = 0; i < kept; i++) total += weight(order_next());

  if (sampler.top_p < <u32>MILLI) {
    const wanted = (total * sampler.top_p + (MILLI - 1)) / MILLI;
    order_rewind();
    total = 0;
    do total += weight(order_next());
    while (total < wanted);
  }

  const r = scale_down(total, pcg_next(pcg));
  order_rewind();
  let sum: u64 = 0;
  let id: u32 = 0;
  do {
    id = order_next();
    sum += weight(id);
  } while (sum <= r);
  return id;
}

@inline
function logit_of(id: u32): i32 {
  return load<i32>(sampler.logits + ((<usize>id) << 2));
}

/** The id of the largest logit, the lowest among equals. */
function arg_max(): u32 {
  let best: u32 = 0;
  let largest = logit_of(0);
  for (let id: u32 = 1; id < sampler.vocab_size; id++) {
    const logit = logit_of(id);
    if (logit > largest) {
      largest = logit;
      best = id;
    }
  }
  return best;
}

/** exp((logit - largest) / temperature), 30 fraction bits. */
function weight(id: u32): u64 {
  const below = <u64>(<i64>sampler.largest - logit_of(id));
  const shift = <u64>(EXP2_BITS - sampler.exponent); // 13 .. 39: temperature is at least 1/1000
  const d = (below * sampler.mantissa + ((<u64>1) << (shift - 1))) >> shift;
  const i = d >> EXP2_BITS;
  if (i > EXPONENT_MAX) return 0;
  return ((<u64>load<u16>(sampler.exp2 + ((<usize>(d & 255)) << 1))) << 15) >> i;
}

/** floor(total * random / 2^32) by halves: the product has 79 bits. */
@inline
function scale_down(total: u64, random: u32): u64 {
  return (total >> 32) * <u64>random + (((total & 0xffffffff) * <u64>random) >> 32);
}
