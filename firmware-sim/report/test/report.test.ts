/** A whole report, made by the command: the same in every run, and its figures agree with one another and with what the board counted. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { KNOWN } from "../known.ts";
import { PARTS } from "../parts.ts";
import { checkTrace } from "./trace_schema.ts";
import { readVcd } from "./vcd_reader.ts";

const folder = mkdtempSync(join(tmpdir(), "tritkit-report-"));
after(() => rmSync(folder, { recursive: true }));

function tritkit(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ["dist/cli.js", ...args], { encoding: "utf8", input: "" });
}

/** Runs a scenario with a report. @returns the report's folder */
function scenario(name: string, content: object, options: readonly string[] = []): string {
  const [file, out] = [join(folder, `${name}.json`), join(folder, name)];
  writeFileSync(file, JSON.stringify(content));
  const { status, stderr } = tritkit("sim", "--script", file, "--report", out, ...options);
  assert.equal(status, 0, stderr);
  return out;
}

const DEMO = ["demo", "--json", "-n", "12", "--temp", "0"];
const first = join(folder, "first");
const demo = tritkit(...DEMO, "--report", first);
const read = (name: string, of = first): string => readFileSync(join(of, name), "utf8");
// biome-ignore lint/suspicious/noExplicitAny: JSON as it comes
const report = (of = first): any => JSON.parse(read("report.json", of));

