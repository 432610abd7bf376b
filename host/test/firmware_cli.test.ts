/** `tritkit flash --firmware`: by the board's boot ROM, told to people and to programs, and nothing written that should not be. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { plugDrive } from "./boot_drive.ts";
import { type JsonLine, run, start } from "./command.ts";
import { checkObject, checkWords } from "./failure.ts";
import { noise, type Piece, sha256, writeRelease } from "./firmware_fixture.ts";
import { uf2Blocks, uf2File } from "./uf2_blocks.ts";

const PIECES: Piece[] = [
  { address: 0x10000000, bytes: noise(1, 256) },
  { address: 0x10000100, bytes: noise(2, 60_000) },
];
const WHOLE = new Uint8Array([...PIECES[0].bytes, ...PIECES[1].bytes]);

let folder = "";
let count = 0;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tritkit-firmware-cli-"));
});
after(() => rm(folder, { recursive: true, force: true }));

const fresh = (): string => join(folder, String(count++));

async function release(board = "rp2040-pico", pieces = PIECES): Promise<string> {
  const path = fresh();
  await writeRelease(path, board, pieces);
  return path;
}

async function file(name: string, content: Uint8Array | string): Promise<string> {
  const path = join(folder, `${count++}-${name}`);
  await writeFile(path, content);
  return path;
}

const flash = (...args: string[]): string[] => ["flash", "--firmware", ...args];

describe("a Pico's drive", () => {
  it("gets the release: events of every phase, and the bytes that were built", async () => {
    const drive = await plugDrive(fresh());
    const args = flash("--board", "rp2040-pico", "--file", await release(), "--drive", drive.path, "--json");
    const { status, stdout, stderr } = await run(args);
    assert.deepEqual([status, stderr], [0, ""], stdout);
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as JsonLine);
    assert.deepEqual([...new Set(events.map(({ phase }) => phase))], ["connect", "write", "reset", "done"]);
    const done = events.at(-1);
    const { seconds, ...rest } = done ?? { event: "" };
    assert.deepEqual(rest, {
      event: "flash",
      phase: "done",
      bytes: 61_440,
      total: 61_440,
      skipped: 0,
      board: "rp2040-pico",
      firmware: "9.8.7",
      sha256: sha256(WHOLE),
    });
    assert.ok(Number(seconds) > 0);
    const blocks = uf2Blocks(await drive.taken);
    const programmed = Buffer.concat(blocks.map(({ bytes }) => bytes));
    assert.deepEqual(new Uint8Array(programmed.subarray(0, WHOLE.length)), WHOLE);
  });

  it("and people read what was done, and what was not checked", async () => {
    const drive = await plugDrive(fresh());
    const bin = await file("firmware.bin", WHOLE);
    const args = flash("--board", "rp2040-pico", "--file", bin, "--address", "0x10000000", "--drive", drive.path);
    const { status, stdout, stderr } = await run(args);
    assert.deepEqual([status, stdout], [0, ""], stderr);
    assert.match(
      stderr,
      /^flash {2}firmware of rp2040-pico: 60 KiB in \d+\.\d s, .*\/s {2}the boot ROM took all of it/,
    );
    assert.match(stderr, /reads nothing back/);
    assert.match(stderr, /tritkit flash MODEL --port PORT/);
    await drive.taken;
  });

  it("Ctrl-C while the board should restart: exit 130", async () => {
    const drive = await plugDrive(fresh(), { restarts: false });
    const args = flash("--board", "rp2040-pico", "--file", await release(), "--drive", drive.path, "--json");
    const running = start(args);
    await running.line(({ phase }) => phase === "reset");
    running.signal("SIGINT");
    checkObject(await running.ended, "E_INTERRUPTED", 130);
    await drive.close();
  });
});

interface Case {
  what: string;
  args: () => string[] | Promise<string[]>;
  code: string;
  exit: number;
}

const pico = (...args: string[]): string[] => flash("--board", "rp2040-pico", ...args);

const CASES: Case[] = [
  { what: "no board", args: () => flash(), code: "E_USAGE", exit: 2 },
  { what: "no such board", args: () => flash("--board", "pdp11"), code: "E_UNKNOWN_BOARD", exit: 2 },
  {
    what: "a model too",
    args: () => ["flash", "stories-1m", "--firmware", "--board", "rp2040-pico"],
    code: "E_USAGE",
    exit: 2,
  },
  { what: "an option of models", args: () => pico("--context", "20"), code: "E_USAGE", exit: 2 },
  { what: "its options without it", args: () => ["flash", "stories-1m", "--file", "a.bin"], code: "E_USAGE", exit: 2 },
  { what: "neither model nor firmware", args: () => ["flash", "--port", "tcp:1"], code: "E_USAGE", exit: 2 },
  {
    what: "a board that ships none",
    args: () => flash("--board", "esp32-s3", "--port", "tcp:1"),
    code: "E_NO_FIRMWARE",
    exit: 1,
  },
  { what: "a board without boot ROM", args: () => flash("--board", "mps2-an385"), code: "E_NO_BOOT_ROM", exit: 2 },
  {
    what: "a drive for a board that is none",
    args: () => flash("--board", "stm32f405", "--drive", folder),
    code: "E_USAGE",
    exit: 2,
  },
  {
    what: "a folder that is no drive",
    args: async () => pico("--file", await release(), "--drive", folder),
    code: "E_NO_BOOT_DRIVE",
    exit: 1,
  },
  {
    what: "a TCP port to touch",
    args: async () => pico("--file", await release(), "--port", "tcp:7000", "--drive", folder),
    code: "E_USAGE",
    exit: 2,
  },
  {
    what: "a port to touch that is not there",
    args: async () => pico("--file", await release(), "--port", "/dev/ttyNONE7", "--drive", folder),
    code: "E_PORT_NOT_FOUND",
    exit: 1,
  },
  { what: "a file that is not there", args: () => pico("--file", fresh()), code: "E_FILE_NOT_FOUND", exit: 1 },
  { what: "a folder without firmware", args: () => pico("--file", folder), code: "E_NO_FIRMWARE", exit: 1 },
  {
    what: "a file of no known kind",
    args: async () => pico("--file", await file("a.txt", "x")),
    code: "E_USAGE",
    exit: 2,
  },
  {
    what: "a .bin without an address",
    args: async () => pico("--file", await file("a.bin", WHOLE)),
    code: "E_USAGE",
    exit: 2,
  },
  { what: "an address without a file", args: () => pico("--address", "0x10000000"), code: "E_USAGE", exit: 2 },
  ...["ten", "-1", "0x1_0", "1e3", "4294967296", ""].map((address) => ({
    what: `the address "${address}"`,
    args: async () => pico("--file", await file("a.bin", WHOLE), `--address=${address}`),
    code: "E_USAGE",
    exit: 2,
  })),
  {
    what: "a .bin into the models",
    args: async () => pico("--file", await file("a.bin", WHOLE), "--address", "0x1003ff00"),
    code: "E_FIRMWARE_RANGE",
    exit: 3,
  },
  {
    what: "a .bin outside flash",
    args: async () => pico("--file", await file("a.bin", WHOLE), "--address", "0x20000000"),
    code: "E_FIRMWARE_RANGE",
    exit: 3,
  },
  {
    what: "an empty .bin",
    args: async () => pico("--file", await file("a.bin", ""), "--address", "0x10000000"),
    code: "E_FIRMWARE_FILE",
    exit: 1,
  },
  {
    what: "a damaged .hex",
    args: async () => pico("--file", await file("a.hex", ":00000001FE\n")),
    code: "E_FIRMWARE_FILE",
    exit: 1,
  },
  {
    what: "any bytes as .uf2",
    args: async () => pico("--file", await file("a.uf2", noise(5, 1024))),
    code: "E_FIRMWARE_FILE",
    exit: 1,
  },
  {
    what: "a .uf2 for another chip",
    args: async () => pico("--file", await file("a.uf2", uf2File([[0x10000000, noise(1, 256)]], 0xe48bff59))),
    code: "E_FIRMWARE_BOARD",
    exit: 3,
  },
  {
    what: "a model as .uf2",
    args: async () => pico("--file", await file("a.uf2", uf2File([[0x10040000, noise(1, 256)]]))),
    code: "E_FIRMWARE_RANGE",
    exit: 3,
  },
  {
    what: "a release of another board",
    args: async () => pico("--file", await release("stm32f405")),
    code: "E_FIRMWARE_BOARD",
    exit: 3,
  },
  {
    what: "a release with a flipped bit",
    args: async () => {
      const path = await release();
      const [name] = (await readdir(path)).filter((each) => each.endsWith(".bin"));
      const bytes = await readFile(join(path, name));
      bytes[7] ^= 1;
      await writeFile(join(path, name), bytes);
      return pico("--file", path);
    },
    code: "E_FIRMWARE_CORRUPT",
    exit: 1,
  },
];

describe("failures, told", () => {
  for (const { what, args, code, exit } of CASES) {
    it(`${what}: ${code}, exit ${exit}`, async () => {
      const given = await args();
      checkWords(await run([...given, "--quiet"]), code, exit);
      checkObject(await run([...given, "--json"]), code, exit);
    });
  }

  it("another chip's drive gets nothing", async () => {
    const drive = await plugDrive(fresh(), { boardId: "RP2350", model: "Raspberry Pi RP2350" });
    checkWords(await run(pico("--file", await release(), "--drive", drive.path, "--quiet")), "E_FIRMWARE_BOARD", 3);
    assert.deepEqual(await readdir(drive.path), ["INFO_UF2.TXT"]);
    await drive.close();
  });

  it("a board that only QEMU runs: the line that loads it", async () => {
    for (const [board, line] of [
      ["mps2-an505", "qemu-system-arm -M mps2-an505 "],
      ["riscv-virt", "qemu-system-riscv32 -M virt "],
    ]) {
      const { stderr } = await run(flash("--board", board));
      assert.ok(stderr.includes(line) && stderr.includes("--port tcp:7000"), stderr);
    }
  });
});
