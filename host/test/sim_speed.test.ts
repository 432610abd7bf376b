/** A metered board is fast enough to work with: a model of a million weights on a Pico, at least five times faster than real time. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { ROOT } from "../../scripts/lib/root.mjs";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import { startDriven } from "../transports/sim_driven.ts";

const AT_LEAST = 5;

it(`stories-1m on a metered rp2040-pico, as chat sees it: ${AT_LEAST}x real time and more, by this process's CPU time`, async (t) => {
  const model = new Uint8Array(readFileSync(join(ROOT, "examples/models/stories-1m/stories-1m.trit")));
  // The line that measures the board whenever it says something: a test beside it did not see how dear that was.
  const { transport, run, close } = await startDriven("rp2040-pico", {});
  try {
    const device = await run(Device.connect(transport));
    await run(flashModel(device, model));
    const rounds: number[] = [];
    for (let round = 0; round < 3; round++) {
      const [busy, now] = [process.cpuUsage(), transport.seconds()];
      const { tokenIds } = await run(generateOnDevice(device, "Once upon a time", { temperature: 0, maxTokens: 100 }));
      const { user, system } = process.cpuUsage(busy);
      assert.equal(tokenIds.length, 100);
      rounds.push((transport.seconds() - now) / ((user + system) / 1e6));
    }
    // The first round includes V8's compilers.
    const best = Math.max(...rounds);
    t.diagnostic(`simulated at ${rounds.map((times) => times.toFixed(1)).join(", ")} times real time`);
    assert.ok(best >= AT_LEAST, `${best.toFixed(1)}x real time`);
  } finally {
    close();
  }
});
