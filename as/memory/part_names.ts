/** Names of the parts for people, in the order of their numbers. The strings are constant data: nothing is allocated. Node's build only. */
import { PARTS } from "./run_state.ts";

export function part_name(i: i32): string {
  if (i < 0 || i >= PARTS) return "";
  switch (i) {
    case 0:
      return "receive frame, prompt";
    case 1:
      return "transmit frame";
    case 2:
      return "tensor table";
    case 3:
      return "keys";
    case 4:
      return "values";
    case 5:
      return "key scales";
    case 6:
      return "value scales";
    case 7:
      return "token history";
    case 8:
      return "residual stream";
    case 9:
      return "activations";
    case 10:
      return "rope angles";
    case 11:
      return "qkv accumulators";
    case 12:
      return "query";
    case 13:
      return "head scales";
    case 14:
      return "attention scores";
    case 15:
      return "attention output";
    case 16:
      return "gate";
    case 17:
      return "up";
    case 18:
      return "logits";
    case 19:
      return "tables";
    case 20:
      return "sampler order";
    case 21:
      return "tokenizer scratch";
    default:
      return "experts";
  }
}
