/**
 * Listens to a board while it works: functions of the module, the coprocessor's jobs, flash, the line and the pins. What it heard becomes a
 * report (report.ts), a trace (trace.ts) and a window of waveforms (window.ts).
 *
 *     const recorder = new Recorder({ ... });
 *     const board = SimBoard.create({ ..., cpu: "metered", watcher: recorder });
 *     recorder.attach(board);
 *
 * It looks at simulated time only, so two runs of the same scenario are heard alike.
 */
import { TGEMV_PHASE_LOAD, TGEMV_PHASE_PRIME, TGEMV_PHASE_RUN } from "../../spec/tgemv.ts";
import type { FlashOperation } from "../peripherals/flash.ts";
import type { PinChange } from "../peripherals/gpio.ts";
import type { PulseChange } from "../peripherals/pwm.ts";
import type { LineBytes } from "../peripherals/uart.ts";
import type { SimBoard } from "../sim_board.ts";
import { SimError } from "../sim_error.ts";
import type { SpanArguments, Watcher } from "../watcher.ts";
import { Attribution, type Probe, type Span } from "./attribution.ts";
import { type CoproJob, CoproRecorder, jobCounts, nsOfCycles, PHASE_NAMES } from "./copro_recorder.ts";
import { COUNTERS, get, vector } from "./counters.ts";
import { Lines } from "./lines.ts";
import { FORWARD, roleOf, shortName, TRACED } from "./parts.ts";
import { type Image, type Tensor, TensorMap } from "./tensors.ts";
import { Trace } from "./trace.ts";
import { Window, type WindowOptions } from "./window.ts";

export const TRACKS = { cpu: 1, copro: 2, flash: 3, psram: 4, rx: 5, tx: 6, pins: 7 } as const;
/** Phases of the coprocessor in which weights come. */
const STREAMING = [TGEMV_PHASE_LOAD, TGEMV_PHASE_PRIME, TGEMV_PHASE_RUN];
/** Bytes of an image that tell it from another one: its header. */
const HEADER = 4096;

export interface RecorderOptions {
  /** Which stretch of time the waveforms show. */
  readonly window?: WindowOptions;
  /** Events that the trace keeps. */
  readonly traceLimit?: number;
}

export class Recorder implements Watcher {
  readonly spans = TRACED;
  readonly window: Window;
  readonly lines = new Lines();
  readonly pins: PinChange[] = [];
  readonly pulses: PulseChange[] = [];
  /** Time that flash was erased and programmed, ns. */
  flashBusyNs = 0;
  readonly #traceLimit: number | undefined;
  #board: SimBoard | null = null;
  #attribution: Attribution | null = null;
  #trace: Trace | null = null;
  #map: TensorMap | null = null;
  #copro: CoproRecorder | null = null;
  /** The latest reading, ns. */
  #time = 0;

  constructor({ window = {}, traceLimit }: RecorderOptions = {}) {
    this.window = new Window(window);
    this.#traceLimit = traceLimit;
  }

