// The models in a device's flash: list, activate, confirm, roll back, erase (spec/WIRE.md, groups 1 and TRITKIT).
import {
  IMG_ERASE,
  IMG_STATE,
  SLOT_ACTIVE,
  SLOT_EMPTY,
  SLOT_TEST,
  SLOT_UPLOADING,
  SLOT_VERIFIED,
  TK_MODELS,
} from "../../spec/wire.ts";
import { EXIT_REFUSED, TritkitError } from "../errors.ts";
import type { Device } from "./device.ts";

/** Erasing a slot of large sectors takes a chip seconds; verifying a model before it is used too. */
const FLASH_DEADLINE = { deadlineMs: 30_000, attempts: 3 };

export type SlotState = "empty" | "uploading" | "verified" | "test" | "active";

const STATES: Record<number, SlotState> = {
  [SLOT_EMPTY]: "empty",
  [SLOT_UPLOADING]: "uploading",
  [SLOT_VERIFIED]: "verified",
  [SLOT_TEST]: "test",
  [SLOT_ACTIVE]: "active",
};

export interface SlotInfo {
  slot: number;
  state: SlotState;
  name: string;
  bytes: number;
  /** SHA-256 of the file, 32 bytes; empty when the slot is. */
  sha: Uint8Array;
  /** Longest context the model was trained for, the one in use, and the arena's bytes at it. */
  seqLen: number;
  context: number;
  arena: { need: number; have: number };
}

export async function listModels(device: Device, signal?: AbortSignal): Promise<SlotInfo[]> {
  const infos: SlotInfo[] = [];
  for (let slot = 0; slot < device.hello.slots.length; slot++) {
    const reply = await device.read(TK_MODELS, { slot }, { signal });
    infos.push({
      slot,
      state: STATES[Number(reply.state)] ?? "empty",
      name: String(reply.name ?? ""),
      bytes: Number(reply.len ?? 0),
      sha: reply.sha instanceof Uint8Array ? reply.sha : new Uint8Array(),
      seqLen: Number(reply.seq ?? 0),
      context: Number(reply.ctx ?? 0),
      arena: { need: Number(reply.need ?? 0), have: Number(reply.have ?? 0) },
    });
  }
  return infos;
}

/**
 * Makes the verified model with this digest the active one.
 * @param confirm false: only until the next reset, unless confirmed before
 * @param context positions; 0: the image's or the most that fits
 * @throws TritkitError E_NO_MODEL, E_WRONG_BOARD, E_NO_MEMORY, ...
 */
export async function activateModel(device: Device, sha: Uint8Array, confirm: boolean, context = 0): Promise<void> {
  const body = { hash: sha, confirm, ctx: context };
  await device.writeImage(IMG_STATE, body, FLASH_DEADLINE);
  await device.refresh();
}

/** Confirms the model that runs under test. */
export async function confirmModel(device: Device): Promise<void> {
  await device.writeImage(IMG_STATE, { confirm: true }, FLASH_DEADLINE);
}

/** Activates the model before: the confirmed one while another is under test, else the other verified one. @throws TritkitError E_NO_MODEL */
export async function rollBack(device: Device): Promise<SlotInfo> {
  const infos = await listModels(device);
  // While one is under test, "active" is what the next reset would bring back.
  const before: SlotState = infos.some(({ state }) => state === "test") ? "active" : "verified";
  const other = infos.find(({ state }) => state === before);
  if (other === undefined) {
    const hint = "`tritkit models` lists what the device has.";
    throw new TritkitError("E_NO_MODEL", "There is no other verified model to go back to.", hint, EXIT_REFUSED);
  }
  await activateModel(device, other.sha, true);
  return other;
}

/** Gives up what a slot holds. */
export async function eraseModel(device: Device, slot: number): Promise<void> {
  await device.writeImage(IMG_ERASE, { slot }, FLASH_DEADLINE);
  await device.refresh();
}
