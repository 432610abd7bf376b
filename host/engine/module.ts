// The engine build of the device core as a WebAssembly instance with an image in its memory.
import { loadWasm } from "../assets.ts";
import { TritkitError } from "../errors.ts";

/** Exports of as/engine.ts and as/engine_text.ts that the host uses; pointers are addresses in `memory`. */
export interface EngineExports {
  memory: WebAssembly.Memory;
  reserve(bytes: number): number;
  open(image: number, bytes: number, context: number, engine: number): number;
  read(image: number, bytes: number): number;
  context(): number;
  forward(token: number, position: number, wantLogits: number): number;
  plan_device(arenaBytes: number, context: number, rxBytes: number, txBytes: number): number;
  plan_needed(): number;
  plan_context(): number;
  plan_max_context(): number;
  part_count(): number;
  part_name(part: number): number;
  part_offset(part: number): number;
  part_bytes(part: number): number;
  gen_reset(): number;
  gen_begin(
    keep: number,
    text: number,
    len: number,
    max: number,
    temp: number,
    topk: number,
    topp: number,
    rep: number,
    seed: number,
  ): number;
  gen_step(): number;
  gen_stop(): void;
  gen_state(): number;
  gen_why(): number;
  gen_count(): number;
  gen_token(i: number): number;
  gen_pos(): number;
  gen_slides(): number;
  gen_prefill_done(): number;
  gen_prefill_total(): number;
  gen_prompt_tokens(): number;
  token_text(id: number): number;
  token_text_len(id: number): number;
  text_encode(text: number, len: number, out: number, room: number): number;
  text_decode(ids: number, count: number, out: number, room: number): number;
  texts_open(section: number, bytes: number, chat: number, chatBytes: number, vocabSize: number): number;
  texts_scratch(address: number, bytes: number): void;
  texts_turn(first: number, bos: number, text: number, len: number, out: number, room: number): number;
  texts_sampler(
    vocabSize: number,
    exp2: number,
    order: number,
    orderBytes: number,
    temp: number,
    topk: number,
    topp: number,
    rep: number,
    seed: number,
  ): void;
  texts_sample(logits: number, ids: number, count: number): number;
}

/** Pages of 64 KiB that the module asks for (asconfig.json), and what wasm32 addresses. Pages that are never touched cost nothing. */
const INITIAL_PAGES = 4;
const MAXIMUM_PAGES = 65536;

let compiled: Promise<WebAssembly.Module> | null = null;

/** A fresh instance; the module is compiled once a process. */
export async function engineInstance(): Promise<EngineExports> {
  compiled ??= loadWasm("engine.wasm").then((bytes) => WebAssembly.compile(bytes));
  const memory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: MAXIMUM_PAGES, shared: true });
  const { exports } = await WebAssembly.instantiate(await compiled, { env: { memory } });
  return exports as unknown as EngineExports;
}

/** Copies `bytes` into new memory of the instance and returns their address. @throws TritkitError E_NO_MEMORY */
export function place(engine: EngineExports, bytes: Uint8Array, room = bytes.length): number {
  const address = engine.reserve(room) >>> 0;
  if (address === 0) {
    const message = `${Math.ceil(room / 2 ** 20)} MiB more do not fit into the 4 GiB that WebAssembly addresses.`;
    throw new TritkitError("E_NO_MEMORY", message, "A smaller model or a shorter context may fit.");
  }
  new Uint8Array(engine.memory.buffer, address, bytes.length).set(bytes);
  return address;
}
