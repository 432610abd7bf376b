/*
 * STM32H743ZI on a Nucleo-144, Cortex-M7 at 400 MHz. Built, not run on a chip: no emulator in reach has it.
 * Sources: RM0433 (chapters 4 flash, 6 PWR, 8 RCC, 11 GPIO, 34 RNG, 48 USART, 45 IWDG), DS12110, PM0253 (caches), UM1974 (Nucleo-144).
 * Register offsets and bits were compared with ST's CMSIS device header stm32h743xx.h, the order of power, flash and supply with ST's
 * HAL; chapter numbers and what is marked so are from memory.
 *
 *     USART3   PD8 TX, PD9 RX, AF7: the serial port of the Nucleo's ST-LINK. The ROM's loader listens elsewhere (USART1, PA9 and PA10)
 *     clock    8 MHz of the ST-LINK (HSE bypass), else HSI 64 MHz; both / M = 2 MHz * 400 / 2 = 400 MHz, AXI and AHB 200, APBs 100 MHz
 *     supply   LDO; H743 has no SMPS (H745 and H747 have, and need another board.c)
 *
 * 400 and not 480 MHz: 480 needs VOS0, which revision Y does not have, and boards of both are about; VOS1 and 400 MHz are good for all.
 *
 * D-cache is off while flash is erased or programmed: afterwards it holds nothing of what was there before, and no store ever meets a
 * write-through line, where this core can lose data (ES0392; flash is write-through in the default map, everything else write-back).
 *
 * A cut during an erase or a program leaves words whose ECC is beyond repair, and whoever reads one gets a bus fault: flash_heal.
 * NOT IMPLEMENTED: bank swapping (option byte SWAP_BANK_OPT must be off); 480 MHz.
 */
#include "cortex_m.h"
#include "shim.h"

#define HAL_EINVAL (-2)
#define HAL_EIO (-3)

#define RCC 0x58024400
#define RCC_CR REG32(RCC + 0x00)
#define HSION (1u << 0)
#define HSIRDY (1u << 2)
#define HSIDIV (3u << 3)
#define HSI48ON (1u << 12)
#define HSEON (1u << 16)
#define HSERDY (1u << 17)
#define HSEBYP (1u << 18)
#define PLL1ON (1u << 24)
#define PLL1RDY (1u << 25)
#define RCC_CFGR REG32(RCC + 0x10)      /* | SWS 5:3 | SW 2:0, 0 HSI, 3 PLL1 | */
#define RCC_D1CFGR REG32(RCC + 0x18)    /* | CPRE 11:8 | PPRE3 6:4 | HPRE 3:0 |, 8 and 4 divide by 2 */
#define RCC_D2CFGR REG32(RCC + 0x1C)    /* | PPRE2 10:8 | PPRE1 6:4 | */
#define RCC_D3CFGR REG32(RCC + 0x20)    /* | PPRE4 6:4 | */
#define RCC_PLLCKSELR REG32(RCC + 0x28) /* | M1 9:4 | source 1:0, 0 HSI, 2 HSE | */
#define RCC_PLLCFGR REG32(RCC + 0x2C)   /* | P1 on 16 | input range 3:2, 1: 2 to 4 MHz | VCO 1, 0 wide | */
#define RCC_PLL1DIVR REG32(RCC + 0x30)  /* | R-1 30:24 | Q-1 22:16 | P-1 15:9 | N-1 8:0 | */
#define RCC_D2CCIP2R REG32(RCC + 0x54)  /* kernel clocks: | RNG 9:8, 0 HSI48 | USART3 2:0, 0 APB1 | */
#define RCC_APB1LRSTR REG32(RCC + 0x90)
#define RCC_AHB2ENR REG32(RCC + 0xDC)
#define RCC_AHB4ENR REG32(RCC + 0xE0) /* a bit for each GPIO port */
#define RCC_APB1LENR REG32(RCC + 0xE8)
#define AHB2_RNG (1u << 6)
#define APB1L_USART3 (1u << 18)
#define APB1_HZ (BOARD_CPU_HZ / 4)

#define PWR_CSR1 REG32(0x58024804)
#define PWR_CR3 REG32(0x5802480C)
#define PWR_D3CR REG32(0x58024818)
#define ACTVOSRDY (1u << 13)
#define CR3_SCUEN (1u << 2) /* supply not chosen yet: the first write does it for good */
#define CR3_LDOEN (1u << 1)
#define CR3_BYPASS (1u << 0)
#define D3CR_VOS1 (3u << 14)
#define D3CR_VOSRDY (1u << 13)

