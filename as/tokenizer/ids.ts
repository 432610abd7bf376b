/**
 * A list of ids that is being made: first only counted, then written over an older list of which the common beginning
 * is wanted. Two passes cost little (encoding a text takes less than one forward pass) and no second buffer.
 */
@unmanaged
export class Ids {
  /** Address of u32[], or 0: count only. */
  at: usize = 0;
  /** Ids so far. */
  n: u32 = 0;
  /** Ids at `at` before the first one was written. */
  old: u32 = 0;
  /** How many ids of the beginning were already there. */
  same: u32 = 0;
}

/** The list that encode() adds to. */
export const ids = changetype<Ids>(memory.data(offsetof<Ids>(), 8));

/** Starts a list over the `old` ids at `at`; at = 0 counts only. */
export function ids_begin(at: usize, old: u32): void {
  ids.at = at;
  ids.n = 0;
  ids.old = old;
  ids.same = 0;
}

export function ids_add(id: u32): void {
  const n = ids.n++;
  if (ids.at == 0) return;
  const at = ids.at + ((<usize>n) << 2);
  if (ids.same == n && n < ids.old && load<u32>(at) == id) ids.same = n + 1;
  store<u32>(at, id);
}
