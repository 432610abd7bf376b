/** What an answer says of a simulated board's speed and energy is the board's own, however few tokens it has: a token is told when it is there, not when the next one is. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { modelPath } from "../assets.ts";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import type { Answer } from "../generation.ts";
import { openSim } from "../transports/sim.ts";
import { startDriven } from "../transports/sim_driven.ts";

const PROMPT = "Once upon a time";
const [FEW, MANY] = [4, 14];
/** Later tokens look back at more positions. */
const WITHIN = 0.06;

const image = new Uint8Array(await readFile(await modelPath("llama-300k")));

async function answers(device: Device): Promise<Answer[]> {
  await flashModel(device, image);
  const found: Answer[] = [];
  for (const maxTokens of [FEW, MANY])
    found.push(await generateOnDevice(device, PROMPT, { temperature: 0, maxTokens, seed: 1 }));
  await device.close();
  return found;
}

function check([few, many]: Answer[]): void {
  const each = ({ seconds, firstTokenSeconds, tokenIds, firstTokens }: Answer): number =>
    (seconds - firstTokenSeconds) / (tokenIds.length - firstTokens);
  const energy = ({ board }: Answer): number => board?.energy?.mjPerToken ?? Number.NaN;
  for (const { tokenIds, firstTokens } of [few, many])
    assert.ok(tokenIds.length > firstTokens, `${firstTokens} of ${tokenIds.length} came first`);
  for (const of of [each, energy]) {
    const ratio = of(few) / of(many);
    assert.ok(ratio > 1 - WITHIN && ratio < 1 + WITHIN, `${of.name}: ${of(few)}, ${of(many)}`);
  }
}

describe("the clock of a simulated board", () => {
  test("in simulated time", async () => {
    const bench = await startDriven("rp2040-pico", {});
    check(await bench.run(Device.connect(bench.transport).then(answers)));
    bench.close();
  });

  test("beside a host that takes its time", async () => {
    check(await answers(await Device.connect(await openSim("rp2040-pico"))));
  });
});
