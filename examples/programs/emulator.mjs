#!/usr/bin/env node
/**
 * A board in Node, without any hardware: the firmware as on the chip, its flash, its pins and what its sensors say. For trying an assistant's tools, and for tests of yours.
 *
 *     node examples/programs/emulator.mjs                                           says three sentences
 *     node examples/programs/emulator.mjs "turn on the lamp" "brighter"             says yours
 *     node examples/programs/emulator.mjs --tools my.json "feed the fish"           to tools of yours
 */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import {
  checkPins,
  compileTools,
  Device,
  flashModel,
  generateOnDevice,
  modelPath,
  openSimLine,
  parseTools,
  setDeviceTools,
  startSim,
  TritkitError,
} from "tritkit";

const SENTENCES = ["turn on the lamp", "set the fan to 40 percent", "what is the temperature"];
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { board: { type: "string" }, model: { type: "string" }, tools: { type: "string" } },
});
const { board: name = "rp2040-pico", model = "assistant", tools } = values;

try {
  const board = await startSim(name, { seed: 1 });
  try {
    await talk(board);
  } finally {
    // It would run on, and the program with it.
    board.close();
  }
} catch (error) {
  const isKnown = error instanceof TritkitError;
  console.error(isKnown ? `${error.message} ${error.hint} [${error.code}]` : error.message);
  process.exitCode = isKnown ? error.exitStatus : 1;
}

async function talk(board) {
  const line = await openSimLine(board);
  // Each change of a pin, when it happens: a level, or a pulse and its duty of 65535.
  line.onPins?.((event) => {
    if (event.led) return;
    const what = event.event === "pwm" ? `duty ${((100 * event.duty) / 65535).toFixed(0)} %` : `level ${event.level}`;
    console.log(`  pin ${event.pin}  ${what}  at ${event.seconds.toFixed(3)} s`);
  });
  // What a sensor says, 0..65535 of full scale. In home.json channel 0 is a thermometer from -40 to 125 degrees.
  board.sim.adc.set(0, Math.round(((21.5 + 40) / 165) * 65535));

  const device = await Device.connect(line);
  const image = new Uint8Array(await readFile(model.endsWith(".trit") ? model : await modelPath(model)));
  await flashModel(device, image);
  if (tools !== undefined) {
    const file = parseTools(tools, await readFile(tools, "utf8"));
    checkPins(tools, file.tools, board.board);
    await setDeviceTools(device, compileTools(file));
  }
  for (const [i, sentence] of (positionals.length > 0 ? positionals : SENTENCES).entries()) {
    console.log(sentence);
    const answer = await generateOnDevice(device, sentence, { keep: i > 0, temperature: 0, maxTokens: 60 });
    for (const call of answer.calls ?? []) console.log(`  ${JSON.stringify(call)}`);
    if (answer.text !== "") console.log(`  "${answer.text.trim()}"`);
  }
  await device.close();
}
