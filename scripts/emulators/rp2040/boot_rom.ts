/**
 * What the RP2040's boot ROM does before the first instruction of flash (RP2040 Datasheet 2.8.1): the ROM itself is not here.
 *
 *     flash offset 0    boot2, 252 bytes | CRC32 of them: polynomial 04C11DB7, initial FFFFFFFF, not reflected, not inverted
 *     0x20041F00        where the ROM copies these 256 bytes and jumps to
 *     flash + 0x100     the vector table that boot2 goes on with
 *
 * The SSI is left as the ROM leaves it: enabled, one line, frames of 8 bits, flash selected; the flash answers to serial commands,
 * because the ROM ends continuous read mode first.
 *
 * NOT IMPLEMENTED: USB boot (what the ROM does when the CRC is wrong: an error here), the BOOTSEL button, the watchdog's vector in
 * SCRATCH4 to SCRATCH7, the ROM's stack and its time. Where the ROM leaves registers is from memory.
 */
import { Rp2040Error } from "./fault.ts";
import type { Mcu } from "./mcu.ts";
import type { W25q } from "./w25q.ts";

export const BOOT2_BYTES = 256;
const BOOT2_AT = 0x20041f00;
const XIP_SSI = 0x18000000;
const IO_QSPI = 0x40018000;

/** @throws Rp2040Error E_RP2040_BOOT when flash holds no boot2: a real chip would wait for USB */
export function startFromFlash(mcu: Mcu, flash: W25q): void {
  const boot2 = flash.cells.subarray(0, BOOT2_BYTES);
  const stored = new DataView(boot2.buffer, boot2.byteOffset).getUint32(BOOT2_BYTES - 4, true);
  if (crc32(boot2.subarray(0, BOOT2_BYTES - 4)) !== stored)
    throw new Rp2040Error(
      "E_RP2040_BOOT",
      "flash begins without a boot2 of the right CRC32: the boot ROM would offer USB",
    );
  leaveContinuousRead(flash);
  connectFlash(mcu);
  mcu.sram.set(boot2, BOOT2_AT - 0x20000000);
  const { core } = mcu;
  core.VTOR = 0;
  core.SP = BOOT2_AT;
  core.LR = 0;
  core.PC = BOOT2_AT;
}

/**
 * Starts a firmware without boot2: its vector table lies at offset 0x100, and flash is set up for reading with command 03, which needs no
 * status register. What a debugger does.
 */
export function startWithoutBoot2(mcu: Mcu, flash: W25q): void {
  leaveContinuousRead(flash);
  connectFlash(mcu);
  const { ssi } = mcu;
  ssi.writeUint32(0x08, 0);
  ssi.writeUint32(0x00, (31 << 16) | (3 << 8)); // CTRLR0: frames of 32 bits, TMOD 3
  ssi.writeUint32(0xf4, (0x03 << 24) | (2 << 8) | (6 << 2)); // SPI_CTRLR0: 03, 8 bits of instruction, 24 of address
  ssi.writeUint32(0x08, 1);
  const { core } = mcu;
  core.VTOR = 0x10000100;
  core.SP = mcu.readUint32(core.VTOR);
  core.PC = mcu.readUint32(core.VTOR + 4) & ~1;
}

function connectFlash(mcu: Mcu): void {
  for (let pin = 0; pin < 6; pin++) mcu.writeUint32(IO_QSPI + 8 * pin + 4, 0);
  mcu.writeUint32(XIP_SSI + 0x08, 0);
  mcu.writeUint32(XIP_SSI + 0x14, 6); // BAUDR
  mcu.writeUint32(XIP_SSI + 0x00, 7 << 16); // CTRLR0: frames of 8 bits
  mcu.writeUint32(XIP_SSI + 0x10, 1); // SER
  mcu.writeUint32(XIP_SSI + 0x08, 1); // SSIENR
}

/** The ROM waits for a busy flash by trying again, and ends continuous read mode with clocks on IO0 = 1 (2.8.1.2). */
function leaveContinuousRead(flash: W25q): void {
  flash.now = Math.max(flash.now, flash.busyUntil);
  flash.deselect();
  flash.select();
  flash.transfer(0xff);
  flash.transfer(0xff);
  flash.deselect();
}

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}
