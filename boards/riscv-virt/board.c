/*
 * QEMU's virt machine with one RV32IMAC hart (qemu-system-riscv32 -M virt -bios none). Sources: QEMU 7.2 hw/riscv/virt.c (addresses, IRQs),
 * hw/block/pflash_cfi01.c, hw/rtc/goldfish_rtc.c, hw/misc/sifive_test.c; TI PC16550D; SiFive FU540-C000 Manual (CLINT, PLIC).
 *
 *     NS16550   0x10000000, IRQ 10, one register a byte, 3.6864 MHz      CLINT   mtime 0x0200BFF8 at 10 MHz, mtimecmp 0x02004000
 *     flash 1   0x22000000, 32 MiB                                       PLIC    0x0C000000, context 0: hart 0 in machine mode
 *     RTC       0x00101000                                               test    0x00100000: 0x7777 resets
 *
 * NOT IMPLEMENTED: a watchdog (there is none); entropy is a generator seeded with the host's time (there is no source of noise).
 */
#include "riscv.h"
#include "shim.h"

#define HAL_EINVAL (-2)
#define HAL_EIO (-3)

/* ---- Clock and traps ---- */

#define MTIME REG32(0x0200BFF8)
#define MTIMEH REG32(0x0200BFFC)
#define MTIMECMP REG32(0x02004000)
#define MTIMECMPH REG32(0x02004004)
#define TICKS_PER_US 10

#define MCAUSE_MACHINE_EXTERNAL 11
#define MIE_MTIE (1u << 7)
#define MIE_MEIE (1u << 11)

#define PLIC_PRIORITY(irq) REG32(0x0C000000 + 4 * (irq))
#define PLIC_ENABLE(irq) REG32(0x0C002000 + (irq) / 32 * 4)
#define PLIC_THRESHOLD REG32(0x0C200000)
#define PLIC_CLAIM REG32(0x0C200004)
#define UART_IRQ 10

#define TEST_FINISHER REG32(0x00100000)
#define TEST_RESET 0x7777

static uint64_t mtime(void) {
  uint32_t high, low;
  do {
    high = MTIMEH;
    low = MTIME;
  } while (high != MTIMEH);
  return (uint64_t)high << 32 | low;
}

/* mtime may count on over a reset. */
static uint64_t started;

uint32_t board_ticks(void) { return (uint32_t)((mtime() - started) / TICKS_PER_US); }

/* Far away first, so that no half of a new value is an alarm. */
static void alarm_at(uint64_t time) {
  MTIMECMPH = 0xffffffff;
  MTIMECMP = (uint32_t)time;
  MTIMECMPH = (uint32_t)(time >> 32);
}

/* wfi goes on at an enabled interrupt, though mstatus.MIE is off: the alarm is past and gone before one could be taken. */
void board_sleep(void) {
  alarm_at(mtime() + 1000 * TICKS_PER_US);
  __asm__ volatile("wfi" ::: "memory");
  alarm_at(UINT64_MAX);
}

void board_reset(void) {
  TEST_FINISHER = TEST_RESET;
  for (;;) {}
}

/* ---- UART ---- */

#define UART 0x10000000
#define RBR REG8(UART + 0) /* read: received byte */
#define THR REG8(UART + 0) /* write: byte to send */
#define DLL REG8(UART + 0) /* with LCR.DLAB: divisor */
#define IER REG8(UART + 1)
#define DLM REG8(UART + 1)
#define IIR REG8(UART + 2)
#define FCR REG8(UART + 2)
#define LCR REG8(UART + 3)
#define LSR REG8(UART + 5)
#define IER_RECEIVED 1u
#define IER_SENT 2u
#define FCR_ON_CLEARED_TRIGGER_14 0xC7u
#define LCR_8N1 3u
#define LCR_DLAB 0x80u
#define LSR_DATA 1u
#define LSR_ROOM 0x20u /* the whole FIFO is empty */
#define LSR_IDLE 0x40u /* and the shift register */
#define UART_CLOCK 3686400
#define TX_FIFO 16

/* Fills the empty FIFO; whether there was anything to send. */
static bool uart_feed(void) {
  for (int i = 0; i < TX_FIFO; i++) {
    int32_t byte = uart_next();
    if (byte < 0) return i > 0;
    THR = (uint8_t)byte;
  }
  return true;
}

/* The interrupt "FIFO empty" is on while there are bytes to send. */
static void uart_handler(void) {
  (void)IIR;
  while ((LSR & LSR_DATA) != 0) uart_received(RBR);
  if ((LSR & LSR_ROOM) != 0 && !uart_feed()) IER = IER_RECEIVED;
}

void board_uart_start(void) {
  board_interrupts_off();
  IER = IER_RECEIVED | IER_SENT;
  board_interrupts_on();
}

bool board_uart_busy(void) { return (LSR & LSR_IDLE) == 0; }

void board_uart_put(uint8_t byte) {
  while ((LSR & LSR_ROOM) == 0) {}
  THR = byte;
}

