/*
 * Raspberry Pi Pico 2, RP2350 with its Cortex-M33 cores at 150 MHz; one core is used, in secure state. Built, never run: no emulator in
 * reach has this chip. Sources: RP2350 Datasheet (chapters 5 boot ROM, 7 resets, 8 clocks, 9 GPIO, 12.1 UART, 12.9 watchdog, 12.12 TRNG).
 * Register offsets and bits, ROM codes and the order of calls around a flash operation were compared with Raspberry Pi's headers and
 * flash.c (pico-sdk) and with the boot ROM's published source; chapter numbers and what is marked so are from memory.
 *
 *     UART0    GPIO0 TX, GPIO1 RX: pins 1 and 2 of the Pico 2, and of a Debug Probe beside it
 *     clock    XOSC 12 MHz * 125 / 5 / 2 = 150 MHz for the cores and the UART; 12 MHz / 12 for the watchdog
 *     flash    QMI as the boot ROM left it: it finds out the fastest read mode that works and leaves a routine that sets it again in
 *              boot RAM. Erase and program are the ROM's functions, looked up by two letters; they leave a slow mode behind
 *
 * The boot ROM starts the image by the block below, in the first 4 KiB, and by the vector table at its start.
 * NOT IMPLEMENTED: the second core; the RISC-V cores; USB (the board talks over its UART only); a faster QMI clock than the ROM's choice.
 */
#include <string.h>

#include "cortex_m.h"
#include "rp2350.h"
#include "shim.h"

#define HAL_EINVAL (-2)
#define HAL_EIO (-3)

#define RESET_IO_BANK0 (1u << 6)
#define RESET_PADS_BANK0 (1u << 9)
#define RESET_PLL_SYS (1u << 14)
#define RESET_TRNG (1u << 25)
#define RESET_UART0 (1u << 26)

#define CLK_REF_CTRL REG32(0x40010030) /* | source 1:0: 0 ROSC, 2 XOSC | */
#define CLK_REF_SELECTED REG32(0x40010038)
#define CLK_SYS_CTRL REG32(0x4001003C) /* | auxiliary source 7:5: 0 PLL_SYS | source 0: 0 clk_ref, 1 auxiliary | */
#define CLK_SYS_SELECTED REG32(0x40010044)
#define CLK_PERI_CTRL REG32(0x40010048) /* | enable 11 | source 7:5: 0 clk_sys | */
#define CLK_PERI_ENABLE (1u << 11)

#define XOSC_CTRL REG32(0x40048000)
#define XOSC_STATUS REG32(0x40048004)
#define XOSC_STARTUP REG32(0x4004800C)
#define XOSC_1_15_MHZ 0xAA0u
#define XOSC_ENABLE (0xFABu << 12)
#define XOSC_STABLE (1u << 31)
#define XOSC_DELAY (47 * 64) /* times 256 cycles: 64 ms, as the SDK waits for the Pico 2's crystal */

#define PLL_CS REG32(0x40050000)
#define PLL_PWR REG32(0x40050004)
#define PLL_FBDIV REG32(0x40050008)
#define PLL_PRIM REG32(0x4005000C) /* | post divider 1 18:16 | post divider 2 14:12 | */
#define PLL_LOCK (1u << 31)
#define PLL_PWR_CORE (1u << 5 | 1u << 0) /* VCOPD, PD: off when set */
#define PLL_PWR_POST (1u << 3)

#define PSM_WDSEL REG32(0x40018008)
#define PSM_ALL_BUT_OSCILLATORS (0x01FFFFFFu & ~0xCu)
#define TICKS_WATCHDOG_CTRL REG32(0x40108030)
#define TICKS_WATCHDOG_CYCLES REG32(0x40108034)
#define WATCHDOG_CTRL REG32(0x400D8000)
#define WATCHDOG_LOAD REG32(0x400D8004)
#define WATCHDOG_SCRATCH4 REG32(0x400D801C) /* the ROM boots elsewhere when it finds a magic number here */
#define WATCHDOG_ENABLE (1u << 30)
#define WATCHDOG_TRIGGER (1u << 31)
#define WATCHDOG_US 8000000u /* 24 bits: 16.7 s at most. An erase takes 0.4 s, a token less */

#define FUNCTION_UART 2
#define PAD_OUTPUT 0x52u
#define PAD_INPUT_UP 0x5Au
#define PIN_TX 0
#define PIN_RX 1

