/** Finds the tensors that the configuration asks for and checks each: shape, packing, scales, size (IMAGE.md). */
import {
  HDR_TABLE,
  IMAGE_BAD_TENSOR,
  IMAGE_OK,
  IMAGE_TRUNCATED,
  KIND_ATTN_K,
  KIND_ATTN_NORM,
  KIND_ATTN_O,
  KIND_ATTN_Q,
  KIND_ATTN_SUB_NORM,
  KIND_ATTN_V,
  KIND_EMBED,
  KIND_FFN_DOWN,
  KIND_FFN_GATE,
  KIND_FFN_NORM,
  KIND_FFN_SUB_NORM,
  KIND_FFN_UP,
  KIND_FINAL_NORM,
  KIND_HEAD,
  KIND_ROUTER,
  ROW_SCALE_BYTES,
  SCALE_ROWS,
  SCALE_TENSOR,
  SEC_BYTES,
  SEC_COLS,
  SEC_EXPERT,
  SEC_KIND,
  SEC_LAYER,
  SEC_OFFSET,
  SEC_PACKING,
  SEC_ROWS,
  SEC_SCALE_EXP,
  SEC_SCALE_KIND,
  SEC_SCALE_MANT,
  SEC_SCALES,
  SECTION_ENTRY_BYTES,
} from "../../spec/image.ts";
import { SCALE_EXP_MAX } from "../../spec/numerics.ts";
import {
  PACK_GAIN,
  PACK_INT4,
  PACK_INT8,
  PACK_TRITS_1,
  PACK_TRITS_5,
  ROWS_PER_BLOCK,
  TRITS_PER_BYTE,
} from "../../spec/packing.ts";
import { config, kv_dim, q_dim } from "./config.ts";
import { is_inside, sections_end } from "./image.ts";
import {
  embed,
  expert_tensor,
  final_norm,
  head,
  layer_tensor,
  layer_tensors,
  router,
  Tensor,
  tensor_at,
  weights,
} from "./weights.ts";

/**
 * Fills embed, final_norm, head and the table of layers for the image that read_image accepted.
 * @param layers room for n_layers * layer_tensors() Tensors
 * @returns IMAGE_OK, IMAGE_BAD_TENSOR or IMAGE_TRUNCATED
 */
export function bind_tensors(layers: usize): i32 {
  weights.layers = layers;
  memory.fill(layers, 0, <usize>(config.n_layers * layer_tensors()) * offsetof<Tensor>());
  embed.entry = 0;
  final_norm.entry = 0;
  head.entry = 0;
  const end = sections_end(weights.image);
  for (let entry = weights.image + HDR_TABLE; entry < end; entry += SECTION_ENTRY_BYTES) {
    const kind = <i32>load<u16>(entry, SEC_KIND);
    if (kind < KIND_EMBED || kind > KIND_ROUTER) continue;
    const tensor = tensor_for(kind, load<u16>(entry, SEC_LAYER), load<u16>(entry, SEC_EXPERT));
    if (tensor == null || tensor.entry != 0) return IMAGE_BAD_TENSOR;
    const error = check(entry, kind);
    if (error != IMAGE_OK) return error;
    tensor.entry = entry;
    tensor.data = weights.image + load<u32>(entry, SEC_OFFSET);
  }
  return has_all() ? IMAGE_OK : IMAGE_BAD_TENSOR;
}

/** Where the tensor belongs; null when the model has no such one. */
export function tensor_for(kind: i32, layer: i32, expert: i32): Tensor | null {
  if (expert != 0 && (kind < KIND_FFN_GATE || kind > KIND_FFN_DOWN || expert >= config.n_experts)) return null;
  if (kind < KIND_ATTN_NORM) {
    if (layer != 0) return null;
    if (kind == KIND_EMBED) return embed;
    if (kind == KIND_FINAL_NORM) return final_norm;
    return config.tied == 0 ? head : null;
  }
  if (layer >= config.n_layers || !is_wanted(kind)) return null;
  return kind == KIND_ROUTER ? router(layer) : expert_tensor(layer, kind, expert);
}

/** Does each layer have a tensor of this kind? */
function is_wanted(kind: i32): bool {
  if (kind == KIND_ATTN_SUB_NORM || kind == KIND_FFN_SUB_NORM) return config.sub_norm != 0;
  return kind != KIND_ROUTER || config.n_experts != 0;
}

