/**
 * What counts gates: the references of the lanes, what is read from yosys, and the document against the record. What needs iverilog runs with
 * TRITKIT_TEST_RTL=1 (npm run test:rtl).
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { ROOT } from "../../lib/root.mjs";
import { DESIGNS } from "../gates/designs.ts";
import { decode, dotFp16, dotFp16Fp32, encode, FP16, FP32 } from "../gates/float.ts";
import { LANES } from "../gates/lanes.ts";
import { runRows } from "../gates/orders.ts";
import { differences, readRecord, recorded } from "../gates/record.ts";
import { DOCUMENT, markdown } from "../gates/tables.ts";
import { verify } from "../gates/verify.ts";
import { instancesOf, parseDepth, parseMemories, parseStat, RTL } from "../gates/yosys.ts";

const skip = process.env.TRITKIT_TEST_RTL === undefined ? "needs TRITKIT_TEST_RTL=1 and iverilog" : false;

describe("arithmetic of the float lanes", () => {
  it("rounds to fp32 as Math.fround does", () => {
    const view = new DataView(new ArrayBuffer(4));
    for (const value of [1, -1.5, 0.1, 1 / 3, 2 ** 24 + 1, 2 ** 24 + 3, 1e38, -1e-37, 123456.789]) {
      view.setFloat32(0, value);
      assert.equal(encode(value, FP32), view.getUint32(0), String(value));
      assert.equal(decode(view.getUint32(0), FP32), Math.fround(value));
    }
  });

  it("rounds to fp16 to nearest even, flushes subnormals, has a largest number", () => {
    // IEEE 754 binary16: 1.0, 2 - 2^-10, the halves between 2048 and 2052, 65504.
    const known: [number, number][] = [
      [1, 0x3c00],
      [2 - 2 ** -10, 0x3fff],
      [2049, 0x6800],
      [2051, 0x6802],
    ];
    const edges: [number, number][] = [
      [65504, 0x7bff],
      [1e6, 0x7bff],
      [-1e6, 0xfbff],
      [2 ** -14, 0x0400],
      [2 ** -15, 0],
      [-(2 ** -15), 0x8000],
    ];
    for (const [value, bits] of [...known, ...edges]) assert.equal(encode(value, FP16), bits, String(value));
    for (let bits = 0x0400; bits < 0x7c00; bits++) assert.equal(encode(decode(bits, FP16), FP16), bits);
  });

  it("the aligned sum is the exact one, but for what falls below 27 bits of each term and the last rounding", () => {
    const lane = LANES.find(({ name }) => name === "fp16-fp32");
    assert.ok(lane);
    const random = { state: 7 };
    const next = (n: number) => {
      random.state = (Math.imul(random.state, 1664525) + 1013904223) >>> 0;
      return Math.floor((random.state / 2 ** 32) * n);
    };
    for (let n = 0; n < 500; n++) {
      const fp16 = () => (next(2) << 15) | ((8 + next(12)) << 10) | next(1024);
      const x = Array.from({ length: 20 }, fp16);
      const w = Array.from({ length: 20 }, fp16);
      const acc = encode(next(1000) / 7, FP32);
      const terms = [...x.map((code, i) => decode(code, FP16) * decode(w[i], FP16)), decode(acc, FP32)];
      const exact = terms.reduce((sum, term) => sum + term, 0);
      const largest = Math.max(...terms.map(Math.abs));
      const bound = 21 * largest * 2 ** -24 + Math.abs(exact) * 2 ** -24;
      assert.ok(Math.abs(decode(dotFp16Fp32(x, w, acc), FP32) - exact) <= bound);
    }
  });

  it("fp16 loses what fp16 loses: 2048 + 1 is 2048", () => {
    const zeros = Array.from({ length: 20 }, () => 0);
    const one = [0x3c00, ...zeros.slice(1)];
    assert.equal(dotFp16(one, one, 0x6800), 0x6800);
    assert.equal(decode(dotFp16Fp32(one, one, encode(2048, FP32)), FP32), 2049);
  });
});

describe("lanes under iverilog", { skip }, () => {
  for (const lane of LANES)
    it(lane.name, async () => {
      await verify(
        lane,
        lane.files.map((file) => join(RTL, file)),
        300,
      );
    });

  it("a lane that computes something else is found", async () => {
    for (const lane of LANES) {
      const off = {
        ...lane,
        reference: (o: Parameters<typeof lane.reference>[0]) => lane.reference(o).map((y) => (y ^ 1) >>> 0),
      };
      const files = lane.files.map((file) => join(RTL, file));
      await assert.rejects(verify(off, files, 70), { code: "E_LANE_WRONG" }, lane.name);
    }
  });

  it("the row order multiplies matrices, each beat used once for each slot", async () => {
    const run = await runRows({ rows: 16, cols: 60, planes: 3, slots: 4, seed: 0 });
    assert.equal(run.issues, 2 * 3 * 3 * 8 * 4);
    assert.ok(run.cycles <= run.issues + 4 * 4 + 4, "the chunks come in time");
    await runRows({ rows: 5, cols: 15, planes: 2, slots: 3, seed: 1 });
  });
});

describe("what yosys prints", () => {
  const STAT = [
    "=== $paramod\\bank\\WIDTH=s32'00000000000000000000000000001000 ===",
    "",
    "   Number of cells:                  3",
    "     $_NOT_                          2",
    "     $mem_v2                         1",
    "",
    "=== top ===",
    "",
    "   Number of cells:                  9",
    "     $_DFF_P_                        1",
    "     $_NAND_                         3",
    "     $paramod\\bank\\WIDTH=s32'00000000000000000000000000001000      5",
    "",
    "=== design hierarchy ===",
    "",
    "   top                               1",
    "   Number of cells:                 24",
    "     $_NAND_                         3",
    "",
  ].join("\n");

  it("cells by module, and how often each module occurs", () => {
    const cells = parseStat(STAT);
    assert.deepEqual(
      [...instancesOf(cells, "top")],
      [
        ["top", 1],
        ["$paramod\\bank\\WIDTH=s32'00000000000000000000000000001000", 5],
      ],
    );
    assert.equal(cells.get("top")?.get("$_NAND_"), 3);
  });

  it("a cell that is no gate is not passed over", () => {
    assert.throws(() => instancesOf(parseStat(STAT.replace("$_NAND_ ", "$_XOR_ ")), "top"), {
      code: "E_GATES_UNKNOWN",
    });
  });

  it("memories, and the longest path", () => {
    const dump = [
      "module \\bank",
      "  cell $mem_v2 \\mem",
      "    parameter \\SIZE 2048",
      "    parameter \\WIDTH 8",
      "  end",
    ].join("\n");
    assert.deepEqual(parseMemories(dump, new Map([["bank", 5]])), [
      { module: "bank", count: 5, words: 2048, bits: 81920 },
    ]);
    assert.equal(parseDepth("Longest topological path in top (length=136):"), 136);
    assert.throws(() => parseDepth("nothing"), { code: "E_GATES_UNKNOWN" });
  });
});

describe("the record", () => {
  const was = { ge: 1000, flip_flops: 10, depth: 9, memory_bits: 256 };

  it("allows 5 % and no more", () => {
    assert.deepEqual(differences("x", was, { ...was, ge: 1050 }), []);
    assert.deepEqual(differences("x", was, { ...was, ge: 1051 }), ["x: 1051 GE, recorded are 1000"]);
    assert.deepEqual(differences("x", was, { ...was, ge: 940, memory_bits: 0 }).length, 2);
    assert.deepEqual(differences("x", undefined, was), ["x was never recorded"]);
  });

  it("counts the instances of a module", () => {
    const modules = [
      { name: "top", instances: 1, ge: 3, flipFlops: 0 },
      { name: "bank", instances: 5, ge: 1.5, flipFlops: 0 },
    ];
    const count = { ge: 10.5, flipFlops: 0, depth: 2, netlist: "", memories: [], modules };
    assert.deepEqual(recorded(count), {
      ge: 11,
      flip_flops: 0,
      depth: 2,
      memory_bits: 0,
      modules: { bank: 8, top: 3 },
    });
  });

  it("has every design, and docs/gates.md shows it", async () => {
    const record = await readRecord();
    assert.deepEqual(
      Object.keys(record.designs),
      DESIGNS.map(({ name }) => name),
    );
    const page = readFileSync(DOCUMENT, "utf8");
    assert.ok(page.includes(`\n${markdown(record)}\n`), "run npm run gates -- --write");
  });

  it("says that ternary is smallest, four bits less than eight, eight less than floats", async () => {
    const { designs } = await readRecord();
    const sizes = ["ternary-2bit", "packed-rows", "packed-block", "int4-booth", "int8-booth", "fp16-fp32"].map(
      (name) => designs[name].ge,
    );
    assert.deepEqual(
      [...sizes].sort((a, b) => a - b),
      sizes,
    );
  });
});

describe("npm run gates", () => {
  const gates = (...args: string[]) =>
    spawnSync(process.execPath, ["scripts/run_ts.mjs", "scripts/rtl/gates.ts", ...args], {
      cwd: ROOT,
      encoding: "utf8",
    });

  it("--help has examples whose options exist, --list the names", () => {
    const help = execFileSync(process.execPath, ["scripts/run_ts.mjs", "scripts/rtl/gates.ts", "--help"], {
      cwd: ROOT,
      encoding: "utf8",
    });
    for (const [option] of help.matchAll(/(?<=npm run gates -- .*)--\w+/g))
      assert.match(help, new RegExp(`^ {2}${option} `, "m"));
    assert.deepEqual(
      gates("--list").stdout.trim().split("\n"),
      DESIGNS.map(({ name }) => name),
    );
  });

  it("a wrong name or option is one line and status 2", () => {
    for (const args of [["int7"], ["--chek"], ["--check", "--write"]]) {
      const { status, stderr } = gates(...args);
      assert.equal(status, 2, args.join(" "));
      assert.match(stderr, /^gates: [^\n]+\n$/);
    }
  });

  it("says what is missing when yosys is absent", () => {
    const { status, stderr } = spawnSync(process.execPath, ["scripts/run_ts.mjs", "scripts/rtl/gates.ts", "--check"], {
      cwd: ROOT,
      encoding: "utf8",
      env: { ...process.env, PATH: "/nonexistent" },
    });
    assert.equal(status, 1);
    assert.equal(
      stderr,
      "gates: yosys is not installed, and without it gates are neither counted nor checked. On Debian and Ubuntu: apt-get install yosys iverilog.\n",
    );
  });
});
