/** Boards and toy firmware for the tests: small modules in AssemblyScript that know nothing but the HAL. */
import { readdirSync, readFileSync } from "node:fs";
import { type Board, memoryPages, parseBoard } from "../../boards/board.ts";
import { SimBoard, type SimBoardOptions } from "../sim_board.ts";
import { compile } from "./compiler.ts";

export const BOARDS: Board[] = readdirSync("boards")
  .filter((file) => file.endsWith(".json"))
  .map((file) => {
    const name = file.slice(0, -".json".length);
    return parseBoard(boardFile(name), name, boardFile);
  });

function boardFile(name: string): unknown {
  return JSON.parse(readFileSync(`boards/${name}.json`, "utf8"));
}

export function boardNamed(name: string): Board {
  const board = BOARDS.find((candidate) => candidate.name === name);
  if (board === undefined) throw new Error(`no board ${name}`);
  return board;
}

export const PICO = boardNamed("rp2040-pico");

/** The Pico's memory with the flash rules of another board, on `count` sectors of `bytes`. */
export function smallFlash(rules: Board, count: number, bytes: number): Board {
  const { typ, max } = rules.flash.timing.erase_us[0];
  return {
    ...PICO,
    flash: {
      ...rules.flash,
      base: PICO.flash.base,
      bytes: count * bytes,
      sectors: [{ count, bytes }],
      timing: { ...rules.flash.timing, erase_us: [{ bytes, typ, max }] },
      partition: { offset: 0, bytes: count * bytes },
    },
  };
}

/** One board for each set of flash rules that ships: program unit, page, write-once. */
export const RULES: Board[] = BOARDS.filter((board, i) => {
  const rules = ({ flash }: Board) => `${flash.program_unit} ${flash.page} ${flash.write_once}`;
  return BOARDS.findIndex((other) => rules(other) === rules(board)) === i;
});

const HAL = `
@external("hal", "board_info") declare function board_info(key: i32, index: i32): i32;
@external("hal", "uart_read") declare function uart_read(ptr: usize, max: i32): i32;
@external("hal", "uart_write") declare function uart_write(ptr: usize, len: i32): i32;
@external("hal", "uart_baud") declare function uart_baud(baud: i32): i32;
@external("hal", "flash_map") declare function flash_map(offset: i32, len: i32): usize;
@external("hal", "flash_erase") declare function flash_erase(offset: i32, len: i32): i32;
@external("hal", "flash_program") declare function flash_program(offset: i32, ptr: usize, len: i32): i32;
@external("hal", "ticks") declare function ticks(): u32;
@external("hal", "wait") declare function wait(us: u32): i32;
@external("hal", "reset") declare function reset(): i32;
@external("hal", "entropy") declare function entropy(ptr: usize, len: i32): i32;
@external("hal", "gpio_write") declare function gpio_write(pin: i32, level: i32): i32;
@external("hal", "gpio_read") declare function gpio_read(pin: i32): i32;
@external("hal", "adc_read") declare function adc_read(channel: i32): i32;
@external("hal", "pwm_write") declare function pwm_write(pin: i32, duty: i32, hz: i32): i32;
@external("hal", "i2c_transfer") declare function i2c_transfer(a: i32, w: i32, n: i32, r: i32, m: i32): i32;
@external("hal", "mmio_read32") declare function mmio_read32(address: usize): u32;
@external("hal", "mmio_write32") declare function mmio_write32(address: usize, value: u32): i32;
@external("hal", "copro_wait") declare function copro_wait(us: u32): i32;
`;

/** Sends back what it gets, at most 64 bytes a poll. */
export const ECHO = `
const buffer = memory.data(64);
let have = 0;
let sent = 0;
export function boot(): i32 { return 0; }
export function poll(): i32 {
  if (sent == have) {
    have = uart_read(buffer, 64);
    sent = 0;
    return have > 0 ? 1 : 0;
  }
  const n = uart_write(buffer + sent, have - sent);
  sent += n;
  return n > 0 ? 1 : 0;
}`;

/** A module with this \`boot\`, a \`poll\` that does nothing, and \`say(i32)\`: four bytes to the host. */
export function says(boot: string, poll = "return 0;"): string {
  return `
const word = memory.data(4, 4);
function say(value: i32): void { store<i32>(word, value); uart_write(word, 4); }
export function boot(): i32 { ${boot}; return 0; }
export function poll(): i32 { ${poll} }`;
}

const built = new Map<string, Promise<Uint8Array>>();

/** Compiles a toy for a board's memory map. */
export function build(source: string, board: Board): Promise<Uint8Array> {
  const pages = String(memoryPages(board));
  const key = [board.memory.base, pages, source].join();
  let wasm = built.get(key);
  if (wasm === undefined) {
    const memory = ["--memoryBase", String(board.memory.base), "--initialMemory", pages, "--maximumMemory", pages];
    const used = HAL.split("\n").filter((line) => source.includes(`${/function (\w+)/.exec(line)?.[1]}(`));
    const files = { "toy.ts": `${used.join("\n")}\n${source}` };
    wasm = compile(["toy.ts", "--runtime", "stub", "--use", "abort=", ...memory], files);
    built.set(key, wasm);
  }
  return wasm;
}

/** What a host heard from a board. */
export class Ear {
  bytes: number[] = [];
  /** "time: bytes" for each delivery. */
  trace: string[] = [];

  constructor(sim: SimBoard) {
    sim.uart.onHostData((bytes, at) => {
      this.bytes.push(...bytes);
      this.trace.push(`${at}: ${bytes}`);
    });
  }

  /** The bytes as 32-bit little-endian words; forgets them. */
  words(): number[] {
    const view = new DataView(Uint8Array.from(this.bytes.splice(0)).buffer);
    return Array.from({ length: view.byteLength >> 2 }, (_, i) => view.getInt32(4 * i, true));
  }
}

/** A board with a toy in it, switched on, and the ear of its host. */
export async function start(
  source: string,
  board = PICO,
  options: Partial<SimBoardOptions> = {},
): Promise<{ sim: SimBoard; ear: Ear }> {
  const sim = SimBoard.create({ board, wasm: await build(source, board), ...options });
  const ear = new Ear(sim);
  sim.powerOn();
  return { sim, ear };
}

export function numbers(n: number): Uint8Array {
  return Uint8Array.from({ length: n }, (_, i) => (i * 7 + (i >> 8)) & 255);
}
