// llama.cpp itself, as npm publishes it for node-llama-cpp, called through koffi: the peer of whole models. llama.h and ggml-backend.h declare what is called
// here. Parameters that travel as structs are taken from the library's own defaults; only their first fields, which have not moved for years, are written.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { TritkitError } from "../errors.ts";
import { findPackages, type Koffi } from "./ggml.ts";

/** How the peer is to be had; said wherever it is missing. */
export const PEER_HINT =
  "In tritkit's repository: npm run bench:peer. Elsewhere: npm install @node-llama-cpp/linux-x64 koffi";

export interface LlamaSession {
  /** What the file says of itself: "bitnet 2B TQ2_0 - 2.06 bpw ternary". */
  readonly description: string;
  readonly vocabSize: number;
  /** The weights are read in place from the mapped file. */
  readonly mapped: boolean;
  setThreads(threads: number): void;
  /** The next token is the first of the context again. */
  clear(): void;
  /**
   * One llama_decode: the tokens follow those before them, and the logits of the last one are computed.
   * @param tokens at most the context's length
   */
  evaluate(tokens: readonly number[]): void;
  /** (vocabSize) of the last token evaluated. */
  logits(): Float32Array;
  free(): void;
}

/** Bytes of the structs in the releases below, as the defaults' functions fill them: llama_model_params, llama_context_params. */
const RELEASES = new Map([["v0.5.0", { model: 80, context: 160 }]]);
/** llama_context_default_params: n_ctx, n_batch, n_ubatch, n_seq_max. Other numbers are another layout. */
const CONTEXT_DEFAULTS = [512, 2048, 512, 1];
const CPU_LIBRARY = /libggml-cpu-([^/]+)\.so$/m;

/** Type names are koffi's, one table a process. */
let structs: { model: unknown; context: unknown; batch: unknown; log: unknown } | null = null;
/** enum ggml_log_level: warnings, errors, and lines that go on. */
const LOG_WORTH_TELLING = 3;

export class Llama {
  /** Release of llama.cpp. */
  readonly release: string;
  /** The CPU library that llama.cpp chose: "haswell", "zen4", ... */
  readonly variant: string;
  readonly #koffi: Koffi;
  readonly #library: ReturnType<Koffi["load"]>;
  /** What llama.cpp has complained of since a file was opened. */
  #complaints: string[] = [];

  private constructor(koffi: Koffi, folder: string, release: string) {
    const sizes = RELEASES.get(release);
    if (sizes === undefined) {
      const message = `The installed llama.cpp is ${release}, and its structures are not known.`;
      throw new TritkitError("E_PEER", message, `Known: ${[...RELEASES.keys()].join(", ")}.`);
    }
    structs ??= {
      model: koffi.struct("tritkit_llama_model_params", { words: koffi.array("uint32_t", sizes.model / 4) }),
      context: koffi.struct("tritkit_llama_context_params", { words: koffi.array("uint32_t", sizes.context / 4) }),
      batch: koffi.struct("tritkit_llama_batch", { n_tokens: "int32_t", pointers: koffi.array("uint64_t", 6) }),
      log: koffi.proto("void", ["int", "str", "void *"]),
    };
    const file = (name: string) => join(folder, `lib${name}.so`);
    koffi.load(file("ggml-base"), { global: true });
    const ggml = koffi.load(file(`ggml.${release}`), { global: true });
    this.#library = koffi.load(file(`llama.${release}`));
    const log = koffi.register((level, text) => {
      if (Number(level) >= LOG_WORTH_TELLING) this.#complaints.push(String(text).trim());
    }, koffi.pointer(structs.log));
    this.#library.func("llama_log_set", "void", ["void *", "void *"])(log, null);
    // Of all the CPU libraries in the folder it keeps the one that scores highest on this machine.
    ggml.func("ggml_backend_load_all_from_path", "void", ["str"])(folder);
    this.#library.func("llama_backend_init", "void", [])();
    this.#koffi = koffi;
    this.release = release;
    this.variant = CPU_LIBRARY.exec(readFileSync("/proc/self/maps", "utf8"))?.[1] ?? "unknown";
  }

