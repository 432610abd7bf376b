/**
 * What a recording says, as data: every figure with how it is known. files.ts makes the folder of it.
 */
import type { Board } from "../../boards/board.ts";
import { TGEMV_LANES } from "../../spec/tgemv.ts";
import { energyProfile } from "../energy/profiles.ts";
import { cyclesOrigin } from "../meter/cost_table.ts";
import type { Meter } from "../meter/meter.ts";
import type { Group } from "./attribution.ts";
import { boardRoofline } from "./board_roofline.ts";
import { type Breakdown, breakdown } from "./breakdown.ts";
import { type Figure, weakest } from "./known.ts";
import { type Shape, shapeOf } from "./model.ts";
import type { Recorder } from "./recorder.ts";
import type { Roofline } from "./roofline.ts";
import type { Image } from "./tensors.ts";
import { type Traffic, traffic } from "./traffic.ts";

/** Of the tokens that were sampled, or of the positions of prompts. */
export interface Measured {
  readonly group: Group;
  readonly breakdown: Breakdown;
  readonly traffic: Traffic;
}

export interface Report {
  readonly board: Board;
  /** The model that ran; null: none did. */
  readonly image: Image | null;
  readonly shape: Shape | null;
  /** null: no token was sampled. */
  readonly tokens: Measured | null;
  readonly prefill: Measured | null;
  readonly roofline: Roofline | null;
  readonly figures: Readonly<Record<string, Figure>>;
  /** Where cycles, waiting and energy are known from, in words. */
  readonly provenance: Readonly<Record<string, string>>;
  /** Simulated time since the board was made, ns. */
  readonly ns: number;
}

/** After `recorder.finish()`. */
export function reportOf(recorder: Recorder): Report {
  const { board: sim, attribution } = recorder;
  const { board } = sim;
  const meter = sim.meter as Meter;
  const profile = board.energy === null ? null : energyProfile(board.energy);
  const measured = (group: Group): Measured | null => {
    if (group.positions === 0) return null;
    const parts = breakdown(group, { hz: board.cpu.hz, lanes: TGEMV_LANES, profile });
    return { group, breakdown: parts, traffic: traffic(group, parts) };
  };
  const tokens = measured(attribution.tokens);
  const prefill = measured(attribution.prefill);
  const first = [...attribution.tokens.tensors.keys(), ...attribution.prefill.tensors.keys()][0];
  const image = first === undefined ? null : recorder.tensors.imageAt(first.offset);
  const shape = image === null ? null : shapeOf(sim.flash, image);
  return {
    ...{ board, image, shape, tokens, prefill, ns: sim.now },
    roofline:
      tokens === null
        ? null
        : boardRoofline(
            board,
            meter,
            tokens.group,
            shape,
            `${board.name}: what bounds a token of ${image?.name ?? "the model"}`,
          ),
    figures: figures(tokens, prefill, meter),
    provenance: {
      cycles: meter.table.provenance.cycles,
      wait_cycles:
        board.flash.xip === null
          ? "derived: none; reading flash takes no longer than reading SRAM on this board, as far as is known"
          : `derived: line fills by flash.xip of the board: ${board.sources["flash.xip"] ?? "no source"}`,
      energy:
        profile === null
          ? "the board has no energy profile"
          : `profile ${profile.name}, ${profile.title}: ${profile.covers}; each constant with its source stands with its event`,
      bytes: "exact: counted at every load and every beat of the coprocessor",
      copro:
        board.copro === null
          ? "the board has no coprocessor"
          : `derived: the unit's cycles are exact, its model is held to RTL (npm run rtl); how fast its weights come: ${board.sources.copro}`,
    },
  };
}

function figures(tokens: Measured | null, prefill: Measured | null, meter: Meter): Record<string, Figure> {
  const found: Record<string, Figure> = {};
  const origin = cyclesOrigin(meter.table);
  const speed = ({ breakdown: { ns, cycles, waitCycles, coproNs } }: Measured): Figure => {
    const waits = waitCycles >= cycles / 100 || coproNs > 0;
    const derived = waits ? "; waiting for memory: derived from the board's data" : "";
    const why = `cycles: ${meter.table.provenance.cycles}${derived}`;
    return { value: 1e9 / ns, unit: "token/s", known: weakest(waits ? [origin, "derived"] : [origin]), why };
  };
  if (prefill !== null) found.prompt_tokens_per_second = speed(prefill);
  if (tokens === null) return found;
  const { cycles, waitCycles, flashBytes, psramBytes, energy, positions } = tokens.breakdown;
  found.tokens_per_second = speed(tokens);
  found.cycles_per_token = {
    value: cycles - waitCycles,
    unit: "cycle",
    known: origin,
    why: meter.table.provenance.cycles,
  };
  found.wait_cycles_per_token = {
    value: waitCycles,
    unit: "cycle",
    known: "derived",
    why: "line fills of the cache in front of flash",
  };
  found.bytes_per_token = { value: flashBytes + psramBytes, unit: "B", known: "exact", why: "counted at every load" };
  found.mean_context = {
    value: tokens.group.keys / positions,
    unit: "position",
    known: "exact",
    why: "positions that a token attends to, in the mean",
  };
  if (energy !== null)
    found.mj_per_token = {
      value: energy.pj / 1e9,
      unit: "mJ",
      known: weakest([energy.kind, origin]),
      why: `counts times the constants of profile ${energy.profile}; the weakest of those that make a hundredth or more`,
    };
  return found;
}
