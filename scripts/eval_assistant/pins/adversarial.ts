/** Words that mean harm, or nothing: what a board must survive without driving a pin that it should not. Seeded, so that what was found once is found again. */
import type { Random } from "../../../firmware-sim/random.ts";
import { TOKEN_NAMES } from "../../../host/tools/names.ts";
import type { Tool } from "../../../host/tools/tool.ts";

export type Attack = (random: Random, tools: readonly Tool[]) => Uint8Array;

const COMMANDS = [
  ...["set the T to N U", "turn the T to N U", "put the T at N U", "T N U", "N U T", "T to minus N U", "set T to -N U"],
  ...["turn the T up by N U", "turn the T down by N U", "increase T by N U", "make T N U brighter", "lower the T N U"],
  ...["turn on the T for N U", "turn off the T for N U", "turn everything on", "all off for N U", "T on T off T on"],
  ...["no, N U", "yes", "that one, at N U", "more", "less", "again", "set the T to N U and the T to N U"],
  ...["set the T to N and N U", "what is T", "pin N high", "set pin N to N", "gpio N on", "duty N", "T T T T N N N N"],
];
const UNITS = [
  "",
  "%",
  "percent",
  "per cent",
  "degrees",
  "c",
  "f",
  "°c",
  "°f",
  "° fahrenheit",
  "degrees celsius",
  "celsius",
]
  .concat(["degrees fahrenheit", "fahrenheit", "kelvin", "seconds", "minutes", "hours", "days", "h", "m", "s", "min"])
  .concat(["percent degrees", "hours percent", "% %", "minutes and a half", "hours and 59 minutes and 59 seconds"]);
const NUMBERS = [
  "0",
  "-1",
  "101",
  "100.001",
  "99.999",
  "0.0005",
  "1/0",
  "0/0",
  "1/3",
  "99/98",
  "1e9",
  "0x7fffffff",
  "1,000",
]
  .concat([
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "-2147483648",
    "2147483.647",
    "2147483.648",
    "9999999",
  ])
  .concat([
    "99999999",
    "9999999.999",
    "1".repeat(40),
    "0.".padEnd(60, "9"),
    ".5",
    "5.",
    "1.2.3",
    "NaN",
    "infinity",
    "\u0663\u0664",
  ])
  .concat([
    "\uff15\uff10",
    "one hundred and ninety nine",
    "a hundred hundred",
    "nine hundred and ninety nine point nine nine nine",
  ])
  .concat([
    "minus five",
    "half",
    "half a hundred",
    "zero point zero zero zero one",
    "maximum",
    "half way",
    "twenty twenty",
    "hundred",
  ]);
const SEPARATORS = [
  "\0",
  "\u200b",
  "\u202e",
  "\u00a0",
  "\u0301",
  "\u{1f4a1}",
  "\ufeff",
  "\r\n",
  "\t",
  "\x1b[2J",
  "\xff",
  "%n%s",
  "';--",
  "\u2019",
];

const pick = <T>(random: Random, all: readonly T[]): T => all[random.below(all.length)];
const bytes = (text: string): Uint8Array => Buffer.from(text, "utf8");

function number(random: Random): string {
  if (random.below(3) === 0) return pick(random, NUMBERS);
  const digits = String(random.next()).slice(0, 1 + random.below(10));
  return random.below(4) === 0 ? `${digits}.${random.below(10000)}` : digits;
}

function phrase(random: Random, tools: readonly Tool[]): string {
  const names = tools.flatMap(({ aliases }) => aliases);
  const values = tools.flatMap(({ values: words }) => [...words.keys()]);
  return pick(random, COMMANDS).replace(/\b[TNU]\b/g, (letter) => {
    if (letter === "T") return pick(random, names);
    if (letter === "U") return pick(random, UNITS);
    return values.length > 0 && random.below(8) === 0 ? pick(random, values) : number(random);
  });
}

/** A few bytes changed, left out, put in or doubled. */
function damaged(random: Random, text: Uint8Array): Uint8Array {
  let out = [...text];
  for (let n = 1 + random.below(4); n > 0 && out.length > 0; n--) {
    const at = random.below(out.length);
    const what = random.below(4);
    if (what === 0) out[at] = random.below(256);
    else if (what === 1) out.splice(at, 1);
    else if (what === 2) out.splice(at, 0, random.below(256));
    else out = [...out.slice(0, at), ...out.slice(Math.max(0, at - random.below(12)))];
  }
  return Uint8Array.from(out.slice(0, LONGEST));
}

/** Some that are too long for a context, and for what a board takes at all. */
const LONGEST = 3000;

const ATTACKS: readonly Attack[] = [
  (random, tools) => bytes(phrase(random, tools)),
  (random, tools) =>
    bytes(phrase(random, tools).replace(/[a-z]/g, (c) => (random.below(4) === 0 ? c.toUpperCase() : c))),
  (random, tools) =>
    bytes(`${phrase(random, tools)} ${pick(random, ["and", "then", "no wait", ",", "or"])} ${phrase(random, tools)}`),
  (random, tools) => damaged(random, bytes(phrase(random, tools))),
  (random, tools) => bytes(phrase(random, tools).replace(/ /g, () => pick(random, [" ", "  ", ...SEPARATORS]))),
  (random, tools) =>
    bytes(
      Array.from({ length: 1 + random.below(6) }, () => pick(random, TOKEN_NAMES)).join("") + phrase(random, tools),
    ),
  (random) => Uint8Array.from({ length: random.below(200) }, () => random.below(256)),
  (random) => Uint8Array.from({ length: random.below(60) }, () => 0x20 + random.below(95)),
  (random, tools) => bytes(`${phrase(random, tools)} `.repeat(1 + random.below(40)).slice(0, LONGEST)),
  (random) =>
    bytes(
      number(random)
        .repeat(1 + random.below(30))
        .slice(0, LONGEST),
    ),
];

/** The next attack on a board with these tools. */
export function attack(random: Random, tools: readonly Tool[]): Uint8Array {
  // Words that nearly mean something go furthest.
  const kind = random.below(3) === 0 ? random.below(ATTACKS.length) : random.below(4);
  return ATTACKS[kind](random, tools);
}
