/**
 * Quantities in a normalised text (spec/TOOLS.md, "Quantity"): a number in digits or words, perhaps a unit. A cursor goes over the words; what does not fit puts
 * it back. Values are thousandths, in 64 bits until they are known to fit.
 */
import {
  PHRASE_CLASS,
  PHRASE_LEN,
  PHRASE_VALUE,
  SLOT_DEGREES,
  SLOT_NUMBER,
  SLOT_PERCENT,
  SLOT_TIME,
  WORD_AND,
  WORD_ARTICLE,
  WORD_CELSIUS,
  WORD_DEGREE,
  WORD_FAHRENHEIT,
  WORD_HALF,
  WORD_HUNDRED,
  WORD_PERCENT,
  WORD_POINT,
  WORD_RANGE,
  WORD_TENS,
  WORD_TIME,
  WORD_UNITS,
} from "../../spec/tools.ts";
import { find, find_before, found_end, word_behind, word_end } from "./phrases.ts";
import { div_down } from "./tools.ts";

const ONE: i64 = 1000;
const UNIT_CLASSES: u32 =
  (1 << WORD_PERCENT) | (1 << WORD_DEGREE) | (1 << WORD_CELSIUS) | (1 << WORD_FAHRENHEIT) | (1 << WORD_TIME);
/** Digits before the point, and their place behind it. */
const DIGITS_MAX = 7;
const DOT: u32 = 0x2e;
const SLASH: u32 = 0x2f;

@unmanaged
class Quantity {
  value: i64;
  /** The cursor: a word, or the end of the text. */
  at: usize;
  /** A unit that was glued to the digits: its phrase; 0: none. */
  glued: usize;
  /** The phrase that was taken last: WORD_* and value. At the end SLOT_*. */
  cls: u32;
  said: i32;
  /** The number was HALF; digits without a point or a slash; D/D. */
  half: bool;
  whole: bool;
  fraction: bool;
  /** The unit was FAHRENHEIT. */
  fahrenheit: bool;
}

const q = changetype<Quantity>(memory.data(offsetof<Quantity>(), 8));

/** SLOT_* of the quantity read last, its value, and the word behind it. */
export function quantity_class(): u32 {
  return q.cls;
}

export function quantity_value(): i32 {
  return <i32>q.value;
}

/** Whether it was said in degrees Fahrenheit: the value is in Celsius all the same. */
export function quantity_fahrenheit(): bool {
  return q.fahrenheit;
}

export function quantity_end(): usize {
  return q.at;
}

/** Reads the quantity that stands at a word; false: there is none. */
export function quantity(at: usize): bool {
  q.at = at;
  q.fahrenheit = false;
  if (take(1 << WORD_RANGE)) {
    q.cls = SLOT_PERCENT;
    q.value = q.said;
    return true;
  }
  if (!number()) return false;
  let unit = q.glued;
  if (unit == 0) {
    if (!q.half && and_half()) q.value += q.said;
    unit = find(q.at, UNIT_CLASSES);
    if (unit != 0 && is_unit_alone(unit)) q.at = word_behind(found_end());
    else unit = 0;
  }
  if (unit == 0) {
    if (q.half) q.value *= 100;
    q.cls = q.half ? SLOT_PERCENT : SLOT_NUMBER;
  } else measured(unit);
  q.value = min<i64>(q.value, i32.MAX_VALUE);
  return true;
}

/** Whether a unit at the cursor counts that is not glued to digits: "c", "f", "m" only behind a word of digits. */
function is_unit_alone(unit: usize): bool {
  const cls = <i32>load<u8>(unit, PHRASE_CLASS);
  return load<u8>(unit, PHRASE_LEN) > 1 || cls == WORD_PERCENT || cls == WORD_DEGREE || is_digit(q.at - 2);
}

/** The number gets its unit, and what follows it. */
function measured(unit: usize): void {
  let cls = <u32>load<u8>(unit, PHRASE_CLASS);
  if (cls == WORD_PERCENT) {
    q.cls = SLOT_PERCENT;
    return;
  }
  if (cls == WORD_TIME) {
    duration(load<i32>(unit, PHRASE_VALUE));
    q.cls = SLOT_TIME;
    return;
  }
  if (cls == WORD_DEGREE && take((1 << WORD_CELSIUS) | (1 << WORD_FAHRENHEIT))) cls = q.cls;
  if (cls == WORD_FAHRENHEIT) {
    q.fahrenheit = true;
    // * 5 / 9 to nearest; there is no half of a ninth.
    q.value = div_down((q.value - 32 * ONE) * 10 + 9, 18);
  }
  q.cls = SLOT_DEGREES;
}

/** q.value units of `seconds`, and more of [AND] number TIME with smaller units. */
function duration(seconds: i32): void {
  let total = q.value * seconds;
  let before = q.at;
  while (true) {
    take(1 << WORD_AND);
    if (!number()) break;
    let unit = q.glued;
    if (unit == 0) {
      unit = find(q.at, 1 << WORD_TIME);
      if (unit != 0 && is_unit_alone(unit)) q.at = word_behind(found_end());
      else unit = 0;
    }
    if (unit == 0 || <i32>load<u8>(unit, PHRASE_CLASS) != WORD_TIME) break;
    const smaller = load<i32>(unit, PHRASE_VALUE);
    if (smaller >= seconds) break;
    seconds = smaller;
    total += q.value * seconds;
    before = q.at;
  }
  q.at = before;
  if (and_half()) total += <i64>q.said * seconds;
  q.value = total;
}

