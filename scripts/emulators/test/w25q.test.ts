/** Sentences of the W25Q16JV datasheet (rev. D). */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FLASH_BYTES, SR1_BUSY, SR1_WEL, SR2_QE, TYPICAL, W25q, type W25qOptions, WORST } from "../rp2040/w25q.ts";

const MS = 1e6;

/** A part on a bench: whole commands on one line, and what it ignored. */
function bench(options: W25qOptions = {}) {
  const flash = new W25q(options);
  const ignored: string[] = [];
  flash.onIgnored = (what) => ignored.push(what);
  /** @returns what came back while `out` and `read` more bytes were clocked */
  const command = (out: number[], read = 0): number[] => {
    flash.select();
    const sent = out.map((byte) => flash.transfer(byte));
    const answer = Array.from({ length: read }, () => flash.transfer(0));
    flash.deselect();
    flash.now += 50;
    return read === 0 ? sent : answer;
  };
  const address = (a: number): number[] => [(a >> 16) & 0xff, (a >> 8) & 0xff, a & 0xff];
  const read = (a: number, n: number): number[] => command([0x03, ...address(a)], n);
  const writeEnable = (): void => void command([0x06]);
  const program = (a: number, data: number[]): void => {
    writeEnable();
    command([0x02, ...address(a), ...data]);
  };
  const erase = (opcode: number, a: number): void => {
    writeEnable();
    command([opcode, ...address(a)]);
  };
  const status = (): number => command([0x05], 1)[0];
  const pass = (ns: number): void => {
    flash.now += ns;
  };
  /** EB as a driver sends it: instruction on one line, the rest on four. */
  const quadRead = (a: number, mode: number, n: number, instruction = true): number[] => {
    flash.select();
    if (instruction) flash.transfer(0xeb);
    for (const byte of [...address(a), mode]) flash.transfer(byte, 4);
    flash.dummy(4);
    const answer = Array.from({ length: n }, () => flash.transfer(0, 4));
    flash.deselect();
    return answer;
  };
  return { flash, ignored, command, read, writeEnable, program, erase, status, pass, quadRead };
}

