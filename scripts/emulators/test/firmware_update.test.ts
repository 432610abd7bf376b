/**
 * The firmware of a Pico replaces itself, in machine code: boot2, the selector and both firmwares as the compiler made them run on rp2040js,
 * the host's own client is at the other end of the UART, and power fails in the middle of flash operations.
 *
 *     npm run test:emulators    builds the firmware (arm-none-eabi-gcc) and takes minutes: not part of npm test
 */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { type Board, updateRegion } from "../../../boards/board.ts";
import { loadBoard } from "../../../host/assets.ts";
import { generateOnDevice } from "../../../host/device/chat.ts";
import { Device } from "../../../host/device/device.ts";
import { type FirmwareState, listFirmware, updateFirmware } from "../../../host/device/firmware/over_smp.ts";
import { readUpdateFile, type UpdateFile } from "../../../host/device/firmware/update_file.ts";
import { flashModel } from "../../../host/device/flasher.ts";
import { readModel } from "../../../host/test/transcripts.ts";
import { GROUP_IMAGE, GROUP_OS, IMG_STATE, OS_RESET } from "../../../spec/wire.ts";
import { buildFirmware } from "../../firmware/build.mjs";
import { firmwareFile } from "../../firmware/image.mjs";
import { FLASH_BYTES, type Rp2040, startRp2040 } from "../rp2040/chip.ts";
import { picoTransport } from "../rp2040/live.ts";

const skip = process.env.TRITKIT_TEST_EMULATORS === undefined && "npm run test:emulators";
/** Operations of an update in which power fails: the record that begins it, the first erase and program, some in the middle. */
const CUTS = [1, 2, 3, 60, 121, 200];

let board: Board;
/** One build, linked for each slot. */
let files: UpdateFile[];
/** Of a Pico that was delivered with the first and has got a model. */
let flash: Uint8Array;
let answer: readonly number[];

async function connected<T>(pico: Rp2040, work: (device: Device) => Promise<T>): Promise<T> {
  const device = await Device.connect(picoTransport(pico));
  try {
    return await work(device);
  } finally {
    await device.close();
  }
}

const copy = (): Rp2040 => startRp2040({ flash: flash.slice(), seed: 7 });
/** To the build for slot 1: the device counts as running the whole release already, whose other half it is. */
const update = (pico: Rp2040) => connected(pico, (device) => updateFirmware(device, board, [files[1]]));
const say = async (device: Device): Promise<readonly number[]> =>
  (await generateOnDevice(device, "ab", { temperature: 0, maxTokens: 4 })).tokenIds;

interface Found {
  active: FirmwareState | undefined;
  ids: readonly number[];
}
const look = (pico: Rp2040): Promise<Found> =>
  connected(pico, async (device) => ({
    active: (await listFirmware(device)).find((state) => state.active),
    ids: await say(device),
  }));

/** The board starts one of the two, confirmed, and its model answers as before; returns the slot. */
async function healthy(pico: Rp2040): Promise<number> {
  const { active, ids } = await look(pico);
  assert.ok(active?.confirmed);
  assert.deepEqual(Buffer.from(active.hash), Buffer.from(files[active.slot].hash));
  assert.deepEqual(ids, answer);
  return active.slot;
}

/** Puts a file into slot 1 as an upload would have, and asks for its trial. */
async function tryFile(pico: Rp2040, file: UpdateFile): Promise<void> {
  await connected(pico, async (device) => {
    await device.session.write(GROUP_IMAGE, IMG_STATE, { hash: file.hash, confirm: false }, { deadlineMs: 8000 });
    await device.session.write(GROUP_OS, OS_RESET, {});
  });
}

