/**
 * Many examples on a few boards, a thread each. This file is the program's own bundle in a worker, too (`workerData` says so): it reads the same sets and gets indices.
 * Examples that begin in the same place go to the same board.
 */
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { type Example, readSet } from "./examples.ts";
import { previousKey } from "./previous.ts";
import { type Asked, Stage } from "./stage.ts";

export interface Work {
  /** Of an assistant. */
  readonly image: Uint8Array;
  /** Files of examples, in the order in which their examples are numbered. */
  readonly files: readonly string[];
  /** Numbers of the examples that are wanted. */
  readonly wanted: readonly number[];
  readonly threads: number;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number) => void;
}

/** null: the turn before could not be brought about. */
export type Answers = ReadonlyMap<number, Asked | null>;

/** Examples that a thread gets at once. */
const PIECE = 64;

interface Sent {
  readonly answers: [number, Asked | null][];
}

export async function readAll(files: readonly string[]): Promise<Example[]> {
  return (await Promise.all(files.map(readSet))).flat();
}

/** Asks the boards. @throws what a thread throws */
export async function askAll(examples: readonly Example[], work: Work): Promise<Answers> {
  const { image, files, wanted, signal } = work;
  const keys = new Map(wanted.map((index) => [index, previousKey(examples[index])]));
  const order = [...wanted].sort((a, b) => compare(keys.get(a) ?? "", keys.get(b) ?? "") || a - b);
  const pieces: number[][] = [];
  for (let at = 0; at < order.length; at += PIECE) pieces.push(order.slice(at, at + PIECE));
  // From both ends, so that two threads share few places.
  const answers = new Map<number, Asked | null>();
  const run = (fromEnd: boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { image, files } });
      const stop = (): void => void worker.terminate();
      const next = (): void => {
        const piece = fromEnd ? pieces.pop() : pieces.shift();
        if (piece === undefined) stop();
        else worker.postMessage(piece);
      };
      signal.addEventListener("abort", stop, { once: true });
      worker.on("message", (sent: Sent | "ready") => {
        if (sent !== "ready") for (const [index, asked] of sent.answers) answers.set(index, asked);
        work.onProgress(answers.size);
        next();
      });
      worker.on("error", reject);
      worker.on("exit", () => {
        signal.removeEventListener("abort", stop);
        if (signal.aborted) reject(new Error("interrupted"));
        else resolve();
      });
    });
  await Promise.all(
    Array.from({ length: Math.max(1, Math.min(work.threads, pieces.length)) }, (_, i) => run(i % 2 === 1)),
  );
  return answers;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function serve(): Promise<void> {
  const { image, files } = workerData as Pick<Work, "image" | "files">;
  const [examples, stage] = [await readAll(files), await Stage.open(image)];
  parentPort?.on("message", (piece: number[]) => {
    const answers = piece.map((index): [number, Asked | null] => [index, stage.ask(examples[index])]);
    parentPort?.postMessage({ answers } satisfies Sent);
  });
  parentPort?.postMessage("ready");
}

export const isWorker = !isMainThread;
if (isWorker) await serve();
