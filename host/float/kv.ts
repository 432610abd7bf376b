/** Keys and values of the positions so far, float64 (position, n_kv_heads * head_dim) for each layer. Room doubles as a text grows. */
const FIRST_ROOM = 64;

export class KvCache {
  readonly #layers: { keys: Float64Array; values: Float64Array }[];
  readonly #width: number;
  readonly #context: number;
  #room: number;

  /** @param width n_kv_heads * head_dim */
  constructor(layers: number, width: number, context: number) {
    this.#width = width;
    this.#context = context;
    this.#room = Math.min(FIRST_ROOM, context);
    const part = () => new Float64Array(this.#room * width);
    this.#layers = Array.from({ length: layers }, () => ({ keys: part(), values: part() }));
  }

  layer(layer: number): { readonly keys: Float64Array; readonly values: Float64Array } {
    return this.#layers[layer];
  }

  /** Makes room for positions below `end`, which is at most the context. */
  reserve(end: number): void {
    if (end <= this.#room) return;
    while (this.#room < end) this.#room = Math.min(this.#context, this.#room * 2);
    const grow = (old: Float64Array) => {
      const more = new Float64Array(this.#room * this.#width);
      more.set(old);
      return more;
    };
    for (const layer of this.#layers) Object.assign(layer, { keys: grow(layer.keys), values: grow(layer.values) });
  }
}
