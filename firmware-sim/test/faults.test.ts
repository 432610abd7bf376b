/** Faults as physics: what they change, for how long, and that a seed repeats them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { HAL_EIO } from "../../spec/hal.ts";
import { PACK_ILLEGAL_REMAINDER, PACK_MAX, PACK_STRIDE } from "../../spec/packing.ts";
import { FAULT_KINDS, parseFault } from "../faults/kinds.ts";
import { FaultPanel } from "../faults/panel.ts";
import { isLegalCode, packedWeights } from "../faults/weights.ts";
import type { SimBoard } from "../sim_board.ts";
import { boardNamed, build, type Ear, ECHO, numbers, PICO, says, start } from "./toy.ts";

const IDLE = { untilIdle: true };
const RECORDS = 2 * 4096;
const MODEL = readFileSync("spec/vectors/relu2.trit");
const EXPECTED_WEIGHTS = 1;

async function withModel(source = ECHO): Promise<{ sim: SimBoard; ear: Ear; panel: FaultPanel }> {
  const { sim, ear } = await start(source);
  const content = new Uint8Array(sim.flash.bytes).fill(0xff);
  content.set(MODEL, RECORDS);
  sim.flash.load(content);
  return { sim, ear, panel: new FaultPanel(sim) };
}

describe("a cell that loses its charge", () => {
  it("is found where the image says that packed weights are", async () => {
    const { sim } = await withModel();
    const pieces = packedWeights(PICO, sim.flash);
    assert.ok(pieces.length >= EXPECTED_WEIGHTS);
    for (const { slot, offset, bytes } of pieces) {
      assert.equal(slot, 0);
      assert.ok(offset >= RECORDS + 4096 && offset + bytes <= RECORDS + MODEL.length);
      for (const byte of sim.flash.read(offset, bytes)) assert.ok(isLegalCode(byte));
    }
  });

  for (const [kind, legal] of [
    ["weight-flip", true],
    ["illegal-code", false],
  ] as const)
    it(`${kind}: one bit of one packed byte, the same for the same seed`, async () => {
      const hits = new Set<number>();
      for (let seed = 1; seed <= 20; seed++) {
        const changes = [];
        for (let again = 0; again < 2; again++) {
          const { sim, panel } = await withModel();
          const before = sim.flash.image();
          panel.inject(parseFault(`${kind}:seed=${seed}`));
          const after = sim.flash.image();
          const at = after.findIndex((byte, i) => byte !== before[i]);
          const flipped = before[at] ^ after[at];
          assert.ok(flipped !== 0 && (flipped & (flipped - 1)) === 0, "one bit");
          assert.equal(
            after.findLastIndex((byte, i) => byte !== before[i]),
            at,
            "one byte",
          );
          assert.ok(packedWeights(PICO, sim.flash).some(({ offset, bytes }) => at >= offset && at < offset + bytes));
          const isLegal = after[at] <= PACK_MAX && after[at] % PACK_STRIDE !== PACK_ILLEGAL_REMAINDER;
          assert.equal(isLegal, legal);
          changes.push(`${at} ${flipped}`);
          hits.add(at);
        }
        assert.equal(changes[0], changes[1]);
      }
      assert.ok(hits.size > 10, "seeds differ");
    });

  it("is seen by the module, and refused where there is nothing to hit", async () => {
    // Sends byte `RECORDS + 5000` of the partition, as it reads it, for each byte that comes.
    const look = says(
      "",
      `if (uart_read(word, 1) == 0) return 0; say(load<u8>(flash_map(${RECORDS + 5000}, 1))); return 1;`,
    );
    const { sim, ear, panel } = await withModel(look);
    const read = (): number => {
      sim.uart.hostWrite(Uint8Array.of(1));
      sim.run(IDLE);
      return ear.words()[0];
    };
    const was = read();
    panel.inject(parseFault(`misread:at=${RECORDS + 5000},ms=5,seed=2`));
    assert.notEqual(read(), was);
    assert.equal(sim.flash.read(RECORDS + 5000, 1)[0], was, "the cell is as it was");
    sim.run({ maxUs: 6000 });
    assert.equal(read(), was, "and reads right again");
    panel.inject(parseFault(`weight-flip:at=${RECORDS + 5000},seed=2`));
    assert.notEqual(read(), was);
    sim.reset();
    assert.notEqual(read(), was);
    const empty = await start(ECHO);
    const none = new FaultPanel(empty.sim);
    assert.throws(() => none.inject(parseFault("weight-flip")), { code: "E_SIM_FAULT", message: /holds no model/ });
    assert.throws(() => none.inject(parseFault("weight-flip:at=99999999")), { code: "E_SIM_FAULT" });
    assert.throws(() => panel.inject(parseFault("weight-flip:slot=1")), { code: "E_SIM_FAULT", message: /slot 1/ });
  });
});

describe("a brown-out", () => {
  it("starts the chip anew after the dip, and what was in SRAM is gone", async () => {
    const counting = `let n = 0; ${says("say(1000)", "if (uart_read(word, 1) == 0) return 0; say(++n); return 1;")}`;
    const { sim, ear } = await start(counting);
    const panel = new FaultPanel(sim);
    sim.uart.hostWrite(Uint8Array.of(1));
    sim.run({ maxUs: 2000 });
    assert.deepEqual(ear.words(), [1000, 1]);
    const at = sim.now;
    panel.inject(parseFault("brown-out:in_us=500,dip_us=3000"));
    sim.run({ maxUs: 10_000 });
    assert.equal(sim.state, "on");
    sim.uart.hostWrite(Uint8Array.of(1));
    sim.run({ maxUs: 2000 });
    assert.deepEqual(ear.words(), [1000, 1], "it booted, and counts from 1");
    assert.ok(sim.now > at + 3_500_000);
  });

  it("tears the flash operation in whose time it falls, and no other", async () => {
    const source = says("say(7)", "if (uart_read(word, 1) == 0) return 0; say(flash_erase(0, 4096)); return 1;");
    for (const when of [1000, 20_000]) {
      const { sim, ear } = await start(source);
      sim.flash.load(new Uint8Array(sim.flash.bytes).fill(0));
      const panel = new FaultPanel(sim);
      sim.uart.hostWrite(Uint8Array.of(1));
      panel.inject(parseFault(`brown-out:in_us=${when}`));
      sim.run({ maxUs: 200_000 });
      assert.deepEqual(ear.words(), [7, 7], "the erase never answered; the chip booted again");
      assert.equal(sim.flash.operations, 1);
      assert.ok(sim.flash.read(4096, 4096).every((byte) => byte === 0));
    }
    const { sim, ear } = await start(source);
    new FaultPanel(sim).inject(parseFault("brown-out:flash_op=2,dip_us=10"));
    for (let i = 0; i < 3; i++) {
      sim.uart.hostWrite(Uint8Array.of(1));
      sim.run({ maxUs: 500_000 });
    }
    assert.deepEqual(ear.words(), [7, 0, 7, 0]);
    assert.notEqual(HAL_EIO, 0);
  });

  it("ordered for a time at which the board is off does not come", async () => {
    const { sim } = await start(ECHO);
    sim.supply.failAt(sim.now + 1000);
    sim.powerOff();
    sim.sleepUntil(sim.now + 5000);
    assert.equal(sim.powerOn(), "on");
    sim.run({ maxUs: 1000 });
    assert.equal(sim.state, "on");
  });
});

describe("a noisy line", () => {
  it("hits the bytes that its seed says, whatever the pieces in which they come", async () => {
    const heard: number[][] = [];
    for (const pieces of [1, 7, 600]) {
      const { sim, ear } = await start(ECHO);
      new FaultPanel(sim).inject(parseFault("uart-noise:per=40,seed=9"));
      const bytes = numbers(600);
      for (let at = 0; at < bytes.length; at += pieces) {
        sim.uart.hostWrite(bytes.subarray(at, at + pieces));
        sim.run({ maxUs: 100 * pieces });
      }
      sim.run(IDLE);
      heard.push(ear.bytes);
    }
    const wrong = heard[0].filter((byte, i) => byte !== numbers(600)[i]).length;
    assert.ok(wrong > 10 && wrong < 60, `${wrong} of 600`);
    assert.deepEqual(heard[1], heard[0]);
    assert.deepEqual(heard[2], heard[0]);
  });

  it("only in the direction that was named, and until it is over", async () => {
    const { sim, ear } = await start(ECHO);
    const panel = new FaultPanel(sim);
    panel.inject(parseFault("uart-noise:per=1,to=host,ms=20"));
    sim.uart.hostWrite(numbers(10));
    sim.run(IDLE);
    assert.ok(ear.bytes.every((byte, i) => byte !== numbers(10)[i]));
    sim.run({ maxUs: 30_000 });
    ear.bytes = [];
    sim.uart.hostWrite(numbers(10));
    sim.run(IDLE);
    assert.deepEqual(ear.bytes, [...numbers(10)]);
  });
});

describe("fault kinds", () => {
  it("are refused by a board that cannot have them", async () => {
    const { sim } = await start(ECHO);
    const panel = new FaultPanel(sim);
    for (const [kind, { needs }] of Object.entries(FAULT_KINDS))
      if (needs === "coprocessor") assert.throws(() => panel.inject(parseFault(kind)), { code: "E_SIM_FAULT" }, kind);
    sim.powerOff();
    assert.throws(() => panel.inject(parseFault("brown-out")), { code: "E_SIM_FAULT", message: /has no power/ });
  });

  it("take what their rules say", () => {
    assert.deepEqual(parseFault("brown-out:in_us=5").numbers, { in_us: 5, dip_us: 20_000 });
    assert.deepEqual(parseFault("uart-noise:to=host").words, { to: "host" });
    for (const text of [
      "",
      "x",
      "weight-flip:",
      "weight-flip:seed=",
      "weight-flip:seed=-1",
      "weight-flip:seed=1,seed=2",
    ])
      if (text !== "weight-flip:") assert.throws(() => parseFault(text), { code: "E_SIM_FAULT" }, text);
    assert.equal(parseFault("weight-flip:").kind, "weight-flip");
  });

  it("a write-once flash knows a cell that lost a bit as programmed", async () => {
    const board = boardNamed("stm32h743");
    const { sim } = await start(says("", "return 0;"), board);
    sim.flash.flip(100, 1);
    assert.equal(sim.flash.program(96, new Uint8Array(32)), HAL_EIO);
    assert.ok(await build(ECHO, board));
  });
});
