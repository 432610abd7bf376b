/**
 * Firmware over the line of a running board (spec/FIRMWARE.md), on the whole simulated board: the device module, its flash, the selector.
 * Whatever is sent, cut or broken, the board starts a firmware that worked before, and its model answers as ever.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SimBoard } from "../../firmware-sim/index.ts";
import { firmwareFile } from "../../scripts/firmware/image.mjs";
import { FW_TRIAL_US } from "../../spec/firmware.ts";
import { GROUP_IMAGE, GROUP_OS, IMG_STATE, IMG_UPLOAD, OS_RESET } from "../../spec/wire.ts";
import type { Device } from "../device/device.ts";
import { listFirmware, updateFirmware } from "../device/firmware/over_smp.ts";
import { readUpdateFile, type UpdateFile } from "../device/firmware/update_file.ts";
import { listModels } from "../device/models.ts";
import { greedy, sha256, withBench } from "./bench_board.ts";
import { board, delivered, firmware, newBoard, record, region, withModel } from "./firmware_bench.ts";
import { noise } from "./firmware_fixture.ts";

const OLD = firmware(1, "0.1.0");
const NEW = firmware(11, "0.2.0");

const update = (sim: SimBoard, files = NEW) => withBench(sim, (device) => updateFirmware(device, board, files));
const reset = (sim: SimBoard) => withBench(sim, (device) => device.reset());

/** What the board runs: slot, version, and whether it stays. */
async function state(sim: SimBoard): Promise<string> {
  const states = await withBench(sim, (device) => listFirmware(device));
  return states
    .map(({ slot, version, active, confirmed, pending }) => {
      const flags = { active, confirmed, pending };
      return [slot, version, ...Object.keys(flags).filter((key) => flags[key as keyof typeof flags])].join(" ");
    })
    .join(", ");
}

const image = (device: Device, body: Record<string, unknown>) =>
  device.session.write(GROUP_IMAGE, IMG_UPLOAD, body as never);

/** One request with a whole small file; the answer to the last chunk. */
async function send(
  device: Device,
  { bytes }: Pick<UpdateFile, "bytes">,
  first: Record<string, unknown> = { image: 0 },
) {
  const sha = Buffer.from(sha256(bytes), "hex");
  for (let off = 0; ; ) {
    const data = bytes.subarray(off, off + 1000);
    const { body } = await image(device, off === 0 ? { ...first, off, data, sha, len: bytes.length } : { off, data });
    if (body.off === undefined || body.match !== undefined) return body;
    off = Number(body.off);
  }
}
const choose = async (device: Device, hash: Uint8Array | undefined, confirm: boolean) =>
  (await device.session.write(GROUP_IMAGE, IMG_STATE, { hash, confirm })).body;

