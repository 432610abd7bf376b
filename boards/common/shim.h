/*
 * The seam between what all boards share (boards/common) and one board (boards/<name>/board.c): about a dozen functions.
 *
 *     reset -> start_*.c: memory -> main.c: board_init, boot(), poll() for ever -> hal.c: the HAL of spec/HAL.md -> board.c
 *                                                         interrupts: board.c <-> uart.c: two rings
 *
 * Numbers of the board come from boards/<name>.json as board_config.h, which the build writes (scripts/firmware/config.mjs). Offsets of flash
 * count from the first byte of flash here; hal.c has turned those of the partition into them and checked them.
 */
#ifndef TRITKIT_SHIM_H
#define TRITKIT_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board_config.h"

/* The core has MVE, and mve.c answers for the module's optional kernels; TRITKIT_NO_MVE: as if it had none. */
#if defined(__ARM_FEATURE_MVE) && !defined(TRITKIT_NO_MVE)
#define BOARD_HAS_MVE 1
#else
#define BOARD_HAS_MVE 0
#endif

/* Runs from RAM: interrupt handlers and flash code, where flash cannot be read while it is busy. Never inlined into code in flash. */
#define RAM_CODE(name) __attribute__((noinline, section(".ramcode." #name)))

/* ---- What board.c provides ---- */

/* Clocks, pins, UART (8N1 at BOARD_UART_BAUD, receive interrupt on), watchdog. Once, with .data and .bss in place and interrupts off. */
void board_init(void);

/* Speed of the UART; nothing is being sent. 0, or HAL_EINVAL when the board cannot within 3 %. */
int32_t board_uart_baud(uint32_t baud);
/* The transmit ring has bytes: enable the interrupt that takes them with uart_next() until it answers -1. May be on already. */
void board_uart_start(void);
/* Whether a byte is still in the UART's FIFO or shift register. */
bool board_uart_busy(void);
/* Sends one byte without interrupts; for the last words of board_trap. */
void board_uart_put(uint8_t byte);

/*
 * Erases one sector / programs whole units inside one page; waits until it is done, feeding the watchdog. Interrupts stay on, and the UART
 * goes on receiving where board JSON says rx_while_flash_busy. 0, or HAL_EIO. hal.c reads back what was programmed.
 */
int32_t board_flash_erase(uint32_t offset, uint32_t bytes);
int32_t board_flash_program(uint32_t offset, const uint8_t *from, uint32_t bytes);

/* 32 random bits, or as random as the chip can. */
uint32_t board_entropy(void);
/* Drives a pin that the board has and does not need itself; 0, or HAL_EINVAL for one that cannot be an output. */
int32_t board_gpio_write(int32_t pin, int32_t level);
#ifdef BOARD_PWM_MIN_HZ
/* A pulse on such a pin, duty of 65535, a frequency that the board's JSON allows; 0, or HAL_EINVAL when the pin or its generator cannot. */
int32_t board_pwm_write(int32_t pin, uint32_t duty, uint32_t hz);
#endif
#ifdef BOARD_ADC_CHANNELS
/* A channel that the board has: 0..65535 of full scale, or HAL_EIO. */
int32_t board_adc_read(uint32_t channel);
#endif
void board_watchdog_feed(void);

/*
 * Boards with two slots for firmware (BOARD_UPDATE_OFFSET): the slot that the selector starts once after the next board_reset(); 2: none in
 * particular. Kept where a reset leaves it and a power cut does not.
 */
void board_try_slot(uint32_t slot);

/* ---- What start_*.c provides for a family of cores; a board whose core has no timer of its own provides the first two ---- */

/* Microseconds since reset, modulo 2^32. */
uint32_t board_ticks(void);
/* Sleeps until an interrupt, at most about a millisecond; called and returns with interrupts off, pending ones wake it. */
void board_sleep(void);
void board_interrupts_off(void);
void board_interrupts_on(void);
void board_reset(void) __attribute__((noreturn));

/* ---- What uart.c provides to the interrupt handler of board.c ---- */

/* A byte arrived; lost when the ring is full. */
void uart_received(uint8_t byte);
/* The next byte to send, or -1. */
int32_t uart_next(void);

/* ---- Between the common files ---- */

uint32_t uart_read(uint8_t *to, uint32_t max);
uint32_t uart_write(const uint8_t *from, uint32_t bytes);
bool uart_has_received(void);
bool uart_has_room(void);
/* Waits until everything has left the chip. */
void uart_drain(void);

/* Last words on the wire, then a reset: a trap of WebAssembly or a fault of the CPU. */
void board_trap(const char *what) __attribute__((noreturn, cold));

#endif
