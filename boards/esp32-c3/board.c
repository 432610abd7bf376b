/*
 * ESP32-C3 by direct boot: the ROM finds the magic number at flash offset 0, maps the flash to 0x42000000 (fetched) and 0x3C000000 (read) and
 * jumps to offset 8 (Espressif, esp32c3-direct-boot-example, README; chips of revision 3 and later). No boot loader, no ESP-IDF.
 * BUILT ONLY: it has not run on a chip, and no emulator of it was in reach.
 *
 *     UART0      GPIO21 TX, GPIO20 RX: the USB bridge of the DevKitM-1. The chip's own USB port is not used.
 *     SYSTIMER   unit 0 at 16 MHz: ticks; its alarm 0 wakes the CPU every millisecond while it sleeps
 *     watchdogs  RTC's: 10 s to a reset, fed by the device; super watchdog: feeds itself; timer group 0's, which the ROM starts: off
 *     interrupts level, lines 9 and 10 of the CPU through the interrupt matrix
 *     flash      by the ROM's functions, with the cache suspended; handlers and these functions lie in RAM. A trap meanwhile cannot speak,
 *                since board_trap lies in flash: the RTC's watchdog ends it
 *
 * Sources: ESP-IDF, commit 102122904ad, esp32c3: soc (reg_base.h, interrupts.h, *_reg.h), hal (uart_ll.h, systimer_ll.h, rwdt_ll.h,
 * mwdt_ll.h, clk_tree_ll.h, regi2c_ctrl_ll.h), esp_rom (esp32c3.rom.ld, rom.regi2c.ld, rom/spi_flash.h, rom/cache.h): addresses and bits were read
 * there.
 * NOT IMPLEMENTED: protection bits of the flash are not cleared (esptool does when it writes the firmware); noise for the random generator,
 * which needs the radio or the ADC: without them its output is pseudo-random (ESP-IDF, "Random Number Generation").
 */
#include <string.h>

#include "riscv.h"
#include "shim.h"

#define HAL_EINVAL (-2)
#define HAL_EIO (-3)

/* What the ROM looks for at flash offset 0. */
__attribute__((used, section(".header"))) const uint32_t direct_boot_magic[2] = {0xaedb041d, 0xaedb041d};

/* ---- ROM functions ---- */

#define ROM(address, result, ...) ((result(*)(__VA_ARGS__))(address))
#define rom_spiflash_erase_sector ROM(0x40000128, int, uint32_t sector)
#define rom_spiflash_write ROM(0x4000012c, int, uint32_t address, const uint32_t *from, int32_t bytes)
#define rom_spiflash_config_param \
  ROM(0x40000134, int, uint32_t id, uint32_t chip, uint32_t block, uint32_t sector, uint32_t page, uint32_t status_mask)
#define rom_spiflash_config_clk ROM(0x40000150, int, uint8_t divider, uint8_t spi)
#define rom_spiflash_config_readmode ROM(0x40000154, int, int mode)
#define rom_cache_invalidate_all ROM(0x400004d8, void, void)
#define rom_cache_suspend ROM(0x40000524, uint32_t, void)
#define rom_cache_resume ROM(0x40000528, void, uint32_t autoload)
#define rom_regi2c_write ROM(0x4000195c, void, uint8_t block, uint8_t host, uint8_t reg, uint8_t data)
#define rom_regi2c_write_mask ROM(0x40001960, void, uint8_t block, uint8_t host, uint8_t reg, uint8_t msb, uint8_t lsb, uint8_t data)
#define READ_MODE_DIO 2

/* ---- Clock: 160 MHz of the 480 MHz PLL ---- */