  /** @returns null when the packages are not installed, or not for this system */
  static load(): Llama | null {
    const found = process.platform === "linux" ? findPackages() : null;
    return found && new Llama(found.koffi, found.folder, llamaRelease(found.folder));
  }

  /**
   * llama.cpp's defaults, but for the length of the context and the threads: one.
   * @throws TritkitError E_PEER when it does not take the file, in its own words
   */
  open(path: string, context: number): LlamaSession {
    const koffi = this.#koffi;
    const types = structs as NonNullable<typeof structs>;
    const call = (name: string, result: unknown, parameters: unknown[]) =>
      this.#library.func(name, result as string, parameters as string[]);
    const modelParams = call("llama_model_default_params", types.model, [])();
    const contextParams = call("llama_context_default_params", types.context, [])() as { words: Uint32Array };
    const first = Array.from(contextParams.words.slice(0, CONTEXT_DEFAULTS.length));
    if (first.join() !== CONTEXT_DEFAULTS.join())
      throw new TritkitError("E_PEER", `llama.cpp's defaults are ${first}, which is another layout.`, PEER_HINT);
    contextParams.words[0] = context;

    this.#complaints = [];
    const model = call("llama_model_load_from_file", "void *", ["str", types.model])(path, modelParams);
    if (!model) {
      const reason = this.#complaints.find((line) => line !== "") ?? "it does not say why";
      throw new TritkitError("E_PEER", `llama.cpp does not take ${path}: ${reason}.`, "Give a GGUF file that it runs.");
    }
    const session = call("llama_init_from_model", "void *", ["void *", types.context])(model, contextParams);
    if (!session) throw new TritkitError("E_PEER", `llama.cpp has no memory for ${path}.`, "Close other programs.");
    const vocabulary = call("llama_model_get_vocab", "void *", ["void *"])(model);
    const vocabSize = Number(call("llama_vocab_n_tokens", "int32_t", ["void *"])(vocabulary));
    const description = new Uint8Array(256);
    call("llama_model_desc", "int32_t", ["void *", "uint8_t *", "size_t"])(model, description, description.length);
    const memory = call("llama_get_memory", "void *", ["void *"])(session);
    const clearMemory = call("llama_memory_clear", "void", ["void *", "bool"]);
    const decode = call("llama_decode", "int32_t", ["void *", types.batch]);
    const batchOf = call("llama_batch_get_one", types.batch, ["void *", "int32_t"]);
    const getLogits = call("llama_get_logits_ith", "void *", ["void *", "int32_t"]);
    const setThreads = call("llama_set_n_threads", "void", ["void *", "int32_t", "int32_t"]);
    setThreads(session, 1, 1);
    // Memory that stays where it is: the batch holds its address.
    const ids = koffi.alloc("int32_t", context);
    return {
      description: new TextDecoder().decode(description.subarray(0, description.indexOf(0))),
      vocabSize,
      mapped: readFileSync("/proc/self/maps", "utf8").includes(path),
      setThreads: (threads) => void setThreads(session, threads, threads),
      clear: () => void clearMemory(memory, true),
      evaluate(tokens) {
        new Int32Array(koffi.view(ids, context * 4)).set(tokens);
        const status = decode(session, batchOf(ids, tokens.length));
        if (status !== 0) throw new TritkitError("E_PEER", `llama_decode failed (${status}).`, "");
      },
      logits: () => new Float32Array(koffi.view(getLogits(session, -1), vocabSize * 4)).slice(),
      free() {
        call("llama_free", "void", ["void *"])(session);
        call("llama_model_free", "void", ["void *"])(model);
        koffi.free(ids);
      },
    };
  }
}

/** As node-llama-cpp's build wrote it down. */
function llamaRelease(folder: string): string {
  const metadata = JSON.parse(readFileSync(join(folder, "_nlcBuildMetadata.json"), "utf8"));
  return String(metadata?.buildOptions?.llamaCpp?.release ?? "unknown");
}
