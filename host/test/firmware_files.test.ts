/** Firmware before it is given to a chip: releases, single files, and where they may go. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Board } from "../../boards/board.ts";
import { ROOT } from "../../scripts/lib/root.mjs";
import { listBoards, loadBoard, loadFirmware } from "../assets.ts";
import { readBoardFirmware, releasedFirmware } from "../device/firmware/files.ts";
import { checkFirmwareRange } from "../device/firmware/layout.ts";
import { readFirmwareFolder, readRelease } from "../device/firmware/release.ts";
import { type Manifest, noise, writeRelease } from "./firmware_fixture.ts";
import { uf2Blocks, uf2File } from "./uf2_blocks.ts";

let folder = "";
let pico: Board;
let f405: Board;
let count = 0;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tritkit-firmware-"));
  pico = await loadBoard("rp2040-pico");
  f405 = await loadBoard("stm32f405");
});
after(() => rm(folder, { recursive: true, force: true }));

const fresh = (): string => join(folder, String(count++));

async function file(name: string, content: Uint8Array | string): Promise<string> {
  const path = join(folder, `${count++}-${name}`);
  await writeFile(path, content);
  return path;
}

/** Two segments as the STM32F405 has them: sectors 0 and 1, and sector 11. */
const PIECES = [
  { address: 0x08000000, bytes: noise(1, 20_000) },
  { address: 0x080e0000, bytes: noise(2, 70_001) },
];