function has_all(): bool {
  if (config.tied != 0) {
    head.entry = embed.entry;
    head.data = embed.data;
  }
  if (embed.entry == 0 || final_norm.entry == 0 || head.entry == 0) return false;
  const places = config.n_layers * layer_tensors();
  let missing = 0;
  for (let i = 0; i < places; i++) if (tensor_at(0, i).entry == 0) missing++;
  // Sub-norms that the model does not have: their places are empty, one of attention and one of each feed-forward.
  return missing == (config.sub_norm != 0 ? 0 : config.n_layers * (1 + max(1, config.n_experts)));
}

function check(entry: usize, kind: i32): i32 {
  const packing = <i32>load<u8>(entry, SEC_PACKING);
  const rows = load<u32>(entry, SEC_ROWS);
  const cols = load<u32>(entry, SEC_COLS);
  if (rows != <u32>rows_of_kind(kind) || cols != <u32>cols_of_kind(kind)) return IMAGE_BAD_TENSOR;
  if (!suits(packing, kind) || <u64>load<u32>(entry, SEC_BYTES) != packed_bytes(packing, rows, cols)) {
    return IMAGE_BAD_TENSOR;
  }
  return check_scales(entry, kind, rows);
}

function rows_of_kind(kind: i32): i32 {
  if (kind == KIND_EMBED || kind == KIND_HEAD) return config.vocab_size;
  if (kind == KIND_ATTN_Q) return q_dim();
  if (kind == KIND_ATTN_K || kind == KIND_ATTN_V) return kv_dim();
  if (kind == KIND_ATTN_O || kind == KIND_FFN_DOWN) return config.dim;
  if (kind == KIND_FFN_GATE || kind == KIND_FFN_UP) return config.hidden_dim;
  return kind == KIND_ROUTER ? config.n_experts : 1;
}

function cols_of_kind(kind: i32): i32 {
  if (kind == KIND_ATTN_O || kind == KIND_ATTN_SUB_NORM) return q_dim();
  if (kind == KIND_FFN_DOWN || kind == KIND_FFN_SUB_NORM) return config.hidden_dim;
  return config.dim;
}

function is_gain(kind: i32): bool {
  return (
    kind == KIND_FINAL_NORM ||
    kind == KIND_ATTN_NORM ||
    kind == KIND_ATTN_SUB_NORM ||
    kind == KIND_FFN_NORM ||
    kind == KIND_FFN_SUB_NORM
  );
}

function suits(packing: i32, kind: i32): bool {
  if (is_gain(kind)) return packing == PACK_GAIN;
  if (kind == KIND_ROUTER) return packing == PACK_INT8;
  if (kind != KIND_EMBED && kind != KIND_HEAD) return packing == PACK_TRITS_1;
  return (packing >= PACK_TRITS_1 && packing <= PACK_TRITS_5) || packing == PACK_INT8 || packing == PACK_INT4;
}

/** Size that PACKING.md gives, for a packing that exists. */
function packed_bytes(packing: i32, rows: u32, cols: u32): u64 {
  if (packing == PACK_GAIN) return <u64>cols * 2;
  if (packing == PACK_INT8) return <u64>rows * cols;
  if (packing == PACK_INT4) return <u64>rows * ((cols + 1) >> 1);
  const groups = (cols + TRITS_PER_BYTE - 1) / TRITS_PER_BYTE;
  const blocks = (rows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK;
  return <u64>blocks * <u32>packing * groups * ROWS_PER_BLOCK;
}

function check_scales(entry: usize, kind: i32, rows: u32): i32 {
  if (abs(<i32>load<i16>(entry, SEC_SCALE_EXP)) > SCALE_EXP_MAX) return IMAGE_BAD_TENSOR;
  if (is_gain(kind)) return IMAGE_OK;
  const scale_kind = load<u8>(entry, SEC_SCALE_KIND);
  if (scale_kind == SCALE_TENSOR && kind != KIND_EMBED && kind != KIND_HEAD && kind != KIND_ROUTER) {
    const m = load<u16>(entry, SEC_SCALE_MANT);
    return m == 0 || m >= 32768 ? IMAGE_OK : IMAGE_BAD_TENSOR;
  }
  if (scale_kind != SCALE_ROWS) return IMAGE_BAD_TENSOR;
  const offset = load<u32>(entry, SEC_SCALES);
  if (offset % ROW_SCALE_BYTES != 0) return IMAGE_BAD_TENSOR;
  return is_inside(weights.image, offset, <u64>rows * ROW_SCALE_BYTES) ? IMAGE_OK : IMAGE_TRUNCATED;
}
