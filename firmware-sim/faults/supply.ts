/**
 * The supply of a board, and how it fails: at a time, or in the n-th flash operation from now.
 *
 *     dip      null            power is gone until somebody switches it on
 *              ns              a brown-out: the voltage comes back after that time, and the reset starts the chip (SRAM is lost)
 *
 * In the middle of an erase or a program flash is left as faults/tear.ts says; at any other time it is as it was. The other pieces of a
 * chip know nothing of a low voltage.
 *
 * NOT IMPLEMENTED: a voltage at which the CPU still runs and computes wrongly; a brown-out detector that is off.
 */
import type { Flash } from "../peripherals/flash.ts";

export class Supply {
  /** When it fails, ns; Infinity: it does not. */
  #failsAt = Number.POSITIVE_INFINITY;
  #dip: number | null = null;
  readonly #flashes: readonly Flash[];

  constructor(flashes: readonly Flash[]) {
    this.#flashes = flashes;
  }

  get failsAt(): number {
    return this.#failsAt;
  }

  /** Fails once at simulated time `at`, ns, at the end of the piece of work that the CPU does then, or in its flash operation. */
  failAt(at: number, dip: number | null = null): void {
    this.#failsAt = at;
    this.#dip = dip;
  }

  /** Fails once, in the `n`th flash operation from now, n >= 1. */
  failIn(n: number, dip: number | null = null): void {
    for (const flash of this.#flashes) flash.cutAt(n);
    this.#dip = dip;
  }

  /** What was ordered is not to come. */
  hold(): void {
    this.failed();
  }

  /** It has failed. @returns how long it is gone, ns; null: for good */
  failed(): number | null {
    const dip = this.#dip;
    this.#failsAt = Number.POSITIVE_INFINITY;
    this.#dip = null;
    for (const flash of this.#flashes) flash.cutAt(0);
    return dip;
  }
}
