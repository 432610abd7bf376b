/**
 * The simulated board, for other towers.
 *
 *     const board = SimBoard.create({ board: parseBoard(json, name), wasm });
 *     const live = new LiveBoard(board);
 *     const line = openLine(live);
 */
export type { Parity } from "./bus/wire.ts";
export { type CpuCost, FLAT_COST } from "./clock.ts";
export { Commands } from "./control/commands.ts";
export { Drive, type DriveEnd, type DriveOptions } from "./control/drive.ts";
export {
  type Activity,
  activityBetween,
  activityOf,
  activityOfBoard,
  activitySum,
  type BoardCounters,
  type Energy,
  type EnergyProfile,
  EVENTS as ENERGY_EVENTS,
  energyOf,
  energyProfile,
  type Kind as EnergyKind,
  PROFILE_NAMES as ENERGY_PROFILES,
  type TgemvCounters,
} from "./energy/index.ts";
export { checkFault, FAULT_KINDS, type Fault, type FaultKind, type OptionRule, parseFault } from "./faults/kinds.ts";
export { FaultPanel } from "./faults/panel.ts";
export { type FlashFile, openFlashFile } from "./flash_file.ts";
export { type Line, openLine } from "./line.ts";
export { LiveBoard, type LiveOptions } from "./live.ts";
export { type CostOrigin, type CostTable, cyclesOrigin } from "./meter/cost_table.ts";
export type { FlashReads, FunctionTotals, Meter, Totals } from "./meter/meter.ts";
export type { OpClass, OpCounts } from "./meter/op_class.ts";
export type { PinChange } from "./peripherals/gpio.ts";
export type { Pulse, PulseChange } from "./peripherals/pwm.ts";
export type { UartCounters } from "./peripherals/uart.ts";
export { type PtyPort, type PtyProvider, servePty } from "./ports/pty.ts";
export { serveTcp, type TcpPort } from "./ports/tcp.ts";
export { REPORT_FILES, reportFiles } from "./report/files.ts";
export { Recorder, type RecorderOptions } from "./report/recorder.ts";
export type { Report } from "./report/report.ts";
export { type SummaryRow, summaryRows } from "./report/summary.ts";
export type { FirmwareImage, ModemLines, Strap } from "./rom/rom.ts";
export { bootRomOf } from "./rom/roms.ts";
export {
  type BootOptions,
  type RunEnd,
  type Running,
  type RunOptions,
  SimBoard,
  type SimBoardOptions,
  type SlotsOptions,
  type Step,
} from "./sim_board.ts";
export { SimError } from "./sim_error.ts";
export type { Snapshot } from "./snapshot.ts";
