/*
 * Included by the board_config.h of an ESP-IDF component, after its numbers: the driver of the flash cache chooses where it maps the
 * partition, so that hal.c's BOARD_FLASH_BASE + BOARD_PARTITION_OFFSET + offset is that address.
 */
#ifndef TRITKIT_FLASH_MAPPING_H
#define TRITKIT_FLASH_MAPPING_H

#include <stdint.h>

/* First byte of the mapped partition; shim.c sets it before the device starts. */
extern uintptr_t tritkit_partition;

#undef BOARD_FLASH_BASE
#define BOARD_FLASH_BASE (tritkit_partition - BOARD_PARTITION_OFFSET)

#endif
