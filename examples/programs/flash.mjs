#!/usr/bin/env node
/**
 * Puts a model onto a board, with progress.
 *
 *     node examples/programs/flash.mjs /dev/ttyACM0              the assistant; COM3 on Windows
 *     node examples/programs/flash.mjs /dev/ttyACM0 my.trit      a model of yours, as `tritkit convert` makes it
 *     node examples/programs/flash.mjs sim:rp2040-pico           a simulated board in this process: to try it, it is gone at the end
 *
 * What is there already is skipped, a broken upload goes on where it was, and the board uses the new model only after the SHA-256 of all of it was right.
 */
import { readFile } from "node:fs/promises";
import { connect, flashModel, modelPath, TritkitError } from "tritkit";

const [port, model = "assistant"] = process.argv.slice(2);
if (port === undefined) {
  console.error("usage: node examples/programs/flash.mjs PORT [MODEL]");
  process.exit(2);
}

try {
  const image = new Uint8Array(await readFile(model.endsWith(".trit") ? model : await modelPath(model)));
  const device = await connect(port);
  try {
    let phase = "";
    const done = await flashModel(device, image, {
      onProgress(progress) {
        if (progress.phase !== phase) console.log(`${progress.phase}  ${progress.bytes} of ${progress.total} bytes`);
        phase = progress.phase;
      },
    });
    await device.refresh();
    const { board, model: name, context, tools } = device.hello;
    console.log(
      `${name} on ${board}, ${context} positions, sha256 ${done.sha256.slice(0, 8)}, ${done.skipped} bytes were there`,
    );
    if (tools !== null) console.log(`an assistant with ${tools} tools`);
  } finally {
    await device.close();
  }
} catch (error) {
  const isKnown = error instanceof TritkitError;
  console.error(isKnown ? `${error.message} ${error.hint} [${error.code}]` : error.message);
  process.exitCode = isKnown ? error.exitStatus : 1;
}
