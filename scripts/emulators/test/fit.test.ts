/** The solver of npm run calibrate, on data whose answer is known. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fit, type GroupFit, type Row } from "../calibrate/fit.ts";
import { dot, nonNegative } from "../calibrate/least_squares.ts";

/** 0, 1, 2, ... 99, deterministic and without order. */
const noise = (i: number, j: number): number => (i * 7919 + j * 104729 + i * j * 31) % 100;

describe("least squares without negative numbers", () => {
  const x = Array.from({ length: 40 }, (_, i) => [noise(i, 1), noise(i, 2), noise(i, 3)]);

  it("finds what the data were made from", () => {
    const truth = [1, 2.5, 0.25];
    const found = nonNegative(
      x.map((row) => ({ x: row, y: dot(row, truth), weight: 1 })),
      [1, 1, 1],
      1e-6,
    );
    for (const [i, value] of found.entries()) assert.ok(Math.abs(value - truth[i]) < 1e-3, `${i}: ${value}`);
  });

  it("answers 0 where a negative number would fit best, and the best of the others for it", () => {
    const found = nonNegative(
      [
        { x: [1, 1], y: 1, weight: 1 },
        { x: [0, 1], y: 2, weight: 1 },
      ],
      [0, 0],
      1e-9,
    );
    // Without the bound: (-1, 2). With it the second unknown serves both equations: 1.5.
    assert.equal(found[0], 0);
    assert.ok(Math.abs(found[1] - 1.5) < 1e-3, String(found[1]));
  });

  it("leaves alone what the data say nothing about", () => {
    const found = nonNegative([{ x: [2, 0], y: 10, weight: 1 }], [4, 7], 0.01);
    assert.equal(found[1], 7);
    assert.ok(Math.abs(found[0] - 5) < 0.01);
  });
});

describe("fitting a table", () => {
  it("tells costs of classes and factors of functions apart, where the runs do", () => {
    const costs = [1, 3, 0.5];
    const factors: Record<string, number> = { a: 1, b: 0.7, c: 1.4 };
    const dearEnds: Record<string, number> = { a: 0, b: 12, c: 40 };
    const rows: Row[] = [];
    for (let run = 0; run < 12; run++)
      for (const [i, group] of ["a", "b", "c"].entries()) {
        const ops = [1000 + 90 * noise(run, i), 1000 + 40 * noise(run + 20, i), 1000 + 70 * noise(run + 40, i)];
        const exits = 10 * noise(run, i + 60);
        rows.push({
          group,
          ops,
          exits,
          counted: factors[group] * dot(ops, costs) + dearEnds[group] * exits,
          total: 50_000,
        });
      }
    const found = fit(rows, [1, 2, 1], new Set(["a", "b", "c"]));
    for (const { group, ops, exits, counted } of rows) {
      const { factor, exit } = found.groups.get(group) as GroupFit;
      const predicted = factor * dot(ops, found.costs) + exit * exits;
      // Not nearer, because costs and factors are pulled towards what was believed before.
      assert.ok(Math.abs(predicted / counted - 1) < 0.02, `${group}: ${predicted} for ${counted}`);
    }
    assert.deepEqual(fit(rows, [1, 2, 1], new Set(["a", "b", "c"])), found, "the same twice");
  });

  it("gives no factor to a group that is to have none", () => {
    const rows = [{ group: "rare", ops: [10], exits: 1, counted: 20, total: 1000 }];
    assert.equal(fit(rows, [1], new Set()).groups.size, 0);
  });
});
