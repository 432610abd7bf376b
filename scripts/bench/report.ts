/** What the runs have told, as the generated part of docs/bench.md. */
import type { BenchEvent } from "./runs.ts";

/** Everything that one Node has told. */
export interface Column {
  /** "Node 24.21.0". */
  readonly node: string;
  readonly events: readonly BenchEvent[];
}

export interface Row {
  readonly what: string;
  readonly column: string;
  readonly event: BenchEvent;
}

/** Whole models and kernels beside llama.cpp, for table and figure. */
export function rowsOf(columns: readonly Column[], wanted: (event: BenchEvent) => boolean): Row[] {
  return columns.flatMap(({ node, events }) =>
    events
      .filter((event) => event.event === "bench" && wanted(event))
      .map((event) => ({ what: describeWork(event), column: node, event })),
  );
}

export const isModel = (event: BenchEvent): boolean =>
  typeof event.tok_s === "number" && isPeer(event) && event.loaded !== true;
export const isKernel = (event: BenchEvent): boolean => event.tok_s === undefined;
const isPeer = ({ peer }: BenchEvent): boolean => String(peer).startsWith("llama.cpp");
const isScaling = ({ peer }: BenchEvent): boolean => peer === "the same with 1 thread" || peer === "itself";

function describeWork({ name, mode, threads, loaded, tok_s }: BenchEvent): string {
  const count = threads === 1 ? "1 thread" : `${threads} threads`;
  const what = tok_s === undefined ? `${name}, ${mode}` : String(mode);
  return `${what}, ${count}${loaded ? ", machine loaded" : ""}`;
}

export function markdown(columns: readonly Column[], command: string, date: Date): string {
  const lines: string[] = [];
  const machine = columns[0].events.find(({ event }) => event === "machine");
  const conditions = columns.flatMap(({ events }) => events.filter(({ event }) => event === "conditions"));
  const peer = conditions.map((event) => String(event.peer)).find((text) => text !== "") ?? "not installed";
  const others = conditions.map((event) => number(event.others_cpu) * 100);
  lines.push(
    `${date.toISOString().slice(0, 10)}, \`${command}\``,
    "",
    `- machine: ${machine?.cpu}, ${machine?.cores} cores, ${machine?.memory_gib} GiB, ${machine?.system}`,
    ...columns.map(({ node, events }) => {
      const memory = events.find(({ event }) => event === "memory");
      const v8 = events.find(({ event }) => event === "machine")?.v8;
      return `- ${node}: V8 ${v8}${memory ? `; ${memory.about}` : ""}`;
    }),
    `- peer: ${peer}`,
    ...(others.length > 0 ? [`- other programs took ${Math.max(...others).toFixed(0)} % of the CPU at most`] : []),
    "",
  );
  const models = rowsOf(columns, isModel);
  if (models.length > 0) {
    const model = models[0].event.name;
    lines.push(
      `### Whole model, ${model}`,
      "",
      ...grid(
        ["", "", "tokens/s", "peer", "tokens/s", "**ratio**", "of best deciles"],
        models.map(({ what, column, event }) => [
          what,
          column,
          fixed(event.tok_s, 2),
          String(event.peer),
          fixed(event.peer_tok_s, 2),
          `**${fixed(event.ratio, 2)}**`,
          fixed(event.best_ratio, 2),
        ]),
        [2, 4, 5, 6],
      ),
      "",
    );
  }
  const all = rowsOf(columns, isKernel);
  const besideGgml = all.filter(({ event }) => String(event.peer).startsWith("ggml"));
  const kernels = besideGgml.length > 0 ? besideGgml : all;
  if (kernels.length > 0)
    lines.push(
      "### Kernels",
      "",
      ...grid(
        ["", "rows x cols", "", "Gweights/s", "peer", "Gweights/s", "**ratio**", "of best deciles"],
        kernels.map(({ what, column, event }) => [
          what,
          String(event.shape),
          column,
          fixed(event.gweights_s, 2),
          String(event.peer),
          fixed(event.peer_gweights_s, 2),
          `**${fixed(event.ratio, 2)}**`,
          fixed(event.best_ratio, 2),
        ]),
        [3, 5, 6, 7],
      ),
      "",
    );
  const scaling = rowsOf(columns, isScaling);
  if (scaling.length > 0)
    lines.push(
      "### Threads",
      "",
      ...grid(
        ["", "", "tokens/s", "with 1 thread", "**ratio**"],
        scaling.map(({ what, column, event }) => [
          what,
          column,
          fixed(event.tok_s, 2),
          fixed(event.peer_tok_s, 2),
          `**${fixed(event.ratio, 2)}**`,
        ]),
        [2, 3, 4],
      ),
      "",
    );
  const memory = columns.flatMap(({ node, events }) =>
    events.filter(({ event }) => event === "memory").map((event) => ({ node, event })),
  );
  if (memory.length > 0)
    lines.push(
      "### Memory",
      "",
      ...grid(
        ["", "threads", "image, MiB", "resident, MiB", "**ratio**", "at most, MiB", "ratio", "opened in, s"],
        memory.map(({ node, event }) => [
          node,
          String(event.threads),
          mebibytes(event.image_bytes),
          mebibytes(event.rss_bytes),
          `**${fixed(event.ratio, 2)}**`,
          mebibytes(event.peak_rss_bytes),
          fixed(event.peak_ratio, 2),
          fixed(event.open_seconds, 1),
        ]),
        [1, 2, 3, 4, 5, 6, 7],
      ),
      "",
    );
  return lines.join("\n").trimEnd();
}

function grid(head: string[], rows: string[][], right: number[]): string[] {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (right.includes(i) ? "---:" : "---"))), ...rows.map(line)];
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

/** "" for a figure that was not measured. */
function fixed(value: unknown, digits: number): string {
  return typeof value === "number" && Number.isFinite(value) ? value.toFixed(digits) : "";
}

function mebibytes(value: unknown): string {
  return typeof value === "number" ? (value / 2 ** 20).toFixed(0) : "";
}

const BEGIN = /^<!-- npm run bench .*-->$/m;
const END = "<!-- -->";

/** The page with its generated part made anew; a page that has none gets one at its end. */
export function withGenerated(page: string, generated: string): string {
  const begin = BEGIN.exec(page);
  const end = begin ? page.indexOf(END, begin.index + begin[0].length) : -1;
  const block = `<!-- npm run bench -- --markdown docs/bench.md -->\n${generated}\n${END}`;
  if (!begin || end < 0) return `${page.trimEnd()}\n\n${block}\n`.trimStart();
  return page.slice(0, begin.index) + block + page.slice(end + END.length);
}
