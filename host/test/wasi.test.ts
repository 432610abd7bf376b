/** examples/wasi/board.mjs as people use it: over TCP, with the flash in a file, through a reset. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { generateOnDevice } from "../device/chat.ts";
import { Device } from "../device/device.ts";
import { flashModel } from "../device/flasher.ts";
import { openPort } from "../transports/open.ts";
import { readModel, readTranscript } from "./transcripts.ts";
import { startProcess } from "./wasi_board.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-wasi-"));
after(() => rm(folder, { recursive: true }));

test("a model is flashed, talks, and survives a reset; a second client is turned away", async () => {
  const flashFile = join(folder, "flash.bin");
  const server = startProcess("--tcp", "0", "--flash", flashFile);
  try {
    const [line] = server.stdout === null ? [] : await once(server.stdout, "data");
    const port = String(line).trim();
    const device = await Device.connect(await openPort(port));
    assert.equal(device.hello.board, "wasi");
    await flashModel(device, readModel("llama"));
    assert.equal((await stat(flashFile)).size, device.hello.partitionBytes);
    const { prompt, greedy } = readTranscript("llama");
    const ask = () => generateOnDevice(device, prompt, { temperature: 0, maxTokens: 20 });
    assert.deepEqual((await ask()).tokenIds, greedy.ids.slice(0, 20));

    const second = connect(Number(new URL(port).port), "127.0.0.1");
    await once(second, "close");
    await device.reset();
    await device.refresh();
    assert.equal(device.hello.model, "llama");
    assert.deepEqual((await ask()).tokenIds, greedy.ids.slice(0, 20));
    await device.close();
  } finally {
    server.kill("SIGKILL");
  }
});

test("a flash file that cannot be made ends the board with status 1", async () => {
  const board = startProcess("--flash", folder); // a folder is no file
  const [status] = await once(board, "exit");
  assert.equal(status, 1);
});
