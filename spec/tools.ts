// Numbers of TOOLS.md, compiled by asc (device) and tsc (host, simulator).

/** Special tokens of an assistant: ids from the base that the section ASSISTANT names, in this order. */
export const TOK_CALL = 0;
export const TOK_NONE = 1;
export const TOK_DECLINE = 2;
export const TOK_ASK = 3;
export const TOK_SAY = 4;
export const TOK_USER = 5;
export const TOK_BOARD = 6;
export const TOK_CONFIRM = 7;
/** Verbs: TOK_VERB + VERB_*; two more are reserved. */
export const TOK_VERB = 8;
export const VERB_ON = 0;
export const VERB_OFF = 1;
export const VERB_SET = 2;
export const VERB_UP = 3;
export const VERB_DOWN = 4;
export const VERB_GET = 5;
export const VERBS = 6;
/** Kinds of tools: TOK_KIND + KIND of the tool; the second one that a turn mentions has TOK_KIND + KINDS + KIND. */
export const TOK_KIND = 16;
export const KINDS = 16;
export const TOOL_LIGHT = 0;
export const TOOL_FAN = 1;
export const TOOL_HEATER = 2;
export const TOOL_COOLER = 3;
export const TOOL_SWITCH = 4;
export const TOOL_COVER = 5;
export const TOOL_LOCK = 6;
export const TOOL_VOLUME = 7;
export const TOOL_TIMER = 8;
export const TOOL_TEMPERATURE = 9;
export const TOOL_HUMIDITY = 10;
export const TOOL_LUMINANCE = 11;
export const TOOL_SENSOR = 12;
export const TOOL_ROBOT = 13;
export const TOOL_MAKER = 14;
export const TOOL_ALARM = 15;
/** Slots: TOK_SLOT + SLOT_TOKENS * class + ordinal, ordinals 0..2 in the order in which a turn says them. */
export const TOK_SLOT = 48;
export const SLOT_TOKENS = 3;
export const SLOT_NUMBER = 0;
export const SLOT_PERCENT = 1;
export const SLOT_DEGREES = 2;
export const SLOT_TIME = 3;
export const SLOT_WORD = 4;
export const SLOT_CLASSES = 5;
export const TOK_ALL = 63;
export const TOOL_TOKENS = 64;

/** Most calls of an answer. */
export const CALLS_MAX = 4;

/** Section ASSISTANT: u32 words. */
export const ASSISTANT_VERSION = 0;
export const ASSISTANT_BASE = 4;
export const ASSISTANT_GATE = 8;
export const ASSISTANT_TEXT_MAX = 12;
export const ASSISTANT_BYTES = 16;
export const ASSISTANT_V1 = 1;

/** Table: header. */
export const TOOLS_MAGIC = 0x4c4f4f54;
export const TOOLS_V1 = 1;
export const TOOLS_MAX_BYTES = 4032;
export const TOOLS_MAX = 32;
export const TBL_MAGIC = 0;
export const TBL_VERSION = 4;
export const TBL_BYTES = 6;
export const TBL_TOOLS = 8;
export const TBL_FLAGS = 9;
export const TBL_PHRASES = 10;
export const TBL_CRC = 12;
export const TBL_HEADER_BYTES = 16;
export const TBL_FLAG_DRY = 1;

/** A tool, 32 bytes, the first one behind the header. */
export const TOOL_BYTES = 32;
export const TOOL_KIND = 0;
export const TOOL_VERBS = 1;
export const TOOL_DRIVE = 2;
export const TOOL_PIN = 3;
export const TOOL_FLAGS = 4;
export const TOOL_UNIT = 5;
export const TOOL_NAME_BYTES = 6;
export const TOOL_NAME = 8;
export const TOOL_HZ = 10;
export const TOOL_MIN = 12;
export const TOOL_TOP = 16;
export const TOOL_STEP = 20;
export const TOOL_ON_VALUE = 24;
export const TOOL_RAW_MIN = 28;
export const TOOL_RAW_MAX = 30;

export const DRIVE_NONE = 0;
export const DRIVE_GPIO = 1;
export const DRIVE_PWM = 2;
export const DRIVE_ADC = 3;
export const DRIVE_TIMER = 4;

export const UNIT_NONE = 0;
export const UNIT_PERCENT = 1;
export const UNIT_CELSIUS = 2;
export const UNIT_SECONDS = 3;

/** A phrase, 12 bytes, the first one behind the tools; longest first. */
export const PHRASE_BYTES = 12;
export const PHRASE_TEXT = 0;
export const PHRASE_LEN = 2;
export const PHRASE_CLASS = 3;
export const PHRASE_VALUE = 4;
export const PHRASE_TOOL = 8;

export const WORD_ALIAS = 0;
export const WORD_VALUE = 1;
export const WORD_UNITS = 2;
export const WORD_TENS = 3;
export const WORD_HUNDRED = 4;
export const WORD_HALF = 5;
export const WORD_ARTICLE = 6;
export const WORD_AND = 7;
export const WORD_POINT = 8;
export const WORD_PERCENT = 9;
export const WORD_DEGREE = 10;
export const WORD_CELSIUS = 11;
export const WORD_FAHRENHEIT = 12;
export const WORD_TIME = 13;
export const WORD_RANGE = 14;
export const WORD_CLASSES = 15;

/** What became of a call. */
export const CALL_DONE = 0;
export const CALL_DRY = 1;
export const CALL_NO_TOOL = 2;
export const CALL_CANNOT = 3;
export const CALL_RANGE = 4;
export const CALL_UNIT = 5;
export const CALL_UNSURE = 6;
export const CALL_FAILED = 7;
/** Tool of a call that means all of them, or none. */
export const TOOL_EVERY = 254;
export const TOOL_NOBODY = 255;
