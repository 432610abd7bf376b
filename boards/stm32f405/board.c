/*
 * STM32F405RG, Cortex-M4 at 168 MHz: any board with this chip, because nothing outside the chip is used but power and two pins.
 * Sources: RM0090 (chapters 3 flash, 5 PWR, 7 RCC, 8 GPIO, 21 IWDG, 24 RNG, 30 USART), DS8626 (tables 9, 41 and 42 of pins, HSI and
 * LSI). Register offsets and bits were compared with ST's CMSIS device header stm32f405xx.h; chapter and table numbers are from memory.
 *
 *     USART1   PA9 TX, PA10 RX, AF7: the pins at which the ROM's loader listens (AN2606), one cable for both. Serial port 0 of QEMU
 *     clock    HSI 16 MHz / 8 * 168 / 2 = 168 MHz, AHB / 1, APB1 / 4, APB2 / 2 = 84 MHz, RNG 48 MHz
 *
 * HSI and no crystal: boards have one of 8 (Discovery), 12 (Feather) or 25 MHz (Netduino Plus 2), and a firmware for each would be three.
 * HSI is within 1 % at 25 C and 4 % from -10 to 85 C (DS8626, from memory); the divider adds 0.02 % at 115200. A UART bears about 4 %
 * in all, so at room temperature all is well, and on a hot board a lower speed does not help: the error is one of proportion.
 *
 * In QEMU (netduinoplus2) RCC, flash controller, GPIO, RNG and watchdog read as 0 and take no writes: waits for a flag end after a
 * time, the clock is 168 MHz from the start, and the flash answers HAL_EIO, because its control register does not hold what was written.
 * NOT IMPLEMENTED: the CRS of other families; a check of the supply (x32 programming wants 2.7 V, which all 3.3 V boards have).
 */
#include "cortex_m.h"
#include "shim.h"

#define HAL_EINVAL (-2)
#define HAL_EIO (-3)

#define RCC 0x40023800
#define RCC_CR REG32(RCC + 0x00)
#define HSION (1u << 0)
#define HSIRDY (1u << 1)
#define PLLON (1u << 24)
#define PLLRDY (1u << 25)
#define RCC_PLLCFGR REG32(RCC + 0x04) /* | Q 27:24 | source 22, 0 HSI | P 17:16, 0 is 2 | N 14:6 | M 5:0 | */
#define RCC_CFGR REG32(RCC + 0x08)    /* | PPRE2 15:13 | PPRE1 12:10 | HPRE 7:4 | SWS 3:2 | SW 1:0, 0 HSI, 2 PLL | */
#define RCC_APB2RSTR REG32(RCC + 0x24)
#define RCC_AHB1ENR REG32(RCC + 0x30) /* a bit for each GPIO port */
#define RCC_AHB2ENR REG32(RCC + 0x34)
#define RCC_APB1ENR REG32(RCC + 0x40)
#define RCC_APB2ENR REG32(RCC + 0x44)
#define AHB2_RNG (1u << 6)
#define APB1_PWR (1u << 28)
#define APB2_USART1 (1u << 4)
#define APB2_HZ (BOARD_CPU_HZ / 2)

#define PWR_CR REG32(0x40007000)
#define VOS_SCALE1 (1u << 14)

#define FLASH_ACR REG32(0x40023C00)
#define FLASH_KEYR REG32(0x40023C04)
#define FLASH_SR REG32(0x40023C0C)
#define FLASH_CR REG32(0x40023C10)
#define ACR_5_WAIT_STATES 5u /* 150 to 168 MHz at 2.7 to 3.6 V */
#define ACR_PREFETCH (1u << 8)
#define ACR_ICACHE (1u << 9)
#define ACR_DCACHE (1u << 10)
#define ACR_DCACHE_RESET (1u << 12)
#define SR_BUSY (1u << 16)
#define SR_ERRORS 0xF2u /* PGSERR 7, PGPERR 6, PGAERR 5, WRPERR 4, OPERR 1; a one clears */
#define CR_PROGRAM (1u << 0)
#define CR_ERASE_SECTOR(n) (1u << 1 | (n) << 3)
#define CR_X32 (2u << 8)
#define CR_START (1u << 16)
#define CR_LOCK (1u << 31)
#define ERASE_LIMIT_US 4000000 /* DS8626: 2 s for 128 KiB */
#define PROGRAM_LIMIT_US 1000  /* DS8626: 100 us */

