/** The place where what comes in pieces is put together: a prompt or a table of tools, one at a time. Whoever begins takes it from the other. */
import { PROMPT_MAX } from "../../spec/wire.ts";

export const INTAKE_NONE: u32 = 0;
export const INTAKE_PROMPT: u32 = 1;
export const INTAKE_TABLE: u32 = 2;

/** Bytes of the place. */
export const INTAKE_BYTES: u32 = PROMPT_MAX;

@unmanaged
class Intake {
  at: usize;
  user: u32;
}

const intake = changetype<Intake>(memory.data(offsetof<Intake>()));

/** @param at INTAKE_BYTES bytes, on a multiple of 4 */
export function intake_init(at: usize): void {
  intake.at = at;
}

export function intake_at(): usize {
  return intake.at;
}

/** Begins something new. */
export function intake_take(user: u32): void {
  intake.user = user;
}

/** Whether what lies there is still of this user. */
export function intake_is(user: u32): bool {
  return intake.user == user;
}
