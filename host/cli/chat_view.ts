// How talking looks, whoever answers: the engine in Node or a board. `chat`, `run` and `demo` share it.
import { createInterface } from "node:readline";
import { coproText } from "../device/copro.ts";
import { EXIT_INTERRUPTED, EXIT_LINK_LOST, EXIT_USAGE, TritkitError } from "../errors.ts";
import type { Answer, GenerateOptions } from "../generation.ts";
import { NO_TOOLS, type ToolTable } from "../tools/tool.ts";
import { boardJson, energyText, originText, timesText } from "./board_figures.ts";
import { type Context, type OptionSpec, usage } from "./command.ts";
import type { Output } from "./output.ts";
import { answerText, emitCalls } from "./tools_view.ts";

export interface Talker {
  /** What stands before its words, e.g. "board". */
  label: string;
  generate(prompt: string | Uint8Array, options: GenerateOptions): Promise<Answer>;
  /** Of an assistant: what it can call. */
  tools?(): Promise<ToolTable>;
}

export const SAMPLING_OPTIONS: Record<string, OptionSpec> = {
  prompt: { type: "string", short: "p", value: "TEXT", help: "one prompt instead of a conversation" },
  max: {
    type: "string",
    short: "n",
    value: "N",
    help: "most tokens of an answer (default 200, 0: until the model ends)",
  },
  temp: { type: "string", value: "X", help: "temperature, 0: greedy (default 0.6)" },
  "top-k": { type: "string", value: "N", help: "keep the N likeliest tokens, 0: all (default)" },
  "top-p": { type: "string", value: "X", help: "keep the likeliest tokens that hold this share (default 0.95)" },
  repeat: { type: "string", value: "X", help: "repetition penalty (default 1: off)" },
  seed: { type: "string", value: "N", help: "the same seed gives the same answer on every engine and board" },
};

const HELP = `/new       begin anew: forget the conversation
/temp X    temperature, 0 is greedy      /top-p X   /top-k N   /repeat X
/seed N    the same seed, the same answer
/max N     most tokens of an answer
/quit      leave (also Ctrl-D, or Ctrl-C when nothing is being said)`;

/** Exit statuses after which nobody is there to talk with. */
const ENDS_THE_TALK = [EXIT_LINK_LOST, EXIT_INTERRUPTED];
const U32_MAX = 2 ** 32 - 1;

type Setting = "maxTokens" | "temperature" | "topK" | "topP" | "repeat" | "seed";

/** The ranges are those of generation.ts. */
const SETTINGS: Record<string, { key: Setting; low: number; high: number; whole: boolean }> = {
  max: { key: "maxTokens", low: 0, high: U32_MAX, whole: true },
  temp: { key: "temperature", low: 0, high: 100, whole: false },
  "top-k": { key: "topK", low: 0, high: U32_MAX, whole: true },
  "top-p": { key: "topP", low: 0, high: 1, whole: false },
  repeat: { key: "repeat", low: 0.1, high: 10, whole: false },
  seed: { key: "seed", low: 0, high: U32_MAX, whole: true },
};

const DEFAULTS: GenerateOptions = { maxTokens: 200, temperature: 0.6, topK: 0, topP: 0.95, repeat: 1 };

/** Read before a device or a model is opened, so that a slip costs no waiting. @throws TritkitError E_USAGE */
export function samplingFrom({ args }: Context): GenerateOptions {
  const sampling = { ...DEFAULTS };
  for (const [name, { key, low, high, whole }] of Object.entries(SETTINGS)) {
    if (args.text(name) === undefined) continue;
    sampling[key] = whole ? args.integer(name, 0, low, high) : args.within(name, low, high);
  }
  return sampling;
}

/** A prompt given by -p, lines piped in, or a conversation on the terminal. */
export async function talk(
  context: Context,
  talker: Talker,
  sampling: GenerateOptions,
  scripted?: string,
): Promise<number> {
  const prompt = context.args.text("prompt") ?? scripted;
  if (prompt !== undefined) return once(context, talker, prompt, sampling);
  return converse(context, talker, sampling);
}

