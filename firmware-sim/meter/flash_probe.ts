/**
 * Counting what is read from flash. Whether a load reads flash, its address says at run time; so each load whose address is not a constant gets a
 * comparison in front, and one that falls into flash calls `probe`, a function added to the module:
 *
 *     probe(at, span, reads, bytes, slot)     at: of the first byte, counted from the beginning of flash; span: from there to the last byte
 *
 *     slot, u32 each:  reads | bytes | lines | following      of one function of the module, modulo 2^32
 *
 * `lines` are those that the cache between the core and flash had to fetch, `following` the ones of them that lie behind the last one that was fetched.
 * The cache is simulated: `ways` tags a set, the most recently used first (least recently used goes; which one a chip drops is not always published).
 * Loads of one stretch of code from the same pointer share a comparison: the four bytes of a beat of weights are one.
 *
 *     state:  last line + 1 | last line fetched + 2 | tags: line + 1 for each way of each set; 0: empty
 *
 * `lines` and `following` of all functions together are counters, too, so that what they cost is added up with the others (counter_sum.ts).
 *
 * Code that comes through the same cache does so in code_fetch.ts. NOT IMPLEMENTED: a DMA; loads of 64 bits as two.
 */
import type { Xip } from "../../boards/board.ts";
import { type Instruction, loadedBytes, OP } from "./decode.ts";
import { I32, leb, sleb } from "./wasm_binary.ts";

/** Bytes of a slot. */
export const SLOT = 16;
const TAGS_AT = 8;

/** The range of addresses at which flash is read. */
export interface FlashRange {
  readonly base: number;
  readonly bytes: number;
}

/** Bytes of `state`. */
export function stateBytes(xip: Xip | null): number {
  return xip === null ? TAGS_AT : TAGS_AT + 4 * Math.max(1, Math.floor(xip.cache_bytes / xip.line_bytes));
}

/** A type of function with five i32 and no result, for `probe`. */
export const PROBE_TYPE = [0x60, 5, I32, I32, I32, I32, I32, 0];

const [AT, SPAN, READS, BYTES, SLOT_AT] = [0, 1, 2, 3, 4].map((local) => [OP.local_get, local]);
const [LINE, END, TAG, WAY, CARRIED, FOUND] = [5, 6, 7, 8, 9, 10];
const VOID = 0x40;

/** `address` is code: mem[address + offset] += `amount`. */
function add(address: number[], offset: number, amount: number[]): number[] {
  const load = [...address, OP.i32_load, 2, ...leb(offset)];
  return [...address, ...load, ...amount, OP.i32_add, OP.i32_store, 2, ...leb(offset)];
}

/**
 * Body of `probe`, locals included.
 * @param state address of `state`
 * @param fills address of the two counters
 */
export function probeBody(xip: Xip | null, state: number, fills: number): number[] {
  const counts = [...add(SLOT_AT, 0, READS), ...add(SLOT_AT, 4, BYTES)];
  if (xip === null) return [0, ...counts, OP.end];
  const tags = Math.max(1, Math.floor(xip.cache_bytes / xip.line_bytes));
  const ways = Math.max(1, Math.min(xip.ways, tags));
  const sets = tags / ways;
  const shift = Math.log2(xip.line_bytes);
  const get = (local: number): number[] => [OP.local_get, local];
  const set = (local: number): number[] => [OP.local_set, local];
  const constant = (value: number): number[] => [OP.i32_const, ...sleb(value)];
  const read = (address: number[], offset = 0): number[] => [...address, OP.i32_load, 2, ...leb(offset)];
  const write = (address: number[], value: number[], offset = 0): number[] => [
    ...address,
    ...value,
    OP.i32_store,
    2,
    ...leb(offset),
  ];
  const one = constant(1);
  const here = constant(state);

  // LINE counts from 1. TAG walks over the ways of its set; what was in each moves to the next, until the line itself is found or one falls out.
  const lookup = [
    ...[...get(LINE), ...one, OP.i32_sub, ...constant(sets - 1), OP.i32_and, ...constant(4 * ways), OP.i32_mul],
    ...[...constant(state + TAGS_AT), OP.i32_add, ...set(TAG)],
    ...[...get(LINE), ...set(CARRIED), ...constant(ways), ...set(WAY)],
    ...[OP.loop, VOID],
    ...[...read(get(TAG)), ...set(FOUND), ...write(get(TAG), get(CARRIED))],
    ...[...get(FOUND), ...get(LINE), OP.i32_ne, OP.if, VOID],
    ...[...get(FOUND), ...set(CARRIED), ...get(TAG), ...constant(4), OP.i32_add, ...set(TAG)],
    ...[...get(WAY), ...one, OP.i32_sub, OP.local_tee, WAY, OP.br_if, 1],
    // A miss.
    ...[...read(here, 4), ...get(LINE), OP.i32_eq, ...set(FOUND)],
    ...[...add(SLOT_AT, 8, one), ...add(SLOT_AT, 12, get(FOUND))],
    ...[...add(constant(fills), 0, one), ...add(constant(fills), 4, get(FOUND))],
    ...write(here, [...get(LINE), ...one, OP.i32_add], 4),
    ...[OP.end, OP.end],
  ];
  return [
    ...[1, 6, I32],
    ...counts,
    ...[...AT, ...constant(shift), OP.i32_shr_u, ...one, OP.i32_add, ...set(LINE)],
    ...[...AT, ...SPAN, OP.i32_add, ...constant(shift), OP.i32_shr_u, ...one, OP.i32_add, ...set(END)],
    ...[OP.loop, VOID],
    ...[...read(here), ...get(LINE), OP.i32_ne, OP.if, VOID, ...lookup, ...write(here, get(LINE)), OP.end],
    ...[...get(LINE), ...get(END), OP.i32_lt_u, OP.if, VOID],
    ...[...get(LINE), ...one, OP.i32_add, ...set(LINE), OP.br, 1],
    ...[OP.end, OP.end, OP.end],
  ];
}

