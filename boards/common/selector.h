/*
 * The seam between the selector (selector.c) and one board (boards/<name>/selector/board.c). Numbers come from board_config.h.
 */
#ifndef TRITKIT_SELECTOR_H
#define TRITKIT_SELECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "board_config.h"

#define NO_SLOT 2u

/* Chooses and starts a firmware; where the CPU begins. */
void selector(void) __attribute__((noreturn));

/* ---- What board.c provides ---- */

/* The slot that the firmware wants tried, or NO_SLOT; the wish is gone then, whatever happens next. */
uint32_t selector_take_wish(void);
/* A clock that makes checking an image quick, and the watchdog: a firmware that hangs before its first instruction is reset, too. */
void selector_init(void);
/* Starts the code behind an image's header, as a reset would. */
void selector_start(const void *code) __attribute__((noreturn));
/* There is no firmware: asks for one, by whatever the chip's ROM has. */
void selector_rescue(void) __attribute__((noreturn));

#endif
