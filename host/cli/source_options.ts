// How a model that was not converted is to be read: options of `convert`, and of `run` and `eval` with --engine float.
import type { OpenOptions } from "../convert/model.ts";
import { type Arguments, type OptionSpec, usage } from "./command.ts";

const QUANTIZERS = ["absmean", "sign"] as const;
const I2S_ORDERS = ["x86", "arm"] as const;

export const SOURCE_OPTIONS = {
  quantize: {
    type: "string",
    value: QUANTIZERS.join("|"),
    help: "round float weights: absmean to -1, 0, +1 (b1.58), sign to -1, +1 (b1); costs quality (default: they are refused)",
  },
  i2s: {
    type: "string",
    value: I2S_ORDERS.join("|"),
    help: "machine on which a GGUF file's I2_S tensors were made, which the file does not say",
  },
  tokenizer: {
    type: "string",
    value: "FILE",
    help: "tokenizer.json, tokenizer.model or tokenizer.bin (default: what lies beside the weights)",
  },
} satisfies Record<string, OptionSpec>;

/** @throws TritkitError E_USAGE */
export function sourceOptions(args: Arguments): OpenOptions {
  return {
    quantize: oneOf(args, "quantize", QUANTIZERS),
    i2s: oneOf(args, "i2s", I2S_ORDERS),
    tokenizer: args.text("tokenizer"),
  };
}

function oneOf<T extends string>(args: Arguments, name: string, known: readonly T[]): T | undefined {
  const value = args.text(name);
  const found = known.find((candidate) => candidate === value);
  if (value !== undefined && found === undefined)
    throw usage(`--${name} knows ${known.join(" and ")}, not "${value}".`);
  return found;
}
