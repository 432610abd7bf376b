// An answer from the board: the prompt travels in pieces, tokens come back by polling with acknowledgement, stop works within one token.
import {
  GEN_DONE,
  GEN_PREFILL,
  LINK_IDLE_US,
  NEXT_POLL_US,
  RC_CORRUPT,
  TK_GEN,
  TK_NEXT,
  TK_STOP,
  WHY_ERROR,
} from "../../spec/wire.ts";
import { EXIT_REFUSED, TritkitError, throwIfAborted } from "../errors.ts";
import { type Answer, type GenerateOptions, samplerIntegers, stopReason, TextJoiner } from "../generation.ts";
import { namedCall, sayName } from "../tools/call.ts";
import { NO_TOOLS } from "../tools/tool.ts";
import { pause, REAL_WORLD, type World } from "../transports/world.ts";
import type { CborMap } from "../wire/smp.ts";
import { parseCopro } from "./copro.ts";
import type { Device } from "./device.ts";
import { Stopwatch } from "./stopwatch.ts";
import { currentTable, rawCalls } from "./tools.ts";

/** Prompt bytes of one gen request beside its header and options. */
const PROMPT_PIECE = 768;
/** A device answers `next` within 250 ms of its own time, or when the token that it computes is done. */
const NEXT = { deadlineMs: 2000 + NEXT_POLL_US / 1000, attempts: 5 };
/** A simulated board computes a token of a large model for seconds of this machine's, more when it is busy: its line is not lost for that. Where deadlines pass in simulated time, too, it is as patient as with a chip. */
const SIMULATED_ATTEMPTS = 60;
/** While the device still works for a host that is gone. */
const BUSY_STEP_MS = 500;

/**
 * @param prompt text, or bytes of any kind
 * @throws TritkitError E_NO_MODEL, E_PROMPT_TOO_LONG, E_WEIGHTS_DAMAGED, E_LINK_LOST, E_LINK_TIMEOUT, ...; an abort is no error: the answer
 *   ends with stop "stopped"
 */
export async function generateOnDevice(
  device: Device,
  prompt: string | Uint8Array,
  options: GenerateOptions = {},
): Promise<Answer> {
  const { signal } = options;
  const bytes = typeof prompt === "string" ? Buffer.from(prompt, "utf8") : prompt;
  const { world } = device.session;
  const id = 1 + world.random(2 ** 32 - 1);
  const stopwatch = new Stopwatch(device.session.transport);
  const opened = await sendPrompt(
    device,
    id,
    bytes,
    { ...samplerIntegers(options), keep: options.keep ?? false },
    signal,
  );

  const { resets } = device;
  const joiner = new TextJoiner(options.onToken);
  let firstTokenSeconds = 0;
  let firstTokens = 0;
  let stopSent = false;
  for (;;) {
    if (signal?.aborted && !stopSent) {
      stopSent = true;
      await device.write(TK_STOP, { id });
    }
    const reply = await next(device, { id, ack: joiner.tokenIds.length }, stopSent ? undefined : signal).catch(
      (error: unknown) => {
        throw forgotten(error) && device.resets > resets ? resetError(joiner.tokenIds.length) : error;
      },
    );
    if (reply === null) continue;
    if (reply.st === GEN_PREFILL) options.onPrefill?.(Number(reply.pd ?? 0), Number(reply.pt ?? 0));
    const before = joiner.tokenIds.length;
    takeTokens(reply, joiner);
    if (before === 0 && joiner.tokenIds.length > 0) {
      firstTokens = joiner.tokenIds.length;
      firstTokenSeconds = stopwatch.first(firstTokens);
    }
    if (reply.st !== GEN_DONE) continue;
    joiner.end();
    if (reply.why === WHY_ERROR) {
      if (reply.rc === RC_CORRUPT) throw damagedWeights(reply);
      throw new TritkitError("E_GENERATE", `The board gave up (rc ${reply.rc}).`, "Reset it.", EXIT_REFUSED);
    }
    const figures = { seconds: stopwatch.seconds(), ...stopwatch.board(joiner.tokenIds.length) };
    return {
      text: joiner.text,
      tokenIds: joiner.tokenIds,
      stop: stopReason(Number(reply.why)),
      promptTokens: Number(opened.n ?? 0),
      position: Number(reply.pos ?? 0),
      context: Number(reply.ctx ?? 0),
      slides: Number(reply.sl ?? 0),
      firstTokenSeconds,
      firstTokens,
      ...figures,
      // Asked for after the answer: what it took is not the tools' matter.
      ...(reply.calls === undefined ? {} : await assistantPart(device, reply)),
      copro: parseCopro(reply.copro),
    };
  }
}

