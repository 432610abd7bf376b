/**
 * tritkit as a library: everything the command does, with progress callbacks and AbortSignals.
 *
 *     import { connect, flashModel, generateOnDevice } from "tritkit";
 *     const device = await connect("/dev/ttyACM0");
 *     await flashModel(device, await readFile("stories-1m.trit"));
 *     const { text } = await generateOnDevice(device, "Once upon a time", { temperature: 0 });
 *     await device.close();
 *
 * Every failure a user can meet is a TritkitError with a stable code.
 */

import type { ConnectOptions } from "./device/device.ts";
import { Device } from "./device/device.ts";
import { openPort } from "./transports/open.ts";

export { type Board, parseBoard } from "../boards/board.ts";
export { listBoards, listModels as bundledModels, loadBoard, loadFirmware, modelPath } from "./assets.ts";
export { type BoardCheck, checkBoardFiles } from "./board_check.ts";
export {
  type ConvertOptions,
  type ConvertReport,
  convert,
  type ModelConfig,
  type ModelSource,
  type OpenOptions as SourceOptions,
  openModel,
} from "./convert/index.ts";
export { generateOnDevice } from "./device/chat.ts";
export { type ConnectOptions, Device } from "./device/device.ts";
export { type Esp32Options, flashEsp32 } from "./device/firmware/esp32.ts";
export { type BoardFirmware, readBoardFirmware, releasedFirmware } from "./device/firmware/files.ts";
export {
  type FirmwareState,
  listFirmware,
  type UpdateOptions,
  updateFirmware,
} from "./device/firmware/over_smp.ts";
export type { FirmwarePhase, FirmwareProgress } from "./device/firmware/progress.ts";
export { type Firmware, readRelease } from "./device/firmware/release.ts";
export type { FirmwareSegment } from "./device/firmware/segments.ts";
export { flashStm32, type ModemLine, type Stm32Options, type Stm32Wiring } from "./device/firmware/stm32.ts";
export { touch1200 } from "./device/firmware/touch.ts";
export { type CopyUf2Options, copyUf2 } from "./device/firmware/uf2_drive.ts";
export { readUpdateFile, type UpdateFile } from "./device/firmware/update_file.ts";
export { type FlashOptions, type FlashPhase, type FlashProgress, flashModel } from "./device/flasher.ts";
export type { Hello } from "./device/hello.ts";
export { type ModelUf2, modelUf2 } from "./device/model_uf2.ts";
export {
  activateModel,
  confirmModel,
  eraseModel,
  listModels,
  rollBack,
  type SlotInfo,
  type SlotState,
} from "./device/models.ts";
export {
  type CallRequest,
  callTool,
  clearDeviceTools,
  type DeviceTools,
  deviceTools,
  setDeviceTools,
  setDryRun,
} from "./device/tools.ts";
export { checkFlash, type FlashCheck } from "./device/verify.ts";
export { type Finding, inspectMachine } from "./doctor.ts";
export { type ArenaPart, type ArenaPlan, arenaParts } from "./engine/arena.ts";
export { Engine, type EngineKind, LOGIT_UNIT, type OpenOptions } from "./engine/engine.ts";
export { type EvalOptions, type EvalResult, evaluate } from "./engine/eval.ts";
export { TritkitError } from "./errors.ts";
export { type Fits, type FitsOptions, fits, fitsFile } from "./fits/fits.ts";
export { FloatEngine, type FloatOptions } from "./float/float_engine.ts";
export type { Answer, GenerateOptions, StopReason } from "./generation.ts";
export { describeImage, type ImageDescription } from "./image/describe.ts";
export { type Image, readImage } from "./image/reader.ts";
export { junitXml } from "./scenario/junit.ts";
export { parseScenario, readScenario, type Scenario, type Step } from "./scenario/read.ts";
export { type RunScenarioOptions, runScenario, type ScenarioResult, type StepResult } from "./scenario/run.ts";
export { checkPins, pinProblems } from "./tools/board_pins.ts";
export { type ToolCall, valueText } from "./tools/call.ts";
export { compileTools } from "./tools/compile.ts";
export type { Problem } from "./tools/fields.ts";
export { toolsJson } from "./tools/json.ts";
export type { CallResult, DriveType, Kind, Say, Unit, Verb } from "./tools/names.ts";
export { toolNotes } from "./tools/notes.ts";
export { checkTools, type ParsedTools, parseTools, type ToolsFile } from "./tools/parse.ts";
export { readTools } from "./tools/read.ts";
export type { Drive, Tool, ToolTable } from "./tools/tool.ts";
export { type DiscoverOptions, type FoundDevice, listDevices } from "./transports/discover.ts";
export { openPort } from "./transports/open.ts";
export {
  openSimLine,
  type RunningSim,
  type ServedPort,
  type SimOptions,
  serveSim,
  startSim,
} from "./transports/sim.ts";
export type { ModemSignals, Parity, Transport } from "./transports/transport.ts";

/**
 * Opens a port and finds the device at its end.
 * @param port "/dev/ttyACM0", "COM3", "tcp://host:port", "sim:rp2040-pico"
 * @throws TritkitError E_PORT_*, E_NOT_TRITKIT
 */
export async function connect(port: string, options?: ConnectOptions): Promise<Device> {
  return Device.connect(await openPort(port), options);
}
