/**
 * The ids in the order of their logits, largest first, the lower id among equals: made in batches, because a sampler
 * rarely looks further than the first dozen of 131,072.
 *
 * A batch is selected by one pass over the logits with a heap whose root is the worst id it holds, then sorted in place.
 * Batches double up to the room there is. In the worst case (a flat distribution, read to its end) that is
 * O(vocab log^2 vocab) with room for all ids, and vocab / room passes with less.
 */

/** Ids in the first batch when the reader has no idea how many it wants. */
export const FIRST_BATCH: u32 = 128;

@unmanaged
class Order {
  /** i32[vocab_size], read only. */
  logits: usize = 0;
  vocab_size: u32 = 0;
  /** Ids that fit at `at`. */
  room: u32 = 0;
  /** u32[room]: the batch, sorted; while it is made, a heap. */
  at: usize = 0;
  /** Ids in the batch, and the next one to hand out. */
  count: u32 = 0;
  next: u32 = 0;
  /** Ids wanted in the first batch, and in the present one. */
  first_size: u32 = 0;
  size: u32 = 0;
  /** Whether the batch is the first. */
  at_start: bool = false;
}

const order = changetype<Order>(memory.data(offsetof<Order>(), 8));

/**
 * Starts at the largest logit.
 * @param at,room u32[room] that the order may use, room >= 1
 * @param wanted how many ids will be read at least; 0: not known
 */
export function order_begin(logits: usize, vocab_size: u32, at: usize, room: u32, wanted: u32): void {
  order.logits = logits;
  order.vocab_size = vocab_size;
  order.at = at;
  order.room = min(room, vocab_size);
  order.first_size = wanted > 0 ? wanted : FIRST_BATCH;
  order.at_start = false;
  order_rewind();
}

/** Back to the largest logit. Free as long as the first batch sufficed. */
export function order_rewind(): void {
  order.next = 0;
  if (order.at_start) return;
  order.at_start = true;
  order.count = 0;
  order.size = order.first_size;
  select_batch();
}

/** The next id. May be called vocab_size times. */
export function order_next(): u32 {
  if (order.next == order.count) {
    order.at_start = false;
    order.size = min(order.size << 1, order.vocab_size);
    select_batch();
    order.next = 0;
  }
  return entry(order.next++);
}

@inline
function entry(i: u32): u32 {
  return load<u32>(order.at + ((<usize>i) << 2));
}

@inline
function set_entry(i: u32, id: u32): void {
  store<u32>(order.at + ((<usize>i) << 2), id);
}

@inline
function logit_of(id: u32): i32 {
  return load<i32>(order.logits + ((<usize>id) << 2));
}

/** Whether a stands before b. */
@inline
function before(a: u32, b: u32): bool {
  const logit_a = logit_of(a);
  const logit_b = logit_of(b);
  return logit_a > logit_b || (logit_a == logit_b && a < b);
}

/** Replaces the batch by the ids that follow its last one (by the first ids when it is empty). */
function select_batch(): void {
  const size = min(order.size, order.room);
  const from_start = order.count == 0;
  const last: u32 = from_start ? 0 : entry(order.count - 1);
  const last_logit = logit_of(last);
  let count: u32 = 0;
  let worst = i32.MIN_VALUE;
  for (let id: u32 = 0; id < order.vocab_size; id++) {
    const logit = logit_of(id);
    if (!from_start && (logit > last_logit || (logit == last_logit && id <= last))) continue;
    if (count < size) {
      set_entry(count++, id);
      if (count < size) continue;
      for (let root = size >> 1; root > 0; ) sift_down(--root, size);
    } else {
      // Ids ascend: one that equals the worst stands behind it.
      if (logit <= worst) continue;
      set_entry(0, id);
      sift_down(0, size);
    }
    worst = logit_of(entry(0));
  }
  if (count < size) for (let root = count >> 1; root > 0; ) sift_down(--root, count);
  order.count = count;
  // Heapsort: the worst goes to the end.
  for (let end = count; end > 1; ) {
    end--;
    const id = entry(0);
    set_entry(0, entry(end));
    set_entry(end, id);
    sift_down(0, end);
  }
}

/** Restores the heap below `root`: every id stands behind its children. */
function sift_down(root: u32, count: u32): void {
  const id = entry(root);
  let hole = root;
  for (;;) {
    let child = (hole << 1) + 1;
    if (child >= count) break;
    if (child + 1 < count && before(entry(child), entry(child + 1))) child++;
    if (!before(id, entry(child))) break;
    set_entry(hole, entry(child));
    hole = child;
  }
  set_entry(hole, id);
}
