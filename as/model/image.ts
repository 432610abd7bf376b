/**
 * Reads an image's header, section table and configuration (IMAGE.md). Nothing in it is believed: every offset is checked in 64 bits
 * before it is followed. Digests are the store's business; tensors are checked in tensors.ts.
 */
import {
  ACTIVATION_RELU2,
  CFG_ATTN_SCALE,
  CFG_BOS,
  CFG_EOS,
  CFG_FIELDS,
  CFG_N_STOP,
  CFG_NORM_EPS,
  CFG_STOP,
  DIGEST_BYTES,
  EXPERTS_MAX,
  HDR_BOARD,
  HDR_BYTES,
  HDR_DIGEST_COUNT,
  HDR_DIGESTS,
  HDR_IMAGE_BYTES,
  HDR_MAGIC,
  HDR_MAJOR,
  HDR_SECTIONS,
  HDR_TABLE,
  IMAGE_ALIGN,
  IMAGE_BAD_CONFIG,
  IMAGE_BAD_MAGIC,
  IMAGE_BAD_TENSOR,
  IMAGE_BAD_TOKENIZER,
  IMAGE_BAD_VERSION,
  IMAGE_BLOCK_BYTES,
  IMAGE_MAGIC,
  IMAGE_NAME_BYTES,
  IMAGE_OK,
  IMAGE_TRUNCATED,
  IMAGE_VERSION_MAJOR,
  IMAGE_WRONG_BOARD,
  KIND_ASSISTANT,
  KIND_CHAT,
  KIND_CONFIG,
  KIND_ROUTER,
  KIND_TABLES,
  KIND_TOKENIZER,
  KIND_TOOLS,
  SEC_BYTES,
  SEC_KIND,
  SEC_OFFSET,
  SECTION_ENTRY_BYTES,
  STOP_MAX,
  TAB_ROPE_INC,
  TRAILER_BYTES,
  TRAILER_MAGIC,
} from "../../spec/image.ts";
import {
  ACT_MAX,
  HEAD_ACT_MAX_WIDE,
  HEAD_DIM_MAX,
  K_MAX,
  RESIDUAL_FRAC_MAX,
  SCALE_EXP_MAX,
  VOCAB_MAX,
  VOCAB_MIN,
} from "../../spec/numerics.ts";
import { config, config_field, set_config_field } from "./config.ts";
import { exponent, mant, Scale } from "./numeric.ts";
import { Weights, weights } from "./weights.ts";

/** Positions for which the sums of attention were bounded (NUMERICS.md, Attention 3). */
const SEQ_LEN_MAX = 131072;
const LAYERS_MAX = 1024;
/** Columns of the head for which 127 * 4095 * cols stays below 2^31. */
const WIDE_HEAD_COLS_MAX = 4128;
const NO_TOKEN: u32 = 0xffffffff;

/**
 * Checks header and sections and fills `config` and `weights`. When it fails no model is open.
 * @param bytes readable bytes from `image` on
 * @param board 32 bytes, the board's name padded with zeros; 0: any image will do
 * @returns IMAGE_OK or an IMAGE_* error
 */
export function read_image(image: usize, bytes: u32, board: usize): i32 {
  memory.fill(changetype<usize>(weights), 0, offsetof<Weights>());
  if (bytes < 4 || load<u32>(image, HDR_MAGIC) != IMAGE_MAGIC) return IMAGE_BAD_MAGIC;
  if (bytes < <u32>HDR_TABLE) return IMAGE_TRUNCATED;
  if (load<u16>(image, HDR_MAJOR) != IMAGE_VERSION_MAJOR) return IMAGE_BAD_VERSION;
  if (!has_frame(image, bytes)) return IMAGE_TRUNCATED;
  if (board != 0 && !is_for(image, board)) return IMAGE_WRONG_BOARD;
  const error = read_sections(image);
  if (error == IMAGE_OK) {
    weights.image = image;
    weights.bytes = load<u32>(image, HDR_IMAGE_BYTES);
  }
  return error;
}

/** Are the header, the section table, the digests and the trailer where they must be? */
function has_frame(image: usize, bytes: u32): bool {
  const image_bytes = <u64>load<u32>(image, HDR_IMAGE_BYTES);
  const header = <u64>load<u32>(image, HDR_BYTES);
  const digests = <u64>load<u32>(image, HDR_DIGESTS);
  const count = <u64>load<u32>(image, HDR_DIGEST_COUNT);
  if (image_bytes > bytes) return false;
  if (header == 0 || header % IMAGE_BLOCK_BYTES != 0 || header > digests) return false;
  if (HDR_TABLE + <u64>load<u32>(image, HDR_SECTIONS) * SECTION_ENTRY_BYTES > header) return false;
  if (digests % IMAGE_BLOCK_BYTES != 0 || count != digests / IMAGE_BLOCK_BYTES) return false;
  if (digests + count * DIGEST_BYTES + TRAILER_BYTES != image_bytes) return false;
  const trailer = image + <usize>(image_bytes - TRAILER_BYTES);
  return load<u32>(trailer) == TRAILER_MAGIC && load<u32>(trailer, 4) == TRAILER_BYTES;
}

function is_for(image: usize, board: usize): bool {
  const name = image + HDR_BOARD;
  if (load<u8>(name) == 0) return true;
  for (let i: usize = 0; i < <usize>IMAGE_NAME_BYTES; i++) if (load<u8>(name + i) != load<u8>(board + i)) return false;
  return true;
}

/** Address of the entry after the last of the section table. */
export function sections_end(image: usize): usize {
  return image + HDR_TABLE + <usize>load<u32>(image, HDR_SECTIONS) * SECTION_ENTRY_BYTES;
}

