/*
 * boot2: the first 256 bytes of flash. The boot ROM checks their CRC32, copies them to 0x20041F00 and jumps there (RP2040 Datasheet 2.8.1.3);
 * the selector behind them can only be run once this code has made flash readable in place. The CRC is put in after linking
 * (scripts/firmware/boot2.mjs).
 *
 * It runs where it was not linked for: everything it calls is inline, and it has no data but its own literals. On entry the SSI is the ROM's
 * and the flash listens to serial commands.
 */
#include "xip.h"

#define BOOT2_STACK 0x20041F00
#define VECTORS 0x10000100
#define VTOR REG(0xE000ED08)

#define WRITE_ENABLE 0x06
#define READ_STATUS 0x05
#define READ_STATUS2 0x35
#define WRITE_STATUS2 0x31
#define BUSY 0x01
#define QE 0x02

__attribute__((naked, used, section(".boot2.entry"))) void boot2_entry(void) {
  __asm__ volatile(
      "ldr r0, =%c0\n"
      "mov sp, r0\n"
      "bl boot2\n" ::"i"(BOOT2_STACK));
}

/* Whole commands fit the FIFO, so that they need no hand on /CS: it falls with the first byte and rises behind the last. */
ALWAYS uint32_t read_register(ssi_t *ssi, uint32_t command) {
  ssi->DR0 = command;
  ssi->DR0 = 0;
  ssi_wait(ssi);
  (void)ssi->DR0;
  return ssi->DR0;
}

__attribute__((used, noreturn, section(".boot2.code"))) void boot2(void) {
  ssi_t *ssi = ssi_base();
  ssi_serial(ssi);
  /* Four lines need QE, which is kept by the flash: written once in its life, or never where the factory did. */
  uint32_t status2 = read_register(ssi, READ_STATUS2);
  if ((status2 & QE) == 0) {
    ssi->DR0 = WRITE_ENABLE;
    ssi_wait(ssi);
    (void)ssi->DR0;
    ssi->DR0 = WRITE_STATUS2;
    ssi->DR0 = status2 | QE;
    ssi_wait(ssi);
    (void)ssi->DR0;
    (void)ssi->DR0;
    while ((read_register(ssi, READ_STATUS) & BUSY) != 0) {
    }
  }
  xip_enter(ssi);
  VTOR = VECTORS;
  __asm__ volatile(
      "ldmia %0!, {r1, r2}\n"
      "mov sp, r1\n"
      "bx r2\n" ::"l"(VECTORS)
      : "r1", "r2", "memory");
  __builtin_unreachable();
}