#define SYSTEM_CPU_PER_CONF REG32(0x600C0008)
#define CPUPERIOD_SEL_MASK 3u
#define CPUPERIOD_SEL_160_MHZ 1u
#define PLL_FREQ_SEL_480_MHZ (1u << 2)
#define SYSTEM_PERIP_CLK_EN0 REG32(0x600C0010)
#define SYSTEM_PERIP_RST_EN0 REG32(0x600C0018)
#define PERIP_UART (1u << 2)
#define PERIP_UART_MEM (1u << 24)
#define PERIP_SYSTIMER (1u << 29)
#define SYSTEM_SYSCLK_CONF REG32(0x600C0058)
#define PRE_DIV_CNT_MASK 0x3FFu
#define SOC_CLK_SEL_MASK (3u << 10)
#define SOC_CLK_SEL_PLL (1u << 10)
#define RTC_CNTL_OPTIONS0 REG32(0x60008000)
#define PLL_FORCE_PD (1u << 6 | 1u << 8 | 1u << 10) /* BB_I2C, BBPLL_I2C, BBPLL */
#define SW_SYS_RST (1u << 31)
#define I2C_MST_ANA_CONF0 REG32(0x6000E040)
#define BBPLL_STOP_FORCE_HIGH (1u << 2)
#define BBPLL_STOP_FORCE_LOW (1u << 3)
#define ANA_CONFIG REG32(0x6000E044)
#define ANA_I2C_ALL_OFF (0x3FFu << 8)
#define ANA_I2C_BBPLL_OFF (1u << 17)
#define I2C_BBPLL 0x66

/* 480 MHz of a crystal of 40 MHz: the values of ESP-IDF's clk_ll_bbpll_set_config. */
RAM_CODE(pll_start) static void pll_start(void) {
  ANA_CONFIG |= ANA_I2C_ALL_OFF;
  ANA_CONFIG &= ~ANA_I2C_BBPLL_OFF;
  RTC_CNTL_OPTIONS0 &= ~PLL_FORCE_PD;
  SYSTEM_CPU_PER_CONF |= PLL_FREQ_SEL_480_MHZ;
  I2C_MST_ANA_CONF0 &= ~BBPLL_STOP_FORCE_HIGH;
  I2C_MST_ANA_CONF0 |= BBPLL_STOP_FORCE_LOW;
  rom_regi2c_write(I2C_BBPLL, 0, 4, 0x6B);
  rom_regi2c_write(I2C_BBPLL, 0, 2, 5 << 4 | 0);
  rom_regi2c_write(I2C_BBPLL, 0, 3, 8);
  rom_regi2c_write_mask(I2C_BBPLL, 0, 5, 2, 0, 0);
  rom_regi2c_write_mask(I2C_BBPLL, 0, 5, 6, 4, 0);
  rom_regi2c_write(I2C_BBPLL, 0, 6, 2 << 6 | 1 << 4 | 3);
  rom_regi2c_write_mask(I2C_BBPLL, 0, 9, 1, 0, 2);
  rom_regi2c_write_mask(I2C_BBPLL, 0, 6, 5, 4, 2);
  rom_regi2c_write_mask(I2C_BBPLL, 0, 6, 7, 6, 1);
}

/* In RAM with the cache suspended: the flash's clock comes from the same source. DIO at 40 MHz is what any part of these modules can. */
RAM_CODE(clock_start) static void clock_start(void) {
  uint32_t autoload = rom_cache_suspend();
  rom_spiflash_config_readmode(READ_MODE_DIO);
  rom_spiflash_config_clk(2, 0);
  if ((SYSTEM_SYSCLK_CONF & SOC_CLK_SEL_MASK) != SOC_CLK_SEL_PLL) pll_start();
  SYSTEM_CPU_PER_CONF = (SYSTEM_CPU_PER_CONF & ~CPUPERIOD_SEL_MASK) | CPUPERIOD_SEL_160_MHZ;
  SYSTEM_SYSCLK_CONF &= ~PRE_DIV_CNT_MASK;
  SYSTEM_SYSCLK_CONF = (SYSTEM_SYSCLK_CONF & ~SOC_CLK_SEL_MASK) | SOC_CLK_SEL_PLL;
  rom_cache_invalidate_all();
  rom_cache_resume(autoload);
}

/* ---- Interrupt matrix ---- */

