// What a figure was measured on, and how quiet it was there.
import { spawn } from "node:child_process";
import { cpus, loadavg, totalmem } from "node:os";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memory_gib: number;
  readonly node: string;
  readonly v8: string;
  readonly system: string;
  /** Processes that wanted to run in the last minute. */
  readonly load: number;
}

export function describeMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? "unknown CPU",
    cores: all.length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    v8: process.versions.v8,
    system: `${process.platform} ${process.arch}`,
    load: loadavg()[0],
  };
}

/** One line: CPU, cores, memory, Node, V8. */
export function machine(): string {
  const { cpu, cores, memory_gib, node, v8, system } = describeMachine();
  return `${cpu}, ${cores} cores, ${memory_gib} GiB, Node ${node}, V8 ${v8}, ${system}`;
}

/** The CPU time that other programs take while something is measured: above a few per cent the figures say little. */
export class Bystanders {
  #busy = busySeconds();
  #ours = 0;
  #started = performance.now();

  /** @param cpuSeconds CPU time so far of all processes that belong to the measurement */
  start(cpuSeconds: number): void {
    [this.#busy, this.#ours, this.#started] = [busySeconds(), cpuSeconds, performance.now()];
  }

  /** @returns share of the whole machine, 0..1, since start */
  share(cpuSeconds: number): number {
    const elapsed = ((performance.now() - this.#started) / 1000) * Math.max(1, cpus().length);
    const others = busySeconds() - this.#busy - (cpuSeconds - this.#ours);
    return elapsed > 0 ? Math.min(1, Math.max(0, others / elapsed)) : 0;
  }
}

function busySeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000;
}

/** Looks up from its loop now and then, so that it ends with its parent, however that ends. */
const SPINNER = "const parent = process.ppid; while (process.ppid === parent) for (let i = 0; i < 1e7; i++);";

/** Keeps every core busy with a process of its own. @returns how to stop */
export function loadMachine(): () => void {
  const children = cpus().map(() => spawn(process.execPath, ["-e", SPINNER], { stdio: "ignore" }));
  return () => {
    for (const child of children) child.kill("SIGKILL");
  };
}
