/** The command as a user runs it: a process of its own, its words, its exit status. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "../../scripts/lib/root.mjs";

export interface Ended {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export type JsonLine = { event: string } & Record<string, unknown>;

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** The first --json line from now on, or among those that came, that `wanted` accepts. Fails when the command ends first. */
  line(wanted: (line: JsonLine) => boolean): Promise<JsonLine>;
  /** All --json lines so far. */
  readonly lines: JsonLine[];
  signal(name: NodeJS.Signals): void;
}

const DEADLINE_MS = 60_000;
/** A simulator lives as long as the tests that share it, which a busy machine stretches. */
const SIMULATOR_DEADLINE_MS = 600_000;

export function start(args: string[], stdin?: string | Uint8Array | "open", deadlineMs = DEADLINE_MS): Running {
  const env = { ...process.env, NO_COLOR: "1" };
  const child = spawn(process.execPath, [join(ROOT, "dist/cli.js"), ...args], {
    env,
    stdio: [stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  if (stdin !== undefined && stdin !== "open") child.stdin?.end(stdin);
  let stdout = "";
  let stderr = "";
  const lines: JsonLine[] = [];
  const waiting = new Set<() => void>();
  child.stdout?.on("data", (bytes: Buffer) => {
    const parts = (stdout + bytes).split("\n");
    const known = stdout.split("\n").length - 1;
    stdout += bytes;
    if (args.includes("--json")) lines.push(...parts.slice(known, -1).map((text) => JSON.parse(text) as JsonLine));
    for (const look of waiting) look();
  });
  child.stderr?.on("data", (bytes: Buffer) => {
    stderr += bytes;
  });
  const deadline = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
  let over = false;
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (status, signal) => {
      clearTimeout(deadline);
      over = true;
      for (const look of waiting) look();
      resolve({ status, signal, stdout, stderr });
    });
  });
  return {
    child,
    ended,
    lines,
    signal: (name) => void child.kill(name),
    line: (wanted) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = lines.find(wanted);
          if (found === undefined && !over) return;
          waiting.delete(look);
          if (found !== undefined) resolve(found);
          else reject(new Error(`tritkit ${args.join(" ")} ended early: ${stdout}${stderr}`));
        };
        waiting.add(look);
        look();
      }),
  };
}

export const run = (args: string[], stdin?: string | Uint8Array, deadlineMs?: number): Promise<Ended> =>
  start(args, stdin, deadlineMs).ended;

/** The --json lines of a command that succeeded. */
export async function json(args: string[], deadlineMs?: number): Promise<JsonLine[]> {
  const { status, stdout, stderr } = await run([...args, "--json"], undefined, deadlineMs);
  assert.equal(status, 0, `tritkit ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout
    .split("\n")
    .filter((text) => text !== "")
    .map((text) => JSON.parse(text) as JsonLine);
}

/** `tritkit sim` in a process of its own, ready. */
export async function startSimulator(args: string[]): Promise<{ port: string; running: Running }> {
  const running = start(["sim", ...args, "--json"], undefined, SIMULATOR_DEADLINE_MS);
  const { port } = await running.line(({ event }) => event === "sim");
  return { port: String(port), running };
}

export async function end(running: Running, signal: NodeJS.Signals = "SIGKILL"): Promise<Ended> {
  running.signal(signal);
  return running.ended;
}

/** Whether this machine has pseudo-terminals. Any other failure than their absence is one. */
export async function hasPty(): Promise<boolean> {
  try {
    await end((await startSimulator(["--port", "pty"])).running, "SIGINT");
    return true;
  } catch (error) {
    if (String(error).includes("E_SIM_PORT_MISSING")) return false;
    throw error;
  }
}