describe("an update over the line", () => {
  it("tries the new firmware and keeps it; the model and the way back stay", async () => {
    const sim = newBoard(delivered(OLD));
    const answer = await withModel(sim);
    assert.equal(await state(sim), "0 0.1.0 active confirmed");
    const done = await update(sim);
    assert.deepEqual([done.phase, done.skipped, done.total], ["done", 0, NEW[1].bytes.length]);
    assert.equal(await state(sim), "0 0.1.0, 1 0.2.0 active confirmed");
    sim.powerOff();
    sim.powerOn();
    assert.equal(sim.slot, 1);
    assert.deepEqual(await withBench(sim, (device) => greedy(device)), answer);
    // And the other way.
    const third = firmware(21, "0.3.0");
    await update(sim, third);
    assert.equal(await state(sim), "0 0.3.0 active confirmed, 1 0.2.0");
    assert.deepEqual(await withBench(sim, (device) => greedy(device)), answer);
    assert.equal(sim.firmwareFlash.strayWrite(), null);
  });

  it("does nothing when the board runs it already, in whichever slot", async () => {
    const sim = newBoard(delivered(OLD));
    await update(sim);
    const { operations } = sim.firmwareFlash;
    const done = await update(sim);
    assert.deepEqual([done.phase, done.skipped], ["done", NEW[1].bytes.length]);
    assert.equal(sim.firmwareFlash.operations, operations);
  });

  it("goes on where it stopped when the cable was pulled or power failed", async () => {
    const sim = newBoard(delivered(OLD));
    const lost = withBench(sim, (device) => updateFirmware(device, board, NEW), { unplugAfter: 12_000 });
    await assert.rejects(lost, { code: "E_LINK_LOST" });
    sim.powerOff();
    sim.powerOn();
    const { skipped, total } = await update(sim);
    assert.ok(skipped > 0 && skipped < total, `${skipped} of ${total}`);
    assert.equal(await state(sim), "0 0.1.0, 1 0.2.0 active confirmed");
  });

  it("keeps a firmware that was left on trial by a host that went away", async () => {
    const sim = newBoard(delivered(OLD));
    await withBench(sim, async (device) => {
      assert.equal((await send(device, NEW[1])).match, true);
      await choose(device, NEW[1].hash, false);
      await device.reset();
    });
    assert.equal(await state(sim), "0 0.1.0 confirmed, 1 0.2.0 active");
    const done = await update(sim);
    assert.equal(done.skipped, done.total);
    assert.equal(await state(sim), "0 0.1.0, 1 0.2.0 active confirmed");
  });
});

describe("a firmware that does not come up", () => {
  it("that hangs: the watchdog brings the old one back, and the host says so", async () => {
    const broken = Buffer.from(NEW[1].hash);
    const hash = (bytes: Uint8Array) => Buffer.from(sha256(bytes), "hex");
    const sim = newBoard(delivered(OLD), { runs: (bytes) => (hash(bytes).equals(broken) ? "nothing" : "module") });
    const answer = await withModel(sim);
    await assert.rejects(update(sim), { code: "E_ROLLED_BACK", message: /0\.2\.0 did not come up/ });
    assert.equal(await state(sim), "0 0.1.0 active confirmed, 1 0.2.0");
    assert.deepEqual(await withBench(sim, (device) => greedy(device)), answer);
  });

  it("that is never confirmed: any reset, a power cut, and five minutes bring the old one back", async () => {
    const ends: ((sim: SimBoard) => unknown)[] = [
      (sim) => sim.reset(),
      (sim) => {
        sim.powerOff();
        sim.powerOn();
      },
      reset,
      (sim) => sim.run({ maxUs: FW_TRIAL_US + 1_000_000 }),
    ];
    for (const end of ends) {
      const sim = newBoard(delivered(OLD));
      await withBench(sim, async (device) => {
        await send(device, NEW[1]);
        await choose(device, NEW[1].hash, false);
        await device.reset();
      });
      assert.equal(sim.slot, 1);
      await end(sim);
      assert.equal(sim.slot, 0);
      assert.equal(await state(sim), "0 0.1.0 active confirmed, 1 0.2.0");
    }
  });

  it("is not tried when power fails between the request and the reset", async () => {
    const sim = newBoard(delivered(OLD));
    await withBench(sim, async (device) => {
      await send(device, NEW[1]);
      await choose(device, NEW[1].hash, false);
    });
    assert.equal(await state(sim), "0 0.1.0 active confirmed, 1 0.2.0 pending");
    sim.powerOff();
    sim.powerOn();
    assert.equal(await state(sim), "0 0.1.0 active confirmed, 1 0.2.0");
  });

  it("stays after five minutes once it is confirmed", async () => {
    const sim = newBoard(delivered(OLD));
    await update(sim);
    sim.run({ maxUs: FW_TRIAL_US + 1_000_000 });
    assert.equal(sim.slot, 1);
  });

  it("is on trial, too, when it lay there without any record: a board that a boot ROM wrote anew", async () => {
    const sim = newBoard(delivered(OLD, (flash) => flash.set(NEW[1].bytes, region.slots[1])));
    await withBench(sim, async (device) => {
      await choose(device, NEW[1].hash, false);
      await device.reset();
    });
    assert.equal(await state(sim), "0 0.1.0 confirmed, 1 0.2.0 active");
    sim.reset();
    assert.equal(sim.slot, 0);
    const { skipped, total } = await update(sim);
    assert.equal(skipped, total, "nothing had to be sent");
    sim.reset();
    assert.equal(await state(sim), "0 0.1.0, 1 0.2.0 active confirmed");
  });

  it("is given up for the next update when it is still on trial", async () => {
    const sim = newBoard(delivered(OLD));
    await withBench(sim, async (device) => {
      await send(device, NEW[1]);
      await choose(device, NEW[1].hash, false);
      await device.reset();
    });
    const third = firmware(21, "0.3.0");
    await update(sim, third);
    assert.equal(await state(sim), "0 0.1.0, 1 0.3.0 active confirmed");
  });
});

