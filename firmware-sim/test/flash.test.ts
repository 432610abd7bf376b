import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Board, sectorsOf } from "../../boards/board.ts";
import { HAL_EINVAL, HAL_EIO } from "../../spec/hal.ts";
import { Flash, type Supplied } from "../peripherals/flash.ts";
import { PowerCut, type SimError } from "../sim_error.ts";
import { BOARDS, RULES, smallFlash } from "./toy.ts";

const BASE = 4096;

interface Bench {
  flash: Flash;
  /** Microseconds it was busy. */
  busy: () => number;
  /** What a module reads at an offset, once it has mapped it. */
  memory: Uint8Array;
}

function bench(board: Board, seed = 1, worst_case = false): Bench {
  const { offset, bytes } = board.flash.partition;
  const sectors = sectorsOf(board).filter((s) => s.offset >= offset && s.offset < offset + bytes);
  let ns = 0;
  const busy = (more: number): Supplied => {
    ns += more;
    return "held";
  };
  const flash = new Flash({ ...board.flash, sectors: sectors.map((s) => s.bytes), worst_case, seed, busy });
  const memory = new Uint8Array(BASE + bytes);
  flash.connect(BASE, { bytes: () => memory });
  return { flash, busy: () => ns / 1000, memory };
}

const filled = (n: number, value: number): Uint8Array => new Uint8Array(n).fill(value);

for (const board of BOARDS) {
  const { program_unit: unit, page, write_once, timing, partition } = board.flash;
  const size = (offset: number): number =>
    sectorsOf(board).find((s) => s.offset === partition.offset + offset)?.bytes ?? 0;

  describe(`flash of ${board.name}`, () => {
    it("is blank when it is new", () => {
      const { flash, memory } = bench(board);
      assert.equal(flash.map(0, flash.bytes), BASE);
      assert.equal(
        memory.findIndex((byte, i) => i >= BASE && byte !== 0xff),
        -1,
      );
      assert.equal(flash.bytes, partition.bytes);
    });

    it("programs a page and shows it where it is mapped", () => {
      const { flash, memory } = bench(board);
      flash.map(0, 1);
      assert.equal(flash.program(page, filled(page, 0x5a)), 0);
      assert.deepEqual(memory.slice(BASE + page, BASE + 2 * page), filled(page, 0x5a));
      assert.deepEqual(flash.image().slice(page - 1, page + 1), Uint8Array.of(0xff, 0x5a));
    });

    it("takes the time of the data sheet, typical or maximum", () => {
      const pieces = (n: number): number => Math.ceil(n / timing.program_us_per);
      for (const worst of [false, true]) {
        const which = worst ? "max" : "typ";
        const { flash, busy } = bench(board, 1, worst);
        flash.program(0, filled(page, 0));
        assert.equal(busy(), pieces(page) * timing.program_us[which]);
        flash.program(page, filled(unit, 0));
        assert.equal(busy(), (pieces(page) + pieces(unit)) * timing.program_us[which]);
        const before = busy();
        flash.erase(0, size(0));
        assert.equal(busy() - before, timing.erase_us.find((t) => t.bytes === size(0))?.[which]);
      }
    });

    it("erases whole sectors only, and counts their wear", () => {
      const { flash } = bench(board);
      const first = size(0);
      const second = size(first);
      assert.equal(flash.program(0, filled(unit, 0)), 0);
      assert.equal(flash.program(first + second - page, filled(page, 0)), 0);
      assert.equal(flash.erase(0, first - 1), HAL_EINVAL);
      assert.equal(flash.erase(unit, first), HAL_EINVAL);
      assert.equal(flash.erase(-first, first), HAL_EINVAL);
      assert.equal(flash.erase(partition.bytes - first, 2 * first), HAL_EINVAL);
      assert.deepEqual(flash.wear.slice(0, 3), [0, 0, 0]);
      assert.equal(flash.erase(0, first + second), 0);
      assert.deepEqual(flash.image(), filled(partition.bytes, 0xff));
      assert.deepEqual(flash.wear.slice(0, 3), [1, 1, 0]);
      assert.equal(flash.operations, 4);
    });

    it("refuses a program that is not in whole units or leaves its page or the partition", () => {
      const { flash, busy } = bench(board);
      if (unit > 1) {
        assert.equal(flash.program(1, filled(unit, 0)), HAL_EINVAL);
        assert.equal(flash.program(0, filled(unit + 1, 0)), HAL_EINVAL);
      }
      assert.equal(flash.program(page - unit, filled(2 * unit, 0)), HAL_EINVAL);
      assert.equal(flash.program(partition.bytes, filled(unit, 0)), HAL_EINVAL);
      assert.equal(flash.program(-page, filled(unit, 0)), HAL_EINVAL);
      assert.equal(busy(), 0);
      assert.deepEqual(flash.image(), filled(partition.bytes, 0xff));
    });

    it(write_once ? "refuses to program a unit twice" : "clears bits and never sets them", () => {
      const { flash } = bench(board);
      assert.equal(flash.program(0, filled(unit, 0xf0)), 0);
      assert.equal(flash.program(0, filled(unit, 0x3c)), write_once ? HAL_EIO : 0);
      assert.deepEqual(flash.image().slice(0, unit), filled(unit, write_once ? 0xf0 : 0x30));
      flash.erase(0, size(0));
      assert.equal(flash.program(0, filled(unit, 0x3c)), 0);
      assert.deepEqual(flash.image().slice(0, unit), filled(unit, 0x3c));
    });

    it("maps what lies in the partition and nothing else", () => {
      const { flash } = bench(board);
      assert.equal(flash.map(16, 16), BASE + 16);
      assert.equal(flash.map(partition.bytes - 1, 1), BASE + partition.bytes - 1);
      assert.equal(flash.map(partition.bytes, 1), 0);
      assert.equal(flash.map(-1, 1), 0);
      assert.equal(flash.map(0, -1), 0);
      assert.equal(flash.map(1, partition.bytes), 0);
    });
  });
}