/** Does [offset, offset + bytes) lie between the header and the digests? */
export function is_inside(image: usize, offset: u32, bytes: u64): bool {
  return offset >= load<u32>(image, HDR_BYTES) && <u64>offset + bytes <= <u64>load<u32>(image, HDR_DIGESTS);
}

function read_sections(image: usize): i32 {
  let config_entry: usize = 0;
  let tables_bytes: u32 = 0;
  const end = sections_end(image);
  for (let entry = image + HDR_TABLE; entry < end; entry += SECTION_ENTRY_BYTES) {
    const kind = <i32>load<u16>(entry, SEC_KIND);
    if (kind == 0 || kind > KIND_ROUTER) continue;
    const offset = load<u32>(entry, SEC_OFFSET);
    const bytes = load<u32>(entry, SEC_BYTES);
    if (!is_inside(image, offset, bytes)) return IMAGE_TRUNCATED;
    if (offset % IMAGE_ALIGN != 0) return IMAGE_BAD_TENSOR;
    const address = image + offset;
    if (kind == KIND_CONFIG) {
      if (config_entry != 0) return IMAGE_BAD_CONFIG;
      config_entry = entry;
    } else if (kind == KIND_TOKENIZER) {
      if (weights.tokenizer != 0) return IMAGE_BAD_TOKENIZER;
      weights.tokenizer = address;
      weights.tokenizer_bytes = bytes;
    } else if (kind == KIND_CHAT) {
      if (weights.chat != 0) return IMAGE_BAD_TENSOR;
      weights.chat = address;
      weights.chat_bytes = bytes;
    } else if (kind == KIND_ASSISTANT) {
      if (weights.assistant != 0) return IMAGE_BAD_TENSOR;
      weights.assistant = address;
      weights.assistant_bytes = bytes;
    } else if (kind == KIND_TOOLS) {
      if (weights.tools != 0) return IMAGE_BAD_TENSOR;
      weights.tools = address;
      weights.tools_bytes = bytes;
    } else if (kind == KIND_TABLES) {
      if (weights.tables != 0) return IMAGE_BAD_TENSOR;
      weights.tables = address;
      tables_bytes = bytes;
    }
  }
  if (config_entry == 0) return IMAGE_BAD_CONFIG;
  read_config(image + load<u32>(config_entry, SEC_OFFSET), load<u32>(config_entry, SEC_BYTES));
  if (!is_config_sound()) return IMAGE_BAD_CONFIG;
  if (tables_bytes < <u32>(TAB_ROPE_INC + config.head_dim * 2)) return IMAGE_BAD_TENSOR;
  return weights.tokenizer == 0 ? IMAGE_BAD_TOKENIZER : IMAGE_OK;
}

function read_config(section: usize, bytes: u32): void {
  for (let i = 0; i < CFG_FIELDS; i++) {
    set_config_field(i, <u32>(i + 1) * 4 <= bytes ? load<u32>(section + ((<usize>i) << 2)) : 0);
  }
}

/** Is a <= v <= b, as unsigned numbers? */
@inline
function within(v: i32, a: u32, b: u32): bool {
  return <u32>v >= a && <u32>v <= b;
}

@inline
function is_scale(s: Scale): bool {
  if (mant(s) == 0) return s == 0;
  return mant(s) >= 32768 && abs(exponent(s)) <= SCALE_EXP_MAX;
}

@inline
function is_id(id: u32): bool {
  return id == NO_TOKEN || id < <u32>config.vocab_size;
}

function is_config_sound(): bool {
  if (!within(config.dim, 4, K_MAX) || (config.dim & 3) != 0) return false;
  if (!within(config.hidden_dim, 1, K_MAX)) return false;
  if (!within(config.n_layers, 1, LAYERS_MAX)) return false;
  if (!within(config.n_heads, 1, K_MAX)) return false;
  if (!within(config.n_kv_heads, 1, config.n_heads) || config.n_heads % config.n_kv_heads != 0) return false;
  if (!within(config.head_dim, 2, HEAD_DIM_MAX) || (config.head_dim & 1) != 0) return false;
  if (config.n_heads * config.head_dim > K_MAX) return false;
  if (!within(config.seq_len, 1, SEQ_LEN_MAX)) return false;
  if (!within(config.vocab_size, VOCAB_MIN, VOCAB_MAX)) return false;
  if (!within(config.activation, 0, ACTIVATION_RELU2)) return false;
  if (!within(config.sub_norm, 0, 1) || !within(config.tied, 0, 1) || !within(config.add_bos, 0, 1)) return false;
  if (!within(config.n_experts, 0, EXPERTS_MAX)) return false;
  if (!within(config.n_experts_used, min(1, config.n_experts), config.n_experts)) return false;
  if (!within(config.residual_frac, 0, RESIDUAL_FRAC_MAX)) return false;
  if (config.head_act_max != ACT_MAX && config.head_act_max != HEAD_ACT_MAX_WIDE) return false;
  if (config.head_act_max == HEAD_ACT_MAX_WIDE && config.dim > WIDE_HEAD_COLS_MAX) return false;
  if (!is_scale(config_field(CFG_NORM_EPS)) || !is_scale(config_field(CFG_ATTN_SCALE))) return false;
  if (config.attn_scale == 0) return false;
  if (!is_id(config_field(CFG_BOS)) || !is_id(config_field(CFG_EOS))) return false;
  if (config.add_bos == 1 && config.bos < 0) return false;
  if (!within(config.n_stop, 0, STOP_MAX)) return false;
  for (let i = 0; i < config.n_stop; i++) if (config_field(CFG_STOP + i) >= <u32>config.vocab_size) return false;
  return within(config.default_context, 0, SEQ_LEN_MAX);
}