#define INTERRUPT_SOURCE(source) REG32(0x600C2000 + 4 * (source))
#define SOURCE_UART0 21
#define SOURCE_SYSTIMER_TARGET0 37
#define CPU_INT_ENABLE REG32(0x600C2104)
#define CPU_INT_TYPE REG32(0x600C2108)
#define CPU_INT_PRI(line) REG32(0x600C2114 + 4 * (line))
#define CPU_INT_THRESH REG32(0x600C2194)
#define LINE_UART 9u
#define LINE_TIMER 10u

static void interrupt_route(uint32_t source, uint32_t line) {
  INTERRUPT_SOURCE(source) = line;
  CPU_INT_TYPE &= ~(1u << line); /* level */
  CPU_INT_PRI(line) = 3;
  CPU_INT_ENABLE |= 1u << line;
}

/* ---- Time ---- */

#define SYSTIMER_CONF REG32(0x60023000)
#define SYSTIMER_UNIT0_WORK_EN (1u << 30)
#define SYSTIMER_UNIT0_STALLS (3u << 27) /* while a debugger holds the core */
#define SYSTIMER_TARGET0_WORK_EN (1u << 24)
#define SYSTIMER_CLK_EN (1u << 31)
#define SYSTIMER_UNIT0_OP REG32(0x60023004)
#define UNIT0_UPDATE (1u << 30)
#define UNIT0_VALUE_VALID (1u << 29)
#define SYSTIMER_UNIT0_LOAD_HI REG32(0x6002300C)
#define SYSTIMER_UNIT0_LOAD_LO REG32(0x60023010)
#define SYSTIMER_TARGET0_CONF REG32(0x60023034)
#define TARGET0_PERIOD_MODE (1u << 30)
#define SYSTIMER_UNIT0_VALUE_HI REG32(0x60023040)
#define SYSTIMER_UNIT0_VALUE_LO REG32(0x60023044)
#define SYSTIMER_COMP0_LOAD REG32(0x60023050)
#define SYSTIMER_UNIT0_LOAD REG32(0x6002305C)
#define SYSTIMER_INT_ENA REG32(0x60023064)
#define SYSTIMER_INT_CLR REG32(0x6002306C)
#define TARGET0_INT 1u
#define MILLISECOND 16000u

static void systimer_start(void) {
  SYSTIMER_CONF |= SYSTIMER_CLK_EN;
  SYSTIMER_CONF &= ~(SYSTIMER_UNIT0_STALLS | SYSTIMER_TARGET0_WORK_EN);
  SYSTIMER_UNIT0_LOAD_HI = 0;
  SYSTIMER_UNIT0_LOAD_LO = 0;
  SYSTIMER_UNIT0_LOAD = 1;
  SYSTIMER_TARGET0_CONF = MILLISECOND; /* of unit 0 */
  SYSTIMER_COMP0_LOAD = 1;
  SYSTIMER_TARGET0_CONF = MILLISECOND | TARGET0_PERIOD_MODE; /* the mode after the period, as ESP-IDF's order is */
  SYSTIMER_CONF |= SYSTIMER_UNIT0_WORK_EN | SYSTIMER_TARGET0_WORK_EN;
  SYSTIMER_INT_ENA = 0;
}

/* 52 bits at 16 MHz. */
uint32_t board_ticks(void) {
  SYSTIMER_UNIT0_OP = UNIT0_UPDATE;
  while ((SYSTIMER_UNIT0_OP & UNIT0_VALUE_VALID) == 0) {}
  uint32_t low = SYSTIMER_UNIT0_VALUE_LO;
  return SYSTIMER_UNIT0_VALUE_HI << 28 | low >> 4;
}

/*
 * Sleeps with interrupts on: whether a pending one wakes this core from wfi while mstatus.MIE is off was not found in a document (RIOT's pull
 * request 22501 says that the ESP32-C6's does not). One that is served just before wfi costs a millisecond at most, until the alarm.
 */