#define FLASH_ACR REG32(0x52002000)
#define FLASH_KEYR(bank) REG32(0x52002004 + 0x100 * (bank))
#define FLASH_CR(bank) REG32(0x5200200C + 0x100 * (bank))
#define FLASH_SR(bank) REG32(0x52002010 + 0x100 * (bank))
#define FLASH_CCR(bank) REG32(0x52002014 + 0x100 * (bank)) /* a one clears */
/* RM0433 table 17 (from memory) asks for 2 wait states and a delay of 2 at 200 MHz and VOS1; one more costs a cycle for 32 bytes. */
#define ACR_200_MHZ (3u | 2u << 4)
#define SR_BUSY 7u          /* QW 2, WBNE 1, BSY 0 */
#define SR_FAILED 0x6E0000u /* OPERR 22, INCERR 21, STRBERR 19, PGSERR 18, WRPERR 17 */
#define SR_UNREADABLE (1u << 26)
#define SR_ALL 0x0FEF0000u
#define CR_LOCK (1u << 0)
#define CR_PROGRAM (1u << 1)
#define CR_ERASE_SECTOR(n) (1u << 2 | (n) << 8)
#define CR_X64 (3u << 4)
#define CR_START (1u << 7)
#define BANK_BITS 20
#define SECTOR_BITS 17
#define ERASE_LIMIT_US 6000000 /* DS12110: 2 s at x64 */
#define PROGRAM_LIMIT_US 2000  /* DS12110: 200 us */

#define GPIO(port) (0x58020000u + 0x400u * (port))
#define GPIO_MODER(port) REG32(GPIO(port) + 0x00) /* two bits a pin: 1 output, 2 alternate function */
#define GPIO_PUPDR(port) REG32(GPIO(port) + 0x0C) /* two bits a pin: 1 pull-up */
#define GPIO_BSRR(port) REG32(GPIO(port) + 0x18)  /* set 15:0, reset 31:16 */
#define GPIO_AFRH(port) REG32(GPIO(port) + 0x24)  /* four bits a pin from 8 on */
#define PD 3
#define PIN_TX 8
#define PIN_RX 9

#define USART 0x40004800
#define USART_IRQ 39
#define USART_CR1 REG32(USART + 0x00)
#define USART_BRR REG32(USART + 0x0C)
#define USART_ISR REG32(USART + 0x1C)
#define USART_ICR REG32(USART + 0x20)
#define USART_RDR REG32(USART + 0x24)
#define USART_TDR REG32(USART + 0x28)
#define ISR_RECEIVED (1u << 5)
#define ISR_COMPLETE (1u << 6)
#define ISR_ROOM (1u << 7)
#define ICR_ERRORS 0xFu                                           /* ORE, NE, FE, PE */
#define CR1_RUN (1u << 29 | 1u << 5 | 1u << 3 | 1u << 2 | 1u << 0) /* FIFOEN, RXFNEIE, TE, RE, UE */
#define CR1_TXFNFIE (1u << 7)
#define CR1_OVER8 (1u << 15)

#define RNG_CR REG32(0x48021800)
#define RNG_SR REG32(0x48021804)
#define RNG_DR REG32(0x48021808)
#define RNGEN (1u << 2)
#define RNG_READY (1u << 0)
#define RNG_ERRORS 0x66u /* SEIS 6, CEIS 5, SECS 2, CECS 1 */

#define IWDG_KR REG32(0x58004800)
#define IWDG_PR REG32(0x58004804)
#define IWDG_START 0xCCCC
#define IWDG_UNLOCK 0x5555
#define IWDG_FEED 0xAAAA
#define IWDG_BY_64 4

#define CCR_BFHFNMIGN (1u << 8)
#define CCR_DCACHE (1u << 16)
#define CCR_ICACHE (1u << 17)
#define SCB_ICIALLU REG32(0xE000EF50)
#define SCB_DCISW REG32(0xE000EF60)  /* invalidate a line: | way 31:30 | set 11:5 | */
#define SCB_DCCISW REG32(0xE000EF74) /* clean and invalidate it */
#define DCACHE_WAYS 4                /* 16 KiB of 32-byte lines (DS12110) */
#define DCACHE_SETS 128
#define FOR_EACH_LINE(command) \
  for (uint32_t line = 0; line < DCACHE_WAYS * DCACHE_SETS; line++) (command) = line / DCACHE_SETS << 30 | line % DCACHE_SETS << 5

