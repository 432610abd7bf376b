/** Assistants from the source to the answer: converted, asked in Node and on a simulated board, with the same ids and calls. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { convert } from "../convert/convert.ts";
import { Engine } from "../engine/engine.ts";
import { parseTools } from "../tools/parse.ts";
import { type Chain, DESK, FAN_SET, idOf, LAMP_ON, writeAssistant } from "./assistant_fixture.ts";

const folder = await mkdtemp(join(tmpdir(), "tritkit-assistant-"));
after(() => rm(folder, { recursive: true }));

let made = 0;
async function image(chain: Chain, assistant: Record<string, unknown> = { gate: 0, text_max: 8 }): Promise<string> {
  const name = `assistant-${made++}`;
  const source = await writeAssistant(join(folder, name), chain, { assistant, tools: DESK });
  await convert(source, join(folder, `${name}.trit`));
  return join(folder, `${name}.trit`);
}

test("debug", async () => {
  const engine = await Engine.openFile(await image(FAN_SET), {});
  console.log(await engine.generate("please set the fan to 40 percent"));
  console.log(await engine.generate("please set the fan to 140 percent"));
  console.log(await engine.generate("please set the lamp"));
});
