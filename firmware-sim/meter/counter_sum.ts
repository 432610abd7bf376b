/**
 * sim.meter: counters times costs, added up by the module itself. The firmware asks the board something a few hundred times a token, and each time the board's
 * clock has to know how far it is: with the same sum in JavaScript, over 2,000 counters, flashing a model took 14 times as long (measured).
 *
 * SIMD: four products a step, 64 bits each. The result is an f64, exact below 2^53.
 */
import { OP } from "./decode.ts";
import { leb, sleb } from "./wasm_binary.ts";

/** Name of the export. */
export const METER_EXPORT = "sim.meter";

const F64 = 0x7c;
const V128 = 0x7b;
const I32 = 0x7f;
const VOID = 0x40;

export const SUM_TYPE = [0x60, 0, 1, F64];

const simd = (opcode: number): number[] => [0xfd, ...leb(opcode)];
const LOAD = (address: number): number[] => [...simd(0x00), 4, ...leb(address)];
const EXTMUL_LOW_S = simd(0xdc);
const EXTMUL_HIGH_S = simd(0xdd);
const I64X2_ADD = simd(0xce);
const I64X2_EXTRACT = simd(0x1d);
const V128_ANY_TRUE = simd(0x53);
const I64_ADD = 0x7c;
const F64_FROM_I64_S = 0xb9;

/**
 * Body of the function, locals included. First come the counters of all functions' entries; of a function that was not called since the counters were cleared,
 * which is most of them, nothing more is added up.
 * @param counters,costs addresses of u32[], of which none has reached 2^31, and i32[]; 16-byte aligned
 * @param ranges address of u32[functions + 1]: the first counter of each behind the entries, all multiples of four
 */
export function sumBody(counters: number, costs: number, ranges: number, functions: number): number[] {
  const [FN, AT, END, SUM] = [0, 1, 2, 3];
  const get = (local: number): number[] => [OP.local_get, local];
  const set = (local: number): number[] => [OP.local_set, local];
  const constant = (value: number): number[] => [OP.i32_const, ...sleb(value)];
  const read = (local: number, address: number): number[] => [...get(local), OP.i32_load, 2, ...leb(address)];
  const step = (local: number, by: number, end: number[]): number[] => {
    const next = [...get(local), ...constant(by), OP.i32_add, OP.local_tee, local];
    return [...next, ...end, OP.i32_lt_u, OP.br_if, 0, OP.end];
  };
  const products = (half: number[]): number[] => [...get(AT), ...LOAD(counters), ...get(AT), ...LOAD(costs), ...half];
  const sum = [
    ...products(EXTMUL_LOW_S),
    ...products(EXTMUL_HIGH_S),
    ...I64X2_ADD,
    ...get(SUM),
    ...I64X2_ADD,
    ...set(SUM),
  ];
  const times4 = [...constant(2), OP.i32_shl];
  const entries = 4 * Math.ceil((functions + 2) / 4) * 4;
  return [
    ...[2, 3, I32, 1, V128],
    ...[OP.loop, VOID, ...sum, ...step(AT, 16, constant(entries))],
    // Four functions at a time, and each of the four when one of them was called. FN, AT and END are offsets in bytes.
    ...[OP.loop, VOID],
    ...[...get(FN), ...LOAD(counters), ...V128_ANY_TRUE, OP.if, VOID, OP.loop, VOID],
    ...[...read(FN, counters), OP.if, VOID],
    ...[
      ...read(FN, ranges),
      ...times4,
      OP.local_tee,
      AT,
      ...read(FN, ranges + 4),
      ...times4,
      OP.local_tee,
      END,
      OP.i32_lt_u,
    ],
    ...[OP.if, VOID, OP.loop, VOID, ...sum, ...step(AT, 16, get(END)), OP.end, OP.end],
    ...[...get(FN), ...constant(4), OP.i32_add, OP.local_tee, FN, ...constant(12), OP.i32_and, OP.br_if, 0, OP.end],
    ...[OP.else, ...get(FN), ...constant(16), OP.i32_add, ...set(FN), OP.end],
    ...[...get(FN), ...constant(4 * functions), OP.i32_lt_u, OP.br_if, 0, OP.end],
    ...[...get(SUM), ...I64X2_EXTRACT, 0, ...get(SUM), ...I64X2_EXTRACT, 1, I64_ADD, F64_FROM_I64_S, OP.end],
  ];
}