#define BARRIER() __asm__ volatile("dsb\nisb" ::: "memory")

/* Before there is a clock to ask: 5 ms and more at 64 MHz. Firmware goes on in any case: what cannot be had is not worth silence. */
static bool wait_for(volatile uint32_t *reg, uint32_t mask, uint32_t value) {
  for (uint32_t turns = 100000; turns > 0; turns--)
    if ((*reg & mask) == value) return true;
  return false;
}

/* From whatever a loader left: back to HSI first, because a running PLL takes no new factors. */
static void clock_start(void) {
  RCC_CR |= HSION;
  wait_for(&RCC_CR, HSIRDY, HSIRDY);
  RCC_CR &= ~HSIDIV;
  RCC_CFGR &= ~7u;
  wait_for(&RCC_CFGR, 7u << 3, 0);
  RCC_CR &= ~(PLL1ON | HSEON);
  wait_for(&RCC_CR, PLL1RDY | HSERDY, 0);
  if ((PWR_CR3 & CR3_SCUEN) != 0) PWR_CR3 = (PWR_CR3 & ~(CR3_SCUEN | CR3_BYPASS)) | CR3_LDOEN;
  wait_for(&PWR_CSR1, ACTVOSRDY, ACTVOSRDY);
  PWR_D3CR |= D3CR_VOS1;
  wait_for(&PWR_D3CR, D3CR_VOSRDY, D3CR_VOSRDY);
  RCC_CR |= HSEBYP;
  RCC_CR |= HSEON;
  bool crystal = wait_for(&RCC_CR, HSERDY, HSERDY);
  RCC_PLLCKSELR = crystal ? 4u << 4 | 2u : 32u << 4;
  RCC_PLLCFGR = 1u << 16 | 1u << 2;
  RCC_PLL1DIVR = 1u << 24 | 1u << 16 | 1u << 9 | 399u;
  RCC_CR |= PLL1ON;
  wait_for(&RCC_CR, PLL1RDY, PLL1RDY);
  FLASH_ACR = ACR_200_MHZ;
  wait_for(&FLASH_ACR, 0x3F, ACR_200_MHZ);
  RCC_D1CFGR = 4u << 4 | 8u;
  RCC_D2CFGR = 4u << 8 | 4u << 4;
  RCC_D3CFGR = 4u << 4;
  RCC_D2CCIP2R &= ~(3u << 8 | 7u);
  RCC_CFGR |= 3;
  wait_for(&RCC_CFGR, 7u << 3, 3u << 3);
}

/* A peripheral's clock takes two cycles to arrive: a read in between. */
static void port_enable(uint32_t port) {
  RCC_AHB4ENR |= 1u << port;
  (void)RCC_AHB4ENR;
}

static void uart_init(void) {
  port_enable(PD);
  RCC_APB1LENR |= APB1L_USART3;
  RCC_APB1LRSTR |= APB1L_USART3;
  RCC_APB1LRSTR &= ~APB1L_USART3;
  board_uart_baud(BOARD_UART_BAUD);
  GPIO_AFRH(PD) = (GPIO_AFRH(PD) & ~0xFFu) | 0x77u;
  GPIO_PUPDR(PD) = (GPIO_PUPDR(PD) & ~(3u << 2 * PIN_RX)) | 1u << 2 * PIN_RX;
  GPIO_MODER(PD) = (GPIO_MODER(PD) & ~(3u << 2 * PIN_TX | 3u << 2 * PIN_RX)) | 2u << 2 * PIN_TX | 2u << 2 * PIN_RX;
  irq_enable(USART_IRQ);
}

/* The noise source's clock is HSI48. */
static void rng_start(void) {
  RCC_CR |= HSI48ON;
  RCC_AHB2ENR |= AHB2_RNG;
  (void)RCC_AHB2ENR;
  RNG_CR = RNGEN;
}

/* 8.2 s by an LSI of 32 kHz. An erase takes 2 s, a token less. */
static void watchdog_start(void) {
  IWDG_KR = IWDG_START;
  IWDG_KR = IWDG_UNLOCK;
  IWDG_PR = IWDG_BY_64;
  IWDG_KR = IWDG_FEED;
}

