/** The coprocessor on its board: registers, interrupt, what its memory brings, and time that passes while the CPU does something else. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Board } from "../../boards/board.ts";
import { HAL_ABSENT } from "../../spec/hal.ts";
import {
  TGEMV_CTRL,
  TGEMV_CTRL_START,
  TGEMV_ERR,
  TGEMV_ERR_BUS,
  TGEMV_ERR_INFO,
  TGEMV_ID,
  TGEMV_ID_VALUE,
  TGEMV_IRQ_EN,
  TGEMV_IRQ_STAT,
  TGEMV_MODE_VECTORS_SHIFT,
  TGEMV_NEXT,
  TGEMV_PC_CYC_LO,
  TGEMV_STATUS,
  TGEMV_STATUS_BUSY,
  TGEMV_STATUS_DONE,
  TGEMV_STATUS_ERR,
} from "../../spec/tgemv.ts";
import { kibUs, timingsOf } from "../bus/copro.ts";
import { boardNamed, PICO, says, start } from "./toy.ts";

const BOARD = boardNamed("rp2040-pico+tgemv");
const unitOf = ({ copro }: Board) => copro ?? assert.fail("it has no coprocessor");
const BASE = unitOf(BOARD).base;

const ROWS = 400;
const COLS = 500;
const BEATS = (ROWS / 4) * (COLS / 5);
/** All weights are +1, x is 1: each sum is COLS. */
const JOB = `
const W = memory.data(${4 * BEATS}, 4);
const X = memory.data(${2 * COLS}, 4);
const Y = memory.data(${4 * ROWS}, 4);
function read(register: usize): u32 { return mmio_read32(${BASE} + register); }
function write(register: usize, value: u32): void { mmio_write32(${BASE} + register, value); }
function job(waddr: usize): void {
  memory.fill(W, 250, ${4 * BEATS});
  for (let i: usize = 0; i < ${COLS}; i++) store<i16>(X + 2 * i, 1);
  write(${TGEMV_IRQ_EN}, 3);
  write(${TGEMV_NEXT}, 0);
  write(${TGEMV_NEXT} + 4, <u32>waddr);
  write(${TGEMV_NEXT} + 8, ${4 * BEATS});
  write(${TGEMV_NEXT} + 12, <u32>X);
  write(${TGEMV_NEXT} + 16, <u32>Y);
  write(${TGEMV_NEXT} + 20, ${COLS} | (${ROWS} << 16));
  write(${TGEMV_NEXT} + 24, 1 | (1 << ${TGEMV_MODE_VECTORS_SHIFT}));
  write(${TGEMV_NEXT} + 28, 0);
  write(${TGEMV_CTRL}, ${TGEMV_CTRL_START});
}`;
const toy = (boot: string, poll?: string): string => `${JOB}\n${says(boot, poll)}`;
/** Cycles of the job: SRAM brings a beat a cycle, besides come loading (a word a cycle), check, prime and drain. */
const LEAST_NS = BEATS * 8;
const MOST_NS = (BEATS + COLS / 2 + 40) * 8;

