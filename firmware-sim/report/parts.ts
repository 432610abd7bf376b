/**
 * The parts of a token, and which functions of the device module (as/) belong to which. Names are those of the module's name section: the file's
 * path, then the function's. A function that is not listed counts where it was called from; what asc inlines counts with the function around it.
 */
import {
  KIND_ATTN_K,
  KIND_ATTN_O,
  KIND_ATTN_Q,
  KIND_ATTN_V,
  KIND_EMBED,
  KIND_FFN_DOWN,
  KIND_FFN_GATE,
  KIND_FFN_UP,
  KIND_HEAD,
  KIND_ROUTER,
} from "../../spec/image.ts";

export const PARTS = [
  "embedding",
  "norms, quantise",
  "QKV",
  "RoPE",
  "attention",
  "output projection",
  "FFN",
  "head",
  "sampler",
  "wire, control",
] as const;
export type Part = (typeof PARTS)[number];

/**
 * What the beginning of a function means.
 *
 *     embedding  embed_token, one position each: the first one behind layers begins a window; and a part
 *     layers     all positions of the window are there; and a part, of what none of the others takes
 *     attend     attend(layer, first position, ...) says which they are; and a part
 *     part       until it returns, time belongs to that part
 *     products   ternary products: the part is that of the first weights that are read in it
 *     weights    its first argument points to weights
 *     behind     works on the result of the products before it, and belongs to their part
 *     turn       a prompt is taken: nothing of this is a token's
 *     detail     a slice of the trace and no more
 */
export type Role =
  | { readonly is: "products" | "weights" | "behind" | "turn" | "detail" }
  | { readonly is: "part" | "embedding" | "layers" | "attend"; readonly part: Part };

const part = (of: Part): Role => ({ is: "part", part: of });

const ROLES: readonly (readonly [name: RegExp, role: Role])[] = [
  [/^as\/model\/embed\//, { is: "embedding", part: "embedding" }],
  [/^as\/model\/forward\/layers/, { is: "layers", part: "attention" }],
  [/^as\/model\/attention\/attend/, { is: "attend", part: "attention" }],
  [/^as\/model\/(norms\/|quantise\/norm_)/, part("norms, quantise")],
  [/^as\/(model\/(bitlinear\/products|head\/head_products|experts\/router)|copro\/products\/)/, { is: "products" }],
  [
    /^as\/(kernels\/(ternary_lut\/lut_rows|ternary_ref\/ternary_ref|rows_int8\/rows_int8|rows_int4\/rows_int4)|copro\/chain\/chain_add)$/,
    { is: "weights" },
  ],
  [/^as\/(kernels\/ternary_lut\/lut_build|copro\/chain\/chain_run)$/, { is: "detail" }],
  [/^as\/model\/bitlinear\/(rescale|add_residual)/, { is: "behind" }],
  [/^as\/model\/(rope\/|attention\/rotate)/, part("RoPE")],
  [/^as\/model\/(attention\/remember|quantise\/quantise<i8>)/, part("attention")],
  [/^as\/model\/(feed_forward|ffn|experts)\//, part("FFN")],
  [/^as\/model\/head\/head_logits$/, part("head")],
  [/^as\/sampler\/sampler\//, part("sampler")],
  [/^as\/app\/app\/(poll|boot)$/, part("wire, control")],
  [/^as\/generate\/gen_begin$/, { is: "turn" }],
];

/** How the name of the function begins that computes positions, but for their embedding and head. Its caller is one or none: binaryen inlines it when it can. */
export const FORWARD = "as/model/forward/layers";

/** null: the function means nothing here. */
export function roleOf(name: string): Role | null {
  return ROLES.find(([pattern]) => pattern.test(name))?.[1] ?? null;
}

/** Functions that are worth a span. */
export const TRACED: readonly RegExp[] = ROLES.map(([pattern]) => pattern);

/** The part that a tensor's products are; null for what is no matrix. */
export function partOfKind(kind: number): Part | null {
  if (kind === KIND_ATTN_Q || kind === KIND_ATTN_K || kind === KIND_ATTN_V) return "QKV";
  if (kind === KIND_ATTN_O) return "output projection";
  if (kind === KIND_FFN_GATE || kind === KIND_FFN_UP || kind === KIND_FFN_DOWN || kind === KIND_ROUTER) return "FFN";
  return kind === KIND_HEAD || kind === KIND_EMBED ? "head" : null;
}

/** "normed" of "as/model/norms/normed". */
export function shortName(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
