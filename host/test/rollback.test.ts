// Going back from a model that is only tried: what the next reset would do, without the reset.
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { connect, type Device, flashModel, listModels, rollBack } from "../index.ts";
import { image } from "./bench_board.ts";

let device: Device;
before(async () => {
  device = await connect("sim:rp2040-pico");
});
after(() => device.close());

it("rolls back to the confirmed model while another is under test", async () => {
  await flashModel(device, image("llama"));
  const [{ name }] = await listModels(device);
  await flashModel(device, image("relu2"), { confirm: false });
  assert.deepEqual(
    (await listModels(device)).map(({ state }) => state),
    ["active", "test"],
  );
  const back = await rollBack(device);
  assert.equal(back.slot, 0);
  assert.equal(device.hello.model, name);
  assert.deepEqual(
    (await listModels(device)).map(({ state }) => state),
    ["active", "verified"],
  );
  await rollBack(device);
  assert.deepEqual(
    (await listModels(device)).map(({ state }) => state),
    ["verified", "active"],
  );
});
