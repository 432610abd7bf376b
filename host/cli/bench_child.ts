// One contender of the benchmark, in a process of its own: `node dist/bench_child.js own|llama`, asked over the channel that fork() opens.
import type { Contender, Reply, Request } from "../bench/contender.ts";
import { LlamaContender } from "../bench/contender_llama.ts";
import { OwnContender } from "../bench/contender_own.ts";
import { TritkitError } from "../errors.ts";

const contender: Contender = process.argv[2] === "llama" ? new LlamaContender() : new OwnContender();

process.on("message", async (request: Request) => {
  const answer = (reply: Omit<Reply, "id">) => process.send?.({ id: request.id, ...reply });
  try {
    const method = contender[request.method] as (...args: unknown[]) => Promise<unknown>;
    answer({ result: await method.apply(contender, [...request.args]) });
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const { code, hint } = error instanceof TritkitError ? error : { code: "E_INTERNAL", hint: "" };
    answer({ error: { code, message: error.message, hint } });
  }
});
// Whoever asked is gone: there is nobody to work for, and worker threads would keep the process alive.
process.on("disconnect", () => process.exit(0));