#define GPIO(port) (0x40020000u + 0x400u * (port))
#define GPIO_MODER(port) REG32(GPIO(port) + 0x00) /* two bits a pin: 1 output, 2 alternate function */
#define GPIO_PUPDR(port) REG32(GPIO(port) + 0x0C) /* two bits a pin: 1 pull-up */
#define GPIO_BSRR(port) REG32(GPIO(port) + 0x18)  /* set 15:0, reset 31:16 */
#define GPIO_AFRH(port) REG32(GPIO(port) + 0x24)  /* four bits a pin from 8 on */
#define PA 0
#define PIN_TX 9
#define PIN_RX 10

#define USART 0x40011000
#define USART_IRQ 37
#define USART_SR REG32(USART + 0x00)
#define USART_DR REG32(USART + 0x04)
#define USART_BRR REG32(USART + 0x08)
#define USART_CR1 REG32(USART + 0x0C)
#define SR_ORE (1u << 3)
#define SR_RXNE (1u << 5)
#define SR_TC (1u << 6)
#define SR_TXE (1u << 7)
#define CR1_RUN (1u << 13 | 1u << 5 | 1u << 3 | 1u << 2) /* UE, RXNEIE, TE, RE */
#define CR1_TXEIE (1u << 7)
#define CR1_OVER8 (1u << 15)

#define RNG_CR REG32(0x50060800)
#define RNG_SR REG32(0x50060804)
#define RNG_DR REG32(0x50060808)
#define RNGEN (1u << 2)
#define RNG_READY (1u << 0)
#define RNG_ERRORS 0x66u /* SEIS 6, CEIS 5, SECS 2, CECS 1 */

#define IWDG_KR REG32(0x40003000)
#define IWDG_PR REG32(0x40003004)
#define IWDG_START 0xCCCC
#define IWDG_UNLOCK 0x5555
#define IWDG_FEED 0xAAAA
#define IWDG_BY_64 4

/* Before there is a clock to ask: 10 ms and more at 16 MHz. Firmware goes on in any case: what cannot be had is not worth silence. */
static void wait_for(volatile uint32_t *reg, uint32_t mask, uint32_t value) {
  for (uint32_t turns = 50000; (*reg & mask) != value && turns > 0; turns--) {}
}

/* From whatever a loader left: back to HSI first, because a running PLL takes no new factors. */
static void clock_start(void) {
  RCC_CR |= HSION;
  wait_for(&RCC_CR, HSIRDY, HSIRDY);
  RCC_CFGR &= ~3u;
  wait_for(&RCC_CFGR, 3u << 2, 0);
  RCC_CR &= ~PLLON;
  wait_for(&RCC_CR, PLLRDY, 0);
  RCC_APB1ENR |= APB1_PWR;
  PWR_CR |= VOS_SCALE1;
  RCC_PLLCFGR = 7u << 24 | 168u << 6 | 8u;
  RCC_CR |= PLLON;
  wait_for(&RCC_CR, PLLRDY, PLLRDY);
  FLASH_ACR = ACR_5_WAIT_STATES | ACR_PREFETCH | ACR_ICACHE | ACR_DCACHE;
  wait_for(&FLASH_ACR, 7, ACR_5_WAIT_STATES);
  RCC_CFGR = 4u << 13 | 5u << 10;
  RCC_CFGR |= 2;
  wait_for(&RCC_CFGR, 3u << 2, 2u << 2);
}

/* Clocks of peripherals take two cycles to arrive (errata ES0182): a read in between. */
static void port_enable(uint32_t port) {
  RCC_AHB1ENR |= 1u << port;
  (void)RCC_AHB1ENR;
}

