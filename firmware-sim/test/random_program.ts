/**
 * Random WebAssembly programs in text, that end: every construct which flow.ts has to see through, nested. Then-parts begin with an assignment, so that in a
 * trace of wasm-interp an `if` and a `br_if` can be told apart.
 */
import { Random } from "../random.ts";

const LOCALS = 6;
const MAX_DEPTH = 4;

/**
 * A module with memory of a page, and `run`, which calls `count` random functions.
 * @param name of the function i: what cost tables and spans go by
 */
export function randomProgram(seed: number, count: number): string {
  const functions = Array.from({ length: count }, (_, i) => new Writer(seed * 1000 + i, i).text());
  const calls = functions.map((_, i) => `(drop (call $f${i} (i32.const ${i * 77 + seed})))`);
  return `(module (memory (export "memory") 1)\n${functions.join("\n")}\n(func $run (export "run") ${calls.join(" ")}))`;
}

class Writer {
  readonly #random: Random;
  readonly #index: number;
  #loops = 0;
  #labels = 0;
  /** Labels that can be jumped to, the outermost first; of a loop with the local that counts it. */
  readonly #open: { label: string; counter: string | null }[] = [];

  constructor(seed: number, index: number) {
    this.#random = new Random(seed);
    this.#index = index;
  }

  text(): string {
    const body = this.#statements(0, 6);
    const locals = Array.from({ length: LOCALS }, (_, i) => `(local $v${i} i32)`).join(" ");
    const loops = Array.from({ length: this.#loops }, (_, i) => `(local $n${i} i32)`).join(" ");
    return `(func $f${this.#index} (param $p i32) (result i32) ${locals} (local $w i64) ${loops}
(local.set $p (i32.and (local.get $p) (i32.const 0x7f00)))\n${body}\n(local.get $v0))`;
  }

  #below(n: number): number {
    return this.#random.below(n);
  }

  #local(): string {
    return `$v${this.#below(LOCALS)}`;
  }

  #statements(depth: number, most: number): string {
    return Array.from({ length: 1 + this.#below(most) }, () => this.#statement(depth)).join("\n");
  }

  #statement(depth: number): string {
    const choice = this.#below(depth < MAX_DEPTH ? 16 : 6);
    if (choice < 2) return this.#assignment();
    if (choice === 2) return `(i32.store offset=${4 * this.#below(99)} ${this.#address()} ${this.#value(2)})`;
    if (choice === 3) return `(local.set $w ${this.#wide()})`;
    if (choice === 4) return this.#jump();
    if (choice === 5) return this.#call();
    if (choice < 8) return `(if ${this.#value(2)} (then ${this.#part(depth)}))`;
    if (choice < 10) return `(if ${this.#value(2)} (then ${this.#part(depth)}) (else ${this.#part(depth)}))`;
    if (choice < 12)
      return this.#labelled("block", null, (label) => `(block ${label} ${this.#statements(depth + 1, 4)})`);
    if (choice === 12) return this.#table(depth);
    return this.#loop(depth);
  }

  /** An assignment, and more. */
  #part(depth: number): string {
    return `${this.#assignment()} ${this.#statements(depth + 1, 3)}`;
  }

  #assignment(): string {
    return `(local.set ${this.#local()} ${this.#value(3)})`;
  }

  #labelled(kind: string, counter: string | null, write: (label: string) => string): string {
    const label = `$${kind}${this.#labels++}`;
    this.#open.push({ label, counter });
    const text = write(label);
    this.#open.pop();
    return text;
  }

  /** With its test at the end, or in front. */
  #loop(depth: number): string {
    const counter = `$n${this.#loops++}`;
    const start = `(local.set ${counter} (i32.const ${1 + this.#below(5)}))`;
    const less = `(local.set ${counter} (i32.sub (local.get ${counter}) (i32.const 1)))`;
    if (this.#below(2) === 0)
      return this.#labelled("loop", counter, (label) => {
        const body = this.#statements(depth + 1, 3);
        return `${start} (loop ${label} ${less} ${body} (br_if ${label} (i32.gt_s (local.get ${counter}) (i32.const 0))))`;
      });
    return this.#labelled("out", null, (out) =>
      this.#labelled("loop", counter, (label) => {
        const test = `(br_if ${out} (i32.lt_s (local.get ${counter}) (i32.const 0)))`;
        return `${start} (block ${out} (loop ${label} ${less} ${test} ${this.#statements(depth + 1, 3)} (br ${label})))`;
      }),
    );
  }

  /** Where a program goes on must not depend on luck: back to a loop's head only as long as it counts. */
  #jump(): string {
    if (this.#open.length === 0 || this.#below(8) === 0)
      return `(if ${this.#value(1)} (then ${this.#assignment()} (return (local.get $v1))))`;
    const { label, counter } = this.#open[this.#below(this.#open.length)];
    const value = this.#value(2);
    const condition =
      counter === null
        ? value
        : `(i32.and (i32.ne ${value} (i32.const 0)) (i32.gt_s (local.get ${counter}) (i32.const 0)))`;
    if (this.#below(2) === 0) return `(br_if ${label} ${condition})`;
    return `(if ${condition} (then ${this.#assignment()} (br ${label})))`;
  }

  #table(depth: number): string {
    return this.#labelled("a", null, (a) => {
      const table = (b: string) => `(br_table ${b} ${a} ${b} (i32.and ${this.#value(1)} (i32.const 3)))`;
      const inner = this.#labelled("b", null, (b) => `(block ${b} ${this.#statements(depth + 1, 2)} ${table(b)})`);
      return `(block ${a} ${inner} ${this.#statements(depth + 1, 2)})`;
    });
  }

  /** Only functions before this one, so that nothing calls itself. */
  #call(): string {
    if (this.#index === 0) return this.#assignment();
    return `(local.set ${this.#local()} (call $f${this.#below(this.#index)} ${this.#value(1)}))`;
  }

  /** Within the page; what is 256 bytes long is all flash in the tests, or none of it. */
  #address(): string {
    return this.#below(3) === 0 ? `(local.get $p)` : `(i32.and ${this.#value(1)} (i32.const 0x7f00))`;
  }

  #value(depth: number): string {
    const choice = this.#below(depth > 0 ? 12 : 3);
    if (choice === 0) return `(i32.const ${this.#below(2) === 0 ? this.#below(256) : this.#below(100000) - 50000})`;
    if (choice < 3) return `(local.get ${this.#local()})`;
    if (choice < 5) return `(i32.load8_u offset=${this.#below(64)} ${this.#address()})`;
    if (choice === 5) return `(i32.load offset=${this.#below(64)} ${this.#address()})`;
    if (choice === 6) return `(select ${this.#value(depth - 1)} ${this.#value(depth - 1)} ${this.#value(depth - 1)})`;
    if (choice === 7) return `(i32.wrap_i64 ${this.#wide()})`;
    const op = ["add", "sub", "mul", "and", "xor", "shl", "shr_u", "lt_s", "eq"][this.#below(9)];
    return `(i32.${op} ${this.#value(depth - 1)} ${this.#value(depth - 1)})`;
  }

  #wide(): string {
    const op = ["add", "mul", "shl", "or"][this.#below(4)];
    return `(i64.${op} (local.get $w) (i64.extend_i32_u ${this.#value(1)}))`;
  }
}
