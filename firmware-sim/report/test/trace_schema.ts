/**
 * Whether a text is a trace that Perfetto and chrome://tracing open: the JSON Object Format of Google's "Trace Event Format" document (sections "JSON Object
 * Format", "Duration and complete events", "Counter events", "Instant events", "Metadata events"), for the phases that we write, and what Perfetto's
 * JSON importer asks for beyond it: slices of a thread nest.
 */
import assert from "node:assert/strict";

export interface TraceEvent {
  readonly ph: string;
  readonly name: string;
  readonly pid: number;
  readonly tid?: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly s?: string;
  readonly cat?: string;
  readonly args?: Record<string, unknown>;
}

export interface TraceFile {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit?: string;
  readonly otherData: Record<string, string>;
}

const METADATA: Record<string, (args: Record<string, unknown>) => boolean> = {
  process_name: ({ name }) => typeof name === "string",
  thread_name: ({ name }) => typeof name === "string",
  thread_sort_index: ({ sort_index }) => Number.isInteger(sort_index),
};

/** @throws AssertionError with what is wrong */
export function checkTrace(text: string): TraceFile {
  const file = JSON.parse(text) as TraceFile;
  assert.ok(Array.isArray(file.traceEvents), "traceEvents is a list");
  assert.ok([undefined, "ms", "ns"].includes(file.displayTimeUnit), "displayTimeUnit is ms or ns");
  let last = Number.NEGATIVE_INFINITY;
  const open = new Map<string, { until: number; name: string }[]>();
  for (const event of file.traceEvents) {
    const { ph, name, pid, tid, ts, dur, args } = event;
    const what = `${ph} ${name}`;
    assert.ok(["X", "i", "C", "M"].includes(ph), `${what}: unknown phase`);
    assert.equal(typeof name, "string", `${what}: name`);
    assert.ok(Number.isInteger(pid), `${what}: pid`);
    if (ph === "M") {
      assert.ok(METADATA[name]?.(args ?? {}), `${what}: metadata`);
      continue;
    }
    if (typeof ts !== "number" || !Number.isFinite(ts) || ts < 0) assert.fail(`${what}: ts ${ts}`);
    assert.ok(ts >= last, `${what}: order of time`);
    last = ts;
    if (ph === "C") {
      const values = Object.values(args ?? {});
      assert.ok(values.length > 0 && values.every((value) => typeof value === "number"), `${what}: a number each`);
      continue;
    }
    assert.ok(Number.isInteger(tid), `${what}: tid`);
    if (ph === "i") {
      assert.ok(["g", "p", "t"].includes(event.s ?? "t"), `${what}: scope`);
      continue;
    }
    if (typeof dur !== "number" || !Number.isFinite(dur) || dur < 0) assert.fail(`${what}: dur ${dur}`);
    const stack = open.get(`${pid} ${tid}`) ?? [];
    open.set(`${pid} ${tid}`, stack);
    // Microseconds with three decimals: whole nanoseconds compare exactly.
    const [from, until] = [Math.round(ts * 1000), Math.round(ts * 1000) + Math.round(dur * 1000)];
    while (stack.length > 0 && stack[stack.length - 1].until <= from) stack.pop();
    const around = stack.at(-1);
    assert.ok(around === undefined || until <= around.until, `${what}: overlaps ${around?.name} at ${ts}`);
    stack.push({ until, name });
  }
  return file;
}