  /** The board that this is a watcher of; before it does anything. */
  attach(board: SimBoard): void {
    if (board.meter === null) throw new SimError("E_SIM_COST", "a report needs the CPU's cycles: cpu is not metered");
    this.#board = board;
    this.#trace = new Trace(`${board.board.name}, simulated`, tracksOf(board), this.#traceLimit);
    const probe: Probe = { size: COUNTERS.length, read: (into) => this.#read(into) };
    this.#attribution = new Attribution(
      probe,
      (address) => this.#tensorAt(address),
      (span) => this.#onSpan(span),
    );
    board.flash.onOperation((operation) => this.#onFlash(operation));
    board.flash.onChange(() => {
      this.#map = null;
    });
    board.uart.onLine((bytes) => this.#onLine(bytes));
    board.gpio.onChange((change) => this.#onPin(change));
    board.pwm.onChange((change) => this.#onPulse(change));
    const { copro } = board;
    if (copro !== null && board.board.copro !== null) {
      const ns = nsOfCycles(board.board.copro.hz);
      this.window.expectCopro(board.board.copro.hz);
      const onChain = (cycle: number): void => this.window.chainBegins(ns(cycle), copro.unit);
      this.#copro = new CoproRecorder(board.board, copro.unit, onChain, (job) => this.#onJob(job));
    }
  }

  get board(): SimBoard {
    if (this.#board === null) throw new SimError("E_SIM_OFF", "the recorder is attached to no board");
    return this.#board;
  }

  get attribution(): Attribution {
    if (this.#attribution === null) throw new SimError("E_SIM_OFF", "the recorder is attached to no board");
    return this.#attribution;
  }

  get trace(): Trace {
    if (this.#trace === null) throw new SimError("E_SIM_OFF", "the recorder is attached to no board");
    return this.#trace;
  }

  /** The images that flash holds. */
  get tensors(): TensorMap {
    this.#map ??= new TensorMap(this.board.flash, sectorStarts(this.board));
    return this.#map;
  }

  // -- the watcher's end --

  begin(name: string, args: SpanArguments): void {
    this.#attribution?.enter(name, args);
    if (roleOf(name)?.is === "embedding") this.window.positionBegins(this.board.nowExactly);
  }

  end(name: string): void {
    this.#attribution?.leave(name);
  }

  slept(until: number): void {
    this.#attribution?.slept(until);
  }

  stopped(): void {
    this.#attribution?.abandon();
    this.#copro?.abandon();
  }

  // -- the board's end --

  #read(into: Float64Array): void {
    const { meter, nowExactly } = this.board;
    if (meter === null) return;
    // Work is charged ahead and may be taken back a little (meter.ts); a slice that ended does not.
    this.#time = Math.max(this.#time, nowExactly);
    const { cycles, waitCycles, flash } = meter.reading();
    const { xip } = this.board.board.flash;
    const unit = this.board.copro?.unit.state;
    vector(
      {
        ...{ ns: this.#time, cycles, waitCycles, flashReads: flash.reads, flashBytes: flash.bytes },
        flashBusBytes: xip === null ? flash.bytes : flash.lines * xip.line_bytes,
        ...this.#copro?.sums,
        coproSramWords: unit === undefined ? 0 : unit.mReads + unit.mWrites,
        uartSent: this.lines.toHost,
        uartReceived: this.lines.toBoard,
        flashBusyNs: this.flashBusyNs,
      },
      into,
    );
  }

  #tensorAt(address: number): Tensor | null {
    const { flash, psram } = this.board.board;
    if (psram === null || address < psram.base || address >= psram.base + psram.bytes)
      return this.tensors.at(address - flash.base - flash.partition.offset);
    const copy = this.#copied();
    return copy === null ? null : this.tensors.at(copy.offset + address - psram.base);
  }

  /** The image of which a copy begins where PSRAM does. */
  #copied(): Image | null {
    const { board, copro, flash } = this.board;
    if (board.psram === null || copro === null) return null;
    const bytes = copro.unit.ports.weights(board.psram.base, HEADER);
    const isHere = ({ offset }: Image): boolean => flash.read(offset, HEADER).every((byte, i) => byte === bytes[i]);
    return this.tensors.images.find(isHere) ?? null;
  }

  #onJob({ job, counts, error, from, until, phases }: CoproJob): void {
    const { board } = this.board;
    const tensor = this.#tensorAt(job.waddr);
    const own = jobCounts(board, job, counts);
    if (tensor !== null) this.attribution.onTensor(tensor, vector(own, new Float64Array(COUNTERS.length)));
    const name = tensor?.name ?? `0x${job.waddr.toString(16)}`;
    const args: Record<string, string | number> = {
      ...{ rows: job.rows, cols: job.cols, planes: job.planes, vectors: job.vectors, tag: job.tag },
      ...{ cycles: counts.cycles, beats: counts.beats, issue: counts.issue, setup: counts.setup },
      ...{ astall: counts.astall, wstall: counts.wstall, ostall: counts.ostall, drain: counts.drain },
    };
    if (error !== 0) args.error = error;
    const { trace } = this;
    trace.slice({ track: TRACKS.copro, name: error === 0 ? name : `${name}: error ${error}`, from, until, args });
    for (const { phase, from: begins, until: ends } of phases)
      trace.slice({ track: TRACKS.copro, name: PHASE_NAMES[phase], from: begins, until: ends, depth: 1 });
    // Weights stream from the check of the job on until the last of them is used.
    const stream = phases.filter(({ phase }) => STREAMING.includes(phase));
    const bytes = 4 * counts.pushes;
    if (stream.length === 0 || bytes === 0) return;
    const track = (own.coproPsramBytes ?? 0) > 0 ? TRACKS.psram : TRACKS.flash;
    const span = { from: stream[0].from, until: stream[stream.length - 1].until };
    trace.slice({ track, name: `stream ${name}`, ...span, args: { bytes } });
  }

  #onSpan(span: Span): void {
    const { name, part, tensor, from, until, depth, counts } = span;
    this.window.span(part, from, until, depth);
    if (name.startsWith(FORWARD)) {
      const values = { ms: (until - from) / 1e6 };
      this.trace.sample({ counter: "time of a forward pass", at: until, values });
      const bytes = get(counts, "flashBytes") + get(counts, "coproFlashBytes") + get(counts, "coproPsramBytes");
      this.trace.sample({ counter: "bytes of a forward pass", at: until, values: { read: bytes } });
    }
    // A look at a silent line is no event.
    if (name.endsWith("/poll") && get(counts, "cycles") < IDLE_POLL) return;
    const cycles = Math.round(get(counts, "cycles"));
    const args: Record<string, string | number> = { cycles };
    if (part !== null) args.part = part;
    if (tensor !== null) args.tensor = tensor.name;
    const flashBytes = get(counts, "flashBytes");
    if (flashBytes > 0) args.flash_bytes = flashBytes;
    this.trace.slice({ track: TRACKS.cpu, name: sliceName(span), from, until, depth, args });
    if (roleOf(name)?.is === "weights" && tensor !== null && flashBytes > 0)
      this.trace.slice({ track: TRACKS.flash, name: `read ${tensor.name}`, from, until, args: { bytes: flashBytes } });
  }

  #onFlash({ kind, offset, bytes }: FlashOperation): () => void {
    const from = this.board.now;
    return () => {
      const until = this.board.now;
      this.flashBusyNs += until - from;
      this.trace.slice({ track: TRACKS.flash, name: kind, from, until, args: { offset, bytes } });
    };
  }

  #onLine(bytes: LineBytes): void {
    const burst = this.lines.add(bytes);
    if (burst !== null) this.#burst(burst);
  }

  #burst({ to, from, until, count }: NonNullable<ReturnType<Lines["add"]>>): void {
    const track = to === "board" ? TRACKS.rx : TRACKS.tx;
    this.trace.slice({ track, name: count === 1 ? "1 byte" : `${count} bytes`, from, until, args: { bytes: count } });
  }

