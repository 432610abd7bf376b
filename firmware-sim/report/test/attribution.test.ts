import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KIND_ATTN_Q, KIND_FFN_DOWN, KIND_HEAD } from "../../../spec/image.ts";
import { Attribution, type Group, type Probe, type Span } from "../attribution.ts";
import type { Tensor } from "../tensors.ts";

const EMBED = "as/model/embed/embed_token";
const LAYERS = "as/model/forward/layers";
const ATTEND = "as/model/attention/attend";
const PRODUCTS = "as/model/bitlinear/products";
const ROWS = "as/kernels/ternary_lut/lut_rows";
const RESCALE = "as/model/bitlinear/rescale";
const HEAD = "as/model/head/head_logits";
const SAMPLE = "as/sampler/sampler/sample";
const POLL = "as/app/app/poll";

function tensor(name: string, kind: number, offset: number): Tensor {
  const shape = { layer: 0, expert: 0, packing: 1, rows: 4, cols: 5, bytes: 100, scales: { offset: 0, bytes: 0 } };
  return { name, kind, offset, ...shape };
}

const TENSORS = [tensor("q", KIND_ATTN_Q, 0), tensor("down", KIND_FFN_DOWN, 100), tensor("head", KIND_HEAD, 200)];

/** A board whose time and cycles go on as told: 1 cycle is 10 ns. */
class FakeProbe implements Probe {
  readonly size = 2;
  ns = 0;
  cycles = 0;
  read(into: Float64Array): void {
    into[0] = this.ns;
    into[1] = this.cycles;
  }
  work(cycles: number): void {
    this.cycles += cycles;
    this.ns += 10 * cycles;
  }
}

class Bench {
  readonly probe = new FakeProbe();
  readonly spans: Span[] = [];
  readonly attribution = new Attribution(
    this.probe,
    (address) => TENSORS.find(({ offset, bytes }) => address >= offset && address < offset + bytes) ?? null,
    (span) => this.spans.push(span),
  );

  /** A function that works and then calls. */
  run(name: string, cycles: number, argument = 0, inside = () => {}): void {
    this.attribution.enter(name, [argument, 0, 0]);
    this.probe.work(cycles);
    inside();
    this.attribution.leave(name);
  }

  token(withHead = true): void {
    this.run(EMBED, 7);
    this.run(LAYERS, 1, 0, () => {
      this.run(PRODUCTS, 5, 0, () => {
        this.run("as/kernels/ternary_lut/lut_build", 20);
        this.run(ROWS, 100, 10);
      });
      this.run(RESCALE, 3);
      this.run("as/model/feed_forward/feed_forward", 2, 0, () => {
        this.run(PRODUCTS, 5, 0, () => this.run(ROWS, 200, 150));
        this.run(RESCALE, 4);
      });
    });
    if (!withHead) return;
    this.run(HEAD, 6, 0, () => this.run(ROWS, 300, 200));
    this.run(SAMPLE, 50);
  }
}

function cycles(group: Group): Record<string, number> {
  return Object.fromEntries([...group.parts].map(([part, counts]) => [part, counts[1]]));
}