async function once(context: Context, talker: Talker, prompt: string, sampling: GenerateOptions): Promise<number> {
  const { out, signal } = context;
  const answer = await speak(out, talker, prompt, { ...sampling, signal });
  out.text("\n");
  showFigures(out, answer);
  return signal.aborted ? EXIT_INTERRUPTED : 0;
}

/** @param label what stands before the first word, on a terminal */
async function speak(
  out: Output,
  talker: Talker,
  prompt: string,
  options: GenerateOptions,
  label = "",
): Promise<Answer> {
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 32);
  let begun = false;
  const answer = await talker.generate(prompt, {
    ...options,
    seed,
    onPrefill: (done, total) => out.status(`reading the prompt, ${done} of ${total} tokens`),
    onToken: ({ text, id }) => {
      if (!begun) {
        out.clearStatus();
        if (out.live) process.stderr.write(label);
        begun = true;
      }
      out.event({ event: "token", text, id });
      out.text(text);
    },
  });
  out.clearStatus();
  if (!begun && out.live) process.stderr.write(label);
  if (answer.say !== undefined) await showCalls(out, talker, answer);
  const { text, tokenIds, stop, position, context, slides } = answer;
  const { copro } = answer;
  if (copro) {
    const { state, errors, last } = copro;
    out.event({ event: "copro", state, errors, error: last?.name ?? null, info: last?.info ?? null });
  }
  out.event({
    event: "answer",
    text,
    token_ids: tokenIds,
    tokens: tokenIds.length,
    stop,
    prefill_tok_s: rate(answer.promptTokens, answer.firstTokenSeconds),
    decode_tok_s: decodeRate(answer),
    first_token_s: round(answer.firstTokenSeconds),
    prompt_tokens: answer.promptTokens,
    position,
    context,
    slides,
    seed,
    ...(answer.say === undefined ? {} : { say: answer.say, calls: answer.calls }),
    ...(answer.board === undefined ? {} : { board: boardJson(answer.board) }),
  });
  return answer;
}

/** What an assistant did, and what it says where its model has no words. */
async function showCalls(out: Output, talker: Talker, answer: Answer): Promise<void> {
  emitCalls(out, answer.calls ?? []);
  const words = answerText(answer, (await talker.tools?.()) ?? NO_TOOLS);
  // On a terminal lines stand below each other, behind the label.
  out.text(words.replaceAll("\n", out.live ? "\n       " : "\n"));
}

/** @param explain say how the speed of a simulated board is known; once in a conversation is enough */
function showFigures(out: Output, answer: Answer, explain = true): void {
  const { tokenIds, firstTokenSeconds, position, context, slides, stop, board } = answer;
  const perSecond = decodeRate(answer);
  const where = board === undefined ? "" : " on the board";
  const parts = [
    tokenIds.length === 1 ? "1 token" : `${tokenIds.length} tokens`,
    `first token ${waitText(firstTokenSeconds)}`,
    perSecond === null ? "" : `${perSecond} tok/s${where}`,
    board === undefined ? "" : energyText(board),
    `context ${position}/${context}`,
    slides > 0 ? `slid ${slides === 1 ? "once" : `${slides} times`}: the oldest words are forgotten` : "",
    stop === "eos" ? "" : stop === "max" ? "stopped at --max" : "stopped",
    board === undefined ? "" : `simulated at ${timesText(board.timesReal)} real time`,
  ];
  out.info(out.style("dim", `       ${parts.filter(Boolean).join("  ")}`));
  if (explain && board !== undefined) out.info(out.style("dim", `       ${originText(board)}`));
  if (answer.copro) out.info(`       ${coproText(answer.copro)}`);
}

/** Tokens a second after the first ones, which came together with the end of the prompt. */
function decodeRate({ tokenIds, firstTokens, seconds, firstTokenSeconds }: Answer): number | null {
  return rate(tokenIds.length - firstTokens, seconds - firstTokenSeconds);
}

/** Tokens a second, or null where that would be no measurement. */
function rate(tokens: number, seconds: number): number | null {
  return tokens > 0 && seconds > 0 ? Math.round((tokens / seconds) * 10) / 10 : null;
}

