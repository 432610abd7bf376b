/*
 * The board's functions of shim.h on ESP-IDF's drivers, in place of board.c, start_*.c and uart.c.
 * NOT BUILT HERE: this project has no compiler for Xtensa and no ESP-IDF. What is checked is that the C agrees with the drivers' declarations
 * (scripts/test/idf_component.test.ts); they were read in ESP-IDF, commit 102122904ad (6.2 in the making).
 *
 *     UART0        the driver's two rings; its interrupt handler lies in IRAM (CONFIG_UART_ISR_IN_IRAM)
 *     flash        the partition "models", mapped once and for all; erase and write by esp_partition, which also keeps the cache true
 *     memory       memory.base to memory.end of boards/esp32-s3.json, kept out of the heap below
 *     watchdog     the task watchdog, 10 s
 *
 * Identity mapping: the module was compiled for the addresses memory.base to memory.end, so nothing else may live there. Static data and
 * code in RAM end below (CONFIG_ESP32S3_FIXED_STATIC_RAM_SIZE: the linker refuses more), the heap gives the range up
 * (SOC_RESERVE_MEMORY_REGION: overlaps stop the start-up with a message), and the second-stage boot loader's own memory lies above it
 * (0x3FCDB700, SRAM_DRAM_END in ESP-IDF's esp32s3 memory.ld.in).
 *
 * NOT IMPLEMENTED: a fence around the module's memory (ESP-IDF's own protection of code and stack stands); the second core.
 */
#include <stdlib.h>

#include "bootloader_random.h"
#include "driver/gpio.h"
#include "driver/uart.h"
#include "esp_log.h"
#include "esp_partition.h"
#include "esp_random.h"
#include "esp_system.h"
#include "esp_task_wdt.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "heap_memory_layout.h"

#include "shim.h"
#include "tritkit.h"

#define HAL_EINVAL (-2)
#define HAL_EIO (-3)

SOC_RESERVE_MEMORY_REGION(BOARD_MEMORY_BASE, BOARD_MEMORY_END, tritkit);

static const char tag[] = "tritkit";

/* ---- UART ---- */

#define UART UART_NUM_0
#define RX_BYTES 4096
#define TX_BYTES 1024
#define EVENTS 16

_Static_assert(BOARD_UART_RX_BUFFER <= RX_BYTES + 128, "uart.rx_buffer of the board's JSON counts the ring and the FIFO");

static QueueHandle_t events;

static void uart_start(void) {
  const uart_config_t config = {
      .baud_rate = BOARD_UART_BAUD,
      .data_bits = UART_DATA_8_BITS,
      .parity = UART_PARITY_DISABLE,
      .stop_bits = UART_STOP_BITS_1,
      .flow_ctrl = UART_HW_FLOWCTRL_DISABLE,
      .source_clk = UART_SCLK_XTAL,
  };
  ESP_ERROR_CHECK(uart_driver_install(UART, RX_BYTES, TX_BYTES, EVENTS, &events, 0));
  ESP_ERROR_CHECK(uart_param_config(UART, &config));
}

int32_t board_uart_baud(uint32_t baud) {
  uint32_t before, real;
  if (uart_get_baudrate(UART, &before) != ESP_OK) return HAL_EINVAL;
  if (uart_set_baudrate(UART, baud) == ESP_OK && uart_get_baudrate(UART, &real) == ESP_OK) {
    uint32_t off = real > baud ? real - baud : baud - real;
    if (off <= baud * 3 / 100) return 0;
  }
  uart_set_baudrate(UART, before);
  return HAL_EINVAL;
}

uint32_t uart_read(uint8_t *to, uint32_t max) {
  int n = uart_read_bytes(UART, to, max, 0);
  return n > 0 ? (uint32_t)n : 0;
}