/* What they hold after power-on is not defined. */
static void caches_start(void) {
  FOR_EACH_LINE(SCB_DCISW);
  SCB_ICIALLU = 0;
  BARRIER();
  SCB_CCR |= CCR_ICACHE | CCR_DCACHE;
  BARRIER();
}

static void flash_heal(void);

void board_init(void) {
  clock_start();
  systick_start();
  uart_init();
  rng_start();
  watchdog_start();
  caches_start();
  flash_heal();
  mpu_fence();
}

RAM_CODE(board_watchdog_feed) void board_watchdog_feed(void) { IWDG_KR = IWDG_FEED; }

/* ---- UART ---- */

/* Oversampling by 16 as long as that is fast enough: it bears more noise. BRR then holds the divider, else its last three bits apart. */
int32_t board_uart_baud(uint32_t baud) {
  uint32_t divider = (APB1_HZ + baud / 2) / baud;
  uint32_t real = divider * baud, error = real > APB1_HZ ? real - APB1_HZ : APB1_HZ - real;
  if (divider < 8 || divider > 0xFFFF || error > APB1_HZ / 100 * 3) return HAL_EINVAL;
  bool by16 = divider >= 16;
  USART_CR1 = 0;
  USART_BRR = by16 ? divider : (divider & ~7u) << 1 | (divider & 7u);
  USART_CR1 = by16 ? CR1_RUN : CR1_RUN | CR1_OVER8;
  return 0;
}

/* Fills the FIFO; its interrupt, which asks for more, is on as long as there may be some. */
RAM_CODE(uart_feed) static void uart_feed(void) {
  while ((USART_ISR & ISR_ROOM) != 0) {
    int32_t byte = uart_next();
    if (byte < 0) {
      USART_CR1 &= ~CR1_TXFNFIE;
      return;
    }
    USART_TDR = (uint32_t)byte;
  }
  USART_CR1 |= CR1_TXFNFIE;
}

RAM_CODE(uart_handler) static void uart_handler(void) {
  USART_ICR = ICR_ERRORS;
  while ((USART_ISR & ISR_RECEIVED) != 0) uart_received((uint8_t)USART_RDR);
  uart_feed();
}

IRQ_HANDLERS = {[USART_IRQ] = uart_handler};

void board_uart_start(void) {
  board_interrupts_off();
  uart_feed();
  board_interrupts_on();
}

bool board_uart_busy(void) { return (USART_ISR & ISR_COMPLETE) == 0; }

/* Bounded, for a fault before the USART has a clock; a byte at 1526 baud, the slowest, takes 7 ms, the turns longer. */
void board_uart_put(uint8_t byte) {
  for (uint32_t turns = 1000000; (USART_ISR & ISR_ROOM) == 0 && turns > 0; turns--) {}
  USART_TDR = byte;
}

/* ---- Flash: these run from ITCM, because the firmware's bank stalls whoever reads it meanwhile ---- */

/* The time is looked at before the flag, so that an interrupt in between makes nothing late that is done. */
RAM_CODE(flash_wait) static int32_t flash_wait(uint32_t bank, uint32_t limit_us) {
  uint32_t start = board_ticks();
  for (;;) {
    bool late = board_ticks() - start > limit_us;
    if ((FLASH_SR(bank) & SR_BUSY) == 0) break;
    if (late) return HAL_EIO;
    board_watchdog_feed();
  }
  return (FLASH_SR(bank) & SR_FAILED) == 0 ? 0 : HAL_EIO;
}

/* The cache goes off first, so that nothing new is dirty when it is emptied; the stack is in DTCM, which is not cached. */
RAM_CODE(flash_begin) static int32_t flash_begin(uint32_t bank, uint32_t operation) {
  if ((SCB_CCR & CCR_DCACHE) != 0) {
    SCB_CCR &= ~CCR_DCACHE;
    __asm__ volatile("dsb" ::: "memory");
    FOR_EACH_LINE(SCB_DCCISW);
    BARRIER();
  }
  if ((FLASH_CR(bank) & CR_LOCK) != 0) {
    FLASH_KEYR(bank) = 0x45670123;
    FLASH_KEYR(bank) = 0xCDEF89AB;
  }
  int32_t result = flash_wait(bank, ERASE_LIMIT_US);
  FLASH_CCR(bank) = SR_ALL;
  FLASH_CR(bank) = CR_X64 | operation;
  if (FLASH_CR(bank) != (CR_X64 | operation)) result = HAL_EIO;
  BARRIER();
  return result;
}

