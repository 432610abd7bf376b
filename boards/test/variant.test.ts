/** A variant says what it changes, with the source of each number; everything else is its board's. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { BoardError, isHypothetical, parseBoard, sourceOf } from "../board.ts";

type Json = Record<string, unknown>;

const file = (name: string): Json => JSON.parse(readFileSync(`boards/${name}.json`, "utf8"));
const NAME = "rp2040-pico+fast";
const FASTER = {
  extends: "rp2040-pico",
  name: NAME,
  title: "A faster Pico",
  cpu: { hz: 200000000 },
  energy: null,
  sources: { "cpu.hz": "chosen: for this test", energy: null },
};

function refused(json: unknown, boards: (name: string) => unknown = file): string {
  try {
    parseBoard(json, NAME, boards);
  } catch (error) {
    if (error instanceof BoardError) return error.message;
    throw error;
  }
  assert.fail("it was accepted");
}

describe("a variant of a board", () => {
  it("is its board with other fields in place of some", () => {
    const pico = parseBoard(file("rp2040-pico"), "rp2040-pico");
    const board = parseBoard(FASTER, NAME, file);
    const { cpu, sources, ...rest } = board;
    assert.deepEqual(cpu, { ...pico.cpu, hz: 200000000 });
    assert.equal(sourceOf(board, "cpu.hz").text, "for this test");
    assert.equal(sourceOf(board, "cpu.cores").origin, sourceOf(pico, "cpu.cores").origin);
    assert.equal(sources.energy, undefined);
    const { cpu: _cpu, sources: _sources, ...same } = pico;
    assert.deepEqual(rest, { ...same, name: NAME, title: "A faster Pico", energy: null });
  });

  it("leaves the board's file as it was", () => {
    const pico = file("rp2040-pico");
    const before = structuredClone(pico);
    parseBoard(FASTER, NAME, () => pico);
    assert.deepEqual(pico, before);
  });

  it("takes the place of a whole list", () => {
    assert.deepEqual(parseBoard(file("rp2040-pico+tgemv"), "rp2040-pico+tgemv", file).usb, []);
  });

  it("brings a source for every number it changes: the board's does not speak for it", () => {
    const { sources: _, ...json } = FASTER;
    assert.equal(refused(json), "sources.cpu.hz: cpu.hz has no source");
  });

  it("is refused without its board, on top of another variant, and under a name that hides what it extends", () => {
    assert.equal(
      refused(FASTER, () => undefined),
      'extends: there is no board "rp2040-pico" beside it',
    );
    assert.equal(refused({ ...FASTER, extends: 7 }), "extends: expected a board's name, got 7");
    assert.equal(
      refused(FASTER, () => []),
      "extends: rp2040-pico is no board",
    );
    assert.equal(
      refused({ ...FASTER, extends: "rp2040-pico+tgemv" }),
      "extends: rp2040-pico+tgemv is a variant itself",
    );
    assert.equal(
      refused({ ...FASTER, name: "pico+fast" }),
      'name: expected rp2040-pico+ and what it has more, got "pico+fast"',
    );
    assert.equal(refused({ ...FASTER, colour: "green" }).split(":")[0], "colour");
  });

  it("the boards with a coprocessor exist in the simulator only: no boot ROM, no port", () => {
    for (const name of ["esp32-s3+tgemv", "rp2040-pico+tgemv", "rp2350-pico2+tgemv", "stm32h743+tgemv"]) {
      const board = parseBoard(file(name), name, file);
      assert.ok(isHypothetical(board));
      assert.match(board.title, /simulated only: no such chip is sold/);
      assert.deepEqual([board.rom, board.usb], [null, []]);
      assert.deepEqual(
        board.verified.map(({ how }) => how),
        ["simulator"],
      );
    }
    assert.ok(!isHypothetical(parseBoard(file("rp2040-pico"), "rp2040-pico")));
  });

  it("a unit that streams from a serial flash takes a byte as fast as the CPU does", () => {
    for (const name of ["esp32-s3+tgemv", "rp2040-pico+tgemv", "rp2350-pico2+tgemv"]) {
      const { copro, cpu, flash } = parseBoard(file(name), name, file);
      const cyclesPerBeat = (4 * (flash.xip?.cycles_per_byte ?? 0) * (copro?.hz ?? 0)) / cpu.hz;
      assert.equal(copro?.flash_cycles_per_beat, cyclesPerBeat, name);
      const setup = ((flash.xip?.overhead_cycles ?? 0) * (copro?.hz ?? 0)) / cpu.hz;
      assert.equal(copro?.flash_setup_cycles, Math.ceil(setup), name);
    }
  });
});
