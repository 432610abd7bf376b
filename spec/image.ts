// Numbers of IMAGE.md, compiled by asc (device) and tsc (host, simulator).
export const IMAGE_MAGIC = 0x54495254;
export const IMAGE_VERSION_MAJOR = 1;
export const IMAGE_VERSION_MINOR = 0;
export const IMAGE_BLOCK_BYTES = 4096;
export const IMAGE_ALIGN = 16;
export const IMAGE_NAME_BYTES = 32;
export const NONE_ID = -1;

// Header offsets
export const HDR_MAGIC = 0;
export const HDR_MAJOR = 4;
export const HDR_MINOR = 6;
export const HDR_IMAGE_BYTES = 8;
export const HDR_BYTES = 12;
export const HDR_SECTIONS = 16;
export const HDR_DIGESTS = 20;
export const HDR_DIGEST_COUNT = 24;
export const HDR_NAME = 32;
export const HDR_BOARD = 64;
export const HDR_TABLE = 128;

// Section table entry
export const SECTION_ENTRY_BYTES = 32;
export const SEC_KIND = 0;
export const SEC_LAYER = 2;
export const SEC_EXPERT = 4;
export const SEC_PACKING = 6;
export const SEC_SCALE_KIND = 7;
export const SEC_OFFSET = 8;
export const SEC_BYTES = 12;
export const SEC_ROWS = 16;
export const SEC_COLS = 20;
export const SEC_SCALE_MANT = 24;
export const SEC_SCALE_EXP = 26;
export const SEC_SCALES = 28;

export const SCALE_NONE = 0;
export const SCALE_TENSOR = 1;
export const SCALE_ROWS = 2;
export const ROW_SCALE_BYTES = 4;

// Section kinds
export const KIND_CONFIG = 1;
export const KIND_TOKENIZER = 2;
export const KIND_TABLES = 3;
export const KIND_CHAT = 4;
export const KIND_META = 5;
export const KIND_ASSISTANT = 6;
export const KIND_TOOLS = 7;
export const KIND_EMBED = 16;
export const KIND_HEAD = 17;
export const KIND_FINAL_NORM = 18;
export const KIND_ATTN_NORM = 19;
export const KIND_ATTN_Q = 20;
export const KIND_ATTN_K = 21;
export const KIND_ATTN_V = 22;
export const KIND_ATTN_SUB_NORM = 23;
export const KIND_ATTN_O = 24;
export const KIND_FFN_NORM = 25;
export const KIND_FFN_GATE = 26;
export const KIND_FFN_UP = 27;
export const KIND_FFN_SUB_NORM = 28;
export const KIND_FFN_DOWN = 29;
export const KIND_ROUTER = 30;

// CONFIG fields (index of u32)
export const CFG_DIM = 0;
export const CFG_HIDDEN_DIM = 1;
export const CFG_N_LAYERS = 2;
export const CFG_N_HEADS = 3;
export const CFG_N_KV_HEADS = 4;
export const CFG_HEAD_DIM = 5;
export const CFG_SEQ_LEN = 6;
export const CFG_VOCAB_SIZE = 7;
export const CFG_ACTIVATION = 8;
export const CFG_SUB_NORM = 9;
export const CFG_TIED = 10;
export const CFG_N_EXPERTS = 11;
export const CFG_N_EXPERTS_USED = 12;
export const CFG_WEIGHTS = 13;
export const CFG_ROPE_THETA = 14;
export const CFG_NORM_EPS = 15;
export const CFG_RESIDUAL_FRAC = 16;
export const CFG_HEAD_ACT_MAX = 17;
export const CFG_ATTN_SCALE = 18;
export const CFG_BOS = 19;
export const CFG_EOS = 20;
export const CFG_N_STOP = 21;
export const CFG_STOP = 22;
export const CFG_DEFAULT_CONTEXT = 30;
export const CFG_ADD_BOS = 31;
export const CFG_FIELDS = 32;
export const STOP_MAX = 8;
export const EXPERTS_MAX = 256;