describe("attribution", () => {
  it("gives products to the part of the weights that they read, tables included, and what follows to the same", () => {
    const bench = new Bench();
    bench.run(POLL, 30, 0, () => bench.token());
    bench.attribution.end();
    const { tokens, prefill } = bench.attribution;
    assert.deepEqual([tokens.positions, prefill.positions], [1, 0]);
    assert.deepEqual(cycles(tokens), {
      "wire, control": 0,
      attention: 1,
      embedding: 7,
      QKV: 5 + 20 + 100 + 3,
      FFN: 2 + 5 + 200 + 4,
      head: 6 + 300,
      sampler: 50,
    });
    const read = [...tokens.tensors].map(([{ name }, counts]) => [name, counts[1]]);
    assert.deepEqual(read, [
      ["q", 100],
      ["down", 200],
      ["head", 300],
    ]);
  });

  it("loses no cycle between a token's beginning and the next one's", () => {
    const bench = new Bench();
    bench.run(POLL, 30, 0, () => bench.token());
    bench.run(POLL, 40, 0, () => bench.token());
    bench.attribution.end();
    const sum = Object.values(cycles(bench.attribution.tokens)).reduce((a, b) => a + b, 0);
    assert.equal(sum, bench.probe.cycles - 30); // all but what came before the first
    assert.equal(bench.attribution.tokens.positions, 2);
  });

  it("counts positions without a head apart", () => {
    const bench = new Bench();
    for (const withHead of [false, false, true]) bench.run(POLL, 1, 0, () => bench.token(withHead));
    bench.attribution.end();
    assert.equal(bench.attribution.prefill.positions, 2);
    assert.equal(bench.attribution.tokens.positions, 1);
    assert.equal(cycles(bench.attribution.prefill).head, undefined);
  });

  it("counts the positions of a batch, and how many each of them attends to", () => {
    const bench = new Bench();
    for (const [count, first] of [
      [3, 5],
      [1, 8],
    ]) {
      for (let i = 0; i < count; i++) bench.run(EMBED, 1);
      bench.run(LAYERS, 1, 0, () => {
        for (const layer of [0, 1]) {
          bench.attribution.enter(ATTEND, [layer, first, 0]);
          bench.attribution.leave(ATTEND);
        }
      });
    }
    bench.attribution.end();
    const { positions, keys } = bench.attribution.prefill;
    assert.deepEqual({ positions, keys }, { positions: 4, keys: 6 + 7 + 8 + 9 });
  });

  it("leaves sleep out, and what comes behind it when no token follows", () => {
    const idle = (follows: boolean) => {
      const bench = new Bench();
      bench.run(POLL, 10, 0, () => bench.token());
      bench.attribution.slept(bench.probe.ns + 1_000_000);
      bench.probe.ns += 1_000_000;
      bench.run(POLL, 500);
      if (follows) bench.run(POLL, 10, 0, () => bench.token());
      bench.attribution.end();
      const { tokens } = bench.attribution;
      const [ns, count] = [0, 1].map((i) => [...tokens.parts.values()].reduce((sum, counts) => sum + counts[i], 0));
      return { ns, count };
    };
    const alone = idle(false);
    assert.deepEqual(alone, { ns: 7030, count: 703 });
    const followed = idle(true);
    assert.deepEqual(followed, { ns: 10 * (2 * 703 + 510), count: 2 * 703 + 510 });
  });

  it("takes products within products for one", () => {
    const bench = new Bench();
    bench.run(EMBED, 0);
    bench.run(LAYERS, 1, 0, () =>
      bench.run(PRODUCTS, 5, 0, () =>
        bench.run("as/copro/products/copro_products", 7, 0, () => bench.run(ROWS, 100, 10)),
      ),
    );
    bench.attribution.end();
    const { parts, products } = bench.attribution.prefill;
    assert.deepEqual([parts.get("QKV")?.[1], products.get("QKV")?.[1]], [112, 112]);
  });

  it("counts sleep within a forward pass to whoever waits for the coprocessor", () => {
    const bench = new Bench();
    bench.run(EMBED, 0);
    bench.run(LAYERS, 1, 0, () => {
      bench.run(PRODUCTS, 5, 0, () => {
        bench.run(ROWS, 1, 0, () => {
          bench.attribution.slept(bench.probe.ns + 9000);
          bench.probe.ns += 9000;
        });
      });
    });
    bench.attribution.end();
    assert.equal(bench.attribution.prefill.parts.get("QKV")?.[0], 9060);
  });

  it("ends a token where a prompt is taken", () => {
    const bench = new Bench();
    bench.token();
    bench.run("as/generate/gen_begin", 1000);
    bench.token();
    bench.attribution.end();
    const sum = Object.values(cycles(bench.attribution.tokens)).reduce((a, b) => a + b, 0);
    assert.equal(sum, bench.probe.cycles - 1000);
  });

  it("reports spans with part, tensor and depth, inner ones first", () => {
    const bench = new Bench();
    bench.token(false);
    const rows = bench.spans.map(({ name, part, tensor, depth }) => [
      name.split("/").at(-1),
      part,
      tensor?.name,
      depth,
    ]);
    assert.deepEqual(rows.slice(0, 5), [
      ["embed_token", "embedding", undefined, 0],
      ["lut_build", null, undefined, 2],
      ["lut_rows", "QKV", "q", 2],
      ["products", "QKV", "q", 1],
      ["rescale", "QKV", undefined, 1],
    ]);
  });

  it("goes on after the module stopped in the middle", () => {
    const bench = new Bench();
    bench.attribution.enter(EMBED, [0, 0, 0]);
    bench.attribution.enter(PRODUCTS, [0, 0, 0]);
    bench.probe.work(10);
    bench.attribution.abandon();
    bench.run(POLL, 10, 0, () => bench.token());
    bench.attribution.end();
    assert.deepEqual([bench.attribution.tokens.positions, bench.attribution.prefill.positions], [1, 0]);
  });
});