describe("a release", () => {
  it("is read as it was built", async () => {
    const path = fresh();
    await writeRelease(path, "stm32f405", [...PIECES].reverse(), null, (m) => ({ ...m, elf: "firmware.elf" }));
    const firmware = await readFirmwareFolder(path);
    assert.deepEqual(firmware, {
      board: "stm32f405",
      version: "9.8.7",
      wasmSha256: "0".repeat(64),
      segments: PIECES,
      uf2: null,
      elf: join(path, "firmware.elf"),
      updates: [],
    });
    assert.deepEqual(await readBoardFirmware(path, f405), { segments: PIECES, uf2: null, version: "9.8.7" });
  });

  it("no folder, and a folder without a manifest, are none", async () => {
    assert.equal(await readFirmwareFolder(fresh()), null);
    assert.equal(await readFirmwareFolder(await file("file", "x")), null);
    await assert.rejects(readBoardFirmware(folder, f405), { code: "E_NO_FIRMWARE" });
  });

  it("one flipped bit, a byte less and a file that is missing are found", async () => {
    const damage: ((path: string, bytes: Uint8Array) => Promise<void>)[] = [
      (path, bytes) => writeFile(path, bytes.with(19_999, bytes[19_999] ^ 1)),
      (path, bytes) => writeFile(path, bytes.subarray(1)),
      (path) => rm(path),
    ];
    for (const spoil of damage) {
      const path = fresh();
      await writeRelease(path, "stm32f405", PIECES);
      await spoil(join(path, "firmware-08000000.bin"), PIECES[0].bytes);
      await assert.rejects(readFirmwareFolder(path), { code: "E_FIRMWARE_CORRUPT", message: /firmware-08000000\.bin/ });
    }
  });

  const WRONG: [what: string, change: (manifest: Manifest) => unknown][] = [
    ["no object", () => []],
    ["null", () => null],
    ["no board", ({ board: _, ...rest }) => rest],
    ["no version", (m) => ({ ...m, version: 1 })],
    ["a digest that is none", (m) => ({ ...m, wasm_sha256: "0" })],
    ["no segments", (m) => ({ ...m, segments: [] })],
    ["segments of nothing", (m) => ({ ...m, segments: [null] })],
    ["an address as text", (m) => ({ ...m, segments: [{ ...m.segments[0], address: "134217728" }] })],
    ["an address beyond 32 bits", (m) => ({ ...m, segments: [{ ...m.segments[0], address: 2 ** 32 }] })],
    ["a path out of the folder", (m) => ({ ...m, segments: [{ ...m.segments[0], file: "../firmware.bin" }] })],
    ["an absolute path", (m) => ({ ...m, segments: [{ ...m.segments[0], file: "/etc/hostname" }] })],
    ["a UF2 file that is missing", (m) => ({ ...m, uf2: "firmware.uf2" })],
    ["an ELF file that is no name", (m) => ({ ...m, elf: 7 })],
  ];
  for (const [what, change] of WRONG) {
    it(`a manifest with ${what} is damaged`, async () => {
      const path = fresh();
      await writeRelease(path, "stm32f405", PIECES, null, change);
      await assert.rejects(readFirmwareFolder(path), { code: "E_FIRMWARE_CORRUPT" });
    });
  }

  it("a manifest that is no JSON is damaged, segments on top of each other are refused", async () => {
    const path = fresh();
    await writeRelease(path, "stm32f405", PIECES);
    await writeFile(join(path, "firmware.json"), "{");
    await assert.rejects(readFirmwareFolder(path), { code: "E_FIRMWARE_CORRUPT" });
    const twice = fresh();
    await writeRelease(twice, "stm32f405", [PIECES[0], { address: 0x08000100, bytes: noise(3, 16) }]);
    await assert.rejects(readFirmwareFolder(twice), { code: "E_FIRMWARE_FILE" });
  });

  it("of another board is refused", async () => {
    const path = fresh();
    await writeRelease(path, "stm32h743", PIECES);
    await assert.rejects(readBoardFirmware(path, f405), { code: "E_FIRMWARE_BOARD", exitStatus: 3 });
    await assert.rejects(readRelease(path, "stm32f405"), { code: "E_FIRMWARE_BOARD" });
    assert.deepEqual(await readRelease(path, "stm32h743"), PIECES);
    await assert.rejects(readRelease(folder, "stm32h743"), { code: "E_NO_FIRMWARE" });
  });

  it("whose UF2 file holds something else than its segments is refused", async () => {
    const [path, pieces] = [fresh(), [{ address: 0x10000000, bytes: noise(4, 300) }]];
    const pages = (bytes: Uint8Array): [number, Uint8Array][] => [
      [0x10000000, bytes.slice(0, 256)],
      [0x10000100, new Uint8Array([...bytes.slice(256, 300), ...new Uint8Array(212)])],
    ];
    await writeRelease(path, "rp2040-pico", pieces, uf2File(pages(pieces[0].bytes)));
    assert.equal((await readBoardFirmware(path, pico)).uf2?.length, 1024);
    await writeRelease(path, "rp2040-pico", pieces, uf2File(pages(noise(5, 300))));
    await assert.rejects(readBoardFirmware(path, pico), { code: "E_FIRMWARE_CORRUPT" });
    await writeRelease(path, "rp2040-pico", pieces, uf2File(pages(pieces[0].bytes).slice(0, 1)));
    await assert.rejects(readBoardFirmware(path, pico), { code: "E_FIRMWARE_CORRUPT" });
  });

  it("ships for a board or does not; what ships is whole and leaves the models alone", async () => {
    for (const board of await listBoards()) {
      if (!existsSync(join(ROOT, "boards", board.name, "release/firmware.json"))) {
        await assert.rejects(loadFirmware(board), { code: "E_NO_FIRMWARE" }, board.name);
        continue;
      }
      const firmware = await loadFirmware(board);
      // What an emulator or a debug probe loads may lie outside flash.
      if (board.rom === null) continue;
      const released = releasedFirmware(firmware, board);
      assert.equal(released.uf2 !== null, board.rom === "uf2", board.name);
    }
    const none = { ...(await listBoards())[0], name: "no-such-board" };
    await assert.rejects(loadFirmware(none), { code: "E_NO_FIRMWARE" });
  });
});

