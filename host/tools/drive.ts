/** What stands behind a tool: the field `drive` of a tools.json. */
import type { Fields } from "./fields.ts";
import { DRIVES, type DriveType } from "./names.ts";
import type { Drive } from "./tool.ts";

/** 255 stands for none in a table. */
const PIN = { low: 0, high: 254, whole: true };
const HALF_WORD = { low: 0, high: 65535, whole: true };
const HZ = { low: 1, high: 65535, whole: true };
/** LEDs and motors; servos want 50. */
const HZ_USUAL = 1000;
const FULL = [0, 65535] as const;

/** Keys beside `type`. */
export const DRIVE_KEYS: Record<DriveType, readonly string[]> = {
  none: [],
  gpio: ["pin", "inverted"],
  pwm: ["pin", "hz", "duty", "inverted"],
  adc: ["channel", "raw"],
  timer: ["pin"],
};

export function parseDrive(fields: Fields): Drive {
  const type = fields.oneOf("type", DRIVES, fields.keys().length === 0 ? "none" : undefined);
  if (type === null) return { type: "none" };
  for (const key of fields.keys()) {
    if (key === "type" || DRIVE_KEYS[type].includes(key)) continue;
    const known = ["type", ...DRIVE_KEYS[type]].join(", ");
    fields.bad(key, `a drive of the type ${type} has no such key; known are ${known}`);
  }
  switch (type) {
    case "none":
      return { type };
    case "gpio":
      return { type, pin: fields.number("pin", PIN), inverted: fields.flag("inverted") };
    case "pwm":
      return {
        type,
        pin: fields.number("pin", PIN),
        hz: fields.number("hz", HZ, HZ_USUAL),
        duty: apart(fields, "duty"),
        inverted: fields.flag("inverted"),
      };
    case "adc":
      return { type, channel: fields.number("channel", PIN), raw: apart(fields, "raw") };
    case "timer":
      return { type, pin: fields.has("pin") ? fields.number("pin", PIN) : null };
  }
}

/** Two different readings or duties, at min and at max. */
function apart(fields: Fields, name: string): [number, number] {
  const [first, last] = fields.pair(name, HALF_WORD, FULL);
  if (first === last && fields.problems.every(({ place }) => !place.startsWith(fields.at(name))))
    fields.bad(name, `${first} at min and at max leaves no range`);
  return [first, last];
}
