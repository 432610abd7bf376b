/*
 * Flash of the Pico (W25Q16JV) as memory: the SSI reads with command EB on four lines, and the flash stays in continuous read mode, where a
 * read needs no command. boot2 and flash.c have the same need and run where nothing else may be called, hence inline.
 *
 *     EB  | address 23:0 | mode A0 | 4 clocks | data ...     the first read, instruction on one line
 *           address 23:0 | mode A0 | 4 clocks | data ...     every read after it
 *
 * Sources: RP2040 Datasheet 4.10, W25Q16JV datasheet rev. D 8.2.11 (fast read quad I/O).
 */
#ifndef TRITKIT_XIP_H
#define TRITKIT_XIP_H

#include "rp2040.h"

#define ALWAYS static inline __attribute__((always_inline))

/* clk_sys / 2: 62.5 MHz; the flash takes 133. The sample delay of one clk_sys cycle is for the pads and the board's traces. */
#define XIP_BAUDR 2

ALWAYS void ssi_wait(void) {
  while ((SSI_SR & (SR_TFE | SR_BUSY)) != SR_TFE) {
  }
}

/* One line, frames of 8 bits: how commands are sent. */
ALWAYS void ssi_serial(void) {
  SSI_ENABLE = 0;
  SSI_BAUDR = XIP_BAUDR;
  SSI_RX_SAMPLE_DLY = 1;
  SSI_CTRLR0 = SERIAL_BYTES;
  SSI_SER = 1;
  SSI_ENABLE = 1;
}

/* One byte out, one in. */
ALWAYS uint32_t ssi_byte(uint32_t out) {
  SSI_DR0 = out;
  while ((SSI_SR & SR_RFNE) == 0) {
  }
  return SSI_DR0;
}

/* From serial commands to reading in place. The flash's QE bit is set. */
ALWAYS void xip_enter(void) {
  SSI_ENABLE = 0;
  SSI_CTRLR0 = QUAD_READ;
  SSI_CTRLR1 = 0;
  SSI_SPI_CTRLR0 = WITH_INSTRUCTION;
  SSI_ENABLE = 1;
  SSI_DR0 = 0xEB;
  SSI_DR0 = 0xA0; /* address 0, mode A0 */
  ssi_wait();
  SSI_ENABLE = 0;
  SSI_SPI_CTRLR0 = WITHOUT_INSTRUCTION;
  SSI_ENABLE = 1;
}

#endif