for (const rules of RULES) {
  const board = smallFlash(rules, 4, 4096);
  const { program_unit: unit, page, write_once } = board.flash;
  const SEEDS = Array.from({ length: 64 }, (_, seed) => seed);

  describe(`power cut with units of ${unit}${write_once ? ", write-once" : ""}`, () => {
    it("tears a program: a prefix, one unit in between, the rest untouched", () => {
      let partly = 0;
      for (const seed of SEEDS) {
        const { flash } = bench(board, seed);
        const data = Uint8Array.from({ length: page }, (_, i) => i & 0x7f);
        flash.cutAt(1);
        assert.throws(() => flash.program(0, data), PowerCut);
        const after = flash.image();
        const units = Array.from({ length: page / unit }, (_, i) => {
          const [is, wanted] = [after, data].map((bytes) => bytes.subarray(i * unit, (i + 1) * unit));
          if (is.every((byte, k) => byte === wanted[k])) return "done";
          return is.every((byte) => byte === 0xff) ? "blank" : "torn";
        });
        assert.match(units.join(" "), /^(done ?)*(torn ?)?(blank ?)*$/);
        assert.deepEqual(after.slice(page), filled(flash.bytes - page, 0xff));
        if (units.includes("done") && units.includes("blank")) partly++;
      }
      assert.ok(partly > SEEDS.length / 3, `${partly} of ${SEEDS.length} were torn in the middle`);
    });

    it("tears an erase: a mixture inside the sector, the others untouched", () => {
      let mixtures = 0;
      for (const seed of SEEDS) {
        const { flash } = bench(board, seed);
        for (let at = 0; at < 3 * 4096; at += page) flash.program(at, filled(page, 0x0f));
        flash.cutAt(1);
        assert.throws(() => flash.erase(4096, 4096), PowerCut);
        const after = flash.image();
        assert.deepEqual(after.slice(0, 4096), filled(4096, 0x0f));
        assert.deepEqual(after.slice(8192, 12288), filled(4096, 0x0f));
        if (new Set(after.slice(4096, 8192)).size > 2) mixtures++;
      }
      assert.ok(mixtures > SEEDS.length / 2, `${mixtures} of ${SEEDS.length} were mixtures`);
    });

    it("leaves the same for the same seed", () => {
      const torn = (seed: number): Uint8Array => {
        const { flash } = bench(board, seed);
        flash.program(0, filled(page, 0x11));
        flash.cutAt(1);
        assert.throws(() => flash.erase(0, 4096), PowerCut);
        return flash.image();
      };
      assert.deepEqual(torn(5), torn(5));
      assert.notDeepEqual(torn(5), torn(6));
    });

    it("hits the operation that was asked for, once, and shows the module what is left", () => {
      const { flash, memory } = bench(board, 3);
      flash.map(0, flash.bytes);
      flash.cutAt(3);
      assert.equal(flash.program(0, filled(page, 0)), 0);
      assert.equal(flash.erase(4096, 4096), 0);
      assert.throws(() => flash.program(page, filled(page, 0)), { name: "PowerCut", operation: 3 });
      assert.equal(flash.erase(4096, 4096), 0);
      assert.deepEqual(memory.slice(BASE), flash.image());
    });

    it("can make an operation fail instead", () => {
      const { flash } = bench(board, 3);
      flash.failAt(1);
      assert.equal(flash.program(0, filled(page, 0)), HAL_EIO);
      flash.failAt(1);
      assert.equal(flash.erase(0, 4096), HAL_EIO);
      assert.equal(flash.erase(0, 4096), 0);
      assert.equal(flash.program(0, filled(page, 0)), 0);
    });

    if (write_once)
      it("counts a torn unit as programmed", () => {
        let poisoned = 0;
        for (const seed of SEEDS) {
          const { flash } = bench(board, seed);
          flash.cutAt(1);
          assert.throws(() => flash.program(0, filled(unit, 0)), PowerCut);
          const blank = flash
            .image()
            .subarray(0, unit)
            .every((byte) => byte === 0xff);
          assert.equal(flash.program(0, filled(unit, 0)), blank ? 0 : HAL_EIO);
          poisoned += flash.eccErrors;
          assert.equal(flash.erase(0, 4096), 0);
          assert.equal(flash.program(0, filled(unit, 0)), 0);
        }
        assert.ok(poisoned > SEEDS.length / 2);
      });
  });
}

