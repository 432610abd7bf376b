/**
 * The device module with counters in it: the same module, which counts as it runs. Counters lie in pages of linear memory behind the board's address
 * space, where the module does not reach; nothing is on the stack more or less than before, so that it computes what it computed.
 *
 *     old end of memory ->  counters u32[n] | i32[n], what each costs | which are whose | slots, two for each function | cache
 *
 * Which counters there are and what they mean for each instruction says flow.ts, slots and cache flash_probe.ts. The export sim.meter adds up
 * counters times costs (counter_sum.ts); meter.ts sets the one and clears the other between two polls, so that none goes around.
 *
 * Spans: functions whose names match get a wrapper that calls an import when they begin and when they end. Functions are then numbered anew, behind two
 * imports more.
 *
 * NOT IMPLEMENTED: v128, exceptions, threads, more than one memory, functions that are called through a table (they run, but a span does not see them).
 */
import type { Xip } from "../../boards/board.ts";
import { SimError } from "../sim_error.ts";
import { type CodeInFlash, codeFetches } from "./code_fetch.ts";
import { METER_EXPORT, SUM_TYPE, sumBody } from "./counter_sum.ts";
import { type Body, decodeBody, type Instruction, type ModuleFacts, moduleFacts, OP } from "./decode.ts";
import {
  type FlashRange,
  flashChecks,
  type Insertion,
  PROBE_TYPE,
  probeBody,
  SLOT,
  stateBytes,
} from "./flash_probe.ts";
import { type Flow, type Block as FlowBlock, flowOf } from "./flow.ts";
import {
  header,
  I32,
  leb,
  PAGE,
  Reader,
  SECTION,
  type Section,
  sectionsOf,
  sleb,
  text,
  Writer,
} from "./wasm_binary.ts";

export interface InstrumentOptions {
  /** Where loads read flash. */
  readonly flash: FlashRange;
  /** The cache in front of it; null: none is simulated, reads are counted only. */
  readonly xip: Xip | null;
  /** Code that is fetched through it; left out: none. */
  readonly code?: CodeInFlash;
  /** Functions to make spans of, by their names. */
  readonly spans?: readonly RegExp[];
}

/** Instructions that run equally often. */
export interface Block extends FlowBlock {
  /** Index into `functions`. */
  readonly fn: number;
}

export interface Instrumented {
  readonly wasm: Uint8Array<ArrayBuffer>;
  /** Names of the functions with a body, in the module's order. */
  readonly functions: readonly string[];
  /** The first counter of each beside the one at its entry, which is that of the function's own index; one more: the number of counters. */
  readonly firsts: readonly number[];
  readonly blocks: readonly Block[];
  /** Address and number. After those at the functions' entries come two for `lines` and `following` of flash_probe.ts. Multiples of four, as are `firsts`. */
  readonly counters: { readonly at: number; readonly count: number };
  /** Address of i32[counters.count], what a counter's increment costs in any unit: what the export METER_EXPORT adds up. */
  readonly costs: number;
  /** Address of u32[firsts.length], to be filled with `firsts`. */
  readonly ranges: number;
  /** Address of the first function's slot; they follow one another, SLOT bytes each, and behind them as many of the code that was fetched. */
  readonly slots: number;
  readonly state: { readonly at: number; readonly bytes: number };
}

/** The imports of a module with spans: span_begin(function, its first three arguments; 0 where it has fewer), span_end(function). */
export const SPAN_IMPORT = { module: "meter", begin: "span_begin", end: "span_end" };

