// Numbers of STORE.md, compiled by asc (device) and tsc (host, simulator).
export const RECORD_SECTORS = 2;
export const RECORD_BYTES = 64;
export const RECORD_MAGIC = 0x43455254;
export const REC_KIND = 4;
export const REC_SLOT = 6;
export const REC_SEQ = 8;
export const REC_LEN = 12;
export const REC_ARG = 16;
export const REC_SHA = 28;
export const REC_CRC = 60;

export const REC_OPEN = 1;
export const REC_BEGIN = 2;
export const REC_CHECKPOINT = 3;
export const REC_VERIFIED = 4;
export const REC_ACTIVE = 5;
export const REC_TEST = 6;
export const REC_EMPTY = 7;

export const SLOTS = 2;
export const CHECKPOINTS_MAX = 8;
export const MODE_SINGLE = 1;

// A table of tools that was set: a cell at the start of its sector, the table behind it.
export const TTBL_MAGIC = 0x4c425454;
export const TTBL_SEQ = 4;
export const TTBL_LEN = 8;
export const TTBL_DIGEST = 12;
export const TTBL_DIGEST_BYTES = 8;
export const TTBL_CRC = 60;
export const TTBL_TABLE = 64;
export const TTBL_SECTORS = 2;
