/*
 * What boards/esp32-s3/idf uses of ESP-IDF: the declarations alone, written from its headers (commit 102122904ad) so that a compiler can hold the
 * shim's calls against them. Every header that the shim includes is this one in the test.
 */
#ifndef IDF_DECLARATIONS_H
#define IDF_DECLARATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int esp_err_t;
#define ESP_OK 0
void esp_error_check_failed(esp_err_t error) __attribute__((noreturn));
#define ESP_ERROR_CHECK(call)                               \
  do {                                                      \
    esp_err_t result_ = (call);                             \
    if (result_ != ESP_OK) esp_error_check_failed(result_); \
  } while (0)

/* esp_log.h */
void esp_log(const char *tag, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define ESP_LOGE(tag, ...) esp_log(tag, __VA_ARGS__)

/* freertos/FreeRTOS.h, freertos/queue.h, with CONFIG_FREERTOS_HZ=1000 */
typedef uint32_t TickType_t;
typedef int BaseType_t;
typedef struct QueueDefinition *QueueHandle_t;
#define pdMS_TO_TICKS(ms) ((TickType_t)(ms))
BaseType_t xQueueReceive(QueueHandle_t queue, void *buffer, TickType_t ticks);

/* driver/uart.h */
typedef enum { UART_NUM_0 } uart_port_t;
typedef enum { UART_DATA_8_BITS = 3 } uart_word_length_t;
typedef enum { UART_STOP_BITS_1 = 1 } uart_stop_bits_t;
typedef enum { UART_PARITY_DISABLE } uart_parity_t;
typedef enum { UART_HW_FLOWCTRL_DISABLE } uart_hw_flowcontrol_t;
typedef enum { UART_SCLK_XTAL = 3 } uart_sclk_t;
typedef struct {
  int baud_rate;
  uart_word_length_t data_bits;
  uart_parity_t parity;
  uart_stop_bits_t stop_bits;
  uart_hw_flowcontrol_t flow_ctrl;
  uint8_t rx_flow_ctrl_thresh;
  uart_sclk_t source_clk;
} uart_config_t;
typedef struct {
  int type;
  size_t size;
  bool timeout_flag;
} uart_event_t;
esp_err_t uart_driver_install(uart_port_t port, int rx_buffer_size, int tx_buffer_size, int queue_size, QueueHandle_t *queue, int flags);
esp_err_t uart_param_config(uart_port_t port, const uart_config_t *config);
esp_err_t uart_set_baudrate(uart_port_t port, uint32_t baudrate);
esp_err_t uart_get_baudrate(uart_port_t port, uint32_t *baudrate);
esp_err_t uart_wait_tx_done(uart_port_t port, uint32_t ticks_to_wait);
int uart_write_bytes(uart_port_t port, const void *src, size_t size);
int uart_read_bytes(uart_port_t port, void *buf, uint32_t length, uint32_t ticks_to_wait);
esp_err_t uart_get_buffered_data_len(uart_port_t port, size_t *size);
esp_err_t uart_get_tx_buffer_free_size(uart_port_t port, size_t *size);

/* driver/gpio.h */
typedef int gpio_num_t;
typedef enum { GPIO_MODE_OUTPUT = 2 } gpio_mode_t;
typedef struct {
  uint64_t pin_bit_mask;
  gpio_mode_t mode;
  int pull_up_en;
  int pull_down_en;
  int intr_type;
} gpio_config_t;
#define GPIO_IS_VALID_OUTPUT_GPIO(pin) ((pin) >= 0 && (pin) < 49)
esp_err_t gpio_config(const gpio_config_t *config);
esp_err_t gpio_set_level(gpio_num_t pin, uint32_t level);

/* esp_partition.h */
typedef enum { ESP_PARTITION_TYPE_APP, ESP_PARTITION_TYPE_ANY = 0xff } esp_partition_type_t;
typedef enum { ESP_PARTITION_SUBTYPE_ANY = 0xff } esp_partition_subtype_t;
typedef enum { ESP_PARTITION_MMAP_DATA } esp_partition_mmap_flag_t;
typedef uint32_t esp_partition_mmap_handle_t;
typedef struct {
  void *flash_chip;
  esp_partition_type_t type;
  esp_partition_subtype_t subtype;
  uint32_t address;
  uint32_t size;
  uint32_t erase_size;
  char label[17];
  bool encrypted;
  bool readonly;
} esp_partition_t;
const esp_partition_t *esp_partition_find_first(esp_partition_type_t type, esp_partition_subtype_t subtype, const char *label);
esp_err_t esp_partition_write(const esp_partition_t *partition, size_t offset, const void *src, size_t size);
esp_err_t esp_partition_erase_range(const esp_partition_t *partition, size_t offset, size_t size);
esp_err_t esp_partition_mmap(const esp_partition_t *partition, size_t offset, size_t size, esp_partition_mmap_flag_t memory,
                             const void **pointer, esp_partition_mmap_handle_t *handle);

/* bootloader_random.h, esp_random.h, esp_system.h, esp_task_wdt.h, esp_timer.h */
void bootloader_random_enable(void);
uint32_t esp_random(void);
void esp_restart(void) __attribute__((noreturn));
typedef struct tskTaskControlBlock *TaskHandle_t;
esp_err_t esp_task_wdt_add(TaskHandle_t task);
esp_err_t esp_task_wdt_reset(void);
int64_t esp_timer_get_time(void);

/* heap_memory_layout.h */
typedef struct {
  intptr_t start;
  intptr_t end;
} soc_reserved_region_t;
#define SOC_RESERVE_MEMORY_REGION(START, END, NAME) \
  __attribute__((section(".reserved_memory_address"), used)) static soc_reserved_region_t reserved_region_##NAME = {START, END};

#endif