/** Code to put behind an instruction. */
export interface Insertion {
  readonly behind: number;
  readonly code: number[];
}

/** Loads that one comparison stands for. */
interface Group {
  readonly local: number;
  readonly behind: number;
  low: number;
  high: number;
  reads: number;
  bytes: number;
}

/**
 * The comparisons for a function.
 * @param spare a local of type i32 that nothing uses
 * @param call code that calls `probe`
 */
export function flashChecks(
  code: readonly Instruction[],
  flash: FlashRange,
  spare: number,
  slot: number,
  call: number[],
): Insertion[] {
  const found: Insertion[] = [];
  let open = new Map<number, Group>();
  const close = (groups: Iterable<Group>): void => {
    for (const group of groups) found.push({ behind: group.behind, code: check(flash, group, slot, call) });
  };
  code.forEach((instruction, i) => {
    const { opcode, value } = instruction;
    const size = loadedBytes(opcode);
    if (opcode <= OP.call_indirect) {
      // Control: what follows may be executed less often than what was before.
      close(open.values());
      open = new Map();
    } else if (size > 0) {
      const { opcode: by, value: local } = code[i - 1];
      if (by === OP.i32_const) {
        const address = (local >>> 0) + value;
        if (address < flash.base || address >= flash.base + flash.bytes) return;
      }
      const isLocal = by === OP.local_get || by === OP.local_tee;
      const group = isLocal ? open.get(local) : undefined;
      if (group !== undefined) {
        group.low = Math.min(group.low, value);
        group.high = Math.max(group.high, value + size);
        group.reads++;
        group.bytes += size;
        return;
      }
      const made = {
        local: isLocal ? local : spare,
        behind: i - 1,
        low: value,
        high: value + size,
        reads: 1,
        bytes: size,
      };
      if (isLocal) open.set(local, made);
      else found.push({ behind: i - 1, code: [OP.local_tee, ...leb(spare), ...check(flash, made, slot, call)] });
    }
    if (opcode === OP.local_set || opcode === OP.local_tee) {
      const group = open.get(value);
      if (group === undefined) return;
      close([group]);
      open.delete(value);
    }
  });
  close(open.values());
  return found;
}

/** Whether the group's first byte is in flash, and the call if so. */
function check({ base, bytes }: FlashRange, group: Group, slot: number, call: number[]): number[] {
  const constant = (value: number): number[] => [OP.i32_const, ...sleb(value)];
  const at = [OP.local_get, ...leb(group.local), ...constant(base - group.low), OP.i32_sub];
  const span = group.high - group.low - 1;
  return [
    ...[...at, ...constant(bytes), OP.i32_lt_u, OP.if, VOID],
    ...[...at, ...constant(span), ...constant(group.reads), ...constant(group.bytes), ...constant(slot), ...call],
    OP.end,
  ];
}
