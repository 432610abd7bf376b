// The room that a demo's board stands in: what its sensors read unless --sensor says otherwise. A board without a world would measure -40 °C and darkness.
import type { Board } from "../../boards/board.ts";
import { channelTrouble } from "../../boards/pins.ts";
import type { Kind } from "../tools/names.ts";
import type { Tool } from "../tools/tool.ts";

/** Thousandths of a degree or of a percent: an ordinary room, assumed. */
const ROOM: ReadonlyMap<Kind, number> = new Map([
  ["temperature", 21_000],
  ["humidity", 45_000],
  ["luminance", 30_000],
]);

export interface Reading {
  readonly tool: string;
  readonly channel: number;
  /** 0..65535 of full scale. */
  readonly raw: number;
  /** "21 °C". */
  readonly text: string;
}

/**
 * Of the sensors that the board can read, the first of each channel.
 * @param said channels that --sensor sets
 */
export function roomReadings(tools: readonly Tool[], board: Board, said: readonly number[]): Reading[] {
  const taken = new Set(said);
  return tools.flatMap(({ name, kind, unit, min, max, drive }) => {
    const value = ROOM.get(kind);
    if (value === undefined || drive.type !== "adc" || max <= min) return [];
    const { channel, raw } = drive;
    if (taken.has(channel) || channelTrouble(board, channel) !== null) return [];
    taken.add(channel);
    const read = Math.min(max, Math.max(min, value));
    const at = (read - min) / (max - min);
    const text = `${read / 1000} ${unit === "celsius" ? "°C" : "%"}`;
    return [{ tool: name, channel, raw: Math.round(raw[0] + at * (raw[1] - raw[0])), text }];
  });
}
