/**
 * Whose time is it? Follows the spans of the device module (its functions' beginnings and ends), reads cumulative counters at each, and adds what
 * passed between two readings to the part of the network, the tensor and the token it belongs to.
 *
 *     embed_token                                    embedding
 *     layers ──┬─ normed                             norms, quantise
 *              ├─ products ─┬─ lut_build             QKV, as soon as
 *              │            └─ lut_rows(w)           w tells whose weights they are
 *              ├─ rescale                            QKV: of the products before it
 *              └─ ...
 *     head_logits, sample                            head, sampler
 *     poll, around it all                            wire, control
 *
 * A token's window begins with its embedding and ends with the next one, with a new prompt, or with the recording; while the CPU sleeps for want of
 * work it stands still. What is done behind an answer (its last frame, idle looks at the receiver) goes to no token unless another forward pass follows.
 */
import type { SpanArguments } from "../watcher.ts";
import { type Part, partOfKind, type Role, roleOf } from "./parts.ts";
import type { Tensor } from "./tensors.ts";

/** Cumulative counters of a board. Entry 0 is time, ns. */
export interface Probe {
  readonly size: number;
  /** @param into `size` entries */
  read(into: Float64Array): void;
}

/** One function that ran, when it has returned. */
export interface Span {
  readonly name: string;
  /** null: products whose weights are not known yet. */
  readonly part: Part | null;
  readonly tensor: Tensor | null;
  readonly from: number;
  readonly until: number;
  readonly depth: number;
  /** What the counters went on by. */
  readonly counts: Float64Array;
}

/** Sums over positions. */
export interface Group {
  positions: number;
  /** Positions that were attended to, the own one too: summed over the positions. */
  keys: number;
  readonly parts: Map<Part, Float64Array>;
  readonly tensors: Map<Tensor, Float64Array>;
  /** Ternary products alone, tables included, by the part they are of; a subset of `parts`. */
  readonly products: Map<Part, Float64Array>;
}

interface Frame {
  readonly name: string;
  readonly role: Role;
  part: Part | null;
  tensor: Tensor | null;
  readonly start: Float64Array;
  /** Of products whose weights are not known yet: what is to be added to their part. */
  pending: Float64Array | null;
}

export class Attribution {
  /** Positions that gave a token, and those of prompts. */
  readonly tokens: Group;
  readonly prefill: Group;
  readonly #probe: Probe;
  readonly #tensorAt: (address: number) => Tensor | null;
  readonly #onSpan: (span: Span) => void;
  readonly #stack: Frame[] = [];
  #last: Float64Array;
  #now: Float64Array;
  #behind: Part = "QKV";
  /** The position that is open, and what came behind a sleep: it joins only when another position follows. */
  #window: Group | null = null;
  #after: Group | null = null;
  #hasHead = false;
  /** Embeddings have begun a window, and its layers have not come yet. */
  #isBegun = false;

