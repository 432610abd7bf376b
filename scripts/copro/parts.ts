/** Parts of a token, by the functions of the device module that they are made of. */
export const PARTS = [
  "ternary products on the CPU",
  "driver of the unit",
  "attention",
  "norms, quantisation, rescaling",
  "logits",
  "sampler",
] as const;
export type Part = (typeof PARTS)[number];

const PATTERNS: [Part, RegExp][] = [
  ["ternary products on the CPU", /^as\/(kernels\/ternary|model\/(lut_engine|bitlinear\/products))/],
  ["driver of the unit", /^as\/(copro|hal)\//],
  ["attention", /^as\/(model\/(attention|attention_head|rope|kv)|kernels\/(rows|columns|pair)_int8)/],
  ["logits", /^as\/model\/(head|forward\/logits)/],
  ["norms, quantisation, rescaling", /^as\/(model\/|kernels\/unpack)|^~lib\/builtins/],
  ["sampler", /^as\/(sampler|generate)/],
];

/** null: the wire and what is called from everywhere. */
export function partOf(name: string): Part | null {
  return PATTERNS.find(([, pattern]) => pattern.test(name))?.[0] ?? null;
}
