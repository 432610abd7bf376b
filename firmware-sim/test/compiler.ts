/**
 * The AssemblyScript compiler in a thread of its own. In the tests' thread its heap of 200 MB would be walked whenever an
 * instance of half a gigabyte of addresses is made: 20 to 40 ms an instance instead of 6 (measured).
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { ROOT } from "../../scripts/lib/root.mjs";

interface Answer {
  id: number;
  wasm?: Uint8Array;
  error?: string;
}

const WORK = `
const { parentPort, workerData } = require("node:worker_threads");
const compiler = import(workerData);
parentPort.on("message", async ({ id, argv, files }) => {
  try {
    const { compile } = await compiler;
    parentPort.postMessage({ id, wasm: (await compile(argv, files)).wasm });
  } catch (error) {
    parentPort.postMessage({ id, error: error.message });
  }
});`;

let worker: Worker | null = null;
let asked = 0;
const waiting = new Map<number, (answer: Answer) => void>();

/** As `compile` of scripts/lib/asc.mjs. */
export async function compile(argv: string[], files: Record<string, string>): Promise<Uint8Array> {
  if (worker === null) {
    worker = new Worker(WORK, { eval: true, workerData: pathToFileURL(join(ROOT, "scripts/lib/asc.mjs")).href });
    worker.on("message", (answer: Answer) => waiting.get(answer.id)?.(answer));
  }
  const id = asked++;
  worker.ref();
  const answer = await new Promise<Answer>((resolve) => {
    waiting.set(id, resolve);
    worker?.postMessage({ id, argv, files });
  });
  waiting.delete(id);
  if (waiting.size === 0) worker.unref(); // the tests may end
  if (answer.wasm === undefined) throw new Error(answer.error);
  return answer.wasm;
}
