// What a figure was measured on.
import { cpus, totalmem } from "node:os";

/** One line: CPU, cores, memory, Node, V8. */
export function machine(): string {
  const all = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${all[0]?.model.trim() ?? "unknown CPU"}, ${all.length} cores, ${memory} GiB, Node ${process.versions.node}, V8 ${process.versions.v8}, ${process.platform} ${process.arch}`;
}