describe("a Pico's firmware replaces itself, in machine code", { skip }, () => {
  before(async () => {
    board = await loadBoard("rp2040-pico");
    const { segments, updates } = await buildFirmware("rp2040-pico", { variant: "-emulated" });
    files = updates.map(({ bytes }) => readUpdateFile(bytes));
    flash = new Uint8Array(FLASH_BYTES).fill(0xff);
    for (const { address, bytes } of segments) flash.set(bytes, address - board.flash.base);
    const pico = copy();
    answer = await connected(pico, async (device) => {
      await flashModel(device, readModel("relu2"), { context: 32 });
      return say(device);
    });
    flash = pico.flash.slice();
  });

  const slotAt = (slot: number): number => updateRegion(board)?.slots[slot] ?? 0;

  it("there and back again, and stays what it is when power fails afterwards", async (t) => {
    const pico = copy();
    const done = await update(pico);
    assert.equal(await healthy(pico), 1);
    t.diagnostic(
      `${done.total} bytes in ${done.seconds.toFixed(2)} simulated seconds, ${pico.flashOperations} flash operations`,
    );
    pico.cutPower();
    pico.powerOn();
    assert.equal(await healthy(pico), 1);
    assert.equal((await update(pico)).skipped, done.total, "it runs already");
    // Back: for slot 0 another build is needed, since this one is known to run; its payload differs in nothing that runs.
    const payload = files[0].bytes.subarray(256, files[0].bytes.length - 40);
    const newer = readUpdateFile(firmwareFile({ ...files[0], version: "9.8.7" }, payload));
    await connected(pico, (device) => updateFirmware(device, board, [newer]));
    const { active, ids } = await look(pico);
    assert.deepEqual([active?.slot, active?.version, active?.confirmed], [0, "9.8.7", true]);
    assert.deepEqual(ids, answer);
  });

  for (const n of CUTS) {
    it(`power fails in operation ${n}`, async () => {
      const pico = copy();
      pico.cutAtOperation(pico.flashOperations + n);
      await assert.rejects(update(pico));
      assert.equal(pico.powered, false);
      pico.powerOn();
      assert.equal(await healthy(pico), 0);
      await update(pico);
      assert.equal(await healthy(pico), 1);
    });
  }

  it("power fails in the record that confirms", async () => {
    const whole = copy();
    const first = whole.flashOperations;
    await update(whole);
    const pico = copy();
    pico.cutAtOperation(pico.flashOperations + whole.flashOperations - first);
    await assert.rejects(update(pico));
    assert.equal(pico.powered, false);
    pico.powerOn();
    await healthy(pico);
    await update(pico);
    assert.equal(await healthy(pico), 1);
  });

  it("a trial ends with a power cut, and with the RUN pin", async () => {
    const powerCycle = (pico: Rp2040) => {
      pico.cutPower();
      pico.powerOn();
    };
    for (const end of [powerCycle, (pico: Rp2040) => pico.reset()]) {
      const pico = copy();
      pico.flash.set(files[1].bytes, slotAt(1));
      await tryFile(pico, files[1]);
      const { active } = await look(pico);
      assert.deepEqual([active?.slot, active?.confirmed], [1, false]);
      end(pico);
      assert.equal(await healthy(pico), 0);
    }
  });

  it("a firmware that hangs in its first instructions is reset by the watchdog that the selector started", async () => {
    // cpsid i; wfi; b .
    const payload = new Uint8Array(64);
    const view = new DataView(payload.buffer);
    const address = board.flash.base + slotAt(1);
    view.setUint32(0, 0x20040000, true);
    view.setUint32(4, address + 256 + 8 + 1, true);
    [0xb672, 0xbf30, 0xe7fe].forEach((code, i) => {
      view.setUint16(8 + 2 * i, code, true);
    });
    const hangs = readUpdateFile(firmwareFile({ board: board.name, version: "6.6.6", address }, payload));
    const pico = copy();
    const started = pico.seconds;
    await assert.rejects(
      connected(pico, (device) => updateFirmware(device, board, [hangs])),
      { code: "E_ROLLED_BACK" },
    );
    assert.ok(pico.seconds - started > 5, "the watchdog took its time");
    assert.equal(pico.lastReset, "the watchdog");
    assert.equal(await healthy(pico), 0);
  });

  it("a damaged image is not started, a damaged confirmed one gives way to the other", async () => {
    const pico = copy();
    await update(pico);
    pico.flash[slotAt(1) + 20_000] ^= 0x10;
    pico.cutPower();
    pico.powerOn();
    const { active, ids } = await look(pico);
    assert.equal(active?.slot, 0);
    assert.deepEqual(ids, answer);
    await update(pico);
    assert.equal(await healthy(pico), 1);
  });

  it("without any whole image the boot ROM is asked for its USB drive", () => {
    const pico = copy();
    pico.flash[slotAt(0) + 20_000] ^= 0x10;
    pico.reset();
    // The ROM's table of functions; there is no ROM in the emulator.
    assert.throws(() => pico.run({ cycles: 100_000_000 }), /read of 0x0*1[48]: a null pointer, or the boot ROM/);
  });
});
