/** The CONFIG section of spec/IMAGE.md: 32 words <-> an object. Every range and contradiction is checked on the way in. */
import {
  ACTIVATION_RELU2,
  CFG_ACTIVATION,
  CFG_ADD_BOS,
  CFG_ATTN_SCALE,
  CFG_BOS,
  CFG_DEFAULT_CONTEXT,
  CFG_DIM,
  CFG_EOS,
  CFG_FIELDS,
  CFG_HEAD_ACT_MAX,
  CFG_HEAD_DIM,
  CFG_HIDDEN_DIM,
  CFG_N_EXPERTS,
  CFG_N_EXPERTS_USED,
  CFG_N_HEADS,
  CFG_N_KV_HEADS,
  CFG_N_LAYERS,
  CFG_N_STOP,
  CFG_NORM_EPS,
  CFG_RESIDUAL_FRAC,
  CFG_ROPE_THETA,
  CFG_SEQ_LEN,
  CFG_STOP,
  CFG_SUB_NORM,
  CFG_TIED,
  CFG_VOCAB_SIZE,
  CFG_WEIGHTS,
  EXPERTS_MAX,
  NONE_ID,
  STOP_MAX,
} from "../../spec/image.ts";
import {
  ACT_MAX,
  HEAD_ACT_MAX_WIDE,
  HEAD_DIM_MAX,
  K_MAX,
  RESIDUAL_FRAC_MAX,
  SCALE_EXP_MAX,
  SCALE_ONE,
  VOCAB_MAX,
  VOCAB_MIN,
} from "../../spec/numerics.ts";
import { imageError } from "./errors.ts";
import { packScale, type Scale, unpackScale } from "./scale.ts";

export interface ImageConfig {
  readonly dim: number;
  readonly hiddenDim: number;
  readonly nLayers: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly headDim: number;
  /** Positions the model was trained for. */
  readonly seqLen: number;
  readonly vocabSize: number;
  /** ACTIVATION_SILU or ACTIVATION_RELU2 of spec/image.ts. */
  readonly activation: number;
  readonly subNorm: boolean;
  /** The head is the embedding. */
  readonly tied: boolean;
  /** 0: dense. */
  readonly nExperts: number;
  /** Of them, for each token. */
  readonly nExpertsUsed: number;
  /** 0 ternary, 1 binary. */
  readonly weights: number;
  readonly ropeTheta: Scale;
  readonly normEps: Scale;
  readonly residualFrac: number;
  /** 127 or 4095. */
  readonly headActMax: number;
  /** 1 / sqrt(head_dim). */
  readonly attnScale: Scale;
  /** Token id, or -1 for none. */
  readonly bos: number;
  readonly eos: number;
  /** Further ids that end an answer. */
  readonly stop: readonly number[];
  /** Positions the deployer chose, 0: as many as fit. */
  readonly defaultContext: number;
  /** A new context starts with bos. */
  readonly addBos: boolean;
}

/** Columns up to which a head with activations of 4095 stays within 32 bits: 127 * 4095 * 4128 < 2^31. */
export const WIDE_HEAD_COLS = 4128;
const LAYERS_MAX = 1024;

export function encodeConfig(config: ImageConfig): Uint8Array {
  const words = new Array<number>(CFG_FIELDS).fill(0);
  words[CFG_DIM] = config.dim;
  words[CFG_HIDDEN_DIM] = config.hiddenDim;
  words[CFG_N_LAYERS] = config.nLayers;
  words[CFG_N_HEADS] = config.nHeads;
  words[CFG_N_KV_HEADS] = config.nKvHeads;
  words[CFG_HEAD_DIM] = config.headDim;
  words[CFG_SEQ_LEN] = config.seqLen;
  words[CFG_VOCAB_SIZE] = config.vocabSize;
  words[CFG_ACTIVATION] = config.activation;
  words[CFG_SUB_NORM] = Number(config.subNorm);
  words[CFG_TIED] = Number(config.tied);
  words[CFG_N_EXPERTS] = config.nExperts;
  words[CFG_N_EXPERTS_USED] = config.nExpertsUsed;
  words[CFG_WEIGHTS] = config.weights;
  words[CFG_ROPE_THETA] = packScale(config.ropeTheta);
  words[CFG_NORM_EPS] = packScale(config.normEps);
  words[CFG_RESIDUAL_FRAC] = config.residualFrac;
  words[CFG_HEAD_ACT_MAX] = config.headActMax;
  words[CFG_ATTN_SCALE] = packScale(config.attnScale);
  words[CFG_BOS] = config.bos;
  words[CFG_EOS] = config.eos;
  words[CFG_N_STOP] = config.stop.length;
  for (const [i, id] of config.stop.entries()) words[CFG_STOP + i] = id;
  words[CFG_DEFAULT_CONTEXT] = config.defaultContext;
  words[CFG_ADD_BOS] = Number(config.addBos);
  const out = new DataView(new ArrayBuffer(CFG_FIELDS * 4));
  for (const [i, word] of words.entries()) out.setUint32(i * 4, word, true);
  return new Uint8Array(out.buffer);
}

/**
 * @param section any length: fields beyond its end are zero, fields beyond ours are ignored
 * @throws TritkitError E_IMAGE_CONFIG naming the field
 */