/* No more than there is room for: uart_write_bytes waits for the rest. */
uint32_t uart_write(const uint8_t *from, uint32_t bytes) {
  size_t room = 0;
  if (uart_get_tx_buffer_free_size(UART, &room) != ESP_OK) return 0;
  if (bytes > room) bytes = room;
  if (bytes == 0) return 0;
  int n = uart_write_bytes(UART, from, bytes);
  return n > 0 ? (uint32_t)n : 0;
}

bool uart_has_received(void) {
  size_t bytes = 0;
  return uart_get_buffered_data_len(UART, &bytes) == ESP_OK && bytes > 0;
}

bool uart_has_room(void) {
  size_t room = 0;
  return uart_get_tx_buffer_free_size(UART, &room) == ESP_OK && room > 0;
}

/* A full ring takes 40 s at the slowest speed of the HAL, 300 baud. */
void uart_drain(void) {
  for (int seconds = 0; seconds < 60 && uart_wait_tx_done(UART, pdMS_TO_TICKS(1000)) != ESP_OK; seconds++) board_watchdog_feed();
}

bool board_uart_busy(void) { return uart_wait_tx_done(UART, 0) != ESP_OK; }

void board_uart_put(uint8_t byte) { uart_write_bytes(UART, &byte, 1); }

/* ---- Time: the driver is safe against its interrupts, and sleeping against missed ones: a tick is a millisecond ---- */

uint32_t board_ticks(void) { return (uint32_t)esp_timer_get_time(); }

void board_sleep(void) {
  uart_event_t event;
  xQueueReceive(events, &event, 1);
}

void board_interrupts_off(void) {}

void board_interrupts_on(void) {}

void board_reset(void) { esp_restart(); }

/* ---- Flash ---- */

uintptr_t tritkit_partition;
static const esp_partition_t *partition;

#define PARTITION_TYPE 0x40 /* of an application's own; partitions.csv */

static void flash_start(void) {
  partition = esp_partition_find_first(PARTITION_TYPE, 0, "models");
  if (partition == NULL || partition->address != BOARD_PARTITION_OFFSET || partition->size != BOARD_PARTITION_BYTES) {
    ESP_LOGE(tag, "the partition table has no partition \"models\" of %u bytes at %u", (unsigned)BOARD_PARTITION_BYTES, (unsigned)BOARD_PARTITION_OFFSET);
    abort();
  }
  const void *mapped;
  esp_partition_mmap_handle_t handle; /* never unmapped */
  ESP_ERROR_CHECK(esp_partition_mmap(partition, 0, partition->size, ESP_PARTITION_MMAP_DATA, &mapped, &handle));
  tritkit_partition = (uintptr_t)mapped;
}

int32_t board_flash_erase(uint32_t offset, uint32_t bytes) {
  return esp_partition_erase_range(partition, offset - BOARD_PARTITION_OFFSET, bytes) == ESP_OK ? 0 : HAL_EIO;
}

int32_t board_flash_program(uint32_t offset, const uint8_t *from, uint32_t bytes) {
  return esp_partition_write(partition, offset - BOARD_PARTITION_OFFSET, from, bytes) == ESP_OK ? 0 : HAL_EIO;
}

/* ---- The rest ---- */

int32_t board_gpio_write(int32_t pin, int32_t level) {
  if (pin < 0 || pin >= BOARD_GPIO_PINS || !GPIO_IS_VALID_OUTPUT_GPIO(pin)) return HAL_EINVAL;
  const gpio_config_t output = {.pin_bit_mask = 1ull << pin, .mode = GPIO_MODE_OUTPUT};
  gpio_set_level((gpio_num_t)pin, level != 0);
  return gpio_config(&output) == ESP_OK ? 0 : HAL_EINVAL;
}

uint32_t board_entropy(void) { return esp_random(); }

void board_watchdog_feed(void) { esp_task_wdt_reset(); }

void board_init(void) {
  bootloader_random_enable(); /* noise for esp_random, as long as neither radio nor ADC is in use */
  uart_start();
  flash_start();
  ESP_ERROR_CHECK(esp_task_wdt_add(NULL));
}