void board_sleep(void) {
  SYSTIMER_INT_CLR = TARGET0_INT;
  SYSTIMER_INT_ENA = TARGET0_INT;
  __asm__ volatile("csrsi mstatus, 8\nwfi\ncsrci mstatus, 8" ::: "memory");
  SYSTIMER_INT_ENA = 0;
}

void board_reset(void) {
  RTC_CNTL_OPTIONS0 |= SW_SYS_RST;
  for (;;) {}
}

/* ---- UART0 of the crystal's 40 MHz, whatever the CPU's clock ---- */

#define UART_FIFO REG32(0x60000000)
#define UART_INT_ST REG32(0x60000008)
#define UART_INT_ENA REG32(0x6000000C)
#define UART_INT_CLR REG32(0x60000010)
#define UART_CLKDIV REG32(0x60000014) /* whole 11:0, sixteenths 23:20 */
#define UART_STATUS REG32(0x6000001C) /* received 9:0, to send 25:16 */
#define UART_CONF0 REG32(0x60000020)
#define UART_CONF1 REG32(0x60000024)
#define UART_MEM_CONF REG32(0x60000060)
#define UART_FSM_STATUS REG32(0x6000006C)
#define UART_CLK_CONF REG32(0x60000078)
#define INT_RXFIFO_FULL (1u << 0)
#define INT_TXFIFO_EMPTY (1u << 1)
#define INT_RXFIFO_OVF (1u << 4)
#define INT_RXFIFO_TOUT (1u << 8)
#define INT_RECEIVE (INT_RXFIFO_FULL | INT_RXFIFO_OVF | INT_RXFIFO_TOUT)
#define CONF0_8N1 (3u << 2 | 1u << 4)
#define CONF0_RXFIFO_RST (1u << 17)
#define CONF0_MEM_CLK_EN (1u << 28)
#define CONF1_RX_TOUT_EN (1u << 21)
#define CONF1_RX_FULL_AT 48u /* of 128: the handler has 80 bytes of time, 270 us at 3 Mbaud */
#define CONF1_TX_EMPTY_AT (32u << 9)
#define MEM_CONF_RX_TOUT_MASK (0x3FFu << 16)
#define MEM_CONF_RX_TOUT (20u << 16) /* bit times of silence */
#define CLK_CONF_XTAL (3u << 20)
#define CLK_CONF_ON (1u << 22 | 1u << 24 | 1u << 25)
#define CLK_CONF_DIVIDER(n) (((n) - 1) << 12)
#define CRYSTAL_HZ 40000000u
#define TX_FIFO 128u
#define received_count() (UART_STATUS & 0x3FF)
#define sending_count() (UART_STATUS >> 16 & 0x3FF)

RAM_CODE(uart_handler) static void uart_handler(void) {
  uint32_t state = UART_INT_ST;
  UART_INT_CLR = state; /* before the FIFO is read: what comes after that asks again */
  while (received_count() != 0) uart_received((uint8_t)UART_FIFO);
  if ((state & INT_RXFIFO_OVF) != 0) { /* bytes are lost; the FIFO counts right again after a reset */
    UART_CONF0 |= CONF0_RXFIFO_RST;
    UART_CONF0 &= ~CONF0_RXFIFO_RST;
  }
  while (sending_count() < TX_FIFO - 1) {
    int32_t byte = uart_next();
    if (byte < 0) {
      UART_INT_ENA = INT_RECEIVE;
      break;
    }
    UART_FIFO = (uint32_t)byte;
  }
}

RAM_CODE(board_interrupt) void board_interrupt(uint32_t line) {
  if (line == LINE_UART) uart_handler();
  if (line == LINE_TIMER) SYSTIMER_INT_CLR = TARGET0_INT;
}

void board_uart_start(void) {
  board_interrupts_off();
  UART_INT_ENA = INT_RECEIVE | INT_TXFIFO_EMPTY;
  board_interrupts_on();
}

bool board_uart_busy(void) { return sending_count() != 0 || (UART_FSM_STATUS >> 4 & 15) != 0; }

void board_uart_put(uint8_t byte) {
  while (sending_count() >= TX_FIFO - 1) {}
  UART_FIFO = byte;
}

