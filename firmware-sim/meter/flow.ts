/**
 * Where a function needs a counter so that one knows how often each of its instructions ran, and how the rest follows from those.
 *
 * What comes into a construct leaves it, so most counts are sums of others: code behind an `if` runs as often as the code before it, an else-part as often
 * as the condition less the then-part, the code behind a loop as often as the loop was entered. Counters are needed only for
 *
 *     the function's entry; each loop's head; each then-part; what follows a br_if; the end of a block that a br_table leaves
 *
 * and of the br_if that closes a loop not even that. A block's count is a linear form of counters. A call is taken to come back: where one does not (power
 * is cut in it), counts of its callers are short by what they would have done afterwards.
 */
import { type Instruction, OP } from "./decode.ts";
import { addOps, classOf, type OpClass, type OpCounts } from "./op_class.ts";

/** Counter -> factor. The sum of counter * factor is how often something ran. */
export type Form = ReadonlyMap<number, number>;

export interface Block {
  /** Index of the instruction behind which it begins, -1: at the beginning; null: no code of its own, a jump only. */
  readonly at: number | null;
  /** Instructions by class, for each time it runs. */
  readonly ops: OpCounts;
  readonly form: Form;
}

export interface Flow {
  readonly blocks: readonly Block[];
  /** Index of an instruction -> the counter that is incremented behind it; -1: at the beginning. */
  readonly counters: ReadonlyMap<number, number>;
  /** The first counter that is still free. */
  readonly next: number;
}

interface Frame {
  readonly opcode: number;
  /** What came in; null: nothing does. */
  readonly entry: Form | null;
  /** Of an `if`. */
  readonly then: Form | null;
  hasElse: boolean;
  /** What jumps to its end; null: nothing. */
  jumped: Form | null;
  /** A br_table jumps to its end: how often, is not known. */
  isCounted: boolean;
  /** What left it by a jump further out; null: a br_table did, so one does not know. */
  escaped: Form | null;
}

const NONE: Form = new Map();

/**
 * @param entry the counter at the function's entry
 * @param next the first counter that is free
 * @param imported number of imported functions
 */
export function flowOf(code: readonly Instruction[], entry: number, next: number, imported: number): Flow {
  const blocks: Block[] = [];
  const counters = new Map<number, number>();
  const frames: Frame[] = [];
  let ops: OpCounts = {};
  let now: Form | null = null;

  const count = (behind: number): Form => {
    counters.set(behind, next);
    return new Map([[next++, 1]]);
  };
  let here = -1;
  const turnTo = (form: Form | null): void => {
    now = form;
    ops = {};
    if (form !== null) blocks.push({ at: here, ops, form });
  };
  const op = (of: OpClass): void => {
    if (now !== null) addOps(ops, of);
  };
  const open = (opcode: number, entry: Form | null, then: Form | null = null): void => {
    frames.push({ opcode, entry, then, hasElse: false, jumped: null, isCounted: false, escaped: NONE });
  };
  /** `form` jumps to the label `depth` frames out. */
  const jump = (depth: number, form: Form): void => {
    const target = frames.length - 1 - depth;
    for (let i = Math.max(target + 1, 0); i < frames.length; i++) {
      const frame = frames[i];
      if (frame.escaped !== null) frame.escaped = plus(frame.escaped, form);
    }
    const frame = frames[target];
    if (frame.opcode !== OP.loop) frame.jumped = plus(frame.jumped ?? NONE, form);
  };

  open(OP.block, null);
  counters.set(-1, entry);
  turnTo(new Map([[entry, 1]]));
  for (let i = 0; i < code.length; i++) {
    const { opcode, value, labels } = code[i];
    here = i;
    const at: Form | null = now;
    switch (opcode) {
      case OP.block:
        open(opcode, at);
        break;
      case OP.loop:
        open(opcode, at);
        if (at !== null) turnTo(count(i));
        break;
      case OP.if: {
        op("branch");
        const then: Form | null = at === null ? null : count(i);
        open(opcode, at, then);
        if (at === null || then === null) break;
        blocks.push({ at: null, ops: { taken: 1 }, form: minus(at, then) });
        turnTo(then);
        break;
      }
      case OP.else: {
        const frame = frames[frames.length - 1];
        frame.hasElse = true;
        op("jump");
        if (at !== null) frame.jumped = plus(frame.jumped ?? NONE, at);
        turnTo(frame.entry === null || frame.then === null ? null : minus(frame.entry, frame.then));
        break;
      }
      case OP.end: {
        const frame = frames.pop() as Frame;
        let after: Form | null = at;
        if (frame.jumped !== null) after = plus(after ?? NONE, frame.jumped);
        if (frame.opcode === OP.if && !frame.hasElse && frame.entry !== null && frame.then !== null)
          after = plus(after ?? NONE, minus(frame.entry, frame.then));
        if (frame.isCounted && frames.length > 0) after = count(i);
        if (after !== at) turnTo(after);
        break;
      }
      case OP.br:
        op("jump");
        if (at !== null) jump(value, at);
        turnTo(null);
        break;
      case OP.br_if: {
        op("branch");
        if (at === null) break;
        const frame = frames[frames.length - 1];
        const closes = value === 0 && frame.opcode === OP.loop && code[i + 1].opcode === OP.end;
        const known = closes && frame.entry !== null && frame.escaped !== null;
        const after = known ? minus(frame.entry as Form, frame.escaped as Form) : count(i);
        const taken = minus(at, after);
        blocks.push({ at: null, ops: { taken: 1 }, form: taken });
        jump(value, taken);
        turnTo(after);
        break;
      }
      case OP.br_table: {
        op("switch");
        for (const depth of at === null ? [] : (labels ?? [])) {
          const target = frames.length - 1 - depth;
          frames[target].isCounted = true;
          for (let f = target + 1; f < frames.length; f++) frames[f].escaped = null;
        }
        turnTo(null);
        break;
      }
      case OP.return:
        op("return");
        if (at !== null) jump(frames.length - 1, at);
        turnTo(null);
        break;
      case OP.unreachable:
        turnTo(null);
        break;
      case OP.call:
        op(value < imported ? "hal" : "call");
        break;
      case OP.call_indirect:
        op("call");
        break;
      default: {
        const of = classOf(opcode, value);
        if (of !== null) op(of);
      }
    }
  }
  return { blocks: blocks.filter((block) => Object.keys(block.ops).length > 0), counters, next };
}

function plus(a: Form, b: Form, factor = 1): Form {
  const sum = new Map(a);
  for (const [counter, count] of b) {
    const both = (sum.get(counter) ?? 0) + factor * count;
    if (both === 0) sum.delete(counter);
    else sum.set(counter, both);
  }
  return sum;
}

function minus(a: Form, b: Form): Form {
  return plus(a, b, -1);
}
