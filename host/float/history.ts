/**
 * Which ids stand in the context, as as/generate.ts keeps them: a turn begins anew (what is computed of it already is kept) or is appended; when the
 * positions are used up the oldest ids are forgotten, and BOS and the last ones are computed anew.
 */
export class History {
  /** May hold one id more than there are positions: the last one, which was sampled and has no keys yet. */
  ids: number[] = [];
  /** Ids whose keys and values are there. */
  computed = 0;
  slides = 0;
  readonly #context: number;
  readonly #bos: number;

  /** @param bos what a context starts with, -1: nothing */
  constructor(context: number, bos: number) {
    this.#context = context;
    this.#bos = bos;
  }

  /**
   * @param keep append to what is there
   * @returns false when the turn is too long; then nothing has changed
   */
  begin(turn: readonly number[], keep: boolean): boolean {
    const room = this.#context - 1;
    if (turn.length > room) return false;
    if (!keep || this.ids.length === 0) {
      let same = 0;
      while (same < Math.min(this.computed, turn.length) && this.ids[same] === turn[same]) same++;
      this.ids = [...turn];
      this.computed = same;
      this.slides = 0;
    } else {
      if (this.ids.length + turn.length > room) {
        if (this.#bos >= 0 && turn.length + 1 > room) return false;
        this.#slide(Math.min(this.#context >> 1, room - turn.length));
      }
      this.ids.push(...turn);
    }
    // Logits are not kept: the last position is computed again.
    this.computed = Math.min(this.computed, this.ids.length - 1);
    return true;
  }

  /** Before positions are computed: is there one left? */
  makeRoom(): boolean {
    if (this.computed < this.#context) return false;
    this.#slide(this.#context >> 1);
    return true;
  }

  #slide(size: number): void {
    const head = this.#bos >= 0 && size > 0 ? [this.#bos] : [];
    const tail = size - head.length;
    this.ids = [...head, ...this.ids.slice(this.ids.length - tail)];
    this.computed = 0;
    this.slides++;
  }
}
