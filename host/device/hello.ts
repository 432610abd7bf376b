// The device's introduction (spec/WIRE.md, TRITKIT 0), checked before anything relies on it.
import { COBS_LINE_BYTES, PROTOCOL_VERSION, WINDOW_MAX } from "../../spec/wire.ts";
import { EXIT_REFUSED, TritkitError } from "../errors.ts";
import type { CborMap, CborValue } from "../wire/smp.ts";
import { type CoproReport, parseCopro } from "./copro.ts";

export interface SectorRun {
  count: number;
  bytes: number;
}

export interface Hello {
  protocol: number;
  firmware: string;
  board: string;
  /** Largest SMP message, bytes. */
  mtu: number;
  /** Frames that may be unanswered. */
  window: number;
  rxBytes: number;
  baud: number;
  maxBaud: number;
  /** Speed after reset. */
  restBaud: number;
  partitionBytes: number;
  /** Slots within the slot area, bytes. */
  slots: { offset: number; bytes: number }[];
  /** Sectors of the slot area in address order. */
  runs: SectorRun[];
  programUnit: number;
  page: number;
  /** Positions of the active model's context; 0: no model. */
  context: number;
  arena: { need: number; have: number };
  model: string;
  /** Tools in the table of the assistant that runs; null: the model is none. */
  tools: number | null;
  /** An unfinished upload. */
  upload: { slot: number; bytes: number; offset: number; sha: Uint8Array } | null;
  /** The slot that a new firmware goes to over this line; null where the board takes none so. */
  firmwareSlot: number | null;
  /** Frames dropped because they were longer than mtu, or damaged. */
  lost: { rx: number; crc: number };
  /** The board's own kernels: used, or refused because they differ from the module's; null: it has none. */
  native: boolean | null;
  /** The ternary coprocessor; null: the board has none. */
  copro: CoproReport | null;
}

function bad(field: string): never {
  const message = `The device's hello is malformed at "${field}".`;
  throw new TritkitError("E_PROTOCOL", message, "Flash the firmware of this version of tritkit.", EXIT_REFUSED);
}

function uint(map: CborMap, key: string, fallback?: number): number {
  const value = map[key] ?? fallback;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) return bad(key);
  return value;
}

function text(map: CborMap, key: string): string {
  const value = map[key];
  return typeof value === "string" ? value : bad(key);
}

function map(value: CborValue | undefined, key: string): CborMap {
  if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Uint8Array)
    return bad(key);
  return value;
}

function list(map: CborMap, key: string): CborValue[] {
  const value = map[key];
  return Array.isArray(value) ? value : bad(key);
}

/** @throws TritkitError E_PROTOCOL on a malformed or foreign hello */
export function parseHello(body: CborMap): Hello {
  const protocol = uint(body, "v");
  if (protocol !== PROTOCOL_VERSION) {
    const message = `The device speaks protocol ${protocol}, this tritkit ${PROTOCOL_VERSION}.`;
    throw new TritkitError("E_PROTOCOL", message, "Flash the firmware of this version of tritkit.", EXIT_REFUSED);
  }
  const rxBytes = uint(body, "rx");
  const window = Math.max(1, Math.min(uint(body, "win"), WINDOW_MAX));
  // Never trust a window that the buffer it advertises cannot hold.
  const held = Math.max(1, Math.floor(rxBytes / COBS_LINE_BYTES));
  const arena = map(body.arena, "arena");
  const lost = map(body.lost ?? {}, "lost");
  const up = body.up === undefined || body.up === null ? null : map(body.up, "up");
  return {
    protocol,
    firmware: text(body, "fw"),
    board: text(body, "board"),
    mtu: uint(body, "mtu"),
    window: Math.min(window, held),
    rxBytes,
    baud: uint(body, "baud"),
    maxBaud: uint(body, "maxbaud"),
    restBaud: uint(body, "restbaud", 115200),
    partitionBytes: uint(body, "part"),
    slots: list(body, "slots").map((slot) => {
      const entry = map(slot, "slots");
      return { offset: uint(entry, "off"), bytes: uint(entry, "len") };
    }),
    runs: list(body, "runs").map((run) => {
      if (!Array.isArray(run) || run.length !== 2) return bad("runs");
      const [count, bytes] = run;
      if (typeof count !== "number" || typeof bytes !== "number" || bytes <= 0) return bad("runs");
      return { count, bytes };
    }),
    programUnit: uint(body, "unit"),
    page: uint(body, "page"),
    context: uint(body, "ctx"),
    arena: { need: uint(arena, "need"), have: uint(arena, "have") },
    model: text(body, "model"),
    tools: body.tools === undefined ? null : uint(body, "tools"),
    upload:
      up === null
        ? null
        : {
            slot: uint(up, "slot"),
            bytes: uint(up, "len"),
            offset: uint(up, "off"),
            sha: up.sha instanceof Uint8Array ? up.sha : bad("up.sha"),
          },
    firmwareSlot: body.fwslot === undefined ? null : uint(body, "fwslot"),
    lost: { rx: uint(lost, "rx", 0), crc: uint(lost, "crc", 0) },
    native: body.native === undefined ? null : uint(body, "native") !== 0,
    copro: parseCopro(body.copro), // a state that a later firmware knows is no reason to refuse the device
  };
}
