// Numbers of WIRE.md, compiled by asc (device) and tsc (host, simulator).
export const SMP_HEADER_BYTES = 8;
export const OP_READ = 0;
export const OP_READ_RSP = 1;
export const OP_WRITE = 2;
export const OP_WRITE_RSP = 3;
export const SMP_V1 = 0;
export const SMP_V2 = 1;

/** Largest SMP message (header + CBOR map) in either direction, bytes. */
export const MTU = 1152;
/** What each of the two frame buffers of a device takes in its arena, bytes. */
export const FRAME_BUFFER_BYTES = 1160;
/** Longest prompt of one gen, bytes; the device keeps it behind its receive buffer. */
export const PROMPT_MAX = 4096;
/** Worst-case bytes on the line of one message of MTU bytes. */
export const COBS_LINE_BYTES = 1162;
export const CONSOLE_LINE_BYTES = 1620;
export const WINDOW_MAX = 8;

export const RC_OK = 0;
export const RC_UNKNOWN = 1;
export const RC_NO_MEMORY = 2;
export const RC_BAD_ARGUMENT = 3;
export const RC_TIMEOUT = 4;
export const RC_NO_ENTRY = 5;
export const RC_BAD_STATE = 6;
export const RC_TOO_LARGE = 7;
export const RC_NOT_SUPPORTED = 8;
export const RC_CORRUPT = 9;
export const RC_BUSY = 10;

// Console framing
export const CONSOLE_FIRST_0 = 0x06;
export const CONSOLE_FIRST_1 = 0x09;
export const CONSOLE_NEXT_0 = 0x04;
export const CONSOLE_NEXT_1 = 0x14;
export const CONSOLE_LINE_MAX = 127;
export const CONSOLE_BASE64_MAX = 124;
export const CRC16_POLY = 0x1021;
export const FRAMING_CONSOLE = 0;
export const FRAMING_COBS = 1;

export const GROUP_OS = 0;
export const OS_ECHO = 0;
export const OS_RESET = 5;
export const OS_PARAMS = 6;
export const OS_INFO = 7;

export const GROUP_IMAGE = 1;
export const IMG_STATE = 0;
export const IMG_UPLOAD = 1;
export const IMG_ERASE = 5;
// As in Zephyr's image management (img_mgmt.h), so that foreign clients name them rightly.
export const IMG_RC_NO_ENTRY = 8;
export const IMG_RC_BAD_ARGUMENT = 20;
export const IMG_RC_BAD_STATE = 32;
export const IMG_RC_TOO_LARGE = 30;
export const IMG_RC_CORRUPT = 24;
export const IMG_RC_FLASH = 12;
export const IMG_RC_REFUSED = 22;
export const IMG_RC_ADDRESS = 25;
export const IMAGE_NUMBER_FIRMWARE = 0;
export const IMAGE_NUMBER_MODEL = 1;

export const GROUP_ENUM = 10;
export const ENUM_COUNT = 0;
export const ENUM_LIST = 1;
export const ENUM_SINGLE = 2;
export const ENUM_DETAILS = 3;

export const GROUP_TRITKIT = 84;
export const TK_HELLO = 0;
export const TK_LINK = 1;
export const TK_HASHES = 2;
export const TK_IDS = 3;
export const TK_MODELS = 4;
export const TK_GEN = 5;
export const TK_NEXT = 6;
export const TK_STOP = 7;
export const TK_TOOLS = 8;
export const PROTOCOL_VERSION = 1;

export const TK_RC_BAD_ARGUMENT = 3;
export const TK_RC_NO_MODEL = 5;
export const TK_RC_BAD_STATE = 6;
export const TK_RC_TOO_LONG = 7;
export const TK_RC_NO_ROOM = 7;
export const TK_RC_CORRUPT = 9;
export const TK_RC_BUSY = 10;

export const LINK_REVERT_US = 1000000;
export const LINK_IDLE_US = 10000000;
/** How often a host with a negotiated link sends something, microseconds. */
export const LINK_KEEP_ALIVE_US = 3000000;
export const NEXT_POLL_US = 250000;
export const NEXT_TOKENS_MAX = 64;
export const HASHES_MAX = 128;
export const IDS_MAX = 128;
/** Bytes of a table of tools that one answer brings, and one request may. */
export const TOOLS_PIECE = 512;
/** `tools`, src: where the table comes from. */
export const TOOLS_NONE = 0;
export const TOOLS_IMAGE = 1;
export const TOOLS_SET = 2;

export const GEN_IDLE = 0;
export const GEN_PREFILL = 1;
export const GEN_DECODE = 2;
export const GEN_DONE = 3;
export const WHY_EOS = 0;
export const WHY_MAX = 1;
export const WHY_STOPPED = 2;
export const WHY_ERROR = 3;

/** `copro`, st: what the device makes of its ternary coprocessor. */
export const COPRO_ABSENT = 0;
export const COPRO_USED = 1;
export const COPRO_REFUSED = 2;
export const COPRO_LEFT_ALONE = 3;
/** `copro`, err: TGEMV_ERR_* of TGEMV.md, or what only the driver can see. */
export const COPRO_ERR_TIMEOUT = 64;
export const COPRO_ERR_LOST_IRQ = 65;

export const SLOT_EMPTY = 0;
export const SLOT_UPLOADING = 1;
export const SLOT_VERIFIED = 2;
export const SLOT_TEST = 3;
export const SLOT_ACTIVE = 4;
