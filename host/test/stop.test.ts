/** Ctrl-C as the device sees it: a stop between two tokens, no token after it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type CpuCost, FLAT_COST, SimBoard } from "../../firmware-sim/index.ts";
import { TK_GEN, TK_IDS, TK_STOP } from "../../spec/wire.ts";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import type { CborMap } from "../wire/smp.ts";
import { deviceWasm, greedy, image, newBoard, scaledBoard, withBench } from "./bench_board.ts";
import { seeded } from "./seeded.ts";
import { inBoardTime, pass, virtualLine } from "./virtual_line.ts";

const BOARD = scaledBoard("rp2040-pico", { sectors: 26 });
const WASM = deviceWasm(BOARD);
/** A chip that takes 20 ms for each poll, so for each token: without a price all tokens would come at once. */
const POLL_NS = 20_000_000;
const SLOW: CpuCost = { ...FLAT_COST, call: () => 0, poll: () => POLL_NS };
/** A short request and its answer at 921600 baud, and the host's own step. */
const LINE_NS = 3_000_000;

describe("an answer that is stopped", () => {
  it("at 40 seeded moments: at most one token later, none after the device said so, and it is free", async (t) => {
    const flashed = newBoard(BOARD, WASM);
    await withBench(flashed, (device) => flashModel(device, image("relu2")));
    const sim = SimBoard.create({ board: BOARD, wasm: WASM, flash: flashed.flash.image(), cost: SLOW });
    sim.powerOn();
    const random = seeded(3);
    const made: number[] = [];
    const waits: number[] = [];
    await inBoardTime(sim, async () => {
      const device = await Device.connect(virtualLine(sim));
      const whole = await greedy(device, "ab", 400);
      for (let i = 0; i < 40; i++) {
        const abort = new AbortController();
        const stopped: CborMap[] = [];
        let id = 0;
        const { write } = device;
        device.write = async (command, body = {}, options) => {
          if (command === TK_GEN) id = Number(body.id);
          const asked = sim.now;
          const reply = await write.call(device, command, body, options);
          if (command !== TK_STOP) return reply;
          stopped.push(reply);
          waits.push(sim.now - asked);
          return reply;
        };
        setTimeout(() => abort.abort(), Math.floor(random() * 2000));
        const options = { maxTokens: 400, temperature: 0, signal: abort.signal };
        const answer = await generateOnDevice(device, "ab", options);
        device.write = write;
        assert.equal(answer.stop, "stopped");
        assert.equal(stopped.length, 1);
        // Every token that the device had made by then arrived, and none came later.
        assert.equal(stopped[0].n, answer.tokenIds.length);
        assert.deepEqual(answer.tokenIds, whole.slice(0, answer.tokenIds.length));
        const context = Number((await device.read(TK_IDS, { id, from: 0 })).n);
        await pass(1);
        assert.equal((await device.read(TK_IDS, { id, from: 0 })).n, context);
        made.push(answer.tokenIds.length);
      }
      assert.deepEqual(await greedy(device, "ab", 8), whole.slice(0, 8));
      await device.close();
    });
    const polls = Math.max(...waits.map((ns) => (ns - LINE_NS) / POLL_NS));
    t.diagnostic(
      `stopped after ${Math.min(...made)} to ${Math.max(...made)} tokens, within ${polls.toFixed(2)} tokens' time`,
    );
    assert.ok(Math.min(...made) < 10 && Math.max(...made) > 50);
    // The token under way when the request came, and the poll that answers it; one of the forty comes right behind an echo that keeps the link, which has
    // a poll of its own.
    const late = waits.filter((ns) => ns - LINE_NS > 2 * POLL_NS);
    assert.ok(late.length <= 1 && polls <= 3, `${polls} polls, ${late.length} of them late`);
  });

  it("by pulling the plug: whoever comes next waits 10 s at most, then is answered", async () => {
    const sim = newBoard(BOARD, WASM);
    await withBench(sim, (device) => flashModel(device, image("relu2")));
    await inBoardTime(sim, async () => {
      const line = virtualLine(sim);
      const first = await Device.connect(line);
      let tokens = 0;
      const onToken = () => {
        if (++tokens === 3) line.unplug();
      };
      const options = { maxTokens: 100_000, temperature: 0, onToken };
      await assert.rejects(generateOnDevice(first, "ab", options), { code: "E_LINK_LOST" });
      const asked = sim.now;
      const second = await Device.connect(virtualLine(sim));
      assert.equal((await greedy(second, "ab", 5)).length, 5);
      const seconds = (sim.now - asked) / 1e9;
      assert.ok(seconds > 9 && seconds < 13, `${seconds} s`);
      await second.close();
    });
  });
});