export function parseConfig(section: Uint8Array): ImageConfig {
  const view = new DataView(section.buffer, section.byteOffset, section.length);
  const word = (i: number) => (i * 4 + 4 <= section.length ? view.getUint32(i * 4, true) : 0);
  const id = (i: number) => word(i) | 0;
  const nStop = word(CFG_N_STOP);
  if (nStop > STOP_MAX)
    throw imageError("E_IMAGE_CONFIG", `The configuration has ${nStop} stop ids, at most ${STOP_MAX} fit.`);
  for (const [name, i] of [
    ["sub_norm", CFG_SUB_NORM],
    ["tied", CFG_TIED],
    ["add_bos", CFG_ADD_BOS],
  ] as const)
    range(name, word(i), 0, 1);
  const config: ImageConfig = {
    dim: word(CFG_DIM),
    hiddenDim: word(CFG_HIDDEN_DIM),
    nLayers: word(CFG_N_LAYERS),
    nHeads: word(CFG_N_HEADS),
    nKvHeads: word(CFG_N_KV_HEADS),
    headDim: word(CFG_HEAD_DIM),
    seqLen: word(CFG_SEQ_LEN),
    vocabSize: word(CFG_VOCAB_SIZE),
    activation: word(CFG_ACTIVATION),
    subNorm: word(CFG_SUB_NORM) === 1,
    tied: word(CFG_TIED) === 1,
    nExperts: word(CFG_N_EXPERTS),
    nExpertsUsed: word(CFG_N_EXPERTS_USED),
    weights: word(CFG_WEIGHTS),
    ropeTheta: unpackScale(word(CFG_ROPE_THETA)),
    normEps: unpackScale(word(CFG_NORM_EPS)),
    residualFrac: word(CFG_RESIDUAL_FRAC),
    headActMax: word(CFG_HEAD_ACT_MAX),
    attnScale: unpackScale(word(CFG_ATTN_SCALE)),
    bos: id(CFG_BOS),
    eos: id(CFG_EOS),
    stop: Array.from({ length: nStop }, (_, i) => word(CFG_STOP + i)),
    defaultContext: word(CFG_DEFAULT_CONTEXT),
    addBos: word(CFG_ADD_BOS) === 1,
  };
  checkConfig(config);
  return config;
}

/** @throws TritkitError E_IMAGE_CONFIG; the writer calls it too, so that no image is born bad */
export function checkConfig(config: ImageConfig): void {
  range("dim", config.dim, 4, K_MAX);
  if (config.dim % 4 !== 0) throw bad("dim", config.dim, "a multiple of 4");
  range("hidden_dim", config.hiddenDim, 1, K_MAX);
  range("n_layers", config.nLayers, 1, LAYERS_MAX);
  range("head_dim", config.headDim, 2, HEAD_DIM_MAX);
  if (config.headDim % 2 !== 0) throw bad("head_dim", config.headDim, "even");
  range("n_heads", config.nHeads, 1, Math.floor(K_MAX / config.headDim));
  range("n_kv_heads", config.nKvHeads, 1, config.nHeads);
  if (config.nHeads % config.nKvHeads !== 0)
    throw bad("n_kv_heads", config.nKvHeads, `a divisor of n_heads = ${config.nHeads}`);
  range("seq_len", config.seqLen, 1, 2 ** 31 - 1);
  range("default_context", config.defaultContext, 0, config.seqLen);
  range("vocab_size", config.vocabSize, VOCAB_MIN, VOCAB_MAX);
  range("activation", config.activation, 0, ACTIVATION_RELU2);
  range("weights", config.weights, 0, 1);
  range("residual_frac", config.residualFrac, 0, RESIDUAL_FRAC_MAX);
  if (config.headActMax !== ACT_MAX && config.headActMax !== HEAD_ACT_MAX_WIDE)
    throw bad("head_act_max", config.headActMax, `${ACT_MAX} or ${HEAD_ACT_MAX_WIDE}`);
  if (config.headActMax === HEAD_ACT_MAX_WIDE && config.dim > WIDE_HEAD_COLS)
    throw bad("head_act_max", config.headActMax, `${ACT_MAX} for dim above ${WIDE_HEAD_COLS}`);
  checkScale("rope_theta", config.ropeTheta);
  checkScale("norm_eps", config.normEps);
  checkScale("attn_scale", config.attnScale);
  if (config.attnScale.m === 0) throw bad("attn_scale", 0, "1 / sqrt(head_dim)");
  range("bos", config.bos, NONE_ID, config.vocabSize - 1);
  range("eos", config.eos, NONE_ID, config.vocabSize - 1);
  range("number of stop ids", config.stop.length, 0, STOP_MAX);
  for (const id of config.stop) range("stop", id, 0, config.vocabSize - 1);
  if (config.addBos && config.bos === NONE_ID) throw bad("add_bos", 1, "0 for a model without bos");
  range("n_experts", config.nExperts, 0, EXPERTS_MAX);
  range("n_experts_used", config.nExpertsUsed, Math.min(1, config.nExperts), config.nExperts);
}

/** Mantissa 0 with exponent 0, or a mantissa of 16 bits and an exponent within the bound of IMAGE.md. */
export function isScale({ m, e }: Scale): boolean {
  return m === 0 ? e === 0 : m >= SCALE_ONE && m < 2 * SCALE_ONE && Math.abs(e) <= SCALE_EXP_MAX;
}

function checkScale(name: string, scale: Scale): void {
  if (!isScale(scale)) throw bad(name, scale.m, "a scale with a 16-bit mantissa and an exponent within +-1000");
}

function range(name: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) throw bad(name, value, `within ${low}..${high}`);
}

function bad(name: string, value: number, wanted: string) {
  return imageError("E_IMAGE_CONFIG", `The configuration has ${name} = ${value}, which must be ${wanted}.`);
}