describe("tritkit demo --report", () => {
  it("leaves a folder, and says where", () => {
    assert.equal(demo.status, 0, demo.stderr);
    const names = readdirSync(first).sort();
    const figures = ["bytes.svg", "cycles.svg", "energy.svg", "roofline.svg"];
    assert.deepEqual(names, [...figures, "index.html", "report.json", "trace.json", "window.vcd"].sort());
    const event = JSON.parse(demo.stdout.trim().split("\n").at(-1) as string);
    assert.equal(event.event, "report");
    assert.equal(event.path, first);
    assert.deepEqual([...event.files].sort(), names);
    near(event.figures.tokens_per_second.value, report().figures.tokens_per_second.value, 1e-8);
  });

  it("is the same to the byte in another run, on a machine that is busy", () => {
    const busy = Array.from({ length: 1 }, () => spawn(process.execPath, ["-e", "for (;;);"]));
    try {
      const second = join(folder, "second");
      assert.equal(tritkit(...DEMO, "--report", second).status, 0);
      for (const name of readdirSync(first)) assert.equal(read(name, second), read(name), name);
    } finally {
      for (const child of busy) child.kill();
    }
  });

  it("says of every figure how it is known", () => {
    const { figures, provenance, roofline } = report();
    for (const [name, figure] of Object.entries<Record<string, unknown>>(figures)) {
      assert.ok((KNOWN as readonly unknown[]).includes(figure.known), name);
      assert.ok(String(figure.why).length > 10 && String(figure.unit) !== "" && Number(figure.value) >= 0, name);
    }
    for (const line of [...roofline.engines, ...roofline.memories]) assert.ok(KNOWN.includes(line.known), line.name);
    for (const [what, source] of Object.entries(provenance)) assert.ok(String(source).length > 10, what);
  });

  it("has a part of a token for every part of the network, and they add up", () => {
    const { tokens, board, figures } = report();
    assert.equal(tokens.positions, 12);
    assert.deepEqual(
      tokens.parts.map(({ part }: { part: string }) => part),
      [...PARTS],
    );
    const sum = (key: string): number => tokens.parts.reduce((total: number, part: never) => total + part[key], 0);
    // When asc inlines a function that a part is known by, that part vanishes: parts.ts then has to name another one.
    for (const part of tokens.parts) assert.ok(part.cycles > 1000, `${part.part}: ${part.cycles} cycles`);
    near(sum("cycles"), tokens.cycles, 1e-6);
    near(sum("wait_cycles"), tokens.wait_cycles, 1e-6);
    near(sum("ns"), tokens.ns, 1e-6);
    near(sum("share"), 1, 1e-6);
    near(sum("pj"), tokens.energy.pj, 1e-6);
    // A nanosecond a reading is rounded.
    near(tokens.ns, (tokens.cycles * 1e9) / board.hz, 1e-3);
    near(figures.tokens_per_second.value, 1e9 / tokens.ns, 1e-6);
    near(
      tokens.energy.pj,
      tokens.energy.events.reduce((total: number, { pj }: { pj: number }) => total + pj, 0),
      1e-6,
    );
  });

  it("has read every matrix once a token, to the byte", () => {
    const { tokens, model } = report();
    const { layers } = model.shape;
    assert.equal(tokens.tensors.length, 7 * layers + 1);
    for (const { name, bytes, bytes_read, times } of tokens.tensors) {
      assert.equal(bytes_read, bytes, name);
      assert.equal(times, 1, name);
    }
    const matrices = tokens.tensors.reduce((total: number, { bytes }: { bytes: number }) => total + bytes, 0);
    near(matrices + tokens.other_bytes, tokens.flash_bytes, 1e-6);
  });

  it("has no point above its roof, and work that is counted by the model's shape", () => {
    const { roofline, model, tokens } = report();
    const { dim, hiddenDim, layers, heads, kvHeads, headDim } = model.shape;
    const of = (name: string) => roofline.points.find((point: { name: string }) => point.name === name);
    for (const point of roofline.points) {
      assert.ok(point.ops_per_second <= point.roof_ops_per_second, point.name);
      // A ceiling that is far from everything would say nothing.
      assert.ok(point.ops_per_second > point.roof_ops_per_second / 10, point.name);
    }
    const weights = layers * (2 * dim * heads * headDim + 2 * dim * kvHeads * headDim + 3 * dim * hiddenDim);
    assert.equal(of("products").ops, weights);
    near(of("attention").ops, 2 * layers * heads * headDim * tokens.mean_context, 1e-6);
  });

  it("leaves a trace that viewers take, with a slice for each position and each sector that was erased", () => {
    const { traceEvents, otherData } = checkTrace(read("trace.json"));
    assert.equal(otherData.dropped_events, "0");
    const slices = traceEvents.filter(({ ph }) => ph === "X");
    const { tokens, prompt_positions } = report();
    const positions = slices.filter(({ name }) => name === "forward");
    assert.equal(positions.length, tokens.positions + prompt_positions.positions);
    const tracks = traceEvents.filter(({ name }) => name === "thread_name").map(({ args }) => args?.name);
    assert.deepEqual(tracks, ["CPU cortex-m0plus", "flash", "UART rx", "UART tx", "pins"]);
    const { bytes } = report().model;
    const erased = slices.filter(({ name }) => name === "erase").length;
    assert.ok(erased >= bytes / 4096 && erased < bytes / 4096 + 8, `${erased} sectors`);
    const uploaded = slices
      .filter(({ cat }) => cat === "UART rx")
      .reduce((sum, { args }) => sum + Number(args?.bytes), 0);
    assert.ok(uploaded > bytes && uploaded < 1.1 * bytes, `${uploaded} bytes came`);
    assert.ok(traceEvents.some(({ ph, name }) => ph === "i" && /^pin \d+ high$/.test(name)));
  });

  it("shows in the waveforms that the CPU is in one part at a time", () => {
    const { values, changes } = readVcd(read("window.vcd"));
    const high = new Set(
      [...values].filter(([name, value]) => name.startsWith("cpu.") && value === "1").map(([name]) => name),
    );
    let switches = 0;
    let at = -1;
    for (const change of changes.filter(({ name }) => name.startsWith("cpu."))) {
      if (change.at !== at) assert.ok(high.size <= 1, `${[...high].join()} at ${at}`);
      at = change.at;
      if (change.value === "1") high.add(change.name);
      else high.delete(change.name);
      switches++;
    }
    assert.ok(switches >= 4, `${switches} changes`);
  });

  it("draws figures that are whole XML, alone and in the page", (t) => {
    for (const name of ["roofline.svg", "cycles.svg", "energy.svg", "bytes.svg"]) {
      assert.ok(read("index.html").includes(read(name)), name);
      assert.doesNotMatch(read(name), /NaN|Infinity|undefined/, name);
    }
    assert.doesNotMatch(read("index.html"), /<script|https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
    if (spawnSync("rsvg-convert", ["--version"]).error !== undefined) return t.skip("rsvg-convert is not installed");
    for (const name of readdirSync(first).filter((each) => each.endsWith(".svg"))) {
      const { status, stderr } = spawnSync("rsvg-convert", [join(first, name), "-o", join(folder, "x.png")]);
      assert.equal(status, 0, `${name}: ${stderr}`);
    }
  });
});

describe("--vcd-from", () => {
  it("shows the line bit by bit: a receiver that samples it finds the frames that the host sent", () => {
    const hello = { board: "rp2040-pico", model: "llama-300k", steps: [{ assert_model: "llama-300k" }] };
    // When the first byte is on the line, the trace says.
    const { traceEvents } = checkTrace(read("trace.json", scenario("when", hello)));
    const begins = Math.floor(traceEvents.find(({ cat }) => cat === "UART rx")?.ts ?? 0) - 100;
    const out = scenario("line", hello, ["--vcd-from", String(begins), "--vcd-us", "8000"]);
    const end = (begins + 8000) * 1e6;
    const { values, changes } = readVcd(read("window.vcd", out));
    const edges = [{ at: 0, value: values.get("uart.rx") }, ...changes.filter(({ name }) => name === "uart.rx")];
    const level = (at: number): number => Number(edges.findLast((edge) => edge.at <= at)?.value);
    const bit = 1e12 / 115_200;
    const bytes: number[] = [];
    let from = begins * 1e6;
    for (;;) {
      const start = edges.find(({ at, value }) => at >= from && value === "0");
      if (start === undefined || start.at + 10 * bit > end) break;
      const sample = (k: number): number => level(start.at + (k + 0.5) * bit);
      assert.deepEqual([sample(0), sample(9)], [0, 1]);
      bytes.push([1, 2, 3, 4, 5, 6, 7, 8].reduce((byte, k) => byte | (sample(k) << (k - 1)), 0));
      from = start.at + 9.5 * bit;
    }
    // SMP over a console: 06 09, base64, newline.
    assert.deepEqual(bytes.slice(0, 2), [6, 9]);
    assert.match(String.fromCharCode(...bytes.slice(2, bytes.indexOf(10))), /^[A-Za-z0-9+/]+=*$/);
  });
});

describe("a board with the coprocessor", () => {
  const chat = { model: "stories-1m", steps: [{ chat: "Once upon a time", max: 3 }] };
  const out = scenario("copro", { board: "rp2040-pico+tgemv", ...chat }, ["--vcd-us", "400"]);
  const { traceEvents } = checkTrace(read("trace.json", out));
  const ofUnit = traceEvents.filter(({ ph, cat }) => ph === "X" && cat === "coprocessor");
  const jobs = ofUnit.filter(({ args }) => args?.cycles !== undefined);

  it("has a job for each matrix of a token, whose cycles are those of its phases and of its counters", () => {
    const { tokens, model, prompt_positions } = report(out);
    const matrices = 7 * model.shape.layers;
    assert.equal(tokens.tensors.length, matrices + 1);
    for (const { name, times } of tokens.tensors) assert.equal(times, 1, name);
    // A prompt's positions share passes over the weights.
    const passes = jobs.filter(({ name }) => name === "layer 0 ffn_up").length;
    assert.ok(passes > tokens.positions && passes <= tokens.positions + prompt_positions.positions, `${passes} passes`);
    for (const { name, ts = 0, dur = 0, args = {} } of jobs) {
      const classes = ["setup", "astall", "issue", "wstall", "ostall", "drain"];
      const sum = classes.reduce((total, each) => total + Number(args[each]), 0);
      assert.equal(sum, args.cycles, name);
      near(dur * 125, Number(args.cycles), 1e-9); // 125 MHz
      const phases = ofUnit.filter((other) => other.args === undefined && inside(other, ts, dur));
      near(
        phases.reduce((total, phase) => total + (phase.dur ?? 0), 0),
        dur,
        1e-9,
      );
    }
  });

  it("has points for the unit, at most a fifth below what its memory allows", () => {
    const { roofline } = report(out);
    const names = roofline.points.map(({ name }: { name: string }) => name);
    for (const name of ["products, unit alone", "head, unit alone"]) {
      assert.ok(names.includes(name), name);
      const point = roofline.points.find((each: { name: string }) => each.name === name);
      assert.equal(point.limit, "memory");
      assert.ok(point.ops_per_second > 0.8 * point.roof_ops_per_second, name);
    }
  });

  it("counts the time in which the CPU sleeps for the unit to the parts whose products it makes", () => {
    const { tokens } = report(out);
    const sleeps = tokens.parts.filter(({ copro_ns }: { copro_ns: number }) => copro_ns > 0);
    assert.deepEqual(
      sleeps.map(({ part }: { part: string }) => part),
      ["QKV", "output projection", "FFN", "head"],
    );
    assert.ok(tokens.copro_ns / tokens.ns > 0.2);
  });

  it("shows in the waveforms, cycle by cycle, what the job's counters say", () => {
    const { values, changes } = readVcd(read("window.vcd", out));
    const busy = changes.find(({ name, value }) => name === "tgemv.busy" && value === "1");
    const begins = busy?.at ?? 0;
    const job = jobs.find(({ ts = 0 }) => Math.abs(ts * 1e6 - begins) < 2000);
    assert.ok(job !== undefined, `no job begins at ${begins} ps`);
    const until = begins + Number(job.args?.cycles) * 8000;
    for (const signal of ["issue", "wstall", "astall", "ostall"]) {
      let [high, at, level] = [0, begins, values.get(`tgemv.${signal}`)];
      const edges = changes.filter(({ name }) => name === `tgemv.${signal}`);
      for (const edge of [...edges, { at: until, value: "0" }]) {
        const end = Math.min(edge.at, until);
        if (level === "1" && end > at) high += end - at;
        at = Math.max(at, end);
        level = edge.value;
      }
      assert.equal(high / 8000, job.args?.[signal], signal);
    }
    assert.ok(changes.some(({ name, value }) => name === "tgemv.irq" && value === "1"));
  });

  it("finds the tensors of an image that was copied to PSRAM", () => {
    const psram = scenario("psram", { board: "rp2350-pico2+tgemv", ...chat });
    const { tokens, roofline } = report(psram);
    assert.equal(tokens.tensors.length, 36);
    for (const { name, bytes, bytes_read } of tokens.tensors) assert.equal(bytes_read, bytes, name);
    assert.ok(
      roofline.points.every(({ name, memory }: Record<string, string>) => name === "attention" || memory === "PSRAM"),
    );
    assert.ok(checkTrace(read("trace.json", psram)).traceEvents.some(({ cat }) => cat === "PSRAM"));
  });
});

describe("a folder for a report", () => {
  it("is not one that holds something else, which is said before anything runs", () => {
    const other = join(folder, "other");
    mkdirSync(other);
    writeFileSync(join(other, "letter.txt"), "dear");
    const { status, stderr, stdout } = tritkit("demo", "--report", other);
    assert.equal(status, 2);
    assert.match(stderr, /^tritkit: .*letter\.txt.*\n$/);
    assert.equal(stdout, "");
    assert.deepEqual(readdirSync(other), ["letter.txt"]);
  });

  it("may be that of an older report, of which nothing is left", () => {
    const old = join(folder, "old");
    cpSync(first, old, { recursive: true });
    // A scenario that makes no token has no figures of one.
    scenario("old", { board: "rp2040-pico", steps: [{ wait_ms: 5 }] });
    assert.deepEqual(readdirSync(old).sort(), ["index.html", "report.json", "trace.json"]);
    assert.equal(report(old).tokens, null);
  });

  it("is refused where no board is simulated, as are its options without it", () => {
    assert.equal(tritkit("chat", "--port", "tcp:1", "--report", join(folder, "no")).status, 2);
    assert.equal(tritkit("demo", "--vcd-us", "5").status, 2);
    assert.equal(tritkit("demo", "--report", join(folder, "no"), "--vcd-us", "0").status, 2);
    assert.equal(existsSync(join(folder, "no")), false);
  });
});

function inside(event: { ts?: number; dur?: number }, ts: number, dur: number): boolean {
  const from = event.ts ?? 0;
  return from >= ts - 1e-6 && from + (event.dur ?? 0) <= ts + dur + 1e-6;
}

function near(value: number, expected: number, tolerance: number): void {
  const distance = Math.abs(value - expected);
  assert.ok(distance <= tolerance * Math.abs(expected), `${value} is not ${expected}`);
}
