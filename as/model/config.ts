/** The configuration of the open model: CONFIG of IMAGE.md copied to SRAM, field by field in its order, 0 where the section is shorter. */
import { CFG_FIELDS, CFG_STOP } from "../../spec/image.ts";
import { Scale } from "./numeric.ts";

@unmanaged
export class Config {
  dim: i32;
  hidden_dim: i32;
  n_layers: i32;
  n_heads: i32;
  n_kv_heads: i32;
  head_dim: i32;
  seq_len: i32;
  vocab_size: i32;
  activation: i32;
  sub_norm: i32;
  tied: i32;
  n_experts: i32;
  n_experts_used: i32;
  weights: i32;
  rope_theta: Scale;
  norm_eps: Scale;
  residual_frac: i32;
  head_act_max: i32;
  attn_scale: Scale;
  /** Token ids; -1: none. */
  bos: i32;
  eos: i32;
  n_stop: i32;
  stop_0: i32;
  stop_1: i32;
  stop_2: i32;
  stop_3: i32;
  stop_4: i32;
  stop_5: i32;
  stop_6: i32;
  stop_7: i32;
  default_context: i32;
  add_bos: i32;
}

export const config = changetype<Config>(memory.data(CFG_FIELDS * 4, 8));

/** Field `i` of CONFIG. */
@inline
export function config_field(i: i32): u32 {
  return load<u32>(changetype<usize>(config) + ((<usize>i) << 2));
}

@inline
export function set_config_field(i: i32, value: u32): void {
  store<u32>(changetype<usize>(config) + ((<usize>i) << 2), value);
}

/** Columns of the attention's output projection: n_heads * head_dim, which need not be dim. */
@inline
export function q_dim(): i32 {
  return config.n_heads * config.head_dim;
}

@inline
export function kv_dim(): i32 {
  return config.n_kv_heads * config.head_dim;
}

/** Does an answer end with this token: EOS or one of the STOP ids? */
export function is_stop(id: i32): bool {
  if (id < 0) return false;
  if (id == config.eos) return true;
  for (let i = 0; i < config.n_stop; i++) if (<i32>config_field(CFG_STOP + i) == id) return true;
  return false;
}
