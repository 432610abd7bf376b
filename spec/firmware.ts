// Numbers of FIRMWARE.md, compiled by asc (device) and tsc (host, simulator).

// Header of an image, the first 256 bytes of a slot. Bytes 0..31 are MCUboot's.
export const FW_HEADER_BYTES = 256;
// 0x96f3b83d in halves: it is no int32.
export const FW_MAGIC_LOW = 0xb83d;
export const FW_MAGIC_HIGH = 0x96f3;
export const FW_ADDRESS = 4;
export const FW_HEADER_SIZE = 8;
export const FW_PROTECTED = 10;
export const FW_PAYLOAD = 12;
export const FW_FLAGS = 16;
export const FW_FLAG_ROM_FIXED = 0x100;
export const FW_MAJOR = 20;
export const FW_MINOR = 21;
export const FW_REVISION = 22;
export const FW_MARK = 32;
export const FW_MARK_TKFW = 0x57464b54;
export const FW_PAYLOAD_CRC = 36;
export const FW_BOARD = 40;
export const FW_HEADER_CRC = 72;

// Trailer behind the payload: MCUboot's TLVs, one of them.
export const FW_TRAILER_BYTES = 40;
export const FW_TLV_MAGIC = 0x6907;
export const FW_TLV_SHA256 = 0x10;
export const FW_TLV_SHA256_AT = 8;

// Record of the selector, one cell of a record sector.
export const FREC_BYTES = 64;
export const FREC_SECTORS = 2;
export const FREC_MAGIC = 0x43455246;
export const FREC_SEQ = 4;
export const FREC_CONFIRMED = 8;
export const FREC_LEN = 12;
export const FREC_DONE = 16;
export const FREC_SHA = 28;
export const FREC_CRC = 60;

export const FW_SLOTS = 2;
/** How long a firmware on trial waits for its confirmation, microseconds. */
export const FW_TRIAL_US = 300000000;
