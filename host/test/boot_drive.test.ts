/** Copying to the drive of a Pico: which one, what of it is told, and what happens when it is not as it should be. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Board } from "../../boards/board.ts";
import { loadBoard } from "../assets.ts";
import type { FirmwareProgress } from "../device/firmware/progress.ts";
import { touch1200 } from "../device/firmware/touch.ts";
import { writeUf2 } from "../device/firmware/uf2.ts";
import { bootDrives, copyUf2, fatMounts, findBootDrive } from "../device/firmware/uf2_drive.ts";
import { infoFile, plugDrive } from "./boot_drive.ts";
import { noise } from "./firmware_fixture.ts";
import { PICO_FAMILY, uf2File } from "./uf2_blocks.ts";

let folder = "";
let pico: Board;
let pico2: Board;
let count = 0;
/** 37 sectors: more than one chunk, and the last one is short. */
const FILE = writeUf2([{ address: 0x10000000, bytes: noise(1, 150_000) }], PICO_FAMILY);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tritkit-drive-"));
  pico = await loadBoard("rp2040-pico");
  pico2 = await loadBoard("rp2350-pico2");
});
after(() => rm(folder, { recursive: true, force: true }));

const fresh = (): string => join(folder, String(count++));

describe("copying to the drive", () => {
  it("puts the whole file there, says how far it is, and is done when the board restarts", async () => {
    const drive = await plugDrive(fresh());
    const seen: FirmwareProgress[] = [];
    const done = await copyUf2(FILE, pico, { drive: drive.path, onProgress: (progress) => seen.push(progress) });
    assert.deepEqual(await drive.taken, FILE);
    assert.deepEqual([...new Set(seen.map(({ phase }) => phase))], ["connect", "write", "reset", "done"]);
    assert.ok(seen.filter(({ phase }) => phase === "write").length > 4, "a piece at a time");
    seen.reduce((a, b) => {
      assert.ok(b.bytes >= a.bytes && b.seconds >= a.seconds && b.total === a.total);
      return b;
    });
    assert.deepEqual([done.phase, done.bytes, done.total, done.skipped], ["done", 37 * 4096, 37 * 4096, 0]);
  });

  it("waits for a drive that takes its time to appear", async () => {
    const path = fresh();
    const copied = copyUf2(FILE, pico, { drive: path, appearMs: 10_000 });
    await sleep(250);
    const drive = await plugDrive(path);
    assert.equal((await copied).phase, "done");
    assert.deepEqual(await drive.taken, FILE);
  });

  it("without a drive says how to get one, and at once", async () => {
    const error = await copyUf2(FILE, pico, { drive: fresh() }).catch((thrown) => thrown);
    assert.equal(error.code, "E_NO_BOOT_DRIVE");
    assert.match(error.hint, /Hold BOOTSEL while you plug Raspberry Pi Pico in/);
    await assert.rejects(copyUf2(FILE, pico, { drive: folder }), {
      code: "E_NO_BOOT_DRIVE",
      message: /no INFO_UF2\.TXT/,
    });
  });

  it("another chip's drive gets nothing", async () => {
    const drive = await plugDrive(fresh(), { boardId: "RP2350", model: "Raspberry Pi RP2350" });
    await assert.rejects(copyUf2(FILE, pico, { drive: drive.path }), {
      code: "E_FIRMWARE_BOARD",
      exitStatus: 3,
      message: /calls itself "RP2350"; rp2040-pico is "RPI-RP2"/,
    });
    assert.deepEqual(await readdir(drive.path), ["INFO_UF2.TXT"]);
    assert.equal((await findBootDrive(pico2, drive.path))?.boardId, "RP2350");
    await drive.close();
  });

  it("a file that this chip's ROM would ignore is refused before the drive is touched", async () => {
    const drive = await plugDrive(fresh());
    const other = uf2File([[0x10000000, noise(1, 256)]], 0xe48bff59);
    await assert.rejects(copyUf2(other, pico, { drive: drive.path }), { code: "E_FIRMWARE_BOARD" });
    await assert.rejects(copyUf2(FILE.subarray(0, 5120), pico, { drive: drive.path }), { code: "E_FIRMWARE_FILE" });
    assert.deepEqual(await readdir(drive.path), ["INFO_UF2.TXT"]);
    await drive.close();
  });

  it("a board that does not restart is a failure, within its deadline", async () => {
    const drive = await plugDrive(fresh(), { restarts: false });
    const started = performance.now();
    await assert.rejects(copyUf2(FILE, pico, { drive: drive.path, restartMs: 300 }), {
      code: "E_BOOT_DRIVE",
      message: /did not restart/,
    });
    assert.ok(performance.now() - started >= 300);
    await drive.close();
  });

  it("a drive that cannot be written to is a failure", async () => {
    const drive = await plugDrive(fresh(), { restarts: false });
    await mkdir(join(drive.path, "tritkit.uf2"));
    await assert.rejects(copyUf2(FILE, pico, { drive: drive.path }), { code: "E_BOOT_DRIVE", message: /took 0 of/ });
    await drive.close();
  });

  it("ends when it is told to: while waiting for the drive, while copying, while waiting for the restart", async () => {
    for (const phase of ["connect", "write", "reset"]) {
      const drive = phase === "connect" ? null : await plugDrive(fresh(), { restarts: false });
      const over = new AbortController();
      const copied = copyUf2(FILE, pico, {
        drive: drive?.path ?? fresh(),
        appearMs: 60_000,
        restartMs: 60_000,
        signal: over.signal,
        onProgress: (progress) => {
          if (progress.phase === phase && (phase !== "write" || progress.bytes > 0)) setImmediate(() => over.abort());
        },
      });
      await assert.rejects(copied, { code: "E_INTERRUPTED", exitStatus: 130 }, phase);
      if (phase === "write") assert.deepEqual(await readdir(drive?.path ?? ""), ["INFO_UF2.TXT"], "no half a file");
      await drive?.close();
    }
  });
});