export const ACTIVATION_SILU = 0;
export const ACTIVATION_RELU2 = 1;

// TABLES
export const TAB_EXP2 = 0;
export const TAB_SIGMOID = 512;
export const TAB_SINE = 1028;
export const TAB_ROPE_INC = 3080;

// TOKENIZER
export const TOK_KIND = 0;
export const TOK_FLAGS = 4;
export const TOK_PRE = 8;
export const TOK_VOCAB = 12;
export const TOK_N_MERGES = 16;
export const TOK_WIDTH = 20;
export const TOK_UNK = 24;
export const TOK_LONGEST = 28;
export const TOK_STARTS = 32;
export const TOK_BYTES = 36;
export const TOK_TYPES = 40;
export const TOK_MERGES = 44;
export const TOK_BYTE_IDS = 48;
export const TOK_SORTED = 52;
export const TOK_CLASSES = 56;
export const TOK_ADDED = 60;
export const TOK_HEADER_BYTES = 64;
export const TOK_BYTE_LEVEL = 1;
export const TOK_SENTENCEPIECE = 2;
export const TOK_UNIGRAM = 3;
export const TOK_ADD_SPACE_PREFIX = 1;
export const TOK_BYTE_FALLBACK = 2;
export const TOK_IGNORE_MERGES = 4;
export const TOK_FUSE_UNK = 8;
export const TOK_NFC = 16;
export const TOK_FLOAT_SUMS = 32;
export const TOK_TYPE_TEXT = 0;
export const TOK_TYPE_SPECIAL = 1;
export const TOK_TYPE_BYTE = 2;
export const TOK_TYPE_UNUSED = 3;
export const TOK_TYPE_ADDED = 4;
export const PRE_NONE = 0;
export const PRE_SENTENCEPIECE = 1;
export const PRE_BYTES = 2;
export const PRE_GPT2 = 3;
export const PRE_LLAMA3 = 4;
export const PRE_QWEN2 = 5;
export const PRE_DIGITS = 6;
// Classes of characters
export const CLASS_OTHER = 0;
export const CLASS_LETTER = 1;
export const CLASS_NUMBER = 2;
export const CLASS_SPACE = 3;
export const CLASS_BITS = 2;
export const CLASS_BYTES = 3;
export const SCORE_FRAC = 24;

// CHAT
export const CHAT_FIRST_COUNT = 0;
export const CHAT_NEXT_COUNT = 4;
export const CHAT_ITEMS = 8;
export const CHAT_TEXT = -1;
export const CHAT_JOINED = -2;
// Words behind CHAT_JOINED
export const CHAT_JOINED_WORDS = 5;
export const CHAT_TRIM = 1;

// Trailer
export const TRAILER_BYTES = 128;
export const TRAILER_MAGIC = 0x444e4554;
export const TRL_SIGNATURE_KIND = 8;
export const TRL_KEY_ID = 12;
export const TRL_SHA256 = 16;
export const TRL_SIGNATURE = 48;
export const DIGEST_BYTES = 8;

// Errors
export const IMAGE_OK = 0;
export const IMAGE_BAD_MAGIC = 1;
export const IMAGE_BAD_VERSION = 2;
export const IMAGE_TRUNCATED = 3;
export const IMAGE_BAD_DIGEST = 4;
export const IMAGE_BAD_CONFIG = 5;
export const IMAGE_BAD_TENSOR = 6;
export const IMAGE_BAD_TOKENIZER = 7;
export const IMAGE_UNSUPPORTED = 8;
export const IMAGE_WRONG_BOARD = 9;
export const IMAGE_NO_MEMORY = 10;
export const IMAGE_BAD_CODE = 11;
export const IMAGE_BAD_TOOLS = 12;

export const CONTEXT_MIN = 16;
