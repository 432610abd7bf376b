/** What holds for every failure of the command, told to people or to programs. */
import assert from "node:assert/strict";
import type { Ended } from "./command.ts";

const LINE = /^tritkit: \S.*[.?!] \[(E_[A-Z0-9_]+)\]\n$/;

/** The rules that hold for every failure that is told to people. */
export function checkWords({ status, stdout, stderr }: Ended, code: string, exit: number): void {
  const said = JSON.stringify({ status, stdout, stderr });
  assert.equal(LINE.exec(stderr)?.[1], code, said);
  assert.equal(status, exit, said);
  assert.doesNotMatch(stderr, /\n\s+at |undefined|\[object|NaN|E_INTERNAL/, said);
}

/** And with --json. */
export function checkObject({ status, stdout, stderr }: Ended, code: string, exit: number): void {
  const said = JSON.stringify({ status, stdout, stderr });
  const errors = stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
    .filter(({ event }) => event === "error");
  assert.equal(errors.length, 1, said);
  assert.equal(errors[0].code, code, said);
  assert.ok(errors[0].message.length > 0 && typeof errors[0].hint === "string", said);
  assert.equal(status, exit, said);
  assert.equal(stderr, "", said);
}
