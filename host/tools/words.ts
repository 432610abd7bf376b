/**
 * Words as a device reads them (spec/TOOLS.md, "Reading words", rule 1), and the words of the language that a table carries. Reading sentences is the
 * device's; here phrases are brought into the form in which it compares them.
 */
import {
  WORD_AND,
  WORD_ARTICLE,
  WORD_CELSIUS,
  WORD_CLASSES,
  WORD_DEGREE,
  WORD_FAHRENHEIT,
  WORD_HALF,
  WORD_HUNDRED,
  WORD_PERCENT,
  WORD_RANGE,
  WORD_TENS,
  WORD_TIME,
  WORD_UNITS,
} from "../../spec/tools.ts";
import english from "../../spec/words_en.json";
import { WORD_NAMES } from "./names.ts";

const LEFT_OUT = /['\u2019]/g;
const SEPARATORS = '.,!?;:"()[]{}<>|-_*#~^\\/=+&@$`\x7f';
/** These stay where they stand between two digits. */
const BETWEEN_DIGITS = ".,:/";

/** The words of a text, a-z small; other letters stay as they are. */
export function wordsOf(text: string): string[] {
  const plain = text.replace(LEFT_OUT, "").replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  let spaced = "";
  for (let at = 0; at < plain.length; at++) {
    const between = BETWEEN_DIGITS.includes(plain[at]) && isDigit(plain[at - 1]);
    const begins = plain[at] === "." && (at === 0 || isSeparator(plain[at - 1]));
    const inNumber = (between || begins) && isDigit(plain[at + 1]);
    spaced += isSeparator(plain[at]) && !inNumber ? " " : plain[at];
  }
  return spaced.split(" ").filter((word) => word !== "");
}

/** A phrase as the table holds it; "" when nothing of it is a word. */
export function normalised(text: string): string {
  return wordsOf(text).join(" ");
}

export interface LanguageWord {
  /** Normalised. */
  readonly text: string;
  /** WORD_*. */
  readonly kind: number;
  /** As the table holds it: thousandths, of TIME seconds, of words without a number 0. */
  readonly value: number;
}

/** The words for numbers, units and ranges that a device needs to read English. */
export const ENGLISH: readonly LanguageWord[] = Object.entries(english).flatMap(([name, list]) => {
  const kind = (WORD_NAMES as readonly string[]).indexOf(name);
  if (kind < WORD_UNITS || kind >= WORD_CLASSES) throw new Error(`words_en.json has the class ${name}`);
  const entries = Array.isArray(list) ? list.map((word) => [word, 0] as const) : Object.entries(list);
  const scale = kind === WORD_TIME ? 1 : 1000;
  return entries.map(([word, value]) => ({ text: normalised(word), kind, value: Math.round(value * scale) }));
});

/** Classes whose words begin a number or join two orders. */
const NUMBER_CLASSES = [WORD_UNITS, WORD_TENS, WORD_HUNDRED, WORD_HALF, WORD_ARTICLE, WORD_AND, WORD_RANGE];
const NUMBER_WORDS = wordsOfClasses(NUMBER_CLASSES);
/** What is a quantity by itself, whatever follows. */
const QUANTITIES = wordsOfClasses([WORD_UNITS, WORD_TENS, WORD_HUNDRED, WORD_HALF, WORD_RANGE]);
const UNIT_SIGNS = wordsOfClasses([WORD_PERCENT, WORD_DEGREE, WORD_CELSIUS, WORD_FAHRENHEIT, WORD_TIME]);

function wordsOfClasses(kinds: readonly number[]): ReadonlySet<string> {
  return new Set(ENGLISH.filter(({ kind }) => kinds.includes(kind)).map(({ text }) => text));
}

/** Would a device read this phrase as a number or a part of one? */
export function readsAsNumber(text: string): boolean {
  return NUMBER_WORDS.has(text) || startsWithQuantity(text);
}

/** Would a device read a quantity where this phrase begins, before it looks for values? */
export function startsWithQuantity(text: string): boolean {
  const [first] = text.split(" ");
  const digits = /^(?:\d{1,7}(?:\.\d{1,3})?|\.\d{1,3}|\d{1,2}\/\d{1,2})(?![\d./])/.exec(first);
  if (digits !== null) {
    const unit = first.slice(digits[0].length);
    return unit === "" || UNIT_SIGNS.has(unit);
  }
  return [...QUANTITIES].some((word) => text === word || text.startsWith(`${word} `));
}

function isSeparator(character: string): boolean {
  return character <= " " || SEPARATORS.includes(character);
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= "0" && character <= "9";
}
