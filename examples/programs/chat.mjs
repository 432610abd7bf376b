#!/usr/bin/env node
/**
 * Talks with a board over its serial line: a line of yours, an answer, and what an assistant did.
 *
 *     node examples/programs/chat.mjs /dev/ttyACM0
 *     echo "turn on the lamp" | node examples/programs/chat.mjs /dev/ttyACM0
 *
 * Each line goes on from the one before, so that "brighter" means what was spoken of. Ctrl-C stops an answer, Ctrl-D leaves.
 */
import { createInterface } from "node:readline";
import { connect, generateOnDevice, TritkitError, valueText } from "tritkit";

/** "lamp set: 40 %" */
const callText = ({ tool, verb, value, unit, result }) =>
  `${tool ?? "nothing"} ${verb}${value === null ? "" : `: ${valueText(value, unit)}`}${result === "done" ? "" : ` (${result})`}`;

const [port] = process.argv.slice(2);
if (port === undefined) {
  console.error("usage: node examples/programs/chat.mjs PORT");
  process.exit(2);
}

try {
  const device = await connect(port);
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: "you    " });
  try {
    if (device.hello.context === 0)
      throw new Error("The board has no model: examples/programs/flash.mjs gives it one.");
    console.log(`${device.hello.model} on ${device.hello.board}`);
    let abort = new AbortController();
    lines.on("SIGINT", () => abort.abort());
    let typing = process.stdin.isTTY === true;
    lines.once("close", () => {
      typing = false;
    });
    if (typing) lines.prompt();
    let keep = false;
    for await (const line of lines) {
      if (line.trim() !== "") await turn(device, line);
      if (typing) lines.prompt();
    }

    async function turn(device, line) {
      abort = new AbortController();
      process.stdout.write("board  ");
      try {
        const answer = await generateOnDevice(device, line, {
          ...{ keep, temperature: 0, maxTokens: 100, signal: abort.signal },
          onToken: ({ text }) => process.stdout.write(text),
        });
        // An assistant's calls; its answer in words has none, and other models never have.
        console.log((answer.calls ?? []).map(callText).join(", "));
        keep = true;
      } catch (error) {
        // Too many words end no conversation.
        if (error.code !== "E_PROMPT_TOO_LONG") throw error;
        console.log(error.message);
      }
    }
  } finally {
    lines.close();
    await device.close();
  }
} catch (error) {
  const isKnown = error instanceof TritkitError;
  console.error(isKnown ? `${error.message} ${error.hint} [${error.code}]` : error.message);
  process.exitCode = isKnown ? error.exitStatus : 1;
}
