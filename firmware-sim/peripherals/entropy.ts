/**
 * ENTROPY: a source of random bytes that is the same for the same seed, so that a run can be repeated.
 *
 *                ┌─────────┐
 *     seed ─────>│ xoshiro │──> entropy(ptr, len)
 *                └─────────┘
 *
 * It keeps running through resets and power cycles, as noise does: two boots do not get the same bytes.
 *
 * NOT IMPLEMENTED: start-up time, health tests, running dry: it always delivers `len` bytes.
 */
import { Random } from "../random.ts";

export class Entropy {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed ^ 0x656e7472);
  }

  fill(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.#random.byte();
  }

  /** 4 x u32. */
  get state(): Uint32Array {
    return this.#random.state.slice();
  }

  set state(state: Uint32Array) {
    this.#random.state.set(state);
  }
}