/* A whole divider before the one with sixteenths, which has 12 bits: 9768 baud and less need it. */
int32_t board_uart_baud(uint32_t baud) {
  uint32_t before = (CRYSTAL_HZ + 4095 * baud - 1) / (4095 * baud);
  if (before > 256) return HAL_EINVAL;
  uint32_t divisor = (CRYSTAL_HZ * 16 + baud * before / 2) / (baud * before);
  uint32_t real = CRYSTAL_HZ * 16 / divisor / before;
  uint32_t off = real > baud ? real - baud : baud - real;
  if (off > baud * 3 / 100) return HAL_EINVAL;
  UART_CLK_CONF = CLK_CONF_ON | CLK_CONF_XTAL | CLK_CONF_DIVIDER(before);
  UART_CLKDIV = divisor >> 4 | (divisor & 15) << 20;
  return 0;
}

static void uart_start(void) {
  /* The ROM's words first; it has started this UART. A line of text is through in 10 ms. */
  for (uint32_t start = board_ticks(); board_uart_busy() && board_ticks() - start < 20000;) {}
  UART_INT_ENA = 0;
  board_uart_baud(BOARD_UART_BAUD);
  UART_CONF0 = CONF0_8N1 | CONF0_MEM_CLK_EN;
  UART_CONF1 = CONF1_RX_TOUT_EN | CONF1_TX_EMPTY_AT | CONF1_RX_FULL_AT;
  UART_MEM_CONF = (UART_MEM_CONF & ~MEM_CONF_RX_TOUT_MASK) | MEM_CONF_RX_TOUT;
  UART_INT_CLR = 0xFFFFFFFF;
  UART_INT_ENA = INT_RECEIVE;
}

/* ---- Flash ---- */

RAM_CODE(flash_erase) static int flash_erase(uint32_t sector) {
  uint32_t autoload = rom_cache_suspend();
  int result = rom_spiflash_erase_sector(sector);
  rom_cache_resume(autoload);
  rom_cache_invalidate_all();
  return result;
}

RAM_CODE(flash_program) static int flash_program(uint32_t address, const uint32_t *from, int32_t bytes) {
  uint32_t autoload = rom_cache_suspend();
  int result = rom_spiflash_write(address, from, bytes);
  rom_cache_resume(autoload);
  rom_cache_invalidate_all();
  return result;
}

int32_t board_flash_erase(uint32_t offset, uint32_t bytes) { return flash_erase(offset / bytes) == 0 ? 0 : HAL_EIO; }

/* The ROM programs whole words: what lies around the range in its first and last word is programmed with ones, which changes nothing. */
int32_t board_flash_program(uint32_t offset, const uint8_t *from, uint32_t bytes) {
  static uint32_t words[BOARD_FLASH_PAGE / 4];
  uint32_t before = offset % 4;
  uint32_t all = (before + bytes + 3) / 4 * 4;
  memset(words, 0xff, all);
  memcpy((uint8_t *)words + before, from, bytes);
  return flash_program(offset - before, words, (int32_t)all) == 0 ? 0 : HAL_EIO;
}

/* ---- Watchdogs ---- */

#define RTC_CNTL_WDTCONFIG0 REG32(0x60008090)
#define RTC_CNTL_WDTCONFIG1 REG32(0x60008094)
#define RTC_CNTL_WDTFEED REG32(0x600080A4)
#define RTC_CNTL_WDTWPROTECT REG32(0x600080A8)
#define RTC_CNTL_SWD_CONF REG32(0x600080AC)
#define RTC_CNTL_SWD_WPROTECT REG32(0x600080B0)
#define TIMG0_WDTCONFIG0 REG32(0x6001F048)
#define TIMG0_WDTWPROTECT REG32(0x6001F064)
#define WDT_KEY 0x50D83AA1u
#define SWD_KEY 0x8F1D312Au
#define SWD_AUTO_FEED_EN (1u << 31)
#define WDT_EN (1u << 31)
#define WDT_STG0_RESETS_SYSTEM (3u << 28)
#define WDT_RESET_LENGTHS (7u << 16 | 7u << 13) /* 3.2 us */
#define WDT_FEED (1u << 31)
#define SLOW_CLOCK_HZ 136000u
#define WDT_SECONDS 10u