describe("damage", () => {
  it("of the confirmed firmware: the other one runs, and an update repairs", async () => {
    const sim = newBoard(delivered(OLD));
    const answer = await withModel(sim);
    await update(sim);
    const flash = sim.flashBus.image();
    flash[region.slots[1] + 5000] ^= 4;
    const again = newBoard(flash);
    assert.equal(await state(again), "0 0.1.0 active confirmed");
    assert.deepEqual(await withBench(again, (device) => greedy(device)), answer);
    again.run({ maxUs: FW_TRIAL_US + 1_000_000 });
    assert.equal(again.slot, 0, "it stands in for the damaged one and waits for nobody");
    await update(again);
    assert.equal(await state(again), "0 0.1.0, 1 0.2.0 active confirmed");
  });

  it("of every record: slot 0, as delivered", async () => {
    const sim = newBoard(delivered(OLD));
    await update(sim);
    const flash = sim.flashBus.image();
    flash.fill(0, region.offset, region.offset + 2 * region.sectorBytes);
    const again = newBoard(flash);
    assert.equal(await state(again), "0 0.1.0 active confirmed, 1 0.2.0");
    await update(again);
    assert.equal(again.slot, 1);
  });

  it("of both images: nothing starts, the model stays in flash", () => {
    const flash = delivered(OLD);
    flash[region.slots[0] + 300] ^= 1;
    assert.equal(newBoard(flash).running, "nothing");
  });
});