describe("a single file", () => {
  it(".bin goes where --address says, and must be told", async () => {
    const path = await file("a.bin", noise(1, 100));
    const { segments, version } = await readBoardFirmware(path, f405, 0x08000000);
    assert.deepEqual(segments, [{ address: 0x08000000, bytes: noise(1, 100) }]);
    assert.equal(version, null);
    await assert.rejects(readBoardFirmware(path, f405), { code: "E_USAGE", exitStatus: 2 });
  });

  it(".hex says where; an --address beside it is refused", async () => {
    const path = await file("a.hex", ":020000040800F2\n:0100000001FE\n:00000001FF\n");
    assert.deepEqual((await readBoardFirmware(path, f405)).segments, [
      { address: 0x08000000, bytes: Uint8Array.of(1) },
    ]);
    await assert.rejects(readBoardFirmware(path, f405, 0x08000000), { code: "E_USAGE" });
  });

  it(".uf2 is for chips that take it, and is copied as it is", async () => {
    const uf2 = uf2File([[0x10000000, noise(1, 256)]]);
    const path = await file("a.UF2", uf2);
    assert.deepEqual((await readBoardFirmware(path, pico)).uf2, uf2);
    await assert.rejects(readBoardFirmware(path, f405), { code: "E_USAGE" });
  });

  it("a .bin for a chip that takes UF2 becomes a UF2 file of whole sectors", async () => {
    const { uf2 } = await readBoardFirmware(await file("b.bin", noise(1, 5000)), pico, 0x10000000);
    const blocks = uf2Blocks(uf2 ?? new Uint8Array());
    assert.equal(blocks.length, 32);
    assert.deepEqual(Buffer.concat(blocks.map(({ bytes }) => bytes)).subarray(0, 5000), Buffer.from(noise(1, 5000)));
  });

  it("anything else is refused by its name; a missing one is missing", async () => {
    await assert.rejects(readBoardFirmware(await file("a.elf", "\x7fELF"), f405), {
      code: "E_USAGE",
      message: /a\.elf/,
    });
    await assert.rejects(readBoardFirmware(join(folder, "none.bin"), f405, 0), { code: "E_FILE_NOT_FOUND" });
  });
});

describe("where firmware may go", () => {
  const at = (board: Board, address: number, bytes: number): void =>
    checkFirmwareRange(board, [{ address, bytes: new Uint8Array(bytes) }]);
  const refused = (board: Board, address: number, bytes: number, message: RegExp): void =>
    assert.throws(() => at(board, address, bytes), { code: "E_FIRMWARE_RANGE", message });

  it("everywhere in flash outside the partition, up to its very edges", () => {
    at(pico, 0x10000000, 0x40000);
    at(f405, 0x08000000, 0x8000);
    at(f405, 0x080e0000, 0x20000);
  });

  it("not one byte into the partition of the models", () => {
    refused(pico, 0x10000000, 0x40001, /keeps its models at 0x10040000\.\.0x10200000/);
    refused(pico, 0x101fffff, 1, /keeps its models/);
    refused(f405, 0x08007fff, 2, /keeps its models/);
    refused(f405, 0x080dffff, 2, /keeps its models/);
    refused(f405, 0x08000000, 0x100000, /keeps its models/);
  });

  it("not outside flash", () => {
    refused(pico, 0x0fffffff, 2, /flash of rp2040-pico is 0x10000000\.\.0x10200000/);
    refused(pico, 0x20000000, 16, /the flash/);
    refused(f405, 0x080fffff, 2, /the flash/);
  });

  it("and not nothing at all", () => {
    assert.throws(() => checkFirmwareRange(pico, []), { code: "E_FIRMWARE_FILE" });
    assert.throws(() => at(pico, 0x10000000, 0), { code: "E_FIRMWARE_FILE" });
  });

  it("a UF2 file that brings more than it should is refused as a whole", async () => {
    const path = await file(
      "more.uf2",
      uf2File([
        [0x10000000, noise(1, 256)],
        [0x10040000, noise(2, 256)],
      ]),
    );
    await assert.rejects(readBoardFirmware(path, pico), { code: "E_FIRMWARE_RANGE" });
  });
});
