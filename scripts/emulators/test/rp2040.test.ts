/** The emulated Pico with a few instructions in its flash: how it starts, and what it does not forgive. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { crc32 } from "../../firmware/boot2.mjs";
import { FLASH_BYTES, type Rp2040, type Rp2040Error, startRp2040 } from "../rp2040/chip.ts";

const CODE = 0x200;
const STAY = 0xe7fe; // b .
const NOP = 0x46c0;

function halfWords(values: number[]): Uint8Array {
  return new Uint8Array(Uint16Array.from(values).buffer);
}

/** Vector table at 0x100, then these instructions. */
function firmware(code: number[]): Uint8Array {
  const image = new Uint8Array(CODE + 2 * code.length + 2).fill(0xff);
  const view = new DataView(image.buffer);
  view.setUint32(0x100, 0x20001000, true);
  view.setUint32(0x104, 0x10000000 + CODE + 1, true);
  image.set(halfWords([...code, STAY]), CODE);
  return image;
}

function run(code: number[], cycles = 2000): Rp2040 {
  const pico = startRp2040({ firmware: firmware(code), boot2: false });
  pico.run({ cycles });
  return pico;
}

function faults(code: number[], message: RegExp): void {
  assert.throws(() => run(code), { code: "E_RP2040_FAULT", message });
}

/** ldr r0, =value; then the instructions that use it (an even number of them). */
function withWord(value: number, code: number[]): number[] {
  assert.equal(code.length % 2, 0);
  return [0x4800 + code.length / 2, ...code, STAY, value & 0xffff, value >>> 16];
}

describe("a start from flash", () => {
  it("runs boot2 from SRAM when its CRC32 is right", () => {
    const boot2 = new Uint8Array(256);
    boot2.set(halfWords([0x2007, STAY])); // movs r0, #7
    new DataView(boot2.buffer).setUint32(252, crc32(boot2.subarray(0, 252)), true);
    const pico = startRp2040({ firmware: boot2 });
    pico.run({ cycles: 100 });
    assert.equal(pico.mcu.core.PC, 0x20041f02);
    assert.equal(pico.mcu.core.registers[0], 7);
  });

  it("does not start when the CRC32 is wrong or flash is blank", () => {
    assert.throws(() => startRp2040({ firmware: new Uint8Array(256) }), { code: "E_RP2040_BOOT" });
    assert.throws(() => startRp2040({}), { code: "E_RP2040_BOOT" });
  });

  it("has the CRC32 of the datasheet's parameters (CRC-32/MPEG-2)", () => {
    assert.equal(crc32(new TextEncoder().encode("123456789")), 0x0376e6e7);
  });

  it("refuses flash of another size", () => {
    const wrong = (error: Rp2040Error): boolean => error.code === "E_RP2040_FILE";
    assert.throws(() => startRp2040({ flash: new Uint8Array(10) }), wrong);
    assert.throws(() => startRp2040({ firmware: new Uint8Array(FLASH_BYTES + 1) }), wrong);
  });

  it("starts a firmware without boot2 at its vector table", () => {
    const pico = run([0x2105]); // movs r1, #5
    assert.equal(pico.mcu.core.registers[1], 5);
    assert.equal(pico.mcu.core.SP, 0x20001000);
  });
});

describe("what stops the emulated Pico", () => {
  it("an unaligned access", () => {
    faults(withWord(0x20000001, [0x6801, NOP]), /unaligned read of 4 bytes at 0x20000001/); // ldr r1, [r0]
    faults(withWord(0x20000001, [0x8801, NOP]), /unaligned read of 2 bytes/); // ldrh
    faults(withWord(0x20000002, [0x6001, NOP]), /unaligned write of 4 bytes/); // str
    faults(withWord(0x20000001, [0x8001, NOP]), /unaligned write of 2 bytes/); // strh
  });

  it("a null pointer", () => {
    faults([0x2000, 0x6801], /null pointer/);
    faults([0x2000, 0x6001], /null pointer/);
  });

  it("a write to flash", () => faults(withWord(0x10000300, [0x6001, NOP]), /write to flash/));

  it("a peripheral that is still held in reset", () =>
    faults(withWord(0x40034018, [0x6801, NOP]), /0x40034018, whose peripheral is held in reset/));

  it("an instruction from flash while the SSI is off", () =>
    faults(withWord(0x18000008, [0x2100, 0x6001]), /access to flash at 0x10000206 while the SSI is disabled/));

  it("an address where nothing is", () => faults(withWord(0x30000000, [0x6801, NOP]), /invalid memory address/));

  it("the timer without the watchdog's tick", () => {
    // RESETS_RESET = 0, then TIMERAWL: two literals behind the code.
    const code = [0x4802, 0x2100, 0x6001, 0x4802, 0x6801, STAY, 0xc000, 0x4000, 0x4028, 0x4005];
    faults(code, /timer read without the watchdog's tick/);
  });

  it("a stack that runs into the MPU's guard", () => {
    const { mcu } = run([]);
    const write = (address: number, value: number): void => mcu.writeUint32(address, value);
    write(0xe000ed98, 1); // RNR
    write(0xe000ed9c, 0x20000100); // RBAR
    write(0xe000eda0, (7 << 1) | 1); // RASR: 256 bytes, no access
    write(0x20000100, 1);
    write(0xe000ed94, 5); // CTRL
    write(0x200000fc, 1);
    write(0x20000200, 1);
    for (const address of [0x20000100, 0x200001fc])
      assert.throws(() => write(address, 1), { code: "E_RP2040_FAULT", message: /MPU forbids/ });
    assert.throws(() => mcu.readUint8(0x200001ff), { message: /MPU forbids/ });
  });

  it("a breakpoint", () => faults([0xbe2a], /breakpoint \(42\)/));
});

describe("sleep", () => {
  // cpsid i; SysTick with reload 40 and interrupt on; wfi; movs r7, #1
  const sleep = (between: number[]): number[] =>
    withWord(0xe000e010, [
      0xb672,
      0x2128,
      0x6041,
      0x2107,
      0x6001,
      ...between,
      0xbf30,
      ...(between.length % 2 === 0 ? [0x2701, NOP] : [0x2701]),
    ]);

  it("ends with an interrupt that PRIMASK holds back, without its handler", () => {
    const pico = run(sleep([]));
    assert.equal(pico.mcu.core.registers[7], 1);
    assert.equal(pico.mcu.core.IPSR, 0);
    assert.ok(pico.idleCycles > 10 && pico.idleCycles < 41);
  });

  it("does not begin while an interrupt waits", () => {
    const pico = run(sleep(new Array(60).fill(NOP)));
    assert.equal(pico.mcu.core.registers[7], 1);
    assert.equal(pico.idleCycles, 0);
  });

  it("lasts, in simulated time, until the cycles are over when nothing comes", () => {
    const pico = run([0xbf30], 1_000_000);
    assert.ok(pico.cycles >= 1_000_000 && pico.cycles < 1_000_010);
    assert.ok(pico.instructions < 10);
    assert.equal(pico.idle, true);
  });
});

describe("power", () => {
  it("comes back at the beginning, with SRAM lost and flash kept", () => {
    const pico = run([0x2701]);
    pico.mcu.sram.fill(0x55);
    pico.cutPower();
    assert.equal(pico.run({ cycles: 10 }), "power cut");
    pico.powerOn();
    assert.equal(pico.mcu.sram[0], 0);
    assert.equal(pico.mcu.core.registers[7], 0);
    pico.run({ cycles: 100 });
    assert.equal(pico.mcu.core.registers[7], 1);
  });
});
