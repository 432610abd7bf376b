/** Repetition penalty (spec/NUMERICS.md, "Sampler", step 1; after Keskar et al., "CTRL", 2019). */
import { MILLI, PENALTY_WINDOW } from "../../spec/numerics.ts";

/**
 * Makes the last ids less likely, in place, each distinct id once.
 * @param logits i32[vocab_size], 16 fraction bits
 * @param ids u32[count], the context; its last PENALTY_WINDOW ids count
 * @param rep penalty in 1/1000; 1000 and 0 change nothing
 */
export function penalise(logits: usize, ids: usize, count: u32, rep: u32): void {
  if (rep == MILLI || rep == 0) return;
  const from = count > <u32>PENALTY_WINDOW ? count - <u32>PENALTY_WINDOW : 0;
  for (let i = from; i < count; i++) {
    const id = load<u32>(ids + ((<usize>i) << 2));
    if (stands_in(ids, from, i, id)) continue;
    const at = logits + ((<usize>id) << 2);
    const logit = <i64>load<i32>(at);
    if (logit > 0) store<i32>(at, <i32>min<i64>((logit * MILLI) / <i64>rep, i32.MAX_VALUE));
    else store<i32>(at, <i32>max<i64>(floor_milli(logit * <i64>rep), i32.MIN_VALUE));
  }
}

function stands_in(ids: usize, from: u32, to: u32, id: u32): bool {
  for (let i = from; i < to; i++) if (load<u32>(ids + ((<usize>i) << 2)) == id) return true;
  return false;
}

/** floor(v / 1000) for v <= 0. */
@inline
function floor_milli(v: i64): i64 {
  return -((MILLI - 1 - v) / MILLI);
}
