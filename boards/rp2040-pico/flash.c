/*
 * Erase and program of the flash that the firmware runs from. While it is busy nothing can be read from it: this file, the interrupt handlers
 * and everything they call lie in SRAM (RAM_CODE), and interrupts stay on, so that the UART goes on receiving.
 *
 * No function of the boot ROM is used; the SSI is driven directly, and /CS by the pad's override, because an interrupt in the middle of a
 * command would let the FIFO run empty and /CS rise.
 *
 * Sources: W25Q16JV datasheet rev. D chapter 8; RP2040 Datasheet 4.10, 2.19.6.2.
 */
#include "shim.h"
#include "xip.h"

#define HAL_EIO (-3)
#define PAGE_PROGRAM 0x02
#define WRITE_ENABLE 0x06
#define READ_STATUS 0x05
#define SECTOR_ERASE 0x20
#define BUSY 0x01
#define CONTINUOUS_READ_RESET 0xFF

/* A status read takes at least 16 clocks of 2 cycles and the loop around it: more than two seconds, where a sector may take 0.4. */
#define POLLS 4000000

ALWAYS void select(void) { IO_QSPI_SS_CTRL = OUT_LOW; }
/* And 64 ns: the flash wants /CS high for 50 between a write and the next command (tSHSL2). */
ALWAYS void deselect(void) {
  IO_QSPI_SS_CTRL = OUT_NORMAL;
  __asm__ volatile("nop\nnop\nnop\nnop\nnop\nnop\nnop\nnop");
}

/* Write enable, then one command with an address and perhaps data, then waits until the flash is ready. */
RAM_CODE(flash_write) static bool flash_write(uint32_t command, uint32_t offset, const uint8_t *from, uint32_t bytes) {
  ssi_t *ssi = ssi_base();
  ssi_wait(ssi);
  ssi_serial(ssi);
  select();
  ssi_byte(ssi, CONTINUOUS_READ_RESET);
  deselect();

  select();
  ssi_byte(ssi, WRITE_ENABLE);
  deselect();
  select();
  ssi_byte(ssi, command);
  ssi_byte(ssi, offset >> 16 & 0xff);
  ssi_byte(ssi, offset >> 8 & 0xff);
  ssi_byte(ssi, offset & 0xff);
  for (uint32_t i = 0; i < bytes; i++) ssi_byte(ssi, from[i]);
  deselect();

  uint32_t status = BUSY;
  for (uint32_t polls = 0; polls < POLLS && (status & BUSY) != 0; polls++) {
    select();
    ssi_byte(ssi, READ_STATUS);
    status = ssi_byte(ssi, 0);
    deselect();
    WATCHDOG_LOAD = WATCHDOG_LONGEST;
  }

  xip_enter(ssi);
  /* Lines of flash that were cached before are old now. */
  XIP_FLUSH = 1;
  (void)XIP_FLUSH; /* a read waits until it is done */
  return (status & BUSY) == 0;
}

int32_t board_flash_erase(uint32_t offset, uint32_t bytes) {
  (void)bytes; /* one sector of 4 KiB: the board's JSON has no others */
  return flash_write(SECTOR_ERASE, offset, NULL, 0) ? 0 : HAL_EIO;
}

int32_t board_flash_program(uint32_t offset, const uint8_t *from, uint32_t bytes) {
  return flash_write(PAGE_PROGRAM, offset, from, bytes) ? 0 : HAL_EIO;
}