int32_t board_uart_baud(uint32_t baud) {
  uint32_t divisor = (UART_CLOCK / 16 + baud / 2) / baud;
  if (divisor == 0 || divisor > 0xffff) return HAL_EINVAL;
  uint32_t real = UART_CLOCK / 16 / divisor;
  uint32_t off = real > baud ? real - baud : baud - real;
  if (off * 100 > baud * 3) return HAL_EINVAL;
  LCR = LCR_8N1 | LCR_DLAB;
  DLL = (uint8_t)divisor;
  DLM = (uint8_t)(divisor >> 8);
  LCR = LCR_8N1;
  return 0;
}

void board_interrupt(uint32_t code) {
  if (code != MCAUSE_MACHINE_EXTERNAL) board_trap("an interrupt that nobody enabled");
  uint32_t irq;
  while ((irq = PLIC_CLAIM) != 0) {
    if (irq == UART_IRQ) uart_handler();
    PLIC_CLAIM = irq;
  }
}

/* ---- Flash: two chips of 16 bits side by side, so that commands and states stand in both halves of a word ---- */

#define BOTH(command) ((command) * 0x10001u)
#define READ_ARRAY BOTH(0xFF)
#define CLEAR_STATUS BOTH(0x50)
#define ERASE_BLOCK BOTH(0x20)
#define CONFIRM BOTH(0xD0)
#define WRITE_TO_BUFFER BOTH(0xE8)
#define STATUS_READY BOTH(0x80)
#define STATUS_ERRORS BOTH(0x3A) /* erase, program, VPP, block locked */

/* Twice what boards/riscv-virt.json gives as the most: a chip that is not ready then is broken. */
#define ERASE_US 8000000u
#define PROGRAM_US 4000u

static volatile uint32_t *flash_at(uint32_t offset) { return (volatile uint32_t *)(uintptr_t)(BOARD_FLASH_BASE + offset); }

/* Until both chips are ready; the chip answers its state wherever it is read. 0, or HAL_EIO. */
static int32_t flash_wait(volatile uint32_t *word, uint32_t us) {
  uint32_t start = board_ticks();
  uint32_t status;
  while (((status = *word) & STATUS_READY) != STATUS_READY)
    if (board_ticks() - start > us) return HAL_EIO;
  return (status & STATUS_ERRORS) == 0 ? 0 : HAL_EIO;
}

int32_t board_flash_erase(uint32_t offset, uint32_t bytes) {
  (void)bytes; /* all blocks have one size */
  volatile uint32_t *block = flash_at(offset);
  *block = CLEAR_STATUS;
  *block = ERASE_BLOCK;
  *block = CONFIRM;
  int32_t result = flash_wait(block, ERASE_US);
  *block = READ_ARRAY;
  return result;
}

/*
 * By the chips' write buffer, which takes a page and more (CFI 0x2A: 2 KiB): QEMU writes the file behind the flash once for a buffer, and
 * would once for every word. It is filled with `old AND new`, as NOR would keep it: QEMU's chip takes bits from 0 back to 1. The old words
 * are read first, because from the first command on the chips answer their state.
 */
int32_t board_flash_program(uint32_t offset, const uint8_t *from, uint32_t bytes) {
  static uint32_t words[BOARD_FLASH_PAGE / 4];
  volatile uint32_t *to = flash_at(offset);
  uint32_t count = bytes / 4;
  for (uint32_t i = 0; i < count; i++, from += 4)
    words[i] = to[i] & ((uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24);
  *to = CLEAR_STATUS;
  *to = WRITE_TO_BUFFER;
  int32_t result = flash_wait(to, PROGRAM_US);
  if (result == 0) {
    *to = BOTH(count - 1);
    for (uint32_t i = 0; i < count; i++) to[i] = words[i];
    *to = CONFIRM;
    result = flash_wait(to, PROGRAM_US);
  }
  *to = READ_ARRAY;
  return result;
}

/* ---- The rest ---- */

#define RTC_LOW REG32(0x00101000) /* nanoseconds of the host's clock; reading the low half latches the high one */
#define RTC_HIGH REG32(0x00101004)

void board_init(void) {
  __asm__ volatile("fence.i" ::: "memory");
  started = mtime();
  alarm_at(UINT64_MAX);
  IER = 0;
  board_uart_baud(BOARD_UART_BAUD);
  FCR = FCR_ON_CLEARED_TRIGGER_14;
  IER = IER_RECEIVED;
  PLIC_PRIORITY(UART_IRQ) = 1;
  PLIC_ENABLE(UART_IRQ) = 1u << UART_IRQ;
  PLIC_THRESHOLD = 0;
  __asm__ volatile("csrw mie, %0" ::"r"(MIE_MTIE | MIE_MEIE));
  pmp_fence();
}

/* xorshift (Marsaglia 2003) over the host's time. */
uint32_t board_entropy(void) {
  static uint32_t state = 0x2545F491;
  state ^= RTC_LOW | 1;
  state ^= RTC_HIGH;
  state ^= state << 13;
  state ^= state >> 17;
  return state ^= state << 5;
}

int32_t board_gpio_write(int32_t pin, int32_t level) {
  (void)pin;
  (void)level;
  return HAL_EINVAL; /* never asked: the machine has no pins */
}

void board_watchdog_feed(void) {}