/* PL011, DDI 0183. */
#define UART 0x40070000
#define UART_IRQ 33
#define UART_DR REG32(UART + 0x00)
#define UART_FR REG32(UART + 0x18)
#define UART_IBRD REG32(UART + 0x24)
#define UART_FBRD REG32(UART + 0x28)
#define UART_LCR_H REG32(UART + 0x2C)
#define UART_CR REG32(UART + 0x30)
#define UART_IMSC REG32(UART + 0x38)
#define UART_ICR REG32(UART + 0x44)
#define FR_BUSY (1u << 3)
#define FR_RX_EMPTY (1u << 4)
#define FR_TX_FULL (1u << 5)
#define LCR_8_BITS_FIFO (3u << 5 | 1u << 4)
#define CR_RUN (1u << 9 | 1u << 8 | 1u << 0)        /* RXE, TXE, UARTEN */
#define IRQ_RUN (1u << 6 | 1u << 5 | 1u << 4)       /* receive timeout, transmit, receive */
#define IRQ_ERRORS (1u << 10 | 1u << 9 | 1u << 8 | 1u << 7) /* OE, BE, PE, FE */

#define TRNG_ISR REG32(0x400F0104)
#define TRNG_ICR REG32(0x400F0108)
#define TRNG_EHR(i) REG32(0x400F0114 + 4 * (i))
#define TRNG_SOURCE_ENABLE REG32(0x400F012C)
#define TRNG_SAMPLE_COUNT REG32(0x400F0130)
#define TRNG_SW_RESET REG32(0x400F0140)
#define TRNG_VALID (1u << 0)
#define TRNG_ERRORS 0xEu   /* von Neumann 3, repetition 2, autocorrelation 1: the last stops it until a reset */
#define TRNG_CYCLES 100    /* between samples; 192 bits then take about 1 ms */
#define TRNG_LIMIT_US 20000
#define TRNG_WORDS 6

#define PADS_QSPI(i) REG32(0x40040004 + 4 * (i)) /* SCLK, SD0 to SD3, SS */
#define QSPI_PADS 6
#define BOOT_RAM 0x400E0000
#define XIP_SETUP_WORDS 64
#define FLASH_SECTOR_ERASE 0x20

/* PICOBIN block with one item, an IMAGE_DEF: executable, secure, Arm, RP2350; alone in its loop (5.9). */
__attribute__((used, aligned(4), section(".boot_block"))) static const uint32_t boot_block[] = {
    0xFFFFDED3,
    0x42u | 1u << 8 | 0x1021u << 16, /* IMAGE_TYPE of one word: EXE 1, secure 2 << 4, Arm 0 << 8, RP2350 1 << 12 */
    0xFFu | 1u << 8,                 /* last item: one word before it */
    0,                               /* distance to the next block */
    0xAB123579,
};

/* ---- Start ---- */

/* A second or so by the ring oscillator; a Pico 2 whose crystal does not swing can only try again. */
static void wait_for(volatile uint32_t *reg, uint32_t mask, uint32_t value) {
  for (uint32_t turns = 2000000; (*reg & mask) != value; turns--)
    if (turns == 0) board_reset();
}

/* From the ring oscillator, or from whatever ran before a reset of the cores only. */
static void clock_start(void) {
  CLEAR(CLK_SYS_CTRL) = 1;
  wait_for(&CLK_SYS_SELECTED, 3, 1);
  XOSC_CTRL = XOSC_1_15_MHZ;
  XOSC_STARTUP = XOSC_DELAY;
  SET(XOSC_CTRL) = XOSC_ENABLE;
  wait_for(&XOSC_STATUS, XOSC_STABLE, XOSC_STABLE);
  CLK_REF_CTRL = 2;
  wait_for(&CLK_REF_SELECTED, 0xF, 1u << 2);
  SET(RESETS_RESET) = RESET_PLL_SYS;
  CLEAR(RESETS_RESET) = RESET_PLL_SYS;
  wait_for(&RESETS_DONE, RESET_PLL_SYS, RESET_PLL_SYS);
  PLL_CS = 1;
  PLL_FBDIV = 125;
  CLEAR(PLL_PWR) = PLL_PWR_CORE;
  wait_for(&PLL_CS, PLL_LOCK, PLL_LOCK);
  PLL_PRIM = 5u << 16 | 2u << 12;
  CLEAR(PLL_PWR) = PLL_PWR_POST;
  CLK_SYS_CTRL = 0;
  SET(CLK_SYS_CTRL) = 1;
  wait_for(&CLK_SYS_SELECTED, 3, 2);
  CLK_PERI_CTRL = CLK_PERI_ENABLE;
}