  /** @param tensorAt of an address of the chip */
  constructor(probe: Probe, tensorAt: (address: number) => Tensor | null, onSpan: (span: Span) => void = () => {}) {
    this.#probe = probe;
    this.#tensorAt = tensorAt;
    this.#onSpan = onSpan;
    this.#last = new Float64Array(probe.size);
    this.#now = new Float64Array(probe.size);
    this.tokens = emptyGroup();
    this.prefill = emptyGroup();
    probe.read(this.#last);
  }

  /** @param args the function's first three, as unsigned numbers; 0 where it has fewer */
  enter(name: string, [first, second]: SpanArguments): void {
    const role = roleOf(name);
    if (role === null) return;
    this.#charge();
    if (role.is === "embedding") this.#position();
    if (role.is === "layers") this.#isBegun = false;
    if (role.is === "attend") this.#keys(second);
    if (role.is === "turn") this.#close(false);
    const frame: Frame = {
      ...{ name, role, part: null, tensor: null, start: this.#last.slice() },
      pending: role.is === "products" ? new Float64Array(this.#last.length) : null,
    };
    if ("part" in role) frame.part = role.part;
    if (role.is === "behind") frame.part = this.#behind;
    this.#stack.push(frame);
    if (role.is === "weights") this.#weights(frame, first);
    if (frame.part === "head") this.#hasHead = true;
  }

  leave(name: string): void {
    if (roleOf(name) === null) return;
    this.#charge();
    const frame = this.#stack.pop();
    if (frame === undefined || frame.name !== name) throw new Error(`${name} returned where ${frame?.name} ran`);
    // Products that read no weights at all: where they were called from.
    if (frame.pending !== null) this.#add(this.#part(), frame.pending);
    const counts = this.#last.map((value, i) => value - frame.start[i]);
    if (frame.role.is === "weights" && frame.tensor !== null) addTo(this.#sums().tensors, frame.tensor, counts);
    const isOpen = this.#stack.some(({ pending }) => pending !== null);
    const isInner = this.#stack.some(({ role }) => role.is === "products");
    if (frame.role.is === "products" && frame.part !== null && !isInner)
      addTo(this.#sums().products, frame.part, counts);
    const part = frame.part ?? (isOpen ? null : this.#part());
    const { tensor, start } = frame;
    this.#onSpan({ name, part, tensor, from: start[0], until: this.#last[0], depth: this.#stack.length, counts });
  }

  /**
   * The CPU sleeps from now until `until`, ns: in the middle of a part of the network it waits for the coprocessor, for that part; anywhere else
   * nobody wants anything of it.
   */
  slept(until: number): void {
    this.#charge();
    if (this.#stack.some(({ part }) => part !== "wire, control")) return;
    this.#last[0] = Math.max(this.#last[0], until);
    if (this.#window !== null) this.#after ??= emptyGroup();
  }

  /** Work of somebody else on a tensor, for whoever runs now. */
  onTensor(tensor: Tensor, counts: Float64Array): void {
    if (this.#window !== null) addTo(this.#sums().tensors, tensor, counts);
  }

  /** The module stopped in the middle of its work (power, a trap, a reset): nothing that ran returns. */
  abandon(): void {
    this.#stack.length = 0;
    this.#isBegun = false;
    this.#window = null;
    this.#after = null;
    this.#probe.read(this.#last);
  }

  /** No more comes: the last position is counted. */
  end(): void {
    this.#charge();
    this.#close(false);
  }

  /** Adds what happened since the last reading to whoever runs. */
  #charge(): void {
    this.#probe.read(this.#now);
    const delta = this.#now.map((value, i) => value - this.#last[i]);
    // After a sleep that was skipped, the clock may be behind what was announced.
    if (delta[0] < 0) delta[0] = 0;
    [this.#last, this.#now] = [this.#now, this.#last];
    const waiting = this.#stack.findLast(({ pending }) => pending !== null);
    const own = this.#stack.at(-1)?.part ?? null;
    if (own === null && waiting?.pending) addVector(waiting.pending, delta);
    else this.#add(this.#part(), delta);
  }

  /** The part that whoever runs belongs to. */
  #part(): Part {
    return this.#stack.findLast(({ part }) => part !== null)?.part ?? "wire, control";
  }

  #add(part: Part, counts: Float64Array): void {
    if (this.#window !== null) addTo(this.#sums().parts, part, counts);
  }

  #sums(): Group {
    return this.#after ?? this.#window ?? emptyGroup();
  }

  /** A pointer to weights says what the products around it are. */
  #weights(frame: Frame, address: number): void {
    frame.tensor = this.#tensorAt(address);
    const part = frame.tensor === null ? null : partOfKind(frame.tensor.kind);
    if (part === null) return;
    for (const around of this.#stack) {
      if (around.role.is !== "products" || around.part !== null) continue;
      around.part = part;
      around.tensor = frame.tensor;
      this.#behind = part;
      if (around.pending !== null) this.#add(part, around.pending);
      around.pending = null;
    }
  }

  /** A position begins, alone or beside others: what was before it ends, with what came behind it. */
  #position(): void {
    if (!this.#isBegun) {
      this.#close(true);
      this.#window = emptyGroup();
      this.#hasHead = false;
      this.#isBegun = true;
    }
    if (this.#window !== null) this.#window.positions++;
  }

  /** Position p attends to p + 1. Every layer says the same. */
  #keys(first: number): void {
    if (this.#window === null) return;
    const { positions } = this.#window;
    this.#window.keys = positions * (first + 1) + (positions * (positions - 1)) / 2;
  }

  #close(withAfter: boolean): void {
    if (this.#window === null) return;
    // Several at once are a prompt's, and the last of them may have had the head.
    const group = this.#hasHead && this.#window.positions === 1 ? this.tokens : this.prefill;
    group.positions += this.#window.positions;
    group.keys += this.#window.keys;
    for (const from of withAfter && this.#after !== null ? [this.#window, this.#after] : [this.#window]) {
      for (const [part, counts] of from.parts) addTo(group.parts, part, counts);
      for (const [tensor, counts] of from.tensors) addTo(group.tensors, tensor, counts);
      for (const [part, counts] of from.products) addTo(group.products, part, counts);
    }
    this.#window = null;
    this.#after = null;
    this.#isBegun = false;
  }
}

export function emptyGroup(): Group {
  return { positions: 0, keys: 0, parts: new Map(), tensors: new Map(), products: new Map() };
}

function addTo<K>(sums: Map<K, Float64Array>, key: K, counts: Float64Array): void {
  const sum = sums.get(key);
  if (sum === undefined) sums.set(key, counts.slice());
  else addVector(sum, counts);
}

function addVector(sum: Float64Array, counts: Float64Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] += counts[i];
}