static void uart_init(void) {
  port_enable(PA);
  RCC_APB2ENR |= APB2_USART1;
  RCC_APB2RSTR |= APB2_USART1;
  RCC_APB2RSTR &= ~APB2_USART1;
  board_uart_baud(BOARD_UART_BAUD);
  GPIO_AFRH(PA) = (GPIO_AFRH(PA) & ~0xFF0u) | 0x770u;
  GPIO_PUPDR(PA) = (GPIO_PUPDR(PA) & ~(3u << 2 * PIN_RX)) | 1u << 2 * PIN_RX;
  GPIO_MODER(PA) = (GPIO_MODER(PA) & ~(3u << 2 * PIN_TX | 3u << 2 * PIN_RX)) | 2u << 2 * PIN_TX | 2u << 2 * PIN_RX;
  irq_enable(USART_IRQ);
}

/* 8.2 s; 5.6 to 15.4 s over what the LSI may be (17 to 47 kHz). An erase takes 2 s, a token less. */
static void watchdog_start(void) {
  IWDG_KR = IWDG_START;
  IWDG_KR = IWDG_UNLOCK;
  IWDG_PR = IWDG_BY_64;
  IWDG_KR = IWDG_FEED;
}

void board_init(void) {
  clock_start();
  systick_start();
  uart_init();
  RCC_AHB2ENR |= AHB2_RNG;
  (void)RCC_AHB2ENR;
  RNG_CR = RNGEN;
  watchdog_start();
  mpu_fence();
}

RAM_CODE(board_watchdog_feed) void board_watchdog_feed(void) { IWDG_KR = IWDG_FEED; }

/* ---- UART ---- */

/* Oversampling by 16 as long as that is fast enough: it bears more noise. BRR then holds the divider, else its last three bits apart. */
int32_t board_uart_baud(uint32_t baud) {
  uint32_t divider = (APB2_HZ + baud / 2) / baud;
  uint32_t real = divider * baud, error = real > APB2_HZ ? real - APB2_HZ : APB2_HZ - real;
  if (divider < 8 || divider > 0xFFFF || error > APB2_HZ / 100 * 3) return HAL_EINVAL;
  bool by16 = divider >= 16;
  USART_CR1 = 0;
  USART_BRR = by16 ? divider : (divider & ~7u) << 1 | (divider & 7u);
  USART_CR1 = by16 ? CR1_RUN : CR1_RUN | CR1_OVER8;
  return 0;
}

/* Fills the transmitter; its interrupt, which asks for more, is on as long as there may be some. */
RAM_CODE(uart_feed) static void uart_feed(void) {
  while ((USART_SR & SR_TXE) != 0) {
    int32_t byte = uart_next();
    if (byte < 0) {
      USART_CR1 &= ~CR1_TXEIE;
      return;
    }
    USART_DR = (uint32_t)byte;
  }
  USART_CR1 |= CR1_TXEIE;
}

/* An overrun, like a byte, goes away with a read of the data register. */
RAM_CODE(uart_handler) static void uart_handler(void) {
  uint32_t status = USART_SR;
  if ((status & (SR_RXNE | SR_ORE)) != 0) {
    uint32_t byte = USART_DR;
    if ((status & SR_RXNE) != 0) uart_received((uint8_t)byte);
  }
  uart_feed();
}

IRQ_HANDLERS = {[USART_IRQ] = uart_handler};

/* Fills by hand, too: the USART of QEMU 7.2 has no transmit interrupt. */
void board_uart_start(void) {
  board_interrupts_off();
  uart_feed();
  board_interrupts_on();
}

bool board_uart_busy(void) { return (USART_SR & SR_TC) == 0; }

/* Bounded, for a fault before the USART has a clock; a byte at 1282 baud, the slowest, takes 8 ms, a million turns longer. */
void board_uart_put(uint8_t byte) {
  for (uint32_t turns = 1000000; (USART_SR & SR_TXE) == 0 && turns > 0; turns--) {}
  USART_DR = byte;
}

