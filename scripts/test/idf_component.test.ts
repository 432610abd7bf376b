/**
 * The ESP-IDF component of boards that are not built here: that its C is C, agrees with the drivers' declarations (idf/declarations.h) and with
 * the board's JSON. It does not show that the component works.
 *
 * Needs the RISC-V compiler: skipped in plain `npm test`, `npm run test:firmware` insists on it.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import type { Board } from "../../boards/types.ts";
import { buildIdfProject, partitions } from "../firmware/idf.mjs";
import { TOOLCHAINS } from "../firmware/toolchains.mjs";
import { ROOT } from "../lib/root.mjs";

const run = promisify(execFile);
const SKIP = process.env.TRITKIT_TEST_FIRMWARE === "1" ? false : "needs cross compilers: npm run test:firmware";
const BOARD = "esp32-s3";
// A 32-bit compiler whose types are Xtensa's: uint32_t is a long there too.
const { prefix, flags } = TOOLCHAINS.riscv32imc;

let board: Board;
let project: string;
let component: string;
let headers: string;

/** Each header of ESP-IDF that the shim includes is declarations.h. */
async function declareHeaders(shim: string) {
  const own = await readdir(component);
  const included = [...shim.matchAll(/^#include "(.+)"$/gm)].map(([, name]) => name);
  for (const name of included.filter((name) => !own.includes(name) && name !== "tritkit.h")) {
    await mkdir(dirname(join(headers, name)), { recursive: true });
    await writeFile(join(headers, name), `#include "${join(ROOT, "scripts/test/idf/declarations.h")}"\n`);
  }
}

/** The compiler's words about a source of the component; empty when it has nothing to say. */
async function check(source: string, more: string[] = []): Promise<string> {
  const include = [component, join(component, "include"), headers].map((folder) => `-I${folder}`);
  const generated = ["device.c", "model.c", "kernels.c", "inner.kernels.c"].includes(source)
    ? ["-Wno-unused", "-Wno-unused-parameter"]
    : [];
  const args = [...flags, ...generated, ...include, ...more, "-fsyntax-only", resolve(component, source)];
  return run(`${prefix}gcc`, args).then(
    ({ stderr }) => stderr,
    (error) => error.stderr || String(error),
  );
}

describe("the ESP-IDF project", { skip: SKIP }, () => {
  before(async () => {
    board = JSON.parse(await readFile(join(ROOT, `boards/${BOARD}.json`), "utf8"));
    const built = await buildIdfProject(BOARD);
    project = join(ROOT, built.folder);
    component = join(ROOT, built.component);
    headers = await mkdtemp(join(tmpdir(), "tritkit-idf-"));
    await declareHeaders(await readFile(join(component, "shim.c"), "utf8"));
  });

  after(() => rm(headers, { recursive: true, force: true }));

  test("every source of the component compiles, and CMake knows each", async () => {
    const cmake = await readFile(join(component, "CMakeLists.txt"), "utf8");
    const listed = [...(/SRCS (.*)/.exec(cmake)?.[1] ?? "").matchAll(/"(.+?)"/g)].map(([, name]) => name);
    const there = (await readdir(component)).filter((name) => name.endsWith(".c"));
    assert.deepEqual(listed.sort(), there.sort());
    for (const source of there)
      assert.equal(await check(source, source === "main.c" ? ["-Dmain=tritkit_run"] : []), "", source);
    assert.equal(await check("../../main/app_main.c"), "");
  });

  test("a call that ESP-IDF does not declare would be found", async () => {
    const shim = await readFile(join(component, "shim.c"), "utf8");
    const wrong = join(headers, "wrong.c");
    await writeFile(wrong, shim.replace("uart_set_baudrate(UART, baud)", "uart_set_baudrate(baud)"));
    assert.match(await check(wrong), /too few arguments to function 'uart_set_baudrate'/);
  });

  test("the partition table is the board's", async () => {
    const table = await readFile(join(project, "partitions.csv"), "utf8");
    assert.equal(table, partitions(board));
    const rows = table.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    const [factory, models] = rows.map((line) => line.split(", ").slice(3).map(Number));
    const { offset, bytes } = board.flash.partition;
    assert.deepEqual(models, [offset, bytes]);
    assert.equal(factory[0] + factory[1], offset, "the application ends where the models begin");
    assert.ok(offset + bytes <= board.flash.bytes);
  });

  test("static memory ends where the module's begins, and the module's lies in the chip's SRAM below the boot loader", async () => {
    const defaults = await readFile(join(project, "sdkconfig.defaults"), "utf8");
    const size = Number(/^CONFIG_ESP32S3_FIXED_STATIC_RAM_SIZE=(.+)$/m.exec(defaults)?.[1]);
    const { memory } = board;
    assert.equal(memory.reserve_base + size, memory.base);
    const DRAM_START = 0x3fc88000; // ESP-IDF, esp32s3 memory.ld.in: SRAM_DRAM_START, SRAM_DRAM_END
    const DRAM_END = 0x3fcdb700;
    assert.equal(memory.reserve_base, DRAM_START);
    assert.ok(memory.end <= DRAM_END);
  });
});
