// Numbers of TGEMV.md, compiled by asc (driver) and tsc (model). Offsets are bytes from the unit's base; every register is 32 bits.

/** "TGMV" in memory order. */
export const TGEMV_ID_VALUE = 0x564d4754;
export const TGEMV_VERSION_VALUE = 0x00010000;

export const TGEMV_ID = 0x00;
export const TGEMV_VERSION = 0x04;
export const TGEMV_CAP = 0x08;
export const TGEMV_CTRL = 0x0c;
export const TGEMV_STATUS = 0x10;
export const TGEMV_IRQ_EN = 0x14;
export const TGEMV_IRQ_STAT = 0x18;
export const TGEMV_ERR = 0x1c;
export const TGEMV_ERR_INFO = 0x20;
export const TGEMV_DESC_HEAD = 0x24;
export const TGEMV_DOORBELL = 0x28;
/** The job: registers NEXT..TAG are words 0..8 of a descriptor, in the same order. */
export const TGEMV_NEXT = 0x2c;
export const TGEMV_WADDR = 0x30;
export const TGEMV_WBYTES = 0x34;
export const TGEMV_AADDR = 0x38;
export const TGEMV_OADDR = 0x3c;
export const TGEMV_DIMS = 0x40;
export const TGEMV_MODE = 0x44;
export const TGEMV_STRIDES = 0x48;
export const TGEMV_TAG = 0x4c;
export const TGEMV_CAP2 = 0x50;
/** Performance counters. */
export const TGEMV_PC_CTRL = 0x80;
export const TGEMV_PC_CYC_LO = 0x84;
export const TGEMV_PC_CYC_HI = 0x88;
export const TGEMV_PC_BEATS = 0x8c;
export const TGEMV_PC_WSTALL = 0x90;
export const TGEMV_PC_ASTALL = 0x94;
export const TGEMV_PC_WBYTES = 0x98;
export const TGEMV_PC_JOBS = 0x9c;
export const TGEMV_PC_ZERO_TRITS = 0xa0;
export const TGEMV_PC_OSTALL = 0xa4;
export const TGEMV_PC_ISSUE = 0xa8;
export const TGEMV_PC_SETUP = 0xac;
export const TGEMV_PC_DRAIN = 0xb0;
/** Bytes of the register window. */
export const TGEMV_WINDOW_BYTES = 0x100;

export const TGEMV_CTRL_START = 1;
export const TGEMV_CTRL_ABORT = 2;
export const TGEMV_CTRL_RESET = 4;

export const TGEMV_STATUS_BUSY = 1;
export const TGEMV_STATUS_DONE = 2;
export const TGEMV_STATUS_ERR = 4;
/** Bits 6..4 of STATUS: the phase. */
export const TGEMV_STATUS_PHASE_SHIFT = 4;
export const TGEMV_PHASE_IDLE = 0;
export const TGEMV_PHASE_FETCH = 1;
export const TGEMV_PHASE_CHECK = 2;
export const TGEMV_PHASE_LOAD = 3;
export const TGEMV_PHASE_PRIME = 4;
export const TGEMV_PHASE_RUN = 5;
export const TGEMV_PHASE_DRAIN = 6;

export const TGEMV_IRQ_DONE = 1;
export const TGEMV_IRQ_ERROR = 2;

export const TGEMV_PC_ENABLE = 1;
export const TGEMV_PC_CLEAR = 2;

/** CAP: lanes 7..0, rows of a beat 11..8, vector slots 15..12, accumulator bits 23..16, beats of the FIFO 31..24. CAP2: entries of the activation buffer. */
export const TGEMV_CAP_SLOTS_SHIFT = 12;
export const TGEMV_CAP_SLOTS_MASK = 15;
export const TGEMV_LANES = 20;

/** A descriptor: ten words, on a 4-byte boundary. Word 9 makes the sum of all ten TGEMV_DESC_SUM, modulo 2^32. */
export const TGEMV_DESC_BYTES = 40;
export const TGEMV_DESC_WORDS = 10;
export const TGEMV_DESC_NEXT = 0;
export const TGEMV_DESC_WADDR = 4;
export const TGEMV_DESC_WBYTES = 8;
export const TGEMV_DESC_AADDR = 12;
export const TGEMV_DESC_OADDR = 16;
export const TGEMV_DESC_DIMS = 20;
export const TGEMV_DESC_MODE = 24;
export const TGEMV_DESC_STRIDES = 28;
export const TGEMV_DESC_TAG = 32;
export const TGEMV_DESC_CHECK = 36;
export const TGEMV_DESC_SUM = 0x56544d47;

/** DIMS: columns 15..0, rows 31..16. STRIDES: of the activations 15..0, of the outputs 31..16, in words of 4 bytes. */
export const TGEMV_DIMS_ROWS_SHIFT = 16;
export const TGEMV_STRIDES_OUT_SHIFT = 16;

/** MODE: packing (PACK_TRITS_1..5) 7..0, vectors 11..8, flags. Every other bit is zero. */
export const TGEMV_MODE_VECTORS_SHIFT = 8;
export const TGEMV_MODE_WIDE = 0x10000;
export const TGEMV_MODE_KEEP_X = 0x20000;
export const TGEMV_MODE_IRQ = 0x40000;

/** Smallest and largest activation of a wide and of a narrow job. */
export const TGEMV_WIDE_MIN = -4096;
export const TGEMV_WIDE_MAX = 4095;
export const TGEMV_NARROW_MIN = -128;
export const TGEMV_NARROW_MAX = 127;

/** Defaults of the unit's parameters. */
export const TGEMV_SLOTS = 4;
export const TGEMV_FIFO_BEATS = 8;
export const TGEMV_BUFFER_ENTRIES = 2048;
export const TGEMV_ACC_BITS = 29;

export const TGEMV_ERR_NONE = 0;
export const TGEMV_ERR_BAD_CMD = 1;
export const TGEMV_ERR_MISALIGNED = 2;
export const TGEMV_ERR_BAD_VECTORS = 3;
export const TGEMV_ERR_BAD_DIM = 4;
export const TGEMV_ERR_BAD_PACKING = 5;
export const TGEMV_ERR_BAD_CODE = 6;
export const TGEMV_ERR_BUS = 7;
export const TGEMV_ERR_LEN_MISMATCH = 8;
export const TGEMV_ERR_BUSY = 9;
export const TGEMV_ERR_BAD_SUM = 10;
export const TGEMV_ERR_BAD_ACT = 11;
export const TGEMV_ERR_BAD_KEEP = 12;