/** @throws SimError E_SIM_LINK for a module that is not understood, E_SIM_MEMORY when no address is left for the counters */
export function instrument(wasm: Uint8Array, { flash, xip, code, spans = [] }: InstrumentOptions): Instrumented {
  const sections = sectionsOf(wasm);
  const facts = moduleFacts(wasm, sections);
  const functions = facts.own.map((_, i) => facts.names[facts.imported.length + i] || `function ${i}`);
  const bodies = readBodies(wasm, sections, facts);

  const flows: Flow[] = [];
  // The entries of all functions, `lines` and `following` come first; then each function has its other counters together.
  const firsts: number[] = [];
  let count = aligned(functions.length + 2);
  for (const [fn, { code }] of bodies.entries()) {
    firsts.push(count);
    flows.push(flowOf(code, fn, count, facts.imported.length));
    count = aligned(flows[fn].next);
  }
  firsts.push(count);
  const pages = memoryPages(wasm, sections);
  const at = pages * PAGE;
  const costs = at + 4 * count;
  const ranges = costs + 4 * count;
  const slots = ranges + 4 * aligned(firsts.length);
  const state = { at: slots + 2 * SLOT * bodies.length, bytes: stateBytes(xip) };
  const added = Math.ceil((state.at + state.bytes - at) / PAGE);
  if (pages + added > PAGE)
    throw new SimError("E_SIM_MEMORY", "no address space is left behind the board's for the counters of its cycles");

  const traced = functions.flatMap((name, i) => (spans.some((pattern) => pattern.test(name)) ? [i] : []));
  const numbering = new Numbering(facts, traced);
  const call = [OP.call, ...leb(numbering.probe)];
  const codeSlot = (fn: number): number => slots + SLOT * (bodies.length + fn);
  const fetches = code === undefined ? [] : codeFetches(code, functions, flows, codeSlot, numbering.probe);
  const made = bodies.map((body, i) => {
    const counting = [...flows[i].counters].map(
      ([behind, counter]): Insertion => ({ behind, code: increment(at + 4 * counter) }),
    );
    const checks = flashChecks(body.code, flash, body.locals, slots + SLOT * i, call);
    return rewritten(wasm, body, [...counting, ...(fetches[i] ?? []), ...checks], numbering);
  });
  const fills = at + 4 * functions.length;
  made.push(
    Uint8Array.from(probeBody(xip, state.at, fills)),
    Uint8Array.from(sumBody(at, costs, ranges, functions.length)),
  );
  made.push(...traced.map((fn) => wrapper(facts, fn, numbering)));

  const writer = new Writer().bytes(header(wasm));
  for (const section of sections)
    writeSection(writer, wasm, section, { facts, numbering, pages: pages + added, traced, made });
  return {
    wasm: writer.done(),
    functions,
    firsts,
    blocks: flows.flatMap(({ blocks }, fn) => blocks.map((block) => ({ fn, ...block }))),
    counters: { at, count },
    costs,
    ranges,
    slots,
    state,
  };
}

/** Up to a multiple of four: counters are added up four at a time. */
function aligned(count: number): number {
  return Math.ceil(count / 4) * 4;
}

/** counter at `address` += 1 */
function increment(address: number): number[] {
  const base = [OP.i32_const, 0];
  const there = [2, ...leb(address)];
  return [...base, ...base, OP.i32_load, ...there, OP.i32_const, 1, OP.i32_add, OP.i32_store, ...there];
}

function readBodies(wasm: Uint8Array, sections: readonly Section[], { params, own }: ModuleFacts): Body[] {
  const section = sections.find(({ id }) => id === SECTION.code);
  const bodies: Body[] = [];
  if (section === undefined) return bodies;
  const reader = new Reader(wasm, section.from);
  reader.each((i) => bodies.push(decodeBody(reader, params[own[i]])));
  return bodies;
}

/** The smallest size of the module's one memory. */
function memoryPages(wasm: Uint8Array, sections: readonly Section[]): number {
  const section = sections.find(({ id }) => id === SECTION.memory);
  if (section === undefined) throw new SimError("E_SIM_LINK", "the device build has no memory of its own");
  const reader = new Reader(wasm, section.from);
  reader.leb();
  reader.byte();
  return reader.leb();
}

/** Indices of functions in the module that is made. */
class Numbering {
  readonly #imported: number;
  readonly #more: number;
  readonly #wrappers: ReadonlyMap<number, number>;
  readonly probe: number;
  readonly sum: number;
  /** Indices of the imports for spans. */
  readonly begin: number;
  readonly end: number;

  constructor({ imported, own }: ModuleFacts, traced: readonly number[]) {
    this.#imported = imported.length;
    this.#more = traced.length > 0 ? 2 : 0;
    this.begin = imported.length;
    this.end = imported.length + 1;
    this.probe = imported.length + this.#more + own.length;
    this.sum = this.probe + 1;
    this.#wrappers = new Map(traced.map((fn, i) => [fn, this.sum + 1 + i]));
  }

  /** Of the function itself. @param fn as in the old module */
  own(fn: number): number {
    return fn < this.#imported ? fn : fn + this.#more;
  }

  /** Of what callers call. */
  called(fn: number): number {
    return this.#wrappers.get(fn - this.#imported) ?? this.own(fn);
  }
}

/** The body with the insertions, and with functions called by their new numbers. */
function rewritten(wasm: Uint8Array, body: Body, insertions: readonly Insertion[], numbering: Numbering): Uint8Array {
  const behind = new Map<number, number[]>();
  for (const { behind: i, code } of insertions) behind.set(i, [...(behind.get(i) ?? []), ...code]);
  const { declared, code } = body;
  const out = new Writer()
    .leb(declared.groups + 1)
    .bytes(wasm.subarray(declared.from, declared.to))
    .put(1, I32);
  out.put(...(behind.get(-1) ?? []));
  // Everything between two insertions or calls is copied at once.
  let from = code[0].from;
  const copy = (to: number): void => {
    out.bytes(wasm.subarray(from, to));
  };
  code.forEach((instruction, i) => {
    const more = behind.get(i);
    const isCall = instruction.opcode === OP.call;
    if (more === undefined && !isCall) return;
    if (isCall) {
      copy(instruction.from);
      out.put(OP.call, ...leb(numbering.called(instruction.value)));
    } else copy(instruction.to);
    from = instruction.to;
    if (more !== undefined) out.put(...more);
  });
  copy((code.at(-1) as Instruction).to);
  return out.done();
}

