/** What the model card says, each a share of examples of the test sets that nobody trained on. */
import { type Judged, type Row, rowOf } from "./tally.ts";

export interface Claim {
  readonly what: string;
  /** Share of `right` that is wanted at least; null: it is said, and was not asked for. */
  readonly wanted: number | null;
  readonly row: Row;
  readonly share: number;
  readonly met: boolean;
}

const HUMAN = ["clinc150.test.jsonl", "hwu64.test.jsonl", "home_assistant.test.jsonl"];
const isHuman = ({ example }: Judged): boolean => HUMAN.includes(example.set);
const isOf =
  (...sets: string[]) =>
  ({ example }: Judged): boolean =>
    sets.includes(example.set);

const HELD_OUT = isOf("heldout.test.jsonl");
/** Where no template of training stands behind the sentences. */
const HONEST = isOf("clinc150.test.jsonl", "hwu64.test.jsonl");

const CLAIMS: readonly [what: string, wanted: number | null, counts: (one: Judged) => boolean][] = [
  ["human commands, calls and arguments", 0.88, (one) => isHuman(one) && one.example.say === "call"],
  ["of these CLINC150 and HWU64", null, (one) => HONEST(one) && one.example.say === "call"],
  ["held-out phrasings of the generator", 0.97, HELD_OUT],
  [
    "of these two words and more from any of training",
    null,
    (one) => HELD_OUT(one) && one.example.tags.includes("far"),
  ],
  ["human words out of scope, declined", 0.95, (one) => isHuman(one) && one.example.say === "decline"],
  [
    "other human words: small talk, nothing to do, questions back",
    null,
    (one) => isHuman(one) && !["call", "decline"].includes(one.example.say),
  ],
  ["negation and corrections", 0.9, isOf("negation.test.jsonl", "corrections.test.jsonl")],
];

/** @param gate 1/65536 @returns those of which there are examples */
export function claimsOf(judged: readonly Judged[], gate: number): Claim[] {
  return CLAIMS.flatMap(([what, wanted, counts]) => {
    const row = rowOf(what, judged.filter(counts), gate);
    if (row.examples === 0) return [];
    const share = row.right / row.examples;
    return [{ what, wanted, row, share, met: wanted === null || share >= wanted }];
  });
}
