/** board_info: what the module may ask about its board (HAL.md, "board_info keys"). */
import { type Board, partitionRuns } from "../../boards/board.ts";
import {
  BOARD_NAME_MAX,
  HAL_ABSENT,
  INFO_ARENA_END,
  INFO_COPRO_BASE,
  INFO_COPRO_KIB_US,
  INFO_CPU_HZ,
  INFO_LED_PIN,
  INFO_NAME,
  INFO_PARTITION_BYTES,
  INFO_PROGRAM_PAGE,
  INFO_PROGRAM_UNIT,
  INFO_PSRAM_BASE,
  INFO_PSRAM_BYTES,
  INFO_RUN_BYTES,
  INFO_RUN_COUNT,
  INFO_SECTOR_RUNS,
  INFO_UART_BAUD,
  INFO_UART_MAX_BAUD,
  INFO_UART_RX_BYTES,
  INFO_WRITE_ONCE,
} from "../../spec/hal.ts";
import { kibUs } from "./copro.ts";

/** @returns (key, index) -> the value as i32; HAL_ABSENT for an unknown key or an index past the end */
export function boardInfo(board: Board): (key: number, index: number) => number {
  const name = new Uint8Array(BOARD_NAME_MAX);
  new TextEncoder().encodeInto(board.name, name);
  const words = new DataView(name.buffer);
  const { flash, uart } = board;
  const runs = partitionRuns(board);
  const facts = new Map([
    [INFO_ARENA_END, board.memory.end],
    [INFO_PARTITION_BYTES, flash.partition.bytes],
    [INFO_SECTOR_RUNS, runs.length],
    [INFO_PROGRAM_UNIT, flash.program_unit],
    [INFO_PROGRAM_PAGE, flash.page],
    [INFO_WRITE_ONCE, flash.write_once ? 1 : 0],
    [INFO_UART_BAUD, uart.default_baud],
    [INFO_UART_MAX_BAUD, uart.max_baud],
    // A board that is deaf while flash is busy holds nothing that can be relied on.
    [INFO_UART_RX_BYTES, uart.rx_while_flash_busy ? uart.rx_buffer : 0],
    [INFO_LED_PIN, board.gpio.led ?? HAL_ABSENT],
    [INFO_CPU_HZ, board.cpu.hz],
  ]);
  if (board.copro !== null) facts.set(INFO_COPRO_BASE, board.copro.base).set(INFO_COPRO_KIB_US, kibUs(board));
  if (board.psram !== null) facts.set(INFO_PSRAM_BASE, board.psram.base).set(INFO_PSRAM_BYTES, board.psram.bytes);
  return (key, index) => {
    if (key === INFO_NAME) return index >= 0 && index < BOARD_NAME_MAX / 4 ? words.getInt32(4 * index, true) : 0;
    if (key === INFO_RUN_COUNT) return runs[index]?.count ?? HAL_ABSENT;
    if (key === INFO_RUN_BYTES) return runs[index]?.bytes ?? HAL_ABSENT;
    return facts.get(key) ?? HAL_ABSENT;
  };
}