  #onPin(change: PinChange): void {
    this.pins.push(change);
    const { pin, level, at } = change;
    const what = level === null ? "floats" : level === 1 ? "high" : "low";
    this.trace.instant({ track: TRACKS.pins, name: `pin ${pin} ${what}`, at });
  }

  #onPulse(change: PulseChange): void {
    this.pulses.push(change);
    const { pin, duty, hz, at } = change;
    const percent = ((100 * duty) / 65535).toFixed(1);
    this.trace.instant({ track: TRACKS.pins, name: `pin ${pin} ${percent} % at ${hz} Hz`, at });
  }

  /** Nothing more comes: what is open is closed. */
  finish(): void {
    this.attribution.end();
    for (const burst of this.lines.end()) this.#burst(burst);
  }
}

/** Cycles of a poll that is worth showing. */
const IDLE_POLL = 20_000;

function sliceName({ name, part, tensor }: Span): string {
  if (name.endsWith("/poll")) return "wire, control";
  if (name.startsWith(FORWARD)) return "forward";
  if (tensor !== null && roleOf(name)?.is === "products") return `${part}: ${shortName(name)}`;
  return shortName(name);
}

function tracksOf(board: SimBoard): { id: number; name: string }[] {
  const { cpu, copro, psram } = board.board;
  return [
    { id: TRACKS.cpu, name: `CPU ${cpu.core}` },
    ...(copro === null ? [] : [{ id: TRACKS.copro, name: "coprocessor" }]),
    { id: TRACKS.flash, name: "flash" },
    ...(psram === null ? [] : [{ id: TRACKS.psram, name: "PSRAM" }]),
    { id: TRACKS.rx, name: "UART rx" },
    { id: TRACKS.tx, name: "UART tx" },
    { id: TRACKS.pins, name: "pins" },
  ];
}

function sectorStarts(board: SimBoard): number[] {
  const starts: number[] = [];
  const { flash } = board.board;
  let at = 0;
  for (const { count, bytes } of flash.sectors)
    for (let i = 0; i < count; i++, at += bytes)
      if (at >= flash.partition.offset) starts.push(at - flash.partition.offset);
  return starts;
}