describe("a coprocessor on its board", () => {
  it("answers at its address; anything else there is a bus fault, and a board without one says so", async () => {
    const { sim, ear } = await start(toy(`say(read(${TGEMV_ID}))`), BOARD);
    sim.run({ untilIdle: true });
    assert.deepEqual(ear.words(), [TGEMV_ID_VALUE]);
    for (const address of [BASE + 0x100, BASE + 2, BASE - 4])
      await assert.rejects(start(says(`say(mmio_read32(${address}))`), BOARD), { code: "E_SIM_BUS" });
    await assert.rejects(start(says(`mmio_write32(${BASE + 0x100}, 1)`), BOARD), { code: "E_SIM_BUS" });
    const without = await start(
      says(`say(mmio_read32(${BASE})); say(mmio_write32(${BASE}, 1)); say(copro_wait(1000))`),
      PICO,
    );
    without.sim.run({ untilIdle: true });
    assert.deepEqual(without.ear.words(), [HAL_ABSENT, HAL_ABSENT, 0]);
  });

  it("works while the CPU sleeps, and its interrupt wakes it", async () => {
    const { sim, ear } = await start(
      toy(`job(W); say(read(${TGEMV_STATUS}) & 1); copro_wait(1000000); say(read(${TGEMV_STATUS}) & 7);
           say(load<i32>(Y)); say(load<i32>(Y + ${4 * (ROWS - 1)})); say(read(${TGEMV_PC_CYC_LO}))`),
      BOARD,
    );
    sim.run({ untilIdle: true });
    const [busy, status, first, last, cycles] = ear.words();
    assert.deepEqual([busy, status, first, last], [TGEMV_STATUS_BUSY, TGEMV_STATUS_DONE, COLS, COLS]);
    assert.ok(cycles * 8 >= LEAST_NS && cycles * 8 < MOST_NS, `${cycles} cycles`);
  });

  it("takes the time that it takes: the sleep ends with its last cycle", async () => {
    const { sim } = await start(toy("job(W)", `copro_wait(1000000); return 0;`), BOARD);
    const began = sim.now;
    sim.step();
    const ns = sim.now - began;
    assert.ok(ns > LEAST_NS - 2000 && ns < MOST_NS + 2000, `${ns} ns`);
  });

  it("stays counted when the board or the unit is reset, in the middle of a job or after it", async () => {
    const { sim } = await start(toy("job(W)", "copro_wait(20); return 0;"), BOARD);
    const unit = sim.copro?.unit ?? assert.fail("it has no coprocessor");
    const done = () => unit.activity(unit.state.cycle);
    sim.step();
    sim.reset();
    const half = done();
    assert.ok(half.cycles > 20 * 125 - 50 && half.cycles < BEATS, `${half.cycles} cycles by the reset`);
    assert.ok(half.issue > 0 && half.jobs === 0);
    while (done().jobs === 0) sim.step();
    const whole = done();
    assert.equal(whole.issue - half.issue, BEATS);
    sim.reset();
    assert.ok(done().cycles >= whole.cycles && done().issue >= whole.issue);
  });

  it("is not waited for longer than was said", async () => {
    const { sim, ear } = await start(
      toy(`job(W); const from = ticks(); copro_wait(20); say(ticks() - from); say(read(${TGEMV_STATUS}) & 1);
           say(load<i32>(Y))`),
      BOARD,
    );
    sim.run({ untilIdle: true });
    const [us, busy, y] = ear.words();
    assert.ok(us >= 20 && us <= 22, `${us} us`);
    assert.deepEqual([busy, y], [TGEMV_STATUS_BUSY, 0], "and what it will write is not there yet");
  });

  it("works while the CPU does something else: its end is an event", async () => {
    const { sim, ear } = await start(
      toy("job(W)", `if (read(${TGEMV_STATUS}) & 1) return 0; if (load<i32>(word) == 0) say(ticks()); return 0;`),
      BOARD,
    );
    const end = sim.nextEventAt();
    assert.ok(end > sim.now && end < sim.now + MOST_NS, "the end of the job");
    sim.run({ maxUs: 2000 });
    const [us] = ear.words();
    assert.ok(us * 1000 >= end && us * 1000 < end + 10_000, `${us} us, ${end} ns`);
  });

  it("has nothing more to say when its interrupt was answered", async () => {
    const { sim } = await start(toy("job(W)", `copro_wait(1000000); write(${TGEMV_IRQ_STAT}, 3); return 0;`), BOARD);
    sim.step();
    assert.ok(sim.nextEventAt() > sim.now + 1e9, "nothing keeps the CPU awake");
  });

  it("goes on from a snapshot taken while it works, on another board as on the same", async () => {
    const source = toy(
      "job(W)",
      `if (read(${TGEMV_STATUS}) & 1) return 0; if (load<i32>(word) == 0) { say(ticks()); say(load<i32>(Y + 4)); } return 0;`,
    );
    const { sim, ear } = await start(source, BOARD);
    sim.run({ maxUs: 30 });
    assert.ok(sim.nextEventAt() > sim.now);
    const snapshot = sim.snapshot();
    sim.run({ maxUs: 2000 });
    const words = ear.words();
    assert.equal(words[1], COLS);
    const end = sim.now;
    sim.restore(snapshot);
    sim.run({ maxUs: 2000 });
    assert.deepEqual([ear.words(), sim.now], [words, end]);
    const other = await start(source, BOARD);
    other.ear.words();
    other.sim.restore(snapshot);
    other.sim.run({ maxUs: 2000 });
    assert.deepEqual([other.ear.words(), other.sim.now], [words, end]);
  });

  it("forgets its work at a reset and without power", async () => {
    let boots = 0;
    const source = toy(
      `if (load<u8>(flash_map(0, 1)) == 0xff) { store<u8>(word, 0); flash_program(0, word, 1); job(W); }
       else { say(read(${TGEMV_STATUS})); say(read(${TGEMV_IRQ_EN})); }`,
      "return 0;",
    );
    for (const again of ["reset", "power"]) {
      const { sim, ear } = await start(source, BOARD);
      boots++;
      if (again === "power") {
        sim.powerOff();
        sim.powerOn();
      } else sim.reset();
      assert.deepEqual(ear.words(), []);
      sim.run({ maxUs: 2000 });
      assert.deepEqual(ear.words(), [0, 0], again);
    }
    assert.equal(boots, 2);
  });

  it("reads weights from flash at the speed of flash, and not from where there is no memory", async () => {
    const { flash } = BOARD;
    const at = flash.base + flash.partition.offset + 4096;
    const done = `say(read(${TGEMV_STATUS}) & 6); say(read(${TGEMV_ERR})); say(read(${TGEMV_ERR_INFO})); say(load<i32>(Y))`;
    const image = new Uint8Array(flash.partition.bytes).fill(250);
    const read = await start(toy(`job(${at}); copro_wait(10000000); ${done}; say(read(${TGEMV_PC_CYC_LO}))`), BOARD, {
      flash: image,
    });
    read.sim.run({ untilIdle: true });
    const [status, , , y, cycles] = read.ear.words();
    assert.deepEqual([status, y], [TGEMV_STATUS_DONE, COLS]);
    const expected = BEATS * (BOARD.copro?.flash_cycles_per_beat ?? 0);
    assert.ok(cycles >= expected && cycles < 1.01 * expected, `${cycles} cycles`);
    for (const nowhere of [0x30000000, flash.base]) {
      const { sim, ear } = await start(toy(`job(${nowhere}); copro_wait(10000000); ${done}`), BOARD);
      sim.run({ untilIdle: true });
      assert.deepEqual(ear.words().slice(0, 3), [TGEMV_STATUS_ERR, TGEMV_ERR_BUS, nowhere]);
    }
  });
});

describe("what a board's memory brings its unit", () => {
  it("is bytes a second by its data", () => {
    const speed = (name: string, place: "flash" | "psram"): number => {
      const board = boardNamed(name);
      const { num, den } = timingsOf(board)[place].cycles;
      return ((4 * den) / num) * unitOf(board).hz;
    };
    assert.equal(speed("rp2040-pico+tgemv", "flash"), 31.25e6);
    assert.equal(speed("rp2350-pico2+tgemv", "flash"), 25e6);
    assert.equal(speed("rp2350-pico2+tgemv", "psram"), 400e6);
    assert.equal(speed("esp32-s3+tgemv", "psram"), 160e6);
    assert.equal(speed("stm32h743+tgemv", "flash"), 1600e6, "more than the unit takes: a beat a cycle is 800 MB/s");
  });

  it("a driver's patience is made from the slowest of it, all slots in use", () => {
    assert.equal(kibUs(BOARD), Math.ceil((256 * 16 + 28) / 125));
    assert.equal(kibUs(boardNamed("stm32h743+tgemv")), Math.ceil((256 * 4 + 10) / 200));
    assert.equal(kibUs(PICO), 0);
  });
});
