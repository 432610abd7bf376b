/*
 * A peer on a bare chip: start-up as boards/common does it, TOKENS tokens (none or one: what the second program executes beyond the first is
 * the token), the result, the end.
 *
 * On QEMU the logits go into a file, and the machine ends, by semihosting (ARM Semihosting 2.0; RISC-V Semihosting 0.2). On rp2040js they stay
 * in RAM and the core sleeps. On a host, main() writes them to standard output.
 */
#include "peer.h"

#if defined(__arm__) || defined(__riscv)

#define SYS_OPEN 0x01
#define SYS_CLOSE 0x02
#define SYS_WRITE 0x05
#define SYS_EXIT 0x18
#define OPEN_WB 5
#define APPLICATION_EXIT 0x20026
#define RUN_TIME_ERROR 0x20023

#if defined(__riscv)
/* All three instructions uncompressed and in one page. */
__attribute__((naked, noinline, aligned(16))) static int semihost(int operation, const void *argument) {
  (void)operation, (void)argument;
  __asm__ volatile(
      ".option push\n"
      ".option norvc\n"
      "slli x0, x0, 0x1f\n"
      "ebreak\n"
      "srai x0, x0, 7\n"
      "ret\n"
      ".option pop\n");
}
#else
__attribute__((naked, noinline)) static int semihost(int operation, const void *argument) {
  (void)operation, (void)argument;
  __asm__ volatile(
      "bkpt 0xab\n"
      "bx lr\n");
}
#endif

static void report(void) {
  static const char name[] = "logits";
  const uint32_t open[] = {(uint32_t)(uintptr_t)name, OPEN_WB, sizeof name - 1};
  int file = semihost(SYS_OPEN, open);
  const uint32_t write[] = {(uint32_t)file, (uint32_t)(uintptr_t)peer_logits, sizeof peer_logits};
  const uint32_t close[] = {(uint32_t)file};
  if (file < 0 || semihost(SYS_WRITE, write) != 0 || semihost(SYS_CLOSE, close) != 0)
    semihost(SYS_EXIT, (const void *)RUN_TIME_ERROR);
}

static void end(void) {
#if SEMIHOSTING
  report();
  semihost(SYS_EXIT, (const void *)APPLICATION_EXIT);
#endif
  for (;;) __asm__ volatile("wfi");
}

/* What start_cortex_m.c and start_riscv.c expect of a board. */
_Noreturn void board_trap(const char *what);
void board_interrupt(uint32_t cause);

void board_trap(const char *what) {
  (void)what;
#if SEMIHOSTING
  semihost(SYS_EXIT, (const void *)RUN_TIME_ERROR);
#endif
  for (;;) {
  }
}

void board_interrupt(uint32_t cause) {
  (void)cause;
  board_trap("an interrupt");
}

#if !SEMIHOSTING
/* Keeps these functions in use. */
void (*const peer_unused[])(void) __attribute__((used)) = {report};
#endif

#else

#include <stdio.h>

static void end(void) { fwrite(peer_logits, sizeof *peer_logits, VOCAB, stdout); }

#endif

/* Volatile: both programs hold the same code and clear the same memory. */
static volatile const int tokens = TOKENS;

int main(void) {
  peer_start();
  for (int i = tokens; i > 0; i--) peer_token(TOKEN, POSITION);
  end();
  return 0;
}