/** Calls a function between two calls of the imports. */
function wrapper({ params, own, imported }: ModuleFacts, fn: number, numbering: Numbering): Uint8Array {
  const count = params[own[fn]];
  const argument = (i: number): number[] => (count > i ? [OP.local_get, i] : [OP.i32_const, 0]);
  const code = [0, OP.i32_const, ...sleb(fn), ...[0, 1, 2].flatMap(argument)];
  code.push(OP.call, ...leb(numbering.begin));
  for (let i = 0; i < count; i++) code.push(OP.local_get, ...leb(i));
  code.push(OP.call, ...leb(numbering.own(imported.length + fn)));
  return Uint8Array.from([...code, OP.i32_const, ...sleb(fn), OP.call, ...leb(numbering.end), OP.end]);
}

interface Changes {
  readonly facts: ModuleFacts;
  readonly numbering: Numbering;
  readonly pages: number;
  readonly traced: readonly number[];
  readonly made: readonly Uint8Array[];
}

function writeSection(writer: Writer, wasm: Uint8Array, { id, from, to }: Section, changes: Changes): void {
  const { facts, numbering, pages, traced, made } = changes;
  const reader = new Reader(wasm, from);
  const spans = traced.length > 0;
  const put = (content: Writer): void => {
    writer.put(id).sized(content.done());
  };
  /** The section with more elements behind those it has. */
  const longer = (more: number, content: number[]): void => {
    const count = reader.leb();
    put(
      new Writer()
        .leb(count + more)
        .bytes(wasm.subarray(reader.at, to))
        .put(...content),
    );
  };
  const types = facts.params.length;
  switch (id) {
    case SECTION.custom:
      break; // names would be wrong: functions have other numbers
    case SECTION.type:
      longer(4, [...PROBE_TYPE, ...SUM_TYPE, ...[0x60, 4, I32, I32, I32, I32, 0], ...[0x60, 1, I32, 0]]);
      // Behind it is where the imports belong, and a module without a HAL has none.
      if (spans && facts.imported.length === 0)
        writer.put(SECTION.import).sized(Uint8Array.from([2, ...spanImports(types)]));
      break;
    case SECTION.import:
      longer(spans ? 2 : 0, spans ? spanImports(types) : []);
      break;
    case SECTION.function:
      longer(2 + traced.length, [...leb(types), ...leb(types + 1), ...traced.flatMap((fn) => leb(facts.own[fn]))]);
      break;
    case SECTION.memory: {
      reader.leb();
      const hasMaximum = (reader.byte() & 1) === 1;
      reader.leb();
      const maximum = hasMaximum ? Math.max(pages, reader.leb()) : 0;
      put(new Writer().put(1, hasMaximum ? 1 : 0, ...leb(pages), ...(hasMaximum ? leb(maximum) : [])));
      break;
    }
    case SECTION.export:
      put(exports(reader, numbering));
      break;
    case SECTION.start:
      put(new Writer().leb(numbering.called(reader.leb())));
      break;
    case SECTION.element:
      if (spans)
        throw new SimError("E_SIM_LINK", "the device build has a table of functions, which spans cannot follow");
      writer.put(id).sized(wasm.subarray(from, to));
      break;
    case SECTION.code: {
      const content = new Writer().leb(made.length);
      for (const body of made) content.sized(body);
      put(content);
      break;
    }
    default:
      writer.put(id).sized(wasm.subarray(from, to));
  }
}

/** @param types number of types of the old module, behind which those of the imports follow */
function spanImports(types: number): number[] {
  const { module, begin, end } = SPAN_IMPORT;
  const named = (name: string, type: number): number[] => [...text(module), ...text(name), 0, ...leb(type)];
  return [...named(begin, types + 2), ...named(end, types + 3)];
}

function exports(reader: Reader, numbering: Numbering): Writer {
  const out = new Writer();
  let count = 0;
  reader.each(() => {
    out.put(...text(reader.text()));
    const kind = reader.byte();
    const index = reader.leb();
    out.put(kind, ...leb(kind === 0 ? numbering.called(index) : index));
    count++;
  });
  out.put(...text(METER_EXPORT), 0, ...leb(numbering.sum));
  return new Writer().leb(count + 1).bytes(out.done());
}
