/**
 * Packets of the serial protocol of Espressif's boot loaders, the ROM's and the stub's.
 * Source: esptool documentation, "Serial Protocol". All numbers are little-endian.
 *
 *     request    00 | command | size u16 | checksum u32 | data (size bytes)
 *     response   01 | command | size u16 | value u32    | data, status bytes (size bytes together)
 *
 *     status     ROM    failed (0 or 1), error, 0, 0      errors 05 to 0B
 *                stub   failed (0 or error), 0            errors C0 to C9, FF; sent as a big-endian u16
 *
 * The checksum covers only what the _DATA commands carry behind their header of four words:
 *
 *     _DATA      length u32 | sequence u32 | 0 u32 | 0 u32 | length bytes
 */
export const FLASH_BEGIN = 0x02;
export const FLASH_DATA = 0x03;
export const FLASH_END = 0x04;
export const MEM_BEGIN = 0x05;
export const MEM_END = 0x06;
export const MEM_DATA = 0x07;
export const SYNC = 0x08;
export const WRITE_REG = 0x09;
export const READ_REG = 0x0a;
export const SPI_SET_PARAMS = 0x0b;
export const SPI_ATTACH = 0x0d;
export const CHANGE_BAUDRATE = 0x0f;
export const FLASH_DEFL_BEGIN = 0x10;
export const FLASH_DEFL_DATA = 0x11;
export const FLASH_DEFL_END = 0x12;
export const SPI_FLASH_MD5 = 0x13;
export const GET_SECURITY_INFO = 0x14;
// The stub's own.
export const ERASE_FLASH = 0xd0;
export const ERASE_REGION = 0xd1;
export const READ_FLASH = 0xd2;
export const RUN_USER_CODE = 0xd3;

/** Why a command fails; each loader has its own number for it (table "ROM Loader Errors"; the stub's commands.h). */
export type Failure =
  | "length"
  | "checksum"
  | "command"
  | "not-begun"
  | "flash"
  | "inflate"
  | "too-little"
  | "too-much"
  | "range";

/** 05 "received message is invalid", 06 "failed to act", 07 "invalid CRC", 08 "flash write error", 0B "deflate error". */
export const ROM_ERROR: Record<Failure, number> = {
  length: 0x05,
  checksum: 0x07,
  command: 0x05,
  "not-begun": 0x06,
  flash: 0x08,
  inflate: 0x0b,
  "too-little": 0x05,
  "too-much": 0x06,
  range: 0x06,
};

export const STUB_ERROR: Record<Failure, number> = {
  length: 0xc0,
  checksum: 0xc1,
  command: 0xc3,
  "not-begun": 0xc6,
  flash: 0xc4,
  inflate: 0xc7,
  "too-little": 0xc8,
  "too-much": 0xc9,
  range: 0xc4,
};

const HEADER = 8;
const DATA_HEADER = 16;
const CHECKSUM_SEED = 0xef;
const REQUEST = 0x00;
const RESPONSE = 0x01;

export interface Request {
  readonly command: number;
  readonly checksum: number;
  readonly data: Uint8Array;
  /** False: `data` is not as long as the header says. */
  readonly whole: boolean;
}

/** null: no request, and nobody answers. */
export function parseRequest(frame: Uint8Array): Request | null {
  if (frame.length < HEADER || frame[0] !== REQUEST) return null;
  const view = viewOf(frame);
  const data = frame.subarray(HEADER);
  return {
    command: frame[1],
    checksum: view.getUint32(4, true),
    data,
    whole: view.getUint16(2, true) === data.length,
  };
}

export function response(command: number, value: number, data: Uint8Array, status: Uint8Array): Uint8Array {
  const packet = new Uint8Array(HEADER + data.length + status.length);
  const view = viewOf(packet);
  packet[0] = RESPONSE;
  packet[1] = command;
  view.setUint16(2, data.length + status.length, true);
  view.setUint32(4, value, true);
  packet.set(data, HEADER);
  packet.set(status, HEADER + data.length);
  return packet;
}

/** The 32-bit words of a command's data. */
export function words(data: Uint8Array): number[] {
  const view = viewOf(data);
  return Array.from({ length: data.length >> 2 }, (_, i) => view.getUint32(4 * i, true));
}

export interface DataBlock {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/** What a _DATA command carries, or why it is refused. */
export function dataBlock({ data, checksum }: Request): DataBlock | Failure {
  if (data.length < DATA_HEADER) return "too-little";
  const [length, sequence] = words(data.subarray(0, DATA_HEADER));
  const bytes = data.subarray(DATA_HEADER);
  if (length !== bytes.length) return "too-much";
  return checksumOf(bytes) === checksum ? { sequence, bytes } : "checksum";
}

export function checksumOf(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => sum ^ byte, CHECKSUM_SEED);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
