/*
 * Clocks and watchdog of the RP2040, started by the selector and again by the firmware, which may be reset alone. Source: RP2040 Datasheet;
 * the sections stand in rp2040.h.
 */
#include "board_config.h"
#include "rp2040.h"

#define XOSC_HZ 12000000

void unreset(uint32_t blocks) {
  CLEAR(RESETS_RESET) = blocks;
  while ((~RESETS_DONE & blocks) != 0) {
  }
}

/* After a reset of the core alone the PLL may be running and in use: clk_sys leaves it first. */
void clocks_start(void) {
  CLEAR(CLK_SYS_CTRL) = SYS_FROM_AUX;
  while (CLK_SYS_SELECTED != 1) {
  }
  XOSC_CTRL = XOSC_1_15MHZ;
  XOSC_STARTUP = XOSC_HZ / 1000 / 256 + 1; /* 1 ms, in units of 256 periods */
  SET(XOSC_CTRL) = XOSC_ENABLE;
  while ((XOSC_STATUS & XOSC_STABLE) == 0) {
  }
  CLK_REF_DIV = 1 << 8;
  CLK_REF_CTRL = REF_FROM_XOSC;
  while (CLK_REF_SELECTED != 1u << REF_FROM_XOSC) {
  }

  SET(RESETS_RESET) = RESET_PLL_SYS;
  unreset(RESET_PLL_SYS);
  PLL_CS = 1;
  PLL_FBDIV = 125; /* VCO: 1500 MHz */
  CLEAR(PLL_PWR) = PLL_PD | PLL_VCOPD;
  while ((PLL_CS & PLL_LOCK) == 0) {
  }
  PLL_PRIM = 6 << 16 | 2 << 12;
  CLEAR(PLL_PWR) = PLL_POSTDIVPD;
  _Static_assert(XOSC_HZ / 1 * 125 / 6 / 2 == BOARD_CPU_HZ, "the PLL makes cpu.hz of the board's JSON");

  CLK_SYS_DIV = 1 << 8;
  CLK_SYS_CTRL = 0; /* AUXSRC: PLL_SYS, while SRC is clk_ref */
  CLK_SYS_CTRL = SYS_FROM_AUX;
  while (CLK_SYS_SELECTED != 1u << SYS_FROM_AUX) {
  }
  CLK_PERI_CTRL = PERI_ENABLE; /* AUXSRC: clk_sys */
}

/* The watchdog resets all but the oscillators, as a power-up would; the ROM finds no vector of its own in SCRATCH4. */
void watchdog_start(void) {
  PSM_WDSEL = PSM_ALL_BUT_OSCILLATORS;
  WATCHDOG_SCRATCH4 = 0;
  WATCHDOG_TICK = 1 << 9 | XOSC_HZ / 1000000;
  WATCHDOG_LOAD = WATCHDOG_LONGEST;
  SET(WATCHDOG_CTRL) = WATCHDOG_ENABLE;
}