/* Stage 0 counts twice its value, or more where an eFuse says so. */
static void watchdogs_start(void) {
  TIMG0_WDTWPROTECT = WDT_KEY;
  TIMG0_WDTCONFIG0 = 0;
  TIMG0_WDTWPROTECT = 0;
  RTC_CNTL_SWD_WPROTECT = SWD_KEY;
  RTC_CNTL_SWD_CONF |= SWD_AUTO_FEED_EN;
  RTC_CNTL_SWD_WPROTECT = 0;
  RTC_CNTL_WDTWPROTECT = WDT_KEY;
  RTC_CNTL_WDTCONFIG0 = 0;
  RTC_CNTL_WDTCONFIG1 = SLOW_CLOCK_HZ * WDT_SECONDS / 2;
  RTC_CNTL_WDTFEED = WDT_FEED;
  RTC_CNTL_WDTCONFIG0 = WDT_EN | WDT_STG0_RESETS_SYSTEM | WDT_RESET_LENGTHS;
  RTC_CNTL_WDTWPROTECT = 0;
}

void board_watchdog_feed(void) {
  RTC_CNTL_WDTWPROTECT = WDT_KEY;
  RTC_CNTL_WDTFEED = WDT_FEED;
  RTC_CNTL_WDTWPROTECT = 0;
}

/* ---- The rest ---- */

#define RND_DATA REG32(0x600260B0)
#define GPIO_OUT_W1TS REG32(0x60004008)
#define GPIO_OUT_W1TC REG32(0x6000400C)
#define GPIO_ENABLE_W1TS REG32(0x60004024)
#define GPIO_FUNC_OUT_SEL(pin) REG32(0x60004554 + 4 * (pin))
#define FUNC_OUT_IS_GPIO 128
#define IO_MUX(pin) REG32(0x60009004 + 4 * (pin))
#define IO_MUX_MCU_SEL_MASK (7u << 12)
#define IO_MUX_MCU_SEL_GPIO (1u << 12)

void board_init(void) {
  watchdogs_start();
  clock_start();
  SYSTEM_PERIP_CLK_EN0 |= PERIP_UART | PERIP_UART_MEM | PERIP_SYSTIMER;
  SYSTEM_PERIP_RST_EN0 &= ~(PERIP_UART | PERIP_UART_MEM | PERIP_SYSTIMER);
  systimer_start();
  uart_start();
  rom_spiflash_config_param(0, BOARD_FLASH_BYTES, 65536, 4096, BOARD_FLASH_PAGE, 0xffff);
  CPU_INT_THRESH = 0; /* below the lines' priority: accounts differ on whether an equal one is let through */
  interrupt_route(SOURCE_UART0, LINE_UART);
  interrupt_route(SOURCE_SYSTIMER_TARGET0, LINE_TIMER);
  pmp_fence();
}

/* Reads of the generator a few microseconds apart, since it takes time to gather what differs. */
uint32_t board_entropy(void) {
  uint32_t word = 0;
  for (int i = 0; i < 4; i++) {
    for (uint32_t start = board_ticks(); board_ticks() - start < 4;) {}
    word = (word << 8 | word >> 24) ^ RND_DATA;
  }
  return word;
}

int32_t board_gpio_write(int32_t pin, int32_t level) {
  if (level != 0) GPIO_OUT_W1TS = 1u << pin;
  else GPIO_OUT_W1TC = 1u << pin;
  GPIO_FUNC_OUT_SEL(pin) = FUNC_OUT_IS_GPIO;
  IO_MUX(pin) = (IO_MUX(pin) & ~IO_MUX_MCU_SEL_MASK) | IO_MUX_MCU_SEL_GPIO;
  GPIO_ENABLE_W1TS = 1u << pin;
  return 0;
}
