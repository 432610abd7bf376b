/*
 * The UART's two rings, filled and emptied by the interrupt handler of board.c:
 *
 *     wire -> handler -> uart_received -> [ rx ring ] -> uart_read  -> hal
 *     wire <- handler <- uart_next     <- [ tx ring ] <- uart_write <- hal
 *
 * One writer and one reader each, so that an index belongs to one side and no lock is needed. Sizes are powers of two (a byte stays free);
 * boards/<name>.json counts them into uart.rx_buffer and uart.tx_buffer. The interrupt's half lies in RAM, because flash may be busy.
 */
#include "shim.h"

#define RX_BYTES 4096
#define TX_BYTES 1024
/* A transmitter that has moved nothing for so long will not: a reset or another speed need not wait for it. A byte at 300 baud takes 33 ms. */
#define STUCK_US 1000000

_Static_assert(BOARD_UART_RX_BUFFER <= RX_BYTES + 128, "uart.rx_buffer of the board's JSON counts the ring and a FIFO");

/* Volatile like their indices: a byte must be in its place before the index says so. */
static volatile uint8_t rx[RX_BYTES];
static volatile uint8_t tx[TX_BYTES];
static volatile uint32_t rx_head, rx_tail; /* written at head, read at tail */
static volatile uint32_t tx_head, tx_tail;

RAM_CODE(uart_received) void uart_received(uint8_t byte) {
  uint32_t next = (rx_head + 1) % RX_BYTES;
  if (next == rx_tail) return;
  rx[rx_head] = byte;
  rx_head = next;
}

RAM_CODE(uart_next) int32_t uart_next(void) {
  if (tx_tail == tx_head) return -1;
  uint8_t byte = tx[tx_tail];
  tx_tail = (tx_tail + 1) % TX_BYTES;
  return byte;
}

uint32_t uart_read(uint8_t *to, uint32_t max) {
  uint32_t n = 0;
  for (; n < max && rx_tail != rx_head; n++) {
    to[n] = rx[rx_tail];
    rx_tail = (rx_tail + 1) % RX_BYTES;
  }
  return n;
}

uint32_t uart_write(const uint8_t *from, uint32_t bytes) {
  uint32_t n = 0;
  for (; n < bytes && uart_has_room(); n++) {
    tx[tx_head] = from[n];
    tx_head = (tx_head + 1) % TX_BYTES;
  }
  if (n > 0) board_uart_start();
  return n;
}

bool uart_has_received(void) { return rx_tail != rx_head; }

bool uart_has_room(void) { return (tx_head + 1) % TX_BYTES != tx_tail; }

void uart_drain(void) {
  uint32_t tail = tx_tail;
  for (uint32_t since = board_ticks(); tx_tail != tx_head || board_uart_busy();) {
    board_watchdog_feed();
    if (tx_tail != tail) {
      tail = tx_tail;
      since = board_ticks();
    } else if (board_ticks() - since > STUCK_US) {
      return;
    }
  }
}