describe("finding the drive", () => {
  it("FAT file systems of Linux, names with blanks too; networks and disks are not looked at", () => {
    const mounts = [
      "/dev/sda1 / ext4 rw 0 0",
      "server:/home /mnt/home nfs4 rw 0 0",
      "/dev/sdb1 /media/ann/RPI-RP2 vfat rw,nosuid 0 0",
      "/dev/sdc1 /run/media/ann/NO\\040NAME vfat rw 0 0",
      "",
    ].join("\n");
    assert.deepEqual(fatMounts(mounts), [
      { device: "/dev/sdb1", path: "/media/ann/RPI-RP2" },
      { device: "/dev/sdc1", path: "/run/media/ann/NO NAME" },
    ]);
  });

  it("is by INFO_UF2.TXT, whatever the drive is called", async () => {
    const [plain, named, nameless] = [fresh(), fresh(), fresh()];
    for (const path of [plain, named, nameless]) await mkdir(path);
    await writeFile(join(named, "INFO_UF2.TXT"), infoFile("RPI-RP2"));
    await writeFile(join(nameless, "INFO_UF2.TXT"), "UF2 Bootloader v9\n");
    const places = [plain, named, nameless, fresh()].map((path) => ({ path, device: null }));
    assert.deepEqual(await bootDrives(places), [
      { path: named, device: null, boardId: "RPI-RP2" },
      { path: nameless, device: null, boardId: "" },
    ]);
  });
});

describe("the 1200-baud touch", () => {
  it("leaves the port at 1200 baud and closed", async (t) => {
    const pty = openPty();
    if (pty === null) return t.skip("no pseudo-terminal here");
    try {
      await touch1200(pty.path);
      assert.equal(execFileSync("stty", ["-F", pty.path, "speed"], { encoding: "utf8" }).trim(), "1200");
      await touch1200(pty.path);
    } finally {
      pty.close();
    }
  });

  it("of a port that is not there says so", async () => {
    await assert.rejects(touch1200("/dev/ttyNONE7"), { code: "E_PORT_NOT_FOUND" });
  });
});

/** Linux only: a pseudo-terminal's speed can be read there. */
function openPty(): { path: string; close(): void } | null {
  interface Native {
    open(columns: number, rows: number): { master: number; slave: number; pty: string };
  }
  if (process.platform !== "linux") return null;
  try {
    const load = createRequire(import.meta.url)("@lydell/node-pty/requireBinary.js");
    const { master, slave, pty } = (load.requireBinary("pty.node") as Native).open(80, 24);
    return {
      path: pty,
      close() {
        for (const fd of [master, slave]) closeSync(fd);
      },
    };
  } catch {
    return null;
  }
}