/** What an assistant did, in words; names are the device's. */
async function assistantPart(device: Device, reply: CborMap): Promise<Pick<Answer, "say" | "calls">> {
  const raw = rawCalls(reply);
  const table = raw.length === 0 ? NO_TOOLS : await currentTable(device);
  const say = typeof reply.say === "number" ? sayName(reply.say) : null;
  return { say, calls: raw.map((call) => namedCall(call, table)) };
}

/** The device knows nothing of this answer. */
function forgotten(error: unknown): boolean {
  return error instanceof TritkitError && (error.code === "E_BAD_STATE" || error.code === "E_NO_MODEL");
}

function resetError(tokens: number): TritkitError {
  const after = tokens === 1 ? "1 token" : `${tokens} tokens`;
  const message = `The board was reset in the middle of its answer, after ${after}.`;
  return new TritkitError(
    "E_BOARD_RESET",
    message,
    "Ask again; when it happens often, check its supply.",
    EXIT_REFUSED,
  );
}

/** A coprocessor checks every byte of the weights that it reads, and the board's CPU agrees that this one is none. */
function damagedWeights({ copro }: CborMap): TritkitError {
  const at = parseCopro(copro)?.last?.info;
  const where = at === undefined ? "" : ` at address 0x${at.toString(16).padStart(8, "0")}`;
  const message = `The model's weights on the board are damaged${where}: the answer ends here.`;
  const hint = "`tritkit flash` with the same model mends it; a chip that does it again is worn out.";
  return new TritkitError("E_WEIGHTS_DAMAGED", message, hint, EXIT_REFUSED);
}

/** The reply, or null as soon as the caller gives up: a poll that is open must not keep `stop` waiting for a place in the window. */
async function next(device: Device, body: CborMap, signal: AbortSignal | undefined): Promise<CborMap | null> {
  try {
    const { transport, world } = device.session;
    const attempts = transport.simulated && world === REAL_WORLD ? SIMULATED_ATTEMPTS : NEXT.attempts;
    return await device.read(TK_NEXT, body, { ...NEXT, attempts, signal });
  } catch (error) {
    if (signal?.aborted) return null;
    throw error;
  }
}

/**
 * A host that was unplugged or killed in mid-answer leaves the device busy until it has been silent for 10 s (WIRE.md): nobody
 * else can be at the other end of a line that is ours now.
 */
async function patiently(world: World, ask: () => Promise<CborMap>, signal?: AbortSignal): Promise<CborMap> {
  for (let waited = 0; ; waited += BUSY_STEP_MS) {
    try {
      return await ask();
    } catch (error) {
      const busy = error instanceof TritkitError && error.code === "E_BUSY";
      if (!busy || waited > LINK_IDLE_US / 1000) throw error;
      await pause(world, BUSY_STEP_MS);
      throwIfAborted(signal);
    }
  }
}

async function sendPrompt(
  device: Device,
  id: number,
  bytes: Uint8Array,
  options: CborMap,
  signal?: AbortSignal,
): Promise<CborMap> {
  let off = 0;
  for (;;) {
    const piece = bytes.subarray(off, off + PROMPT_PIECE);
    const head = off === 0 ? options : {};
    const request = { id, off, len: bytes.length, p: piece, ...head };
    const reply = await patiently(device.session.world, () => device.write(TK_GEN, request), signal);
    const next = Number(reply.off);
    if (next >= bytes.length) return reply;
    if (!(next > off)) {
      throw new TritkitError("E_PROTOCOL", `The device wants prompt byte ${next} after ${off}.`, "", EXIT_REFUSED);
    }
    off = next;
  }
}

function takeTokens(reply: CborMap, joiner: TextJoiner): void {
  const { ids, l, t, off } = reply;
  if (!Array.isArray(ids) || !Array.isArray(l) || !(t instanceof Uint8Array) || ids.length !== l.length) {
    throw new TritkitError("E_PROTOCOL", "The device's tokens are malformed.", "", EXIT_REFUSED);
  }
  let at = 0;
  for (let i = 0; i < ids.length; i++) {
    const text = t.subarray(at, at + Number(l[i]));
    at += Number(l[i]);
    // An answer that was asked for twice brings tokens again: only what is beyond is new.
    if (Number(off) + i === joiner.tokenIds.length) joiner.add(Number(ids[i]), text);
  }
}
