/**
 * A coprocessor that fails: whatever goes wrong with it, the board gives the tokens that it gives without one, and says by name what went wrong. The
 * model is random, so that any wrong sum shows.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, beforeEach, describe, it } from "node:test";
import type { SimBoard } from "../../firmware-sim/index.ts";
import { HDR_SECTIONS, HDR_TABLE, KIND_ATTN_Q, SEC_KIND, SEC_OFFSET, SECTION_ENTRY_BYTES } from "../../spec/image.ts";
import { generateOnDevice } from "../device/chat.ts";
import { coproText } from "../device/copro.ts";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import { Engine } from "../engine/engine.ts";
import { TritkitError } from "../errors.ts";
import type { Answer } from "../generation.ts";
import { openSimLine, type RunningSim, startSim } from "../transports/sim.ts";

const BOARD = "rp2040-pico+tgemv";
const OPTIONS = { temperature: 0.8, seed: 5, maxTokens: 6 };
const PROMPT = "The old bridge over the river";
const image = new Uint8Array(readFileSync("spec/vectors/relu2.trit"));

let running: RunningSim;
let sim: SimBoard;
let device: Device;
let expected: number[] = [];

before(async () => {
  running = await startSim(BOARD);
  sim = running.sim;
  // At the speed after reset, so that a reset leaves the link as it is.
  device = await Device.connect(await openSimLine(running), { baud: 0 });
  await flashModel(device, image);
  const engine = await Engine.open(image, { context: device.hello.context });
  expected = (await engine.generate(PROMPT, OPTIONS)).tokenIds;
  assert.ok(expected.length > 2);
});
after(async () => {
  await device.close();
  running.close();
});

/** The unit as new: no fault, no error counted. */
beforeEach(async () => {
  copro().faults = {};
  sim.reset();
  const { copro: state } = await device.refresh();
  assert.deepEqual(state, { state: "used", errors: 0, last: null });
});

function copro(): NonNullable<SimBoard["copro"]> {
  assert.ok(sim.copro !== null);
  return sim.copro;
}

const beats = (): number => copro().unit.state.totalPushes;
const ask = (): Promise<Answer> => generateOnDevice(device, PROMPT, OPTIONS);
/** Bytes of weights that the unit takes in an answer. */
let whole = 0;

/** @param errors null: several */
async function answers(errors: number | null, name: string, state: string): Promise<Answer> {
  const answer = await ask();
  assert.deepEqual(answer.tokenIds, expected);
  if (errors === null) assert.ok((answer.copro?.errors ?? 0) > 1);
  else assert.equal(answer.copro?.errors, errors);
  assert.equal(answer.copro?.last?.name, name);
  assert.equal(answer.copro?.state, state);
  const hello = await device.refresh();
  assert.deepEqual(hello.copro, answer.copro);
  return answer;
}

