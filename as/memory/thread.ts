/**
 * Memory that belongs to the running thread alone: an address in a global of the instance, of which each thread has its own. Only the SIMD engine has
 * more than one thread; on a device such memory is a static.
 */
@lazy
let own: usize = 0;

/** What `own_memory` gives out: a word that a function leaves to its caller. */
export const OWN_BYTES = 64;

/** @param at OWN_BYTES on a multiple of 8 */
export function set_own_memory(at: usize): void {
  own = at;
}

@inline
export function own_memory(): usize {
  return own;
}