RAM_CODE(flash_end) static void flash_end(uint32_t bank) {
  FLASH_CR(bank) = CR_LOCK;
  BARRIER();
  SCB_CCR |= CCR_DCACHE;
  BARRIER();
}

RAM_CODE(board_flash_erase) int32_t board_flash_erase(uint32_t offset, uint32_t bytes) {
  (void)bytes;
  uint32_t bank = offset >> BANK_BITS, sector = offset >> SECTOR_BITS & 7;
  int32_t result = flash_begin(bank, CR_ERASE_SECTOR(sector));
  if (result == 0) {
    FLASH_CR(bank) |= CR_START;
    result = flash_wait(bank, ERASE_LIMIT_US);
  }
  flash_end(bank);
  return result;
}

/* A flash word is eight stores in a row; the last begins the program. */
RAM_CODE(board_flash_program) int32_t board_flash_program(uint32_t offset, const uint8_t *from, uint32_t bytes) {
  uint32_t bank = offset >> BANK_BITS;
  int32_t result = flash_begin(bank, CR_PROGRAM);
  volatile uint32_t *to = &REG32(BOARD_FLASH_BASE + offset);
  for (uint32_t i = 0; i < bytes && result == 0; i += 4) {
    uint32_t word;
    __builtin_memcpy(&word, from + i, 4);
    *to++ = word;
    if (i % BOARD_FLASH_UNIT != BOARD_FLASH_UNIT - 4) continue;
    __asm__ volatile("dsb" ::: "memory");
    result = flash_wait(bank, PROGRAM_LIMIT_US);
  }
  flash_end(bank);
  return result;
}

/*
 * Erases sectors that hold a word whose ECC is beyond repair: what a power cut leaves of a program or an erase. The whole of a
 * sector goes: in one of models the host sends it again, in one of records (128 KiB here) the complete records beside the torn one are lost, and
 * the store falls back to the other record sector or to what images say of themselves. NOT IMPLEMENTED: serving such a word as a torn cell. With FAULTMASK and BFHFNMIGN a load of one is no fault (ARMv7-M ARM B3.2.8), only a flag of the flash controller. The whole
 * sector, because there is no smaller way; the host finds out by its hashes and sends it again. 2 MiB take a few milliseconds.
 */
static void flash_heal(void) {
  for (uint32_t offset = BOARD_PARTITION_OFFSET; offset < BOARD_PARTITION_OFFSET + BOARD_PARTITION_BYTES; offset += 1u << SECTOR_BITS) {
    uint32_t bank = offset >> BANK_BITS;
    FLASH_CCR(bank) = SR_ALL;
    __asm__ volatile("cpsid f" ::: "memory");
    SCB_CCR |= CCR_BFHFNMIGN;
    BARRIER();
    for (uint32_t at = offset; at < offset + (1u << SECTOR_BITS); at += BOARD_FLASH_UNIT) (void)REG32(BOARD_FLASH_BASE + at);
    BARRIER();
    SCB_CCR &= ~CCR_BFHFNMIGN;
    __asm__ volatile("cpsie f" ::: "memory");
    if ((FLASH_SR(bank) & SR_UNREADABLE) == 0) continue;
    /* The erase counts its time by an interrupt. */
    board_interrupts_on();
    board_flash_erase(offset, 1u << SECTOR_BITS);
    board_interrupts_off();
  }
}

/* ---- The rest ---- */

/* The noise source, stirred into a xorshift (Marsaglia 2003), which is all there is when it does not run. */
uint32_t board_entropy(void) {
  static uint32_t state = 0x2545F491;
  uint32_t start = board_ticks();
  state ^= start;
  while ((RNG_SR & RNG_READY) == 0 && board_ticks() - start < 1000) {}
  if ((RNG_SR & RNG_ERRORS) == 0 && (RNG_SR & RNG_READY) != 0) return state ^= RNG_DR;
  /* A bad seed or clock: begin anew. */
  RNG_SR = 0;
  RNG_CR = 0;
  RNG_CR = RNGEN;
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
