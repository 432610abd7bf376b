// The engine build of the device core as a WebAssembly instance with an image in its memory.
import { createHash } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { loadWasm } from "../assets.ts";
import { TritkitError } from "../errors.ts";

/** Exports of as/engine.ts and as/engine_text.ts that the host uses; pointers are addresses in `memory`. */
export interface EngineExports {
  memory: WebAssembly.Memory;
  reserve(bytes: number): number;
  open(image: number, bytes: number, context: number, engine: number): number;
  open_streamed(image: number, bytes: number, kept: number, context: number): number;
  block_rows(kernel: number): number;
  repack_rows(kernel: number, w: number, rows: number, cols: number, out: number, scratch: number): void;
  repack_scratch(kernel: number, cols: number): number;
  repacked_bytes(kernel: number, rows: number, cols: number): number;
  prepared_bytes(kernel: number, cols: number): number;
  prepare(kernel: number, x: number, xStride: number, cols: number, n: number, prepared: number): void;
  product_rows(
    kernel: number,
    w: number,
    cols: number,
    from: number,
    to: number,
    prepared: number,
    n: number,
    acc: number,
    accStride: number,
    scratch: number,
  ): void;
  use_kernel(kernel: number): void;
  simd_kernel(): number;
  kernels(): number;
  is_repacked(section: number): number;
  repack_step(): number;
  repack_section(section: number, from: number, rows: number, packed: number): number;
  weights_address(): number;
  weights_size(): number;
  team_open(size: number): number;
  team_size(): number;
  team_dismiss(): void;
  read(image: number, bytes: number): number;
  context(): number;
  forward(token: number, position: number, wantLogits: number): number;
  forward_batch(tokens: number, n: number, position: number): number;
  logits_of(i: number): number;
  plan_device(arenaBytes: number, context: number, rxBytes: number, txBytes: number, slots: number): number;
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
  assistant_on(): number;
  assistant_open(table: number, bytes: number): number;
  token_base(): number;
  calls_rehearse(): void;
  calls_count(): number;
  call_tool(i: number): number;
  call_verb(i: number): number;
  call_rc(i: number): number;
  call_has_argument(i: number): number;
  call_argument(i: number): number;
  call_has_value(i: number): number;
  call_value(i: number): number;
  call_lasts(i: number): number;
  call_margin(i: number): number;
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

/** A build of the engine, compiled. */
export interface EngineBuild {
  readonly module: WebAssembly.Module;
  /** SHA-256 of its bytes, hexadecimal. */
  readonly digest: string;
}

/** An instance, and what its workers need to make theirs. */
export interface EngineInstance {
  readonly build: EngineBuild;
  readonly memory: WebAssembly.Memory;
  readonly exports: EngineExports;
}

let compiled: Promise<EngineBuild> | null = null;

/**
 * V8 of Node 24 and later can join pairs of 128-bit operations to 256-bit ones, which kernel BR is written for. Where the name of the flag is unknown
 * nothing happens. It has to be set before the module is compiled, so whoever compiles first decides.
 */
function revectorise(): void {
  if (Number.parseInt(process.versions.node, 10) >= 24) setFlagsFromString("--experimental-wasm-revectorize");
}

/** The build with relaxed SIMD where V8 takes it, else the one that runs everywhere. */
async function compile(): Promise<EngineBuild> {
  const relaxed = await loadWasm("engine-relaxed.wasm").catch(() => null);
  const bytes = relaxed !== null && WebAssembly.validate(relaxed) ? relaxed : await loadWasm("engine.wasm");
  return { module: await WebAssembly.compile(bytes), digest: createHash("sha256").update(bytes).digest("hex") };
}

/**
 * A fresh instance; the module is compiled once a process.
 * @param wide whether kernel BR may be wanted
 */
export async function instantiate({ wide = false } = {}): Promise<EngineInstance> {
  if (wide && compiled === null) revectorise();
  compiled ??= compile();
  const build = await compiled;
  const memory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: MAXIMUM_PAGES, shared: true });
  const { exports } = await WebAssembly.instantiate(build.module, { env: { memory } });
  return { build, memory, exports: exports as unknown as EngineExports };
}

/** The exports of a fresh instance. */
export async function engineInstance(): Promise<EngineExports> {
  return (await instantiate()).exports;
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
