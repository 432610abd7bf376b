/** An answer's ids, told apart: which special tokens stand in it (spec/TOOLS.md, "Decoding"). */

import { TOKEN_NAMES } from "../../host/tools/names.ts";
import { TOK_ALL, TOK_CALL, TOK_KIND, TOK_SLOT, TOK_VERB, TOOL_TOKENS, VERBS } from "../../spec/tools.ts";

/** A call as the model said it. */
export interface SaidCall {
  readonly verb: number;
  /** Name of the target's token: "light", "light2", "all". */
  readonly target: string;
  /** Name of the slot's token, "p1"; null: none. */
  readonly slot: string | null;
}

/** "light" of "<|light|>". */
export function tokenName(token: number): string {
  return TOKEN_NAMES[token].slice(2, -2);
}

/**
 * @param base id of the first special token
 * @returns the complete calls, in order
 */
export function saidCalls(ids: readonly number[], base: number): SaidCall[] {
  const tokens = ids.map((id) => id - base);
  const calls: SaidCall[] = [];
  for (let i = 0; i + 2 < tokens.length; i++) {
    const verb = tokens[i + 1] - TOK_VERB;
    const target = tokens[i + 2];
    const isTarget = (target >= TOK_KIND && target < TOK_SLOT) || target === TOK_ALL;
    if (tokens[i] !== TOK_CALL || verb < 0 || verb >= VERBS || !isTarget) continue;
    const slot = tokens[i + 3] ?? TOOL_TOKENS;
    const hasSlot = slot >= TOK_SLOT && slot < TOK_ALL;
    calls.push({ verb, target: tokenName(target), slot: hasSlot ? tokenName(slot) : null });
  }
  return calls;
}