static void peripherals_start(void) {
  const uint32_t fresh = RESET_UART0 | RESET_TRNG, all = fresh | RESET_IO_BANK0 | RESET_PADS_BANK0;
  SET(RESETS_RESET) = fresh;
  CLEAR(RESETS_RESET) = all;
  wait_for(&RESETS_DONE, all, all);
}

static void uart_init(void) {
  board_uart_baud(BOARD_UART_BAUD);
  UART_IMSC = IRQ_RUN;
  PADS_GPIO(PIN_TX) = PAD_OUTPUT;
  PADS_GPIO(PIN_RX) = PAD_INPUT_UP;
  IO_GPIO_CTRL(PIN_TX) = FUNCTION_UART;
  IO_GPIO_CTRL(PIN_RX) = FUNCTION_UART;
  irq_enable(UART_IRQ);
}

static void watchdog_start(void) {
  PSM_WDSEL = PSM_ALL_BUT_OSCILLATORS;
  TICKS_WATCHDOG_CYCLES = 12;
  TICKS_WATCHDOG_CTRL = 1;
  WATCHDOG_SCRATCH4 = 0;
  board_watchdog_feed();
  SET(WATCHDOG_CTRL) = WATCHDOG_ENABLE;
}

/* Everything but the oscillators: SYSRESETREQ would leave peripherals as they are. */
void board_reset(void) {
  PSM_WDSEL = PSM_ALL_BUT_OSCILLATORS;
  WATCHDOG_SCRATCH4 = 0;
  SET(WATCHDOG_CTRL) = WATCHDOG_TRIGGER;
  for (;;) {}
}

static void rom_init(void);

void board_init(void) {
  CLEAR(WATCHDOG_CTRL) = WATCHDOG_ENABLE;
  clock_start();
  systick_start();
  peripherals_start();
  uart_init();
  rom_init();
  watchdog_start();
  mpu_fence();
}

void board_watchdog_feed(void) { WATCHDOG_LOAD = WATCHDOG_US; }

/* ---- UART ---- */

/* The divider has 16 bits and six of fraction: at its smallest, 1, the error is below 1 %. LCR_H makes the PL011 take it. */
int32_t board_uart_baud(uint32_t baud) {
  uint32_t divider = (BOARD_CPU_HZ * 4u + baud / 2) / baud;
  if (divider < 64 || divider >= 65536u * 64) return HAL_EINVAL;
  UART_CR = 0;
  UART_IBRD = divider >> 6;
  UART_FBRD = divider & 63;
  UART_LCR_H = LCR_8_BITS_FIFO;
  UART_CR = CR_RUN;
  return 0;
}

/* The transmit interrupt comes when the FIFO drains below its middle, so it must have been filled by hand before. */
RAM_CODE(uart_feed) static void uart_feed(void) {
  while ((UART_FR & FR_TX_FULL) == 0) {
    int32_t byte = uart_next();
    if (byte < 0) return;
    UART_DR = (uint32_t)byte;
  }
}

RAM_CODE(uart_handler) static void uart_handler(void) {
  UART_ICR = IRQ_RUN | IRQ_ERRORS;
  while ((UART_FR & FR_RX_EMPTY) == 0) uart_received((uint8_t)UART_DR);
  uart_feed();
}

IRQ_HANDLERS = {[UART_IRQ] = uart_handler};

void board_uart_start(void) {
  board_interrupts_off();
  uart_feed();
  board_interrupts_on();
}

bool board_uart_busy(void) { return (UART_FR & FR_BUSY) != 0; }

/* Bounded, for a fault before the UART runs; a byte at 300 baud takes 34 ms, the turns longer. */
void board_uart_put(uint8_t byte) {
  for (uint32_t turns = 2000000; (UART_FR & FR_TX_FULL) != 0 && turns > 0; turns--) {}
  UART_DR = byte;
}

/* ---- Flash ---- */

static struct {
  void (*connect)(void);
  void (*exit_xip)(void);
  void (*erase)(uint32_t offset, uint32_t bytes, uint32_t block, uint8_t command);
  void (*program)(uint32_t offset, const uint8_t *from, uint32_t bytes);
  void (*flush_cache)(void);
} rom;