describe("a coprocessor", () => {
  it("that works is not mentioned", async () => {
    const from = beats();
    const answer = await ask();
    assert.deepEqual(answer.tokenIds, expected);
    assert.equal(answer.copro, null);
    whole = beats() - from;
    assert.ok(whole > 1000, `${whole} beats`);
  });

  it("lets the board sleep when it has answered", async () => {
    await ask();
    assert.ok(copro().irqAt() === Number.POSITIVE_INFINITY, "its interrupt line is low");
  });

  it("whose bus refuses a beat: the CPU takes over for that product", async () => {
    const bad = beats() + 700;
    copro().faults = { refusesBeat: (n) => n === bad };
    await answers(1, "BUS", "used");
    assert.ok(beats() - bad > whole / 2, "the other products are its own");
  });

  it("whose bus refuses everything is left alone after three errors, until the board is reset", async () => {
    copro().faults = { refusesBeat: () => true };
    const answer = await answers(3, "BUS", "left alone");
    const { partition, base } = sim.board.flash;
    const info = answer.copro?.last?.info ?? 0;
    assert.ok(
      info >= base + partition.offset && info < base + partition.offset + partition.bytes,
      "an address in flash",
    );
    copro().faults = {};
    const from = beats();
    assert.equal((await ask()).copro, null);
    assert.equal(beats(), from, "it is not asked again");
    assert.ok(answer.copro);
    assert.match(
      coproText(answer.copro),
      /failed 3 times, last BUS \(0x[0-9a-f]{8}\): it is left alone until the board is reset, the words are the same$/,
    );
  });

  it("that waits for a beat for ever is stopped when its time is over", async () => {
    const bad = beats() + 300;
    copro().faults = { stalls: (n) => (n === bad ? Number.POSITIVE_INFINITY : 0) };
    const from = sim.now;
    await answers(3, "TIMEOUT", "left alone");
    assert.ok(sim.now - from < 1e9, "the answer took less than a second");
    assert.equal(beats(), bad, "what it took before the stall it took once");
  });

  it("that gets its beats late is waited for: no error", async () => {
    copro().faults = { stalls: (n) => (n % 500 === 0 ? 2000 : 0) };
    const answer = await ask();
    assert.deepEqual([answer.tokenIds, answer.copro], [expected, null]);
  });

  it("whose interrupts are lost: its sums count, and then it is left alone", async () => {
    copro().faults = { lostIrq: true };
    await answers(3, "LOST_IRQ", "left alone");
  });

  it("that answers no more at all", async () => {
    copro().faults = { gone: true };
    await answers(3, "TIMEOUT", "left alone");
  });

  it("that sees an illegal byte where the CPU sees none: a bad transfer, no damage", async () => {
    const { base, partition } = sim.board.flash;
    const bad = base + partition.offset + weightOffset(sim.flash.image());
    copro().faults = {
      sees(address, bytes) {
        if (bad < address || bad >= address + bytes.length) return bytes;
        const seen = bytes.slice();
        seen[bad - address] = 255;
        return seen;
      },
    };
    // Once in each pass over the layers: never three times one after the other.
    const answer = await answers(null, "BAD_CODE", "used");
    assert.equal(answer.copro?.last?.info, bad);
  });

  it("that finds damaged weights ends the answer by name; with the weights mended and a reset it is as before", async () => {
    const content = sim.flash.image();
    const at = weightOffset(content);
    const damaged = content.slice();
    damaged[at] = 251;
    const { base, partition } = sim.board.flash;
    sim.flash.load(damaged);
    try {
      for (let turn = 0; turn < 2; turn++) {
        await assert.rejects(ask(), (error: unknown) => {
          assert.ok(error instanceof TritkitError, String(error));
          assert.equal(error.code, "E_WEIGHTS_DAMAGED");
          assert.match(error.message, new RegExp(`at address 0x${(base + partition.offset + at).toString(16)}`));
          return true;
        });
      }
      assert.deepEqual((await device.refresh()).copro?.state, "used", "it is not the unit that is at fault");
    } finally {
      sim.flash.load(content);
    }
    const answer = await ask();
    assert.deepEqual([answer.tokenIds, answer.copro], [expected, null], "nothing of the damaged sums was kept");
  });

  it("whose sums are wrong at boot is refused, and never asked", async () => {
    copro().faults = { sees: (_address, bytes) => new Uint8Array(bytes.length).fill(125) };
    sim.reset();
    assert.deepEqual((await device.refresh()).copro, { state: "refused", errors: 0, last: null });
    const from = beats();
    const answer = await ask();
    assert.deepEqual([answer.tokenIds, answer.copro], [expected, null]);
    assert.equal(beats(), from);
  });

  it("that is gone at boot: the board has none", async () => {
    copro().faults = { gone: true };
    sim.reset();
    assert.equal((await device.refresh()).copro, null);
    assert.deepEqual((await ask()).tokenIds, expected);
  });
});

/** Offset in the partition of a byte in the middle of the first ternary matrix: found by what an image says of itself. */
function weightOffset(content: Uint8Array): number {
  const start = Buffer.from(content).indexOf(Buffer.from(image.subarray(0, 64)));
  assert.ok(start > 0);
  return start + firstLinear() + 40;
}

function firstLinear(): number {
  const view = new DataView(image.buffer, image.byteOffset);
  for (let i = 0; i < view.getUint32(HDR_SECTIONS, true); i++) {
    const entry = HDR_TABLE + i * SECTION_ENTRY_BYTES;
    if (view.getUint16(entry + SEC_KIND, true) === KIND_ATTN_Q) return view.getUint32(entry + SEC_OFFSET, true);
  }
  assert.fail("no query matrix");
}
