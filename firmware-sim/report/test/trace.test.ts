import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Trace } from "../trace.ts";
import { checkTrace } from "./trace_schema.ts";

const TRACKS = [
  { id: 1, name: "CPU" },
  { id: 2, name: "UART tx" },
];

describe("trace", () => {
  it("writes slices, instants and counters with times in microseconds", () => {
    const trace = new Trace("pico", TRACKS);
    trace.slice({ track: 1, name: "token", from: 1000, until: 9001, args: { position: 3 } });
    trace.instant({ track: 2, name: "LED on", at: 1500 });
    trace.sample({ counter: "flash", at: 2000, values: { bytes: 12 } });
    const { traceEvents, displayTimeUnit } = checkTrace(trace.text({ board: "pico" }));
    assert.equal(displayTimeUnit, "ns");
    assert.deepEqual(traceEvents.slice(-3), [
      { ph: "X", name: "token", cat: "CPU", pid: 1, tid: 1, ts: 1, dur: 8.001, args: { position: 3 } },
      { ph: "i", name: "LED on", cat: "UART tx", pid: 1, tid: 2, ts: 1.5, s: "t" },
      { ph: "C", name: "flash", pid: 1, tid: 0, ts: 2, args: { bytes: 12 } },
    ]);
  });

  it("writes a slice before those inside it, however they were reported", () => {
    const trace = new Trace("pico", TRACKS);
    trace.slice({ track: 1, name: "inner", from: 0, until: 10, depth: 2 });
    trace.slice({ track: 1, name: "middle", from: 0, until: 10, depth: 1 });
    trace.slice({ track: 1, name: "outer", from: 0, until: 20, depth: 0 });
    const { traceEvents } = checkTrace(trace.text({}));
    const names = traceEvents.filter(({ ph }) => ph === "X").map(({ name }) => name);
    assert.deepEqual(names, ["outer", "middle", "inner"]);
  });

  it("counts what it has no room for", () => {
    const trace = new Trace("pico", TRACKS, 2);
    for (let i = 0; i < 5; i++) trace.instant({ track: 1, name: "x", at: i });
    assert.equal(trace.dropped, 3);
    assert.equal(checkTrace(trace.text({})).otherData.dropped_events, "3");
  });

  it("is refused by the schema when it is wrong", () => {
    const of = (events: object[]) => JSON.stringify({ traceEvents: events });
    const slice = { ph: "X", name: "a", cat: "c", pid: 1, tid: 1, ts: 0, dur: 5 };
    assert.throws(() => checkTrace(of([{ ...slice, dur: -1 }])), /dur/);
    assert.throws(() => checkTrace(of([{ ...slice, ph: "Q" }])), /phase/);
    assert.throws(() => checkTrace(of([{ ...slice, ts: "0" }])), /ts/);
    assert.throws(() => checkTrace(of([slice, { ...slice, ts: 3 }])), /overlap/);
    assert.throws(() => checkTrace(of([{ ...slice, ts: 3 }, slice])), /order/);
    assert.throws(() => checkTrace(of([{ ph: "C", name: "n", pid: 1, ts: 0, args: { v: "x" } }])), /number/);
  });
});
