import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Board } from "../../boards/board.ts";
import { SimBoard } from "../sim_board.ts";
import { build, Ear, RULES, smallFlash } from "./toy.ts";

/**
 * A counter that survives power cuts, in two sectors of 32-byte records (number, and the same seven times more, each mixed
 * differently). It says the number after boot, and counts one further for each byte it gets.
 */
const COUNTER = `
const record = memory.data(32, 4);
const SECTOR = 512;
let number = 0;
let sector = 0;
let cell = 0;

function mixed(n: i32, i: i32): i32 { return i == 0 ? n : (n + i) * 0x9e3779b1 ^ (i << 28); }
function valid(at: usize): bool {
  for (let i = 1; i < 8; i++) if (load<i32>(at + 4 * i) != mixed(load<i32>(at), i)) return false;
  return true;
}
function blank(at: usize): bool {
  for (let i = 0; i < 8; i++) if (load<i32>(at + 4 * i) != -1) return false;
  return true;
}
function write(): i32 {
  for (let i = 0; i < 8; i++) store<i32>(record + 4 * i, mixed(number, i));
  return flash_program(sector * SECTOR + 32 * cell++, record, 32);
}
function say(): void { store<i32>(record, number); uart_write(record, 4); }

export function boot(): i32 {
  const flash = flash_map(0, 2 * SECTOR);
  for (let s = 0; s < 2; s++)
    for (let c = 0; c < 16; c++) {
      const at = flash + s * SECTOR + 32 * c;
      if (valid(at) && load<i32>(at) > number) { number = load<i32>(at); sector = s; }
    }
  cell = 16;
  while (cell > 0 && blank(flash + sector * SECTOR + 32 * (cell - 1))) cell--;
  say();
  return 0;
}
export function poll(): i32 {
  if (uart_read(record, 1) == 0) return 0;
  number++;
  if (cell == 16) {
    sector = 1 - sector;
    cell = 0;
    if (flash_erase(sector * SECTOR, SECTOR) != 0) return 1;
  }
  if (write() == 0) say();
  return 1;
}`;

/** A counter that erases its only other copy first: the test must be able to fail. */
const CARELESS = COUNTER.replace("sector = 1 - sector;", "");

const COUNTS = 38; // the second sector is full and the first one erased again

/**
 * Counts until power is cut in operation n, then looks what is left.
 * @returns the number after the cut and the last one that was said before; null when there are fewer operations
 */
function cutAt(n: number, board: Board, wasm: Uint8Array, seed: number): { after: number; said: number } | null {
  const sim = SimBoard.create({ board, wasm, seed });
  const ear = new Ear(sim);
  sim.powerOn();
  sim.flash.cutAt(n);
  for (let i = 0; i < COUNTS && sim.state === "on"; i++) {
    sim.uart.hostWrite(Uint8Array.of(1));
    sim.run({ untilIdle: true });
  }
  if (sim.state === "on") return null;
  const said = ear.words().at(-1) ?? 0;
  sim.powerOn();
  sim.run({ untilIdle: true });
  const after = ear.words().at(-1) ?? -1;
  // It goes on from there, and keeps what it says.
  sim.uart.hostWrite(Uint8Array.of(1));
  sim.run({ untilIdle: true });
  assert.deepEqual(ear.words(), [after + 1], `operation ${n}, seed ${seed}: counting on`);
  assert.equal(sim.flash.strayWrite(), null);
  return { after, said };
}

for (const rules of RULES) {
  const board = smallFlash(rules, 2, 512);
  describe(`power is cut in each flash operation, units of ${board.flash.program_unit}`, () => {
    it("and a careful program loses nothing that it has said", async () => {
      const wasm = await build(COUNTER, board);
      let cuts = 0;
      for (const seed of [1, 2]) {
        for (let n = 1; ; n++, cuts++) {
          const end = cutAt(n, board, wasm, seed);
          if (end === null) break;
          const { after, said } = end;
          assert.ok(
            after === said || after === said + 1,
            `operation ${n}, seed ${seed}: ${said} was said, ${after} is left`,
          );
        }
      }
      assert.equal(cuts, 2 * (COUNTS + 2));
    });
  });
}

describe("a careless program", () => {
  it("is caught", async () => {
    const board = smallFlash(RULES[0], 2, 512);
    const wasm = await build(CARELESS, board);
    const lost = [14, 15, 16, 17, 18, 19]
      .map((n) => cutAt(n, board, wasm, 1))
      .filter((end) => end && end.after < end.said);
    assert.ok(lost.length > 0);
  });
});
