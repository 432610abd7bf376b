/*
 * The selector's end of a Pico. boot2 has made flash readable; it starts what the vector table behind it names. Sources: RP2040 Datasheet;
 * the sections stand in rp2040.h.
 */
#include "cortex_m.h"
#include "rp2040.h"
#include "selector.h"

/* End of SRAM5: the selector's stack, overwritten by whatever it starts. */
#define STACK 0x20042000

static void fault(void) { selector_rescue(); }

__attribute__((used, section(".vectors"))) static const struct {
  uint32_t stack;
  void (*entries[3])(void);
} vectors = {STACK, {selector, fault, fault}};

uint32_t selector_take_wish(void) {
  uint32_t value = WATCHDOG_SCRATCH0;
  bool valid = WATCHDOG_SCRATCH1 == ~value;
  WATCHDOG_SCRATCH0 = 0;
  WATCHDOG_SCRATCH1 = 0;
  uint32_t slot = value ^ TRY_MAGIC;
  return valid && slot < NO_SLOT ? slot : NO_SLOT;
}

void selector_init(void) {
  clocks_start();
  watchdog_start();
}

void selector_start(const void *code) {
  SCB_VTOR = (uint32_t)(uintptr_t)code;
  __asm__ volatile(
      "ldmia %0!, {r1, r2}\n"
      "mov sp, r1\n"
      "bx r2\n" ::"l"(code)
      : "r1", "r2", "memory");
  __builtin_unreachable();
}

/*
 * 2.8.3: the ROM's function reset_usb_boot ("UB"), found by the lookup function at 0x18 in the table at 0x14. The board appears as a drive and
 * takes a UF2 file (tritkit flash --firmware). Offsets and code from memory.
 */
void selector_rescue(void) {
  typedef void *lookup_t(const uint16_t *table, uint32_t code);
  typedef void usb_boot_t(uint32_t led_mask, uint32_t disabled);
  const volatile uint16_t *rom = (const volatile uint16_t *)0x14;
  __asm__("" : "+r"(rom)); /* gcc takes small addresses for mistakes */
  lookup_t *lookup = (lookup_t *)(uintptr_t)rom[2];
  usb_boot_t *usb_boot = (usb_boot_t *)lookup((const uint16_t *)(uintptr_t)rom[0], 'U' | 'B' << 8);
  usb_boot(0, 0);
  for (;;) {
  }
}