describe("W25Q16JV", () => {
  it("says that it is EF 40 15, and that its device id is 14", () => {
    const { command } = bench();
    assert.deepEqual(command([0x9f], 3), [0xef, 0x40, 0x15]);
    assert.deepEqual(command([0x90, 0, 0, 0], 2), [0xef, 0x14]);
    assert.deepEqual(command([0xab, 0, 0, 0], 1), [0x14]);
    assert.equal(new Set(command([0x4b, 0, 0, 0, 0], 8)).size, 8);
  });

  it("reads with 03 and, after eight dummy clocks, with 0B, and goes on at 0 behind the last byte", () => {
    const { flash, read, command } = bench();
    flash.cells.set([1, 2, 3], 0);
    flash.cells.set([8, 9], FLASH_BYTES - 2);
    assert.deepEqual(read(FLASH_BYTES - 2, 5), [8, 9, 1, 2, 3]);
    assert.deepEqual(command([0x0b, 0x1f, 0xff, 0xff, 0], 2), [9, 1]);
  });

  it("sets WEL by 06 and clears it by 04", () => {
    const { command, status, writeEnable } = bench();
    assert.equal(status(), 0);
    writeEnable();
    assert.equal(status(), SR1_WEL);
    command([0x04]);
    assert.equal(status(), 0);
  });

  it("programs a page in 0.4 ms, BUSY and WEL set meanwhile and cleared afterwards", () => {
    const { program, status, read, pass, flash } = bench();
    program(0x1234, [0x5a, 0x3c]);
    assert.equal(status(), SR1_BUSY | SR1_WEL);
    pass(0.4 * MS - 101);
    assert.equal(status(), SR1_BUSY | SR1_WEL);
    pass(1);
    assert.equal(status(), 0);
    assert.deepEqual(read(0x1233, 4), [0xff, 0x5a, 0x3c, 0xff]);
    assert.equal(flash.operations, 1);
  });

  it("clears bits when it programs and sets none", () => {
    const { program, pass, read } = bench();
    program(0, [0b11110000]);
    pass(MS);
    program(0, [0b10101010]);
    pass(MS);
    assert.deepEqual(read(0, 1), [0b10100000]);
  });

  it("wraps inside the page, and of more than 256 bytes keeps the last 256", () => {
    const { program, pass, read } = bench();
    program(0x2fe, [1, 2, 3, 4]);
    pass(MS);
    assert.deepEqual(read(0x2fe, 2), [1, 2]);
    assert.deepEqual(read(0x200, 2), [3, 4]);
    assert.deepEqual(read(0x300, 1), [0xff]);
    program(
      0x400,
      Array.from({ length: 258 }, (_, i) => i & 0xff),
    );
    pass(MS);
    assert.deepEqual(read(0x400, 3), [0, 1, 2]);
    assert.deepEqual(read(0x4ff, 1), [0xff]);
  });

  for (const [opcode, bytes, time] of [
    [0x20, 4096, "sector"],
    [0x52, 32768, "block32"],
    [0xd8, 65536, "block64"],
  ] as const)
    it(`erases ${bytes} bytes around the address with ${opcode.toString(16)}, in the time of the table`, () => {
      for (const timing of [TYPICAL, WORST]) {
        const { flash, erase, pass, status } = bench({ timing });
        flash.cells.fill(0);
        erase(opcode, bytes + 123);
        pass(timing[time] - 51); // 50 passed behind the command
        assert.equal(status() & SR1_BUSY, SR1_BUSY);
        pass(1);
        assert.equal(status(), 0);
        assert.equal(flash.cells.indexOf(0xff), bytes);
        assert.equal(flash.cells.lastIndexOf(0xff), 2 * bytes - 1);
      }
    });

  it("erases the chip with C7 and with 60", () => {
    for (const opcode of [0xc7, 0x60]) {
      const { flash, command, writeEnable } = bench();
      flash.cells.fill(0);
      writeEnable();
      command([opcode]);
      assert.equal(
        flash.cells.findIndex((byte) => byte !== 0xff),
        -1,
      );
    }
  });

  it("ignores program, erase and status writes without write enable", () => {
    const { command, flash, ignored, status } = bench();
    flash.cells.fill(0, 0, 8);
    command([0x02, 0, 0, 8, 0]);
    command([0x20, 0, 0, 0]);
    command([0x01, 0, SR2_QE]);
    assert.equal(status(), 0);
    assert.deepEqual([...flash.cells.subarray(6, 10)], [0, 0, 0xff, 0xff]);
    assert.equal(flash.quadEnabled, false);
    assert.equal(ignored.length, 3);
  });

  it("takes one write for one write enable", () => {
    const { command, program, pass, read, ignored } = bench();
    program(0, [1]);
    pass(MS);
    command([0x02, 0, 0, 1, 2]);
    assert.deepEqual(read(0, 2), [1, 0xff]);
    assert.deepEqual(ignored, ["page program without write enable"]);
  });

  it("hears nothing but status reads and a reset while it is busy", () => {
    const { erase, read, command, status, pass, ignored, flash } = bench();
    flash.cells.fill(0x77, 0x10000, 0x10010);
    erase(0x20, 0);
    assert.deepEqual(read(0x10000, 1), [0xff]);
    command([0x06]);
    command([0x9f], 3);
    assert.deepEqual(ignored, ["read while busy", "write enable while busy", "JEDEC id while busy"]);
    assert.equal(command([0x35], 1)[0], 0);
    assert.equal(status() & SR1_BUSY, SR1_BUSY);
    pass(45 * MS);
    assert.deepEqual(read(0x10000, 1), [0x77]);
  });

  it("does nothing with an erase or a program whose address is not whole", () => {
    const { writeEnable, command, flash, ignored } = bench();
    flash.cells.fill(0, 0, 4096);
    writeEnable();
    command([0x20, 0, 0]);
    assert.equal(flash.cells[0], 0);
    assert.equal(flash.operations, 0);
    assert.equal(ignored.length, 1);
  });

  it("keeps QE over a power cut when 31 or the second byte of 01 wrote it, and forgets it after 50", () => {
    for (const write of [
      [0x31, SR2_QE],
      [0x01, 0, SR2_QE],
    ]) {
      const { flash, writeEnable, command, pass, status } = bench();
      writeEnable();
      command(write);
      assert.equal(status() & SR1_BUSY, SR1_BUSY);
      pass(10 * MS);
      flash.cutPower();
      assert.equal(command([0x35], 1)[0], SR2_QE);
    }
    const { flash, command } = bench();
    command([0x50]);
    command([0x31, SR2_QE]);
    assert.equal(flash.busy, false);
    assert.equal(flash.quadEnabled, true);
    flash.cutPower();
    assert.equal(flash.quadEnabled, false);
  });

  it("reads on four lines only with QE", () => {
    const without = bench();
    without.flash.cells.set([0xab]);
    assert.deepEqual(without.quadRead(0, 0xff, 1), [0xff]);
    assert.deepEqual(without.ignored, ["fast read quad I/O without QE"]);
    const { flash, quadRead, ignored } = bench({ quadEnable: true });
    flash.cells.set([0xab, 0xcd], 0x100);
    assert.deepEqual(quadRead(0x100, 0xff, 2), [0xab, 0xcd]);
    assert.deepEqual(ignored, []);
  });

  it("stays in continuous read while M5-4 is 10, and leaves it otherwise", () => {
    const { flash, quadRead, read } = bench({ quadEnable: true });
    flash.cells.set([0xab, 0xcd]);
    quadRead(0, 0xa0, 1);
    assert.equal(flash.continuous, true);
    assert.deepEqual(quadRead(1, 0xa0, 1, false), [0xcd]);
    assert.deepEqual(quadRead(0, 0x00, 1, false), [0xab]);
    assert.equal(flash.continuous, false);
    assert.deepEqual(read(0, 2), [0xab, 0xcd]);
  });

  it("leaves continuous read by FF on one line, and takes other commands for an address", () => {
    const { flash, quadRead, command, ignored } = bench({ quadEnable: true });
    quadRead(0, 0xa0, 1);
    assert.deepEqual(command([0x05], 1), [0xff]);
    assert.equal(flash.continuous, true);
    assert.equal(ignored.length, 1);
    command([0xff]);
    assert.equal(flash.continuous, false);
    assert.deepEqual(command([0x9f], 3), [0xef, 0x40, 0x15]);
  });

  it("wants 50 ns of /CS high between a write and the next command", () => {
    const { flash, ignored, command } = bench();
    flash.select();
    flash.transfer(0x06);
    flash.deselect();
    flash.now += 49;
    assert.deepEqual(command([0x05], 1), [0xff]);
    assert.equal(ignored.length, 1);
    assert.deepEqual(command([0x05], 1), [SR1_WEL]);
  });

  it("sleeps after B9 until AB", () => {
    const { command, read, flash, ignored } = bench();
    flash.cells[0] = 1;
    command([0xb9]);
    assert.deepEqual(read(0, 1), [0xff]);
    assert.equal(ignored.length, 1);
    command([0xab]);
    assert.deepEqual(read(0, 1), [1]);
  });

  it("resets by 66 and 99 in sequence only", () => {
    const { command, writeEnable, status, ignored, pass } = bench();
    writeEnable();
    command([0x99]);
    assert.equal(status(), SR1_WEL);
    command([0x66]);
    command([0x05], 1);
    command([0x99]);
    assert.equal(status(), SR1_WEL);
    assert.equal(ignored.length, 2);
    command([0x66]);
    command([0x99]);
    pass(0.03 * MS);
    assert.equal(status(), 0);
  });

  it("does not hear 03 above 50 MHz, nor anything above 133 MHz", () => {
    const { flash, read, command, ignored } = bench();
    flash.clockHz = 62.5e6;
    read(0, 1);
    assert.deepEqual(ignored, ["read at 62.5 MHz"]);
    assert.deepEqual(command([0x9f], 3), [0xef, 0x40, 0x15]);
    flash.clockHz = 150e6;
    assert.deepEqual(command([0x9f], 1), [0xff]);
  });

  it("is left in between when power fails during an erase or a program, the same for the same seed", () => {
    const outcomes = new Set<string>();
    for (let seed = 1; seed <= 40; seed++) {
      const torn = [1, 2].map(() => {
        const { flash, erase } = bench({ seed });
        flash.cells.fill(0x0f, 0, 8192);
        erase(0x20, 0);
        flash.now += 20 * MS;
        flash.cutPower();
        assert.equal(flash.cells[4096], 0x0f);
        return [...flash.cells.subarray(0, 4096)];
      });
      assert.deepEqual(torn[0], torn[1]);
      outcomes.add(torn[0].every((b) => b === 0xff) ? "done" : torn[0].every((b) => b === 0x0f) ? "nothing" : "partly");
    }
    assert.deepEqual([...outcomes].sort(), ["done", "nothing", "partly"]);
  });

  it("keeps what was finished when power fails later", () => {
    const { flash, program, pass, read } = bench();
    program(0, [0]);
    pass(MS);
    flash.cutPower();
    assert.deepEqual(read(0, 2), [0, 0xff]);
  });

  it("only clears bits that were to be cleared when power fails during a program", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { flash, program } = bench({ seed });
      program(0, [0x0f]);
      flash.cutPower();
      assert.equal(flash.cells[0] & 0x0f, 0x0f);
      assert.deepEqual([...flash.cells.subarray(1, 256)], new Array(255).fill(0xff));
    }
  });
});
