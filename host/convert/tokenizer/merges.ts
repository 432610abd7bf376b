/**
 * The merge table: from a list of pairs by rank (BPE files), or from a vocabulary with scores (SentencePiece), where any two neighbours may
 * merge whose texts together are a piece. https://github.com/google/sentencepiece, src/bpe_model.cc: the pair with the highest score goes first,
 * the leftmost among equals; so every split of a piece into two pieces is a merge, and pieces of one score share a rank.
 */
import type { Merge } from "../../image/tokenizer.ts";
import { damaged } from "./build.ts";

/**
 * @param pairs texts of the two tokens, by rank
 * @throws TritkitError E_SOURCE_FORMAT for tokens that do not exist
 */
export function mergesOfPairs(
  where: string,
  pairs: readonly (readonly [string, string])[],
  ids: ReadonlyMap<string, number>,
): Merge[] {
  const merges = new Map<number, Merge>();
  for (const [rank, [left, right]] of pairs.entries()) {
    const [l, r, result] = [ids.get(left), ids.get(right), ids.get(left + right)];
    if (l === undefined || r === undefined || result === undefined)
      throw damaged(where, `has the merge ${rank} of tokens that it does not have`);
    // Of a pair that occurs twice the first counts.
    const key = l * 2 ** 20 + r;
    if (!merges.has(key)) merges.set(key, { left: l, right: r, result, rank });
  }
  return ascending([...merges.values()]);
}

/** @param pieces text, id and score of every piece that text may become; pieces are made of whole characters */
export function mergesOfScores(pieces: readonly { text: string; id: number; score: number }[]): Merge[] {
  const ids = new Map<string, number>();
  // The first of two pieces with one text.
  for (const { text, id } of pieces) if (!ids.has(text)) ids.set(text, id);
  const scores = [...new Set(pieces.map(({ score }) => score))].sort((a, b) => b - a);
  const ranks = new Map(scores.map((score, rank) => [score, rank]));
  const merges: Merge[] = [];
  for (const { text, id, score } of pieces) {
    if (ids.get(text) !== id) continue;
    for (let at = characterLength(text, 0); at < text.length; at += characterLength(text, at)) {
      const [left, right] = [ids.get(text.slice(0, at)), ids.get(text.slice(at))];
      if (left !== undefined && right !== undefined)
        merges.push({ left, right, result: id, rank: ranks.get(score) ?? 0 });
    }
  }
  return ascending(merges);
}

/** UTF-16 units of the character at `at`. */
function characterLength(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}

function ascending(merges: Merge[]): Merge[] {
  return merges.sort((a, b) => a.left - b.left || a.right - b.right);
}
