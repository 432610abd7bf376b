import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Lines } from "../lines.ts";
import { Vcd } from "../vcd.ts";
import { Window } from "../window.ts";
import { readVcd } from "./vcd_reader.ts";

function sample(): Vcd {
  const vcd = new Vcd("a $bus");
  const busy = vcd.signal("board.tgemv", "busy");
  const fifo = vcd.signal("board.tgemv", "fifo", 5);
  const tag = vcd.signal("board.tgemv", "tag", 32, null);
  const rx = vcd.signal("board.uart", "rx", 1, 1);
  vcd.change(8000, busy, 1);
  vcd.change(16_000, fifo, 3);
  vcd.change(16_000, fifo, 4);
  vcd.change(16_000, tag, 0xffff_fffe);
  vcd.change(24_000, fifo, 4);
  vcd.change(40_000, rx, 0);
  vcd.change(32_000, busy, 0);
  return vcd;
}

describe("VCD", () => {
  it("is what IEEE 1364 says, to the byte", () => {
    assert.equal(
      sample().text(0, 50_000),
      [
        "$comment a bus $end",
        "$version tritkit $end",
        "$timescale 1 ps $end",
        "$scope module board $end",
        "$scope module tgemv $end",
        "$var wire 1 ! busy $end",
        '$var wire 5 " fifo [4:0] $end',
        "$var wire 32 # tag [31:0] $end",
        "$upscope $end",
        "$upscope $end",
        "$scope module board $end",
        "$scope module uart $end",
        "$var wire 1 $ rx $end",
        "$upscope $end",
        "$upscope $end",
        "$enddefinitions $end",
        "#0",
        "$dumpvars",
        "0!",
        'b0 "',
        "bx #",
        "1$",
        "$end",
        "#8000",
        "1!",
        "#16000",
        'b100 "',
        "b11111111111111111111111111111110 #",
        "#32000",
        "0!",
        "#40000",
        "0$",
        "#50000",
        "",
      ].join("\n"),
    );
  });

  it("shows what changed before the window as values at its beginning", () => {
    const { values, changes } = readVcd(sample().text(20_000, 36_000));
    assert.deepEqual(Object.fromEntries(values), {
      "board.tgemv.busy": "1",
      "board.tgemv.fifo": "100",
      "board.tgemv.tag": "11111111111111111111111111111110",
      "board.uart.rx": "1",
    });
    assert.deepEqual(changes, [{ at: 32_000, name: "board.tgemv.busy", value: "0" }]);
  });

  it("has a code for each of thousands of signals", () => {
    const vcd = new Vcd("");
    const names = Array.from({ length: 9500 }, (_, i) => `s${i}`);
    names.forEach((name, i) => {
      vcd.change(1, vcd.signal("m", name), i % 2);
    });
    const codes = [...vcd.text(0, 1).matchAll(/^\$var wire 1 (\S+) /gm)].map(([, code]) => code);
    assert.equal(new Set(codes).size, 9500);
    assert.ok(codes.every((code) => /^[!-~]{1,3}$/.test(code)));
    assert.equal(readVcd(vcd.text(0, 1)).values.get("m.s9499"), "0");
  });

  it("is read by GTKWave's vcd2fst, where that is installed, and comes back with the same values", (t) => {
    if (spawnSync("vcd2fst", ["--help"]).error !== undefined) return t.skip("GTKWave is not installed");
    const folder = mkdtempSync(join(tmpdir(), "tritkit-vcd-"));
    try {
      const [vcd, fst, back] = ["a.vcd", "a.fst", "b.vcd"].map((name) => join(folder, name));
      writeFileSync(vcd, sample().text(0, 50_000));
      execFileSync("vcd2fst", ["-v", vcd, "-f", fst], { stdio: "pipe" });
      execFileSync("fst2vcd", ["-f", fst, "-o", back], { stdio: "pipe" });
      const [ours, theirs] = [vcd, back].map((file) => readVcd(readFileSync(file, "utf8")));
      assert.deepEqual(theirs.widths, ours.widths);
      assert.deepEqual(theirs.changes, ours.changes);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

it("a pin's pulses are a duty of 16 bits, unknown before and behind", () => {
  const window = new Window({ from: 0, length: 1000 });
  const pulses = [
    { at: 100, pin: 15, duty: 26214, hz: 1000 },
    { at: 200, pin: 15, duty: 65535, hz: 1000 },
  ];
  const text = window.text("pico", new Lines(), { pins: [{ at: 300, pin: 15, level: 0 }], pulses });
  const { widths, values, changes } = readVcd(text ?? "");
  assert.equal(widths.get("pins.duty15"), 16);
  assert.equal(values.get("pins.duty15"), "x");
  assert.deepEqual(
    changes.filter(({ name }) => name === "pins.duty15").map(({ at, value }) => [at, value]),
    [
      [100_000, (26214).toString(2)],
      [200_000, (65535).toString(2)],
      [300_000, "x"],
    ],
  );
});
