/**
 * The RP2040 of rp2040js (wokwi) with what our firmware needs and it lacks or forgives:
 *
 *     memory       unaligned accesses, accesses to nothing, to the boot ROM (there is none) and to the MPU's guard stop the emulator
 *     flash        read in place only while the SSI and the flash are set up for it and the flash is not busy (xip)
 *     peripherals  SSI, IO_QSPI, XIP_CTRL, UART0, SysTick, RESETS, AIRCR, MPU, ROSC of our own; whatever rp2040js does not implement is refused
 *     resets       a peripheral that is still held in reset is refused; so is the timer without the watchdog's tick
 *     interrupts   WFI with a pending interrupt does not sleep, and with PRIMASK set wakes without entering the handler (in rp2040js it
 *                  sleeps on, and enters)
 *
 * One core: rp2040js has no second one (its SIO answers CPUID 0 and has no FIFO between cores).
 *
 * NOT IMPLEMENTED: XIP cache and QSPI stalls (flash costs what SRAM costs), cycles of exception entry, the MPU's read-only regions in
 * SRAM, putting a peripheral back into reset, clocks that do not run.
 */
import { RP2040 } from "rp2040js";
import { Clock } from "./clock.ts";
import { hex, Rp2040Error } from "./fault.ts";
import { atomic, IoQspi } from "./io_qspi.ts";
import { Ssi } from "./ssi.ts";
import { SYST_CALIB, SYST_CSR, SYST_CVR, SYST_RVR, SysTick } from "./systick.ts";
import { Uart } from "./uart.ts";
import type { W25q } from "./w25q.ts";
import { XipCtrl } from "./xip_ctrl.ts";

type Peripheral = RP2040["peripherals"][number];

/** Ring oscillator at reset: 1 to 12 MHz, about 6.5 (RP2040 Datasheet 2.17). */
const ROSC_HZ = 6.5e6;
const SRAM = 0x20000000;
export const SRAM_BYTES = 264 * 1024;
const ROM_BYTES = 0x4000;
const UART0_IRQ = 20;

const AIRCR = 0xe000ed0c;
const AIRCR_SYSRESETREQ = 0x05fa0004;
const SCR = 0xe000ed10;
const CCR = 0xe000ed14;
const MPU_TYPE = 0xe000ed90;
const MPU_CTRL = 0xe000ed94;
const MPU_RNR = 0xe000ed98;
const MPU_RBAR = 0xe000ed9c;
const MPU_RASR = 0xe000eda0;
const MPU_REGIONS = 8;

/** RESETS.RESET (RP2040 Datasheet 2.14.3): bit of each block, by the block's key in RP2040.peripherals. */
const RESET_BITS: Record<number, number> = {
  262220: 0, // ADC
  262192: 1, // BUSCTRL
  327680: 2, // DMA
  262212: 3, // I2C0
  262216: 4, // I2C1
  262164: 5, // IO_BANK0
  262168: 6, // IO_QSPI
  262172: 8, // PADS_BANK0
  262176: 9, // PADS_QSPI
  328192: 10, // PIO0
  328448: 11, // PIO1
  262184: 12, // PLL_SYS
  262188: 13, // PLL_USB
  262224: 14, // PWM
  262236: 15, // RTC
  262204: 16, // SPI0
  262208: 17, // SPI1
  262148: 18, // SYSCFG
  262144: 19, // SYSINFO
  262252: 20, // TBMAN
  262228: 21, // TIMER
  262196: 22, // UART0
  262200: 23, // UART1
  327952: 24, // USBCTRL
};
const RESETS_ALL = 0x01ffffff;
/** What the boot ROM has taken out of reset to read flash (from memory). */
const RESETS_AFTER_ROM = RESETS_ALL & ~((1 << 6) | (1 << 9));

const WATCHDOG_KEY = 0x40058;
const WATCHDOG_TICK = 0x2c;
const WATCHDOG_SCRATCH0 = 0x0c;
const WATCHDOG_SCRATCHES = 8;
const TIMER_KEY = 0x40054;

export interface McuOptions {
  readonly flash: W25q;
  /** Simulated time at power-up, ns. */
  readonly ns: number;
  readonly onByte: (byte: number) => void;
  /** The chip asks to be reset; the loop has been stopped. */
  readonly onReset: (how: string) => void;
}

export class Mcu extends RP2040 {
  readonly time: Clock;
  readonly ssi: Ssi;
  readonly uart0: Uart;
  readonly xipCtrl: XipCtrl;
  readonly #sysTick: SysTick;
  readonly #flash: W25q;
  readonly #cells: DataView;
  readonly #cellsMask: number;
  readonly #onReset: (how: string) => void;
  /** Nothing has happened since the last look that could make flash unreadable. */
  #readable = false;
  /** SRAM offset and bytes that the MPU forbids. */
  #guard = 0;
  #guardBytes = 0;
  #mpu = { control: 0, number: 0, base: new Uint32Array(MPU_REGIONS), attributes: new Uint32Array(MPU_REGIONS) };
  #resets = RESETS_AFTER_ROM;
  #ready = false;

