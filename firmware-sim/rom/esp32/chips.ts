/**
 * What a flasher reads to find out which chip it talks to: identity, fuses and the controller of the SPI flash.
 *
 *     fuses      BLOCK1 at EFUSE_BASE + 44h (read-only words, as they can be read at run time)
 *       word 0   MAC address, bytes 3..0
 *       word 1   MAC address, bytes 5..4 in bits 15..0
 *       word 3   bits 20..18 minor revision (low), 23..21 package, 29..27 embedded flash
 *       word 4   bits 2..0 vendor of the flash, 4..3 embedded PSRAM
 *       word 5   bit 23 minor revision (high), 25..24 major revision
 *
 * Sources: esptool (esptool/targets/esp32s3.py, esp32c3.py) and esptool-js 0.7.0 (lib/targets), which read these addresses; the
 * field layouts are those of the chips' technical reference manuals, chapter "eFuse Controller". The boot messages are those
 * that users' logs show. The security information of a chip fresh from the factory is assumed to be zeros.
 *
 * NOT IMPLEMENTED: every other fuse and register: they read as zero, where a chip may trap.
 */

/** Bytes from `start` up to, not including, `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export interface Esp32Chip {
  /** As a board's JSON has it. */
  readonly name: string;
  /** Chip id of GET_SECURITY_INFO and of image headers. */
  readonly id: number;
  /** Word at 40001000h, a piece of ROM code that is different in each chip: how older flashers tell them apart. */
  readonly magic: number;
  readonly efuseBase: number;
  readonly fuses: readonly number[];
  /** RTC_CNTL_WDTCONFIG0 and RTC_CNTL_WDTWPROTECT. */
  readonly watchdog: { readonly config: number; readonly protect: number };
  /** Where MEM_DATA may put bytes. */
  readonly ram: readonly Range[];
  /** Which of it can be executed. */
  readonly iram: Range;
  /** What the ROM prints before it waits for commands. */
  readonly bootMessage: string;
}

export const MAGIC_REGISTER = 0x4000_1000;
/** BLOCK1 of the fuses, relative to EFUSE_BASE. */
export const EFUSE_BLOCK1 = 0x44;
/** SPI1, the controller through which the boot loaders reach the flash; its registers lie alike in both chips. */
export const SPI1_BASE = 0x6000_2000;

/** A MAC address of Espressif's block 7C:DF:A1, with the chip id as its end. */
function macWords(id: number): [number, number] {
  return [((0xa1 << 24) | (0x5e << 16) | id) >>> 0, 0x7cdf];
}

const MINOR_LOW = 18;
const FLASH_SIZE = 27;
const PSRAM_SIZE = 3;

export const ESP32_CHIPS: readonly Esp32Chip[] = [
  {
    name: "ESP32-S3",
    id: 9,
    magic: 0x0000_0009,
    efuseBase: 0x6000_7000,
    watchdog: { config: 0x6000_8098, protect: 0x6000_80b0 },
    // Revision v0.2, flash beside the chip, 8 MB of PSRAM in it (an N16R8 module).
    fuses: [...macWords(9), 0, 2 << MINOR_LOW, 1 << PSRAM_SIZE, 0],
    ram: [
      { start: 0x3fc8_8000, end: 0x3fd0_0000 },
      { start: 0x4037_0000, end: 0x403e_0000 },
    ],
    iram: { start: 0x4037_0000, end: 0x403e_0000 },
    bootMessage: bootMessage("esp32s3-20210327", "Mar 27 2021", "boot:0x0 (DOWNLOAD(USB/UART0))"),
  },
  {
    name: "ESP32-C3",
    id: 5,
    magic: 0x1b31_506f,
    efuseBase: 0x6000_8800,
    watchdog: { config: 0x6000_8090, protect: 0x6000_80a8 },
    // Revision v0.3, the first that boots without an image header; 4 MB of flash in the package.
    fuses: [...macWords(5), 0, ((1 << FLASH_SIZE) | (3 << MINOR_LOW)) >>> 0, 0, 0],
    ram: [
      { start: 0x3fc8_0000, end: 0x3fce_0000 },
      { start: 0x4037_c000, end: 0x403e_0000 },
    ],
    iram: { start: 0x4037_c000, end: 0x403e_0000 },
    // The numbers behind "boot:" are from memory: they show the straps, and nobody reads them here.
    bootMessage: bootMessage("esp32c3-api1-20210207", "Feb  7 2021", "boot:0x4 (DOWNLOAD(USB/UART0/1))"),
  },
];

/** @param name a board's `chip` */
export function isEsp32(name: string): boolean {
  return ESP32_CHIPS.some((chip) => chip.name === name);
}

/** @param name one for which isEsp32 holds */
export function esp32Chip(name: string): Esp32Chip {
  const found = ESP32_CHIPS.find((chip) => chip.name === name);
  if (found === undefined) throw new RangeError(`no ESP32: ${name}`);
  return found;
}

function bootMessage(rom: string, built: string, boot: string): string {
  return `ESP-ROM:${rom}\r\nBuild:${built}\r\nrst:0x1 (POWERON),${boot}\r\nwaiting for download\r\n`;
}
