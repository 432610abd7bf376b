/** Which family a config.json belongs to: the first that says yes. */

import type { JsonFields } from "../json.ts";
import { BITNET_EXPERTS, FLOAT_EXPERTS } from "./experts.ts";
import { type HfFamily, unsupported } from "./family.ts";
import { BITNET_2B_4T, FLOAT_LLAMA, ONE_BIT_LLM, PACKED_LLAMA } from "./llama.ts";
import { OLMO_BITNET } from "./olmo.ts";

const FAMILIES: readonly HfFamily[] = [
  BITNET_EXPERTS,
  FLOAT_EXPERTS,
  BITNET_2B_4T,
  ONE_BIT_LLM,
  PACKED_LLAMA,
  FLOAT_LLAMA,
  OLMO_BITNET,
];

/** @throws TritkitError E_UNSUPPORTED for a model that is of none */
export function familyOf(config: JsonFields): HfFamily {
  const family = FAMILIES.find((candidate) => candidate.matches(config));
  if (!family) throw unsupported(config, `the model type ${config.text("model_type")}`);
  return family;
}
