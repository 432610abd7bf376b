/**
 * The registers behind READ_REG and WRITE_REG: the identity of the chip, its fuses, enough of SPI1 to ask the flash for its id,
 * and the RTC watchdog, by which a flasher without a reset line restarts the chip.
 *
 *     SPI1 (offset)  00 CMD: bit 18 USR starts a transfer, reads 0 when it is done     18 USR: bit 28 MISO (an answer is read)
 *                    20 USR2: bits 7..0 the command byte                               28 MISO_DLEN: bits of the answer - 1
 *                    58 W0: the answer
 *
 *     command of the flash     answer
 *     9F  read JEDEC id        vendor, type, log2(bytes): EF 40 xx, a W25Q-like part as the boards' JSON assumes
 *     05  read status          0: ready, writable
 *
 *     watchdog         WDTWPROTECT: writable while it holds the key     WDTCONFIG0: bit 31 on, bits 30..28 = 5 resets chip and RTC
 *
 * Sources: esptool (`watchdog_reset`), esptool-js 0.7.0, `runSpiflashCommand`; W25Q64JV datasheet, "Instruction Set Table" (vendor EFh, type 4018h and its kin).
 *
 * NOT IMPLEMENTED: writing and erasing through these registers; every other command answers 0. The watchdog's time: it bites at once.
 */
import { EFUSE_BLOCK1, type Esp32Chip, MAGIC_REGISTER, SPI1_BASE } from "./chips.ts";

const CMD = SPI1_BASE;
const USR = SPI1_BASE + 0x18;
const USR2 = SPI1_BASE + 0x20;
const MISO_DLEN = SPI1_BASE + 0x28;
const W0 = SPI1_BASE + 0x58;
const CMD_USR = 1 << 18;
const USR_MISO = 1 << 28;

const WATCHDOG_KEY = 0x50d8_3aa1;
const WATCHDOG_ON = 2 ** 31;
const RESET_RTC = 5;

const READ_ID = 0x9f;
const VENDOR = 0xef;
const TYPE = 0x40;

export class Registers {
  /** What was written. Plain data. */
  values = new Map<number, number>();
  readonly #fixed = new Map<number, number>();
  readonly #chip: Esp32Chip;
  readonly #flashBytes: number;

  constructor(chip: Esp32Chip, flashBytes: number) {
    this.#chip = chip;
    this.#flashBytes = flashBytes;
    this.#fixed.set(MAGIC_REGISTER, chip.magic);
    chip.fuses.forEach((word, i) => {
      this.#fixed.set(chip.efuseBase + EFUSE_BLOCK1 + 4 * i, word);
    });
  }

  read(address: number): number {
    return this.#fixed.get(address) ?? this.values.get(address) ?? 0;
  }

  /** The watchdog was told to reset the chip. */
  get watchdogBites(): boolean {
    const config = this.read(this.#chip.watchdog.config);
    return config >= WATCHDOG_ON && ((config >>> 28) & 7) === RESET_RTC;
  }

  /** Only the bits of `mask` change. */
  write(address: number, value: number, mask: number): void {
    const { config, protect } = this.#chip.watchdog;
    if (this.#fixed.has(address) || (address === config && this.read(protect) !== WATCHDOG_KEY)) return;
    this.values.set(address, ((this.read(address) & ~mask) | (value & mask)) >>> 0);
    if (address === CMD && (value & mask & CMD_USR) !== 0) this.#transfer();
  }

  reset(): void {
    this.values = new Map();
  }

  #transfer(): void {
    this.values.set(CMD, 0);
    if ((this.read(USR) & USR_MISO) === 0) return;
    const bits = Math.min((this.read(MISO_DLEN) & 0xff) + 1, 32);
    const answer = (this.read(USR2) & 0xff) === READ_ID ? this.#jedecId() : 0;
    this.values.set(W0, bits === 32 ? answer : answer & (2 ** bits - 1));
  }

  /** The first byte on the wire is the lowest of the word. */
  #jedecId(): number {
    return VENDOR | (TYPE << 8) | (Math.ceil(Math.log2(this.#flashBytes)) << 16);
  }
}