/* ---- Flash: these run from RAM, because the one bank stalls whoever reads it meanwhile ---- */

/* The time is looked at before the flag, so that an interrupt in between makes nothing late that is done. */
RAM_CODE(flash_wait) static int32_t flash_wait(uint32_t limit_us) {
  uint32_t start = board_ticks();
  for (;;) {
    bool late = board_ticks() - start > limit_us;
    if ((FLASH_SR & SR_BUSY) == 0) break;
    if (late) return HAL_EIO;
    board_watchdog_feed();
  }
  return (FLASH_SR & SR_ERRORS) == 0 ? 0 : HAL_EIO;
}

RAM_CODE(flash_begin) static int32_t flash_begin(uint32_t operation) {
  if ((FLASH_CR & CR_LOCK) != 0) {
    FLASH_KEYR = 0x45670123;
    FLASH_KEYR = 0xCDEF89AB;
  }
  FLASH_SR = SR_ERRORS;
  FLASH_CR = CR_X32 | operation;
  return FLASH_CR == (CR_X32 | operation) ? flash_wait(ERASE_LIMIT_US) : HAL_EIO;
}

/* The data cache still holds what was there before; it may be emptied only while it is off. */
RAM_CODE(flash_end) static void flash_end(void) {
  FLASH_CR = CR_LOCK;
  FLASH_ACR &= ~ACR_DCACHE;
  FLASH_ACR |= ACR_DCACHE_RESET;
  FLASH_ACR &= ~ACR_DCACHE_RESET;
  FLASH_ACR |= ACR_DCACHE;
}

/* Sectors: four of 16 KiB, one of 64, seven of 128. */
RAM_CODE(board_flash_erase) int32_t board_flash_erase(uint32_t offset, uint32_t bytes) {
  (void)bytes;
  uint32_t sector = offset < 0x10000 ? offset >> 14 : 4 + (offset >> 17);
  int32_t result = flash_begin(CR_ERASE_SECTOR(sector));
  if (result == 0) {
    FLASH_CR |= CR_START;
    result = flash_wait(ERASE_LIMIT_US);
  }
  flash_end();
  return result;
}

RAM_CODE(board_flash_program) int32_t board_flash_program(uint32_t offset, const uint8_t *from, uint32_t bytes) {
  int32_t result = flash_begin(CR_PROGRAM);
  volatile uint32_t *to = &REG32(BOARD_FLASH_BASE + offset);
  for (uint32_t i = 0; i < bytes && result == 0; i += 4) {
    uint32_t word;
    __builtin_memcpy(&word, from + i, 4);
    *to++ = word;
    __asm__ volatile("dsb" ::: "memory");
    result = flash_wait(PROGRAM_LIMIT_US);
  }
  flash_end();
  return result;
}

/* ---- The rest ---- */

/* The noise source, stirred into a xorshift (Marsaglia 2003), which is all there is when it does not run. */
uint32_t board_entropy(void) {
  static uint32_t state = 0x2545F491;
  uint32_t start = board_ticks();
  state ^= start;
  if ((RNG_CR & RNGEN) != 0) {
    while ((RNG_SR & RNG_READY) == 0 && board_ticks() - start < 1000) {}
    if ((RNG_SR & RNG_ERRORS) == 0 && (RNG_SR & RNG_READY) != 0) return state ^= RNG_DR;
    /* A bad seed or clock: begin anew. */
    RNG_SR = 0;
    RNG_CR = 0;
    RNG_CR = RNGEN;
  }
  state ^= state << 13;
  state ^= state >> 17;
  return state ^= state << 5;
}

/* Pin 16 * port + number. */
int32_t board_gpio_write(int32_t pin, int32_t level) {
  uint32_t port = (uint32_t)pin / 16, bit = (uint32_t)pin % 16;
  port_enable(port);
  GPIO_BSRR(port) = level != 0 ? 1u << bit : 1u << (bit + 16);
  GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << 2 * bit)) | 1u << 2 * bit;
  return 0;
}
