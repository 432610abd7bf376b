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

/* One base address for the compiler to keep, not a constant for each register: boot2 has room for 252 bytes. */
typedef volatile struct ssi ssi_t;
ALWAYS ssi_t *ssi_base(void) {
  ssi_t *ssi = (ssi_t *)XIP_SSI;
  __asm__("" : "+r"(ssi));
  return ssi;
}

ALWAYS void ssi_wait(ssi_t *ssi) {
  while ((ssi->SR & (SR_TFE | SR_BUSY)) != SR_TFE) {
  }
}

/* One line, frames of 8 bits: how commands are sent. */
ALWAYS void ssi_serial(ssi_t *ssi) {
  ssi->ENABLE = 0;
  ssi->BAUDR = XIP_BAUDR;
  ssi->RX_SAMPLE_DLY = 1;
  ssi->CTRLR0 = SERIAL_BYTES;
  ssi->SER = 1;
  ssi->ENABLE = 1;
}

/* One byte out, one in. */
ALWAYS uint32_t ssi_byte(ssi_t *ssi, uint32_t out) {
  ssi->DR0 = out;
  while ((ssi->SR & SR_RFNE) == 0) {
  }
  return ssi->DR0;
}

/* From serial commands to reading in place. The flash's QE bit is set. */
ALWAYS void xip_enter(ssi_t *ssi) {
  ssi->ENABLE = 0;
  ssi->CTRLR0 = QUAD_READ;
  ssi->CTRLR1 = 0;
  ssi->SPI_CTRLR0 = WITH_INSTRUCTION;
  ssi->ENABLE = 1;
  ssi->DR0 = 0xEB;
  ssi->DR0 = 0xA0; /* address 0, mode A0 */
  ssi_wait(ssi);
  ssi->ENABLE = 0;
  ssi->SPI_CTRLR0 = WITHOUT_INSTRUCTION;
  ssi->ENABLE = 1;
}

#endif