describe("flash on the test bench", () => {
  const board = smallFlash(RULES[0], 4, 4096);

  it("takes content without time or wear, and says which sector changed", () => {
    const { flash, busy } = bench(board);
    const image = Uint8Array.from({ length: flash.bytes }, (_, i) => i >> 4);
    flash.load(image);
    assert.deepEqual(flash.image(), image);
    assert.equal(busy(), 0);
    const dirty: number[] = [];
    const stop = flash.onDirty((sector) => dirty.push(sector));
    flash.program(8192 + 256, filled(16, 0));
    flash.erase(4096, 8192);
    stop();
    flash.erase(0, 4096);
    assert.deepEqual(dirty, [2, 1, 2]);
    assert.throws(() => flash.load(image.subarray(1)), { code: "E_SIM_FLASH" } satisfies Partial<SimError>);
  });

  it("finds a byte that the module wrote through a mapped pointer", () => {
    const { flash, memory } = bench(board);
    flash.map(4096, 10);
    assert.equal(flash.strayWrite(), null);
    memory[BASE + 5000] = 1;
    assert.equal(flash.strayWrite(), 5000);
    assert.equal(flash.image()[5000], 0xff);
  });

  it("keeps a snapshot apart from what is programmed later", () => {
    const { flash, memory } = bench(board);
    flash.map(0, 4096);
    flash.program(0, filled(16, 0xaa));
    const state = flash.state;
    flash.program(0, filled(16, 0x0f));
    flash.erase(4096, 4096);
    flash.state = state;
    assert.deepEqual(flash.image().slice(0, 16), filled(16, 0xaa));
    assert.deepEqual(memory.slice(BASE, BASE + 16), filled(16, 0xaa));
    assert.deepEqual([flash.operations, flash.wear[1]], [1, 0]);
  });
});