describe("what the device refuses", () => {
  /** Sends the file to image 0; rc, and that nothing was written and the same firmware runs. */
  async function refused(bytes: Uint8Array, rc: number): Promise<void> {
    const sim = newBoard(delivered(OLD));
    const { operations } = sim.firmwareFlash;
    const body = await withBench(sim, (device) => send(device, { bytes }));
    assert.deepEqual(body.err, { group: GROUP_IMAGE, rc });
    assert.equal(sim.firmwareFlash.operations, operations, "flash was touched");
    assert.equal(await state(sim), "0 0.1.0 active confirmed");
  }
  const changed = (at: number): Uint8Array => {
    const bytes = NEW[1].bytes.slice();
    bytes[at] ^= 1;
    return bytes;
  };

  it("firmware for another board, for the slot that runs, or no firmware", async () => {
    await refused(firmware(1, "1.0.0", "rp2350-pico2")[1].bytes, 22);
    await refused(NEW[0].bytes, 25);
    await refused(noise(3, 5000), 22);
    await refused(noise(3, 100), 22);
    await refused(changed(20), 24); // a header that does not match its CRC
    await refused(new Uint8Array(region.slotBytes + 1).fill(1), 30);
  });

  it("a file whose own digest is wrong, and one that is not what was announced; the old one runs", async () => {
    const sim = newBoard(delivered(OLD));
    await withBench(sim, async (device) => {
      assert.deepEqual((await send(device, { bytes: changed(4000) })).err, { group: GROUP_IMAGE, rc: 22 });
      const bytes = changed(4000);
      const head = { image: 0, sha: Buffer.from(sha256(NEW[1].bytes), "hex"), len: bytes.length };
      let { body } = await image(device, { ...head, off: 0, data: new Uint8Array() });
      while (body.match === undefined) {
        const off = Number(body.off);
        ({ body } = await image(device, { off, data: bytes.subarray(off, off + 1000) }));
      }
      assert.equal(body.match, false);
      assert.deepEqual((await choose(device, NEW[1].hash, false)).err, { group: GROUP_IMAGE, rc: 8 });
    });
    assert.equal(await state(sim), "0 0.1.0 active confirmed");
    await update(sim);
    assert.equal(sim.slot, 1);
  });

  it("to confirm what was never tried, and to overwrite the way back", async () => {
    const sim = newBoard(delivered(OLD));
    const bad = { group: GROUP_IMAGE, rc: 32 };
    await withBench(sim, async (device) => {
      await send(device, NEW[1]);
      assert.deepEqual((await choose(device, NEW[1].hash, true)).err, bad);
      await choose(device, NEW[1].hash, false);
      await device.reset();
      const third = firmware(21, "0.3.0")[0];
      assert.deepEqual((await send(device, third)).err, bad);
      assert.deepEqual((await choose(device, OLD[0].hash, false)).err, bad);
    });
    assert.equal(sim.slot, 1);
    sim.reset();
    assert.equal(await state(sim), "0 0.1.0 active confirmed, 1 0.2.0");
  });

  it("files of the host: for another board, for one slot only, cut off, of others", async () => {
    const sim = newBoard(delivered(OLD));
    await assert.rejects(update(sim, firmware(1, "1.0.0", "rp2350-pico2")), { code: "E_FIRMWARE_BOARD" });
    await assert.rejects(update(sim, [NEW[0]]), { code: "E_FIRMWARE_SLOT" });
    for (const bytes of [NEW[1].bytes.subarray(0, 9000), changed(4000), changed(33), noise(1, 400)])
      assert.throws(() => readUpdateFile(bytes), { code: "E_FIRMWARE_FILE" });
  });
});

describe("foreign clients", () => {
  it("that name no image: a firmware is known by its first bytes, a model stays a model", async () => {
    const sim = newBoard(delivered(OLD));
    const answer = await withModel(sim);
    await withBench(sim, async (device) => {
      assert.deepEqual(await send(device, NEW[1], {}), { off: NEW[1].bytes.length, match: true });
      assert.deepEqual(await send(device, NEW[1], {}), { off: NEW[1].bytes.length, match: true });
      assert.equal((await listModels(device)).filter((model) => model.state !== "empty").length, 1);
      // smpmgr: test, reset, confirm what runs.
      await choose(device, NEW[1].hash, false);
      await device.session.write(GROUP_OS, OS_RESET, {});
    });
    assert.equal(sim.slot, 1);
    await withBench(sim, (device) => choose(device, undefined, true));
    assert.equal(await state(sim), "0 0.1.0, 1 0.2.0 active confirmed");
    assert.deepEqual(await withBench(sim, (device) => greedy(device)), answer);
  });

  it("see one image 0 on a board without records, and none on a board without slots", async () => {
    assert.equal(await state(newBoard(delivered(OLD))), "0 0.1.0 active confirmed");
    const flash = delivered(OLD, (bytes) => bytes.set(record(7, 0), region.offset));
    assert.equal(await state(newBoard(flash)), "0 0.1.0 active confirmed");
  });
});

it("a firmware file is read as it is made", () => {
  const made = { board: "rp2040-pico", version: "12.34.567", address: 0x10021000 };
  const file = readUpdateFile(firmwareFile(made, noise(5, 1234)));
  assert.deepEqual({ board: file.board, version: file.version, address: file.address }, made);
  assert.equal(Buffer.from(file.hash).toString("hex"), sha256(file.bytes.subarray(0, 256 + 1234)));
});
