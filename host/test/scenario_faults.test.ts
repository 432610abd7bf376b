/** Each fault as a user meets it: what the answer, the chat and doctor say of it, and that the board is as new afterwards. By seeds. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { loadBoard, loadDeviceWasm } from "../assets.ts";
import { generateOnDevice } from "../device/chat.ts";
import { coproText } from "../device/copro.ts";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import { TritkitError } from "../errors.ts";
import type { Answer } from "../generation.ts";
import { Bench } from "../scenario/bench.ts";
import { deliver } from "../scenario/model.ts";
import { parseFault, SimBoard } from "../transports/sim.ts";
import { openDriven } from "../transports/sim_driven.ts";
import { image } from "./bench_board.ts";
import { readTranscript } from "./transcripts.ts";

const MODEL = image("relu2");
const {
  prompt,
  greedy: { ids: greedy },
} = readTranscript("relu2");
const OPTIONS = { maxTokens: greedy.length, temperature: 0, seed: 0 };
const PATIENCE_MS = 120_000;

async function newBench(name: string): Promise<Bench> {
  const board = await loadBoard(name);
  const sim = SimBoard.create({ board, wasm: await loadDeviceWasm(board) });
  deliver(sim, MODEL);
  sim.powerOn();
  return new Bench(sim, 1, "max");
}

async function ask(bench: Bench): Promise<Answer> {
  const until = bench.after(PATIENCE_MS);
  const { work } = await bench.begin(prompt, OPTIONS, until);
  return bench.settle(work, until, "");
}

function reset(bench: Bench): void {
  bench.faults.clear();
  bench.sim.reset();
  bench.switched();
}

const inject = (bench: Bench, text: string): string => bench.faults.inject(parseFault(text));

describe("a board that nothing happens to", () => {
  for (const name of ["rp2040-pico", "rp2040-pico+tgemv", "rp2350-pico2+tgemv"])
    test(`${name} says what the independent implementation says`, async () => {
      const { tokenIds, copro } = await ask(await newBench(name));
      assert.deepEqual(tokenIds, greedy);
      assert.equal(copro ?? null, null, "and has nothing to report");
    });
});

describe("faults of the coprocessor", () => {
  const BOARD = "rp2040-pico+tgemv";
  /** What it says of the unit, and what becomes of it. */
  const cases: [fault: string, name: RegExp, state: string][] = [
    ["bus-error:beat=50", /^BUS$/, "used"],
    ["bus-error:beat=0,beats=100000", /^BUS$/, "left alone"],
    ["stall:beat=10,cycles=50000000", /^TIMEOUT$/, "left alone"],
    ["stuck-busy", /^TIMEOUT$/, "left alone"],
    ["lost-irq", /^LOST_IRQ$/, "left alone"],
    ["copro-gone", /./, "left alone"],
  ];
  for (const [fault, name, state] of cases)
    test(`${fault}: the CPU takes over, with the same words, and the answer says it; after a reset all is well`, async () => {
      const bench = await newBench(BOARD);
      inject(bench, fault);
      const { tokenIds, copro } = await ask(bench);
      assert.deepEqual(tokenIds, greedy);
      assert.ok(copro?.last, "it is told");
      assert.match(copro.last.name, name);
      assert.equal(copro.state, state);
      assert.match(
        coproText(copro),
        /^the coprocessor failed (once|\d+ times), last \w[\w ]* \(0x[0-9a-f]{8}\): .*the words are the same$/,
      );
      reset(bench);
      const again = await ask(bench);
      assert.deepEqual(again.tokenIds, greedy);
      assert.equal(again.copro ?? null, null);
    });

  test("a short stall costs time and nothing else", async () => {
    const calm = await newBench(BOARD);
    await ask(calm);
    const bench = await newBench(BOARD);
    inject(bench, "stall:beat=10,cycles=1000");
    const { tokenIds, copro } = await ask(bench);
    assert.deepEqual(tokenIds, greedy);
    assert.equal(copro ?? null, null);
    assert.ok(bench.sim.now > calm.sim.now);
  });

  for (const seed of [1, 2, 3, 4])
    test(`an illegal code in flash ends the answer, or is not read: seed ${seed}`, async () => {
      const bench = await newBench(BOARD);
      const what = inject(bench, `illegal-code:seed=${seed}`);
      const error = await ask(bench).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      assert.ok(error instanceof TritkitError, what);
      assert.equal(error.code, "E_WEIGHTS_DAMAGED");
      assert.match(
        error.message,
        /^The model's weights on the board are damaged at address 0x[0-9a-f]{8}: the answer ends here\.$/,
      );
      await bench.settle(flashModel(await bench.device(bench.after(PATIENCE_MS)), MODEL), bench.after(PATIENCE_MS), "");
      assert.deepEqual((await ask(bench)).tokenIds, greedy, "flashing the same model mends it");
    });
});

describe("a cell that reads wrong while the board boots", () => {
  test("costs no model: the next boot finds it whole", async () => {
    const bench = await newBench("rp2040-pico");
    assert.deepEqual((await ask(bench)).tokenIds, greedy);
    inject(bench, "misread:seed=4,ms=100");
    bench.sim.reset();
    bench.switched();
    await assert.rejects(ask(bench), { code: "E_NO_MODEL" });
    await bench.drive.run(() => false, bench.after(200));
    reset(bench);
    assert.deepEqual((await ask(bench)).tokenIds, greedy);
  });
});

describe("tokens are counted on the line", () => {
  for (const [what, baud] of [
    ["console framing", 0],
    ["COBS", 921600],
  ] as const)
    for (const noise of [null, "uart-noise:per=1500,seed=3"])
      test(`${what}${noise === null ? "" : ", noisy"}`, async () => {
        const bench = await newBench("rp2040-pico");
        const until = bench.after(PATIENCE_MS);
        const line = openDriven(bench.drive, bench.board.uart.default_baud);
        const device = await bench.settle(Device.connect(line, { baud }), until, "");
        assert.equal(device.session.framing.name, baud === 0 ? "console" : "cobs");
        if (noise !== null) inject(bench, noise);
        for (let i = 1; i <= 3; i++) {
          const answer = await bench.settle(generateOnDevice(device, prompt, OPTIONS), until, "");
          assert.deepEqual(answer.tokenIds, greedy);
          assert.equal(bench.drive.tokens, i * greedy.length);
        }
        assert.equal(
          device.session.counters.resent > 0,
          noise !== null,
          "what got lost was asked for again, and counted once",
        );
      });
});