/* 5.4.1: a pointer to the look-up function stands at 0x16, as 16 bits; 4 asks for functions of Arm in secure state. */
static void *rom_function(char first, char second) {
  uintptr_t pointer = 0x16;
  __asm__("" : "+r"(pointer)); /* keeps the compiler from knowing that nothing can be there */
  void *(*lookup)(uint32_t, uint32_t) = (void *(*)(uint32_t, uint32_t))(uintptr_t) * (volatile uint16_t *)pointer;
  return lookup((uint32_t)first | (uint32_t)second << 8, 4);
}

static void rom_init(void) {
  rom.connect = (void (*)(void))rom_function('I', 'F');
  rom.exit_xip = (void (*)(void))rom_function('E', 'X');
  rom.erase = (void (*)(uint32_t, uint32_t, uint32_t, uint8_t))rom_function('R', 'E');
  rom.program = (void (*)(uint32_t, const uint8_t *, uint32_t))rom_function('R', 'P');
  rom.flush_cache = (void (*)(void))rom_function('F', 'C');
}

/*
 * From RAM, with interrupts on: their handlers are in RAM too. Programs the page at `offset`, or erases the sector there when `page` is
 * NULL. The ROM waits for the flash without a limit; it is the watchdog that ends the wait for a broken one. The routine in boot RAM sets
 * the read mode which the ROM found to work; it is copied, because nothing at the peripherals' addresses is executable.
 */
RAM_CODE(flash_operate) static void flash_operate(uint32_t offset, const uint8_t *page, uint32_t bytes) {
  uint32_t pads[QSPI_PADS], xip_setup[XIP_SETUP_WORDS];
  for (uint32_t i = 0; i < XIP_SETUP_WORDS; i++) xip_setup[i] = REG32(BOOT_RAM + 4 * i);
  __asm__ volatile("dsb\nisb" ::: "memory");
  for (uint32_t i = 0; i < QSPI_PADS; i++) pads[i] = PADS_QSPI(i);
  rom.connect();
  rom.exit_xip();
  if (page == NULL) {
    rom.erase(offset, bytes, bytes, FLASH_SECTOR_ERASE);
  } else {
    rom.program(offset, page, bytes);
  }
  rom.flush_cache();
  ((void (*)(void))((uintptr_t)xip_setup + 1))();
  for (uint32_t i = 0; i < QSPI_PADS; i++) PADS_QSPI(i) = pads[i];
}

static bool rom_complete(void) {
  return rom.connect != NULL && rom.exit_xip != NULL && rom.erase != NULL && rom.program != NULL && rom.flush_cache != NULL;
}

int32_t board_flash_erase(uint32_t offset, uint32_t bytes) {
  if (!rom_complete()) return HAL_EIO;
  board_watchdog_feed();
  flash_operate(offset, NULL, bytes);
  return 0;
}

/* The ROM programs whole pages: what is not wanted is 0xFF, which changes nothing. */
int32_t board_flash_program(uint32_t offset, const uint8_t *from, uint32_t bytes) {
  uint8_t page[BOARD_FLASH_PAGE];
  if (!rom_complete()) return HAL_EIO;
  memset(page, 0xff, sizeof page);
  memcpy(page + offset % sizeof page, from, bytes);
  flash_operate(offset - offset % sizeof page, page, sizeof page);
  return 0;
}

/* ---- The rest ---- */

/*
 * 192 bits at a time from the TRNG with its own health tests on, stirred into a xorshift (Marsaglia 2003), which is all there is when
 * it does not answer in time.
 */
uint32_t board_entropy(void) {
  static uint32_t state = 0x2545F491, words[TRNG_WORDS], left;
  uint32_t start = board_ticks();
  state ^= start;
  if (left == 0) {
    TRNG_SAMPLE_COUNT = TRNG_CYCLES;
    TRNG_ICR = TRNG_VALID | TRNG_ERRORS;
    TRNG_SOURCE_ENABLE = 1;
    while ((TRNG_ISR & (TRNG_VALID | TRNG_ERRORS)) == 0 && board_ticks() - start < TRNG_LIMIT_US) {}
    if ((TRNG_ISR & (TRNG_VALID | TRNG_ERRORS)) == TRNG_VALID) {
      for (; left < TRNG_WORDS; left++) words[left] = TRNG_EHR(left);
    } else {
      TRNG_SW_RESET = 1;
    }
    TRNG_SOURCE_ENABLE = 0;
  }
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  if (left > 0) state ^= words[--left];
  return state;
}