  constructor({ flash, ns, onByte, onReset }: McuOptions) {
    const time = new Clock(ns, ROSC_HZ);
    super(time);
    this.time = time;
    this.clkSys = ROSC_HZ;
    time.connect(this.core);
    this.pwm.reset(); // its pins are outputs from here on
    // Of PWM and SysTick, which nothing has started: they come due at once, again and again.
    time.clear();
    this.addClockListener((hz) => time.setHz(hz));
    this.#flash = flash;
    this.#cells = new DataView(flash.cells.buffer, flash.cells.byteOffset, flash.cells.length);
    this.#cellsMask = flash.cells.length - 1;
    this.#onReset = onReset;

    const onMisuse = (what: string): void => this.fault(what);
    this.logger = {
      debug: () => {},
      info: () => {},
      warn: (_, what) => onMisuse(what),
      error: (_, what) => onMisuse(what),
    };
    this.onBreak = (code) => this.fault(`a breakpoint (${code})`);
    this.ssi = new Ssi({ now: () => time.nanos, hz: () => this.clkSys, flash, onMisuse });
    this.ssi.onChange = () => {
      this.#readable = false;
    };
    this.xipCtrl = new XipCtrl(onMisuse);
    this.#sysTick = new SysTick({
      cycles: () => this.core.cycles,
      alarm: (run) => {
        const alarm = time.createAlarm(run);
        return { schedule: (cycles) => alarm.schedule((cycles * 1e9) / this.clkSys), cancel: () => alarm.cancel() };
      },
      pend: () => {
        this.core.pendingSystick = true;
        this.core.interruptsUpdated = true;
      },
      onMisuse,
    });
    this.uart0 = new Uart({
      alarm: (run) => time.createAlarm(run),
      hz: () => this.clocks.periFreq,
      interrupt: (level) => this.setInterrupt(UART0_IRQ, level),
      onMisuse,
      onByte,
    });
    this.#connect(onMisuse);
    this.#ready = true;
  }

  /** @throws Rp2040Error E_RP2040_FAULT, with where the core is */
  fault(what: string): never {
    throw new Rp2040Error("E_RP2040_FAULT", `${what}, at PC ${hex(this.core.PC)}, LR ${hex(this.core.LR)}`);
  }

  /** Told by whoever changes flash: what the cache holds is old. */
  flashChanged(): void {
    this.#readable = false;
    this.xipCtrl.stale = true;
  }

  /** Whether an enabled interrupt waits, whatever PRIMASK says: what ends WFI. */
  get interruptWaits(): boolean {
    const { core } = this;
    return (
      (core.pendingInterrupts & core.enabledInterrupts) !== 0 ||
      core.pendingSystick ||
      core.pendingPendSV ||
      core.pendingSVCall ||
      core.pendingNMI
    );
  }

  // rp2040js resets in its constructor, which reads a vector table and fills 16 MiB; ours is started by boot_rom.ts.
  override reset(): void {}

  override readUint32(address: number): number {
    address >>>= 0;
    if ((address & 3) !== 0) this.fault(`an unaligned read of 4 bytes at ${hex(address)}`);
    const offset = address - SRAM;
    if (offset >= 0 && offset < SRAM_BYTES) {
      if (offset - this.#guard < this.#guardBytes && offset >= this.#guard) this.#guarded(address);
      return this.sramView.getUint32(offset, true);
    }
    if (address >>> 26 === 0x04) return this.#cells.getUint32(this.#xip(address), true);
    return this.#readRegister(address);
  }

  override readUint16(address: number): number {
    address >>>= 0;
    if ((address & 1) !== 0) this.fault(`an unaligned read of 2 bytes at ${hex(address)}`);
    const offset = address - SRAM;
    if (offset >= 0 && offset < SRAM_BYTES) {
      if (offset - this.#guard < this.#guardBytes && offset >= this.#guard) this.#guarded(address);
      return this.sramView.getUint16(offset, true);
    }
    if (address >>> 26 === 0x04) return this.#cells.getUint16(this.#xip(address), true);
    return (this.#readRegister(address & ~3) >>> ((address & 2) * 8)) & 0xffff;
  }

  override readUint8(address: number): number {
    address >>>= 0;
    const offset = address - SRAM;
    if (offset >= 0 && offset < SRAM_BYTES) {
      if (offset - this.#guard < this.#guardBytes && offset >= this.#guard) this.#guarded(address);
      return this.sram[offset];
    }
    if (address >>> 26 === 0x04) return this.#cells.getUint8(this.#xip(address));
    return (this.#readRegister(address & ~3) >>> ((address & 3) * 8)) & 0xff;
  }

  override writeUint32(address: number, value: number): void {
    address >>>= 0;
    if ((address & 3) !== 0) this.fault(`an unaligned write of 4 bytes at ${hex(address)}`);
    const offset = address - SRAM;
    if (offset >= 0 && offset < SRAM_BYTES) {
      if (offset - this.#guard < this.#guardBytes && offset >= this.#guard) this.#guarded(address);
      this.sramView.setUint32(offset, value, true);
      return;
    }
    this.#writeRegister(address, value);
  }

  override writeUint16(address: number, value: number): void {
    address >>>= 0;
    if ((address & 1) !== 0) this.fault(`an unaligned write of 2 bytes at ${hex(address)}`);
    const offset = address - SRAM;
    if (offset >= 0 && offset < SRAM_BYTES) {
      if (offset - this.#guard < this.#guardBytes && offset >= this.#guard) this.#guarded(address);
      this.sramView.setUint16(offset, value, true);
      return;
    }
    this.fault(`a write of 2 bytes to ${hex(address)}`);
  }

  override writeUint8(address: number, value: number): void {
    address >>>= 0;
    const offset = address - SRAM;
    if (offset >= 0 && offset < SRAM_BYTES) {
      if (offset - this.#guard < this.#guardBytes && offset >= this.#guard) this.#guarded(address);
      this.sram[offset] = value;
      return;
    }
    this.fault(`a write of 1 byte to ${hex(address)}`);
  }

  /** Offset in flash of an address of the XIP window (0x10000000 to 0x13FFFFFF: four aliases of 16 MiB). */
  #xip(address: number): number {
    if (!this.#readable) this.#lookAtFlash(address);
    return address & this.#cellsMask;
  }

  /** Reads one word as the hardware would, and stops unless it is what the cells say. */
  #lookAtFlash(address: number): void {
    const at = address & this.#cellsMask & ~3;
    const word = this.ssi.xipRead(at);
    if (typeof word === "string") this.fault(`an access to flash at ${hex(address)} while ${word}`);
    if (this.xipCtrl.stale) this.fault(`an access to flash at ${hex(address)} before the cache was flushed`);
    if (word !== this.#cells.getUint32(at, true)) this.fault(`the flash answers ${hex(word)} for ${hex(address)}`);
    this.#readable = true;
  }

  #guarded(address: number): never {
    this.fault(`an access to ${hex(address)}, which the MPU forbids (end of the stack)`);
  }

  #readRegister(address: number): number {
    if (!this.#ready) return 0;
    if (address < ROM_BYTES)
      this.fault(`a read of ${hex(address)}: a null pointer, or the boot ROM, which is not here`);
    switch (address) {
      case SYST_CSR:
      case SYST_RVR:
      case SYST_CVR:
      case SYST_CALIB:
        return this.#sysTick.read(address);
      case AIRCR:
        return 0xfa050000;
      case SCR:
        return 0;
      case CCR:
        return 0x208; // STKALIGN, UNALIGN_TRP: both always on
      case MPU_TYPE:
        return MPU_REGIONS << 8;
      case MPU_CTRL:
        return this.#mpu.control;
      case MPU_RNR:
        return this.#mpu.number;
      case MPU_RBAR:
        return this.#mpu.base[this.#mpu.number];
      case MPU_RASR:
        return this.#mpu.attributes[this.#mpu.number];
    }
    this.#mustBeOut(address);
    // The aliases for atomic writes read as the register itself; rp2040js does not know that.
    const alias = address >>> 28 === 4 || address >>> 28 === 5 ? address & ~0x3000 : address;
    return super.readUint32(alias);
  }

  #writeRegister(address: number, value: number): void {
    if (!this.#ready) {
      super.writeUint32(address, value);
      return;
    }
    if (address < ROM_BYTES) this.fault(`a write to ${hex(address)}: a null pointer`);
    if (address >>> 26 === 0x04) this.fault(`a write to flash at ${hex(address)}`);
    switch (address) {
      case SYST_CSR:
      case SYST_RVR:
      case SYST_CVR:
        this.#sysTick.write(address, value);
        return;
      case AIRCR:
        if (value >>> 0 === AIRCR_SYSRESETREQ) this.#reset("SYSRESETREQ");
        return;
      case SCR:
        if ((value & 0b110) !== 0) this.fault("deep sleep or sleep on exit, which are not modelled");
        return;
      case MPU_CTRL:
      case MPU_RNR:
      case MPU_RBAR:
      case MPU_RASR:
        this.#writeMpu(address, value);
        return;
    }
    this.#mustBeOut(address);
    super.writeUint32(address, value);
  }

  /** ARMv6-M ARM B3.5. Of its regions only those without any access are enforced. */
  #writeMpu(address: number, value: number): void {
    const mpu = this.#mpu;
    if (address === MPU_CTRL) mpu.control = value & 7;
    else if (address === MPU_RNR) mpu.number = value & (MPU_REGIONS - 1);
    else if (address === MPU_RASR) mpu.attributes[mpu.number] = value;
    else {
      if ((value & 0x10) !== 0) mpu.number = value & (MPU_REGIONS - 1);
      mpu.base[mpu.number] = value & ~0x1f;
    }
    this.#guardBytes = 0;
    if ((mpu.control & 1) === 0) return;
    for (let i = 0; i < MPU_REGIONS; i++) {
      const attributes = mpu.attributes[i];
      const bytes = 2 ** (((attributes >> 1) & 31) + 1);
      if ((attributes & 1) === 0 || ((attributes >> 24) & 7) !== 0) continue;
      if (mpu.base[i] % bytes !== 0) this.fault(`an MPU region at ${hex(mpu.base[i])} that is not aligned to its size`);
      this.#guard = mpu.base[i] - SRAM;
      this.#guardBytes = bytes;
    }
  }

  /** SCRATCH0 to SCRATCH7 of the watchdog. */
  get scratch(): number[] {
    const watchdog = this.peripherals[WATCHDOG_KEY];
    return Array.from({ length: WATCHDOG_SCRATCHES }, (_, i) => watchdog.readUint32(WATCHDOG_SCRATCH0 + 4 * i));
  }

  set scratch(values: number[]) {
    for (const [i, value] of values.entries())
      this.peripherals[WATCHDOG_KEY].writeUint32(WATCHDOG_SCRATCH0 + 4 * i, value);
  }

  #mustBeOut(address: number): void {
    const bit = RESET_BITS[(address >>> 14) << 2];
    if (bit !== undefined && ((this.#resets >>> bit) & 1) === 1)
      this.fault(`an access to ${hex(address)}, whose peripheral is held in reset`);
  }

  #reset(how: string): void {
    this.time.stop();
    this.#onReset(how);
  }

  #connect(onMisuse: (what: string) => void): void {
    const { core, peripherals } = this;
    core.setInterrupt = (irq, value) => {
      if (value) {
        core.pendingInterrupts |= 1 << irq;
        core.interruptsUpdated = true;
      } else core.pendingInterrupts &= ~(1 << irq);
    };
    peripherals[0x18000] = this.ssi;
    peripherals[0x14000] = this.xipCtrl;
    peripherals[0x40018] = new IoQspi(this.ssi, onMisuse);
    peripherals[0x40034] = this.uart0;
    peripherals[0x40060] = rosc(this.#flash);
    peripherals[0x4000c] = this.#resetsBlock(onMisuse);
    this.#watch(peripherals[WATCHDOG_KEY], peripherals[TIMER_KEY]);
  }

  #resetsBlock(onMisuse: (what: string) => void): Peripheral {
    let select = 0;
    const read = (offset: number): number => [this.#resets, select, ~this.#resets & RESETS_ALL][offset >> 2];
    const write = (offset: number, value: number): void => {
      if (offset === 4) select = value & RESETS_ALL;
      else if (offset === 0) this.#resets = value & RESETS_ALL;
      else onMisuse("a write to RESET_DONE");
    };
    return {
      readUint32: read,
      writeUint32: write,
      writeUint32Atomic: (offset, value, type) => write(offset, atomic(read(offset), value, type)),
    };
  }

  /** The watchdog resets the chip, and its tick is what makes the timer count. */
  #watch(watchdog: Peripheral & { onWatchdogTrigger?: () => void }, timer: Peripheral): void {
    let ticking = false;
    watchdog.onWatchdogTrigger = () => this.#reset("the watchdog");
    const write = watchdog.writeUint32.bind(watchdog);
    watchdog.writeUint32 = (offset, value) => {
      if (offset === WATCHDOG_TICK) ticking = (value & 0x200) !== 0 && (value & 0x1ff) * 1e6 === this.clocks.refFreq;
      write(offset, value);
    };
    const read = timer.readUint32.bind(timer);
    timer.readUint32 = (offset) => {
      if (!ticking) this.fault("the timer read without the watchdog's tick of 1 MHz");
      return read(offset);
    };
  }
}

/** ROSC (RP2040 Datasheet 2.17.8): of its registers only RANDOMBIT and STATUS, the rest keep silent. */
function rosc(flash: W25q): Peripheral {
  let state = 0x2545f491 ^ flash.operations;
  const read = (offset: number): number => {
    if (offset === 0x18) return 0x80001000; // STATUS: STABLE, ENABLED
    if (offset !== 0x1c) return 0;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 7) & 1;
  };
  return { readUint32: read, writeUint32: () => {}, writeUint32Atomic: () => {} };
}