function waitText(seconds: number): string {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(2)} s`;
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

async function converse(context: Context, talker: Talker, sampling: GenerateOptions): Promise<number> {
  const { out, stdin, signal } = context;
  const terminal = stdin.isTTY === true && out.live;
  const lines = createInterface({ input: stdin, output: terminal ? process.stderr : undefined, terminal });
  const you = out.style("cyan", "you    ");
  let answering: AbortController | null = null;
  let keep = false;
  let explained = false;
  let quit = false;
  let status = 0;
  const interrupt = () => {
    if (answering === null || answering.signal.aborted) {
      status = answering === null ? 0 : EXIT_INTERRUPTED;
      lines.close();
      if (answering !== null) process.exit(EXIT_INTERRUPTED);
    } else answering.abort();
  };
  const release = context.onInterrupt(interrupt);
  lines.on("SIGINT", interrupt);
  // SIGTERM: the device stops too, and the line is given back.
  const terminate = () => {
    status = EXIT_INTERRUPTED;
    answering?.abort();
    lines.close();
  };
  signal.addEventListener("abort", terminate, { once: true });
  /** Where nobody sits who reads what failed, the exit status says it. */
  const failed = (exitStatus: number) => {
    if (!terminal) status = exitStatus;
  };
  if (terminal) out.info("type a line, Ctrl-C stops the answer, twice leaves, /help\n");
  lines.setPrompt(you);
  // Ctrl-D may come in the midst of an answer: then there is nothing to prompt for any more.
  let typing = terminal;
  lines.once("close", () => {
    typing = false;
  });
  if (typing) lines.prompt();
  for await (const line of lines) {
    const text = line.trimEnd();
    if (text.startsWith("/")) {
      const verdict = slash(out, text, sampling);
      if (verdict === "quit") {
        quit = true;
        break;
      }
      if (verdict === "new") keep = false;
      if (verdict === "failed") failed(EXIT_USAGE);
    } else if (text !== "") {
      answering = new AbortController();
      try {
        const label = out.style("green", talker.label.padEnd(7));
        const answer = await speak(out, talker, text, { ...sampling, keep, signal: answering.signal }, label);
        out.text("\n");
        showFigures(out, answer, !explained);
        explained = true;
        keep = true;
      } catch (error) {
        // A refusal (a prompt that is too long, say) ends neither the conversation nor the link.
        if (!(error instanceof TritkitError) || ENDS_THE_TALK.includes(error.exitStatus)) throw error;
        failed(out.failure(error));
      } finally {
        answering = null;
      }
    }
    if (signal.aborted) break;
    if (typing) {
      process.stderr.write("\n");
      lines.prompt();
    }
  }
  signal.removeEventListener("abort", terminate);
  release();
  lines.close();
  if (terminal && !quit) process.stderr.write("\n");
  return status;
}

/** Carries out a line that begins with a slash. */
function slash(out: Output, line: string, sampling: GenerateOptions): "quit" | "new" | "done" | "failed" {
  const [name, value = ""] = line.slice(1).split(/\s+/, 2);
  if (name === "quit" || name === "exit" || name === "bye") return "quit";
  if (name === "new") {
    out.info("a new conversation");
    return "new";
  }
  if (name === "help") out.info(HELP);
  else if (Object.hasOwn(SETTINGS, name)) return set(out, name, value, sampling);
  else {
    out.failure(usage(`"${line}" is no command of the chat.`, "/help lists them."));
    return "failed";
  }
  return "done";
}

function set(out: Output, name: string, value: string, sampling: GenerateOptions): "done" | "failed" {
  const { key, low, high, whole } = SETTINGS[name];
  const number = Number(value);
  if (value === "" || !(number >= low && number <= high) || (whole && !Number.isInteger(number))) {
    out.failure(usage(`/${name} takes a ${whole ? "whole " : ""}number from ${low} to ${high}.`, ""));
    return "failed";
  }
  sampling[key] = number;
  out.info(`${name} ${number}`);
  return "done";
}