/** Takes a phrase of these classes at the cursor. */
function take(classes: u32): bool {
  const phrase = find(q.at, classes);
  if (phrase == 0) return false;
  q.at = word_behind(found_end());
  q.cls = load<u8>(phrase, PHRASE_CLASS);
  q.said = load<i32>(phrase, PHRASE_VALUE);
  return true;
}

/** Takes UNITS of low..9000. */
function take_digit(low: i32): bool {
  const before = q.at;
  if (take(1 << WORD_UNITS) && q.said >= low && q.said <= 9 * <i32>ONE) return true;
  q.at = before;
  return false;
}

/** The phrase of TIME at the cursor that has more than one letter; 0: there is none. */
function long_time(): usize {
  const phrase = find(q.at, 1 << WORD_TIME);
  return phrase != 0 && load<u8>(phrase, PHRASE_LEN) > 1 ? phrase : 0;
}

/** Takes AND [ARTICLE] HALF. */
function and_half(): bool {
  const before = q.at;
  if (take(1 << WORD_AND)) {
    take(1 << WORD_ARTICLE);
    if (take(1 << WORD_HALF)) return true;
  }
  q.at = before;
  return false;
}

/** Takes a number into q.value; after false the cursor is anywhere. */
function number(): bool {
  q.glued = 0;
  q.half = false;
  if (begins_with_digits()) return digits();
  if (
    !take(1 << WORD_HALF) &&
    !take((1 << WORD_UNITS) | (1 << WORD_TENS) | (1 << WORD_HUNDRED) | (1 << WORD_ARTICLE))
  ) {
    return false;
  }
  const cls = q.cls;
  q.value = q.said;
  let before = q.at;
  if (cls == WORD_HALF) {
    q.half = true;
    article_before_time();
    return true;
  }
  let hundreds = cls == WORD_HUNDRED;
  if (cls == WORD_ARTICLE) {
    q.value = ONE;
    if (!take(1 << WORD_HUNDRED)) return long_time() != 0;
    hundreds = true;
    q.value *= 100;
  } else if (cls == WORD_TENS) {
    if (take_digit(<i32>ONE)) q.value += q.said;
  } else if (cls == WORD_UNITS && q.value >= ONE && q.value <= 9 * ONE && take(1 << WORD_HUNDRED)) {
    hundreds = true;
    q.value *= 100;
  }
  if (hundreds) {
    before = q.at;
    take(1 << WORD_AND);
    if (take((1 << WORD_UNITS) | (1 << WORD_TENS))) {
      q.value += q.said;
      if (q.cls == WORD_TENS && take_digit(<i32>ONE)) q.value += q.said;
    } else q.at = before;
  }
  before = q.at;
  if (take(1 << WORD_POINT)) {
    for (let place = 100; place > 0 && take_digit(0); place /= 10) {
      q.value += (q.said * place) / <i32>ONE;
      before = q.at;
    }
    q.at = before;
  }
  return true;
}

@inline
function is_digit(at: usize): bool {
  return <u32>load<u8>(at) - 0x30 < 10;
}

/** Takes "a" in "half a minute". */
function article_before_time(): void {
  const before = q.at;
  if (take(1 << WORD_ARTICLE) && long_time() == 0) q.at = before;
}

function begins_with_digits(): bool {
  return q.at != word_end(q.at) && (is_digit(q.at) || <u32>load<u8>(q.at) == DOT);
}

/** Digits, D D/D ("1 1/2") among them, and "a" in "1/2 a minute". */
function digits(): bool {
  if (!word_of_digits()) return false;
  if (q.whole && q.glued == 0 && begins_with_digits()) {
    const before = q.at;
    const value = q.value;
    if (word_of_digits() && q.fraction && q.value < ONE) q.value += value;
    else {
      q.at = before;
      q.value = value;
      q.glued = 0;
      q.fraction = false;
    }
  }
  if (q.fraction && q.glued == 0) article_before_time();
  return true;
}

/** D, D.D, .D or D/D with nothing behind it, or a unit. */
function word_of_digits(): bool {
  const end = word_end(q.at);
  let at = q.at;
  let value: u32 = 0;
  while (at != end && is_digit(at)) value = value * 10 + load<u8>(at++) - 0x30;
  const places = <i32>(at - q.at);
  if (places > DIGITS_MAX) return false;
  q.value = <i64>value * ONE;
  const sign = at != end ? <u32>load<u8>(at) : 0;
  q.fraction = sign == SLASH;
  q.whole = sign != DOT && sign != SLASH;
  if (sign == DOT) {
    for (let place: u32 = 100; ++at != end && is_digit(at); place /= 10) {
      if (place == 0) return false;
      q.value += (load<u8>(at) - 0x30) * place;
    }
  } else if (sign == SLASH) {
    const from = ++at;
    let parts: u32 = 0;
    while (at != end && is_digit(at)) parts = parts * 10 + load<u8>(at++) - 0x30;
    if (places > 2 || at - from > 2 || parts == 0) return false;
    q.value = (value * 2000 + parts) / (2 * parts);
  }
  q.glued = 0;
  if (at != end) {
    q.glued = find_before(end, at, UNIT_CLASSES);
    if (q.glued == 0) return false;
  }
  q.at = word_behind(end);
  return true;
}
