/** report.json: everything that the figures are drawn from, and how each is known. docs/report.md describes the fields. */
import type { Energy } from "../energy/energy_of.ts";
import type { PartRow } from "./breakdown.ts";
import type { Json } from "./json.ts";
import type { Measured, Report } from "./report.ts";
import { roofOf } from "./roofline.ts";

export const REPORT_FORMAT = "tritkit-report-1";

export function reportJson(report: Report): Json {
  const { board, image, shape, tokens, prefill, roofline, figures, provenance, ns } = report;
  return {
    format: REPORT_FORMAT,
    board: {
      name: board.name,
      title: board.title,
      chip: board.chip,
      core: board.cpu.core,
      hz: board.cpu.hz,
      flash: board.flash.part,
      energy_profile: board.energy,
    },
    model:
      image === null ? null : { name: image.name, bytes: image.bytes, shape: shape === null ? null : { ...shape } },
    simulated_ns: ns,
    figures: Object.fromEntries(Object.entries(figures).map(([name, figure]) => [name, { ...figure }])),
    provenance: { ...provenance },
    tokens: tokens === null ? null : measuredJson(tokens),
    prompt_positions: prefill === null ? null : measuredJson(prefill),
    roofline:
      roofline === null
        ? null
        : {
            engines: roofline.engines.map((engine) => ({ ...engine })),
            memories: roofline.memories.map((memory) => ({ ...memory })),
            points: roofline.points.map((point) => {
              const { name, engine, memory, ops, bytes, seconds } = point;
              const roof = roofOf(roofline, point);
              return {
                ...{ name, engine, memory, ops, bytes, seconds },
                ops_per_byte: ops / bytes,
                ops_per_second: ops / seconds,
                roof_ops_per_second: roof?.opsPerSecond ?? null,
                limit: roof?.limit ?? null,
              };
            }),
          },
  };
}

function measuredJson({ group, breakdown, traffic }: Measured): Json {
  return {
    positions: group.positions,
    mean_context: group.keys / group.positions,
    ns: breakdown.ns,
    cycles: breakdown.cycles,
    wait_cycles: breakdown.waitCycles,
    copro_ns: breakdown.coproNs,
    flash_bytes: breakdown.flashBytes,
    flash_bus_bytes: breakdown.flashBusBytes,
    psram_bytes: breakdown.psramBytes,
    energy: breakdown.energy === null ? null : energyJson(breakdown.energy),
    parts: breakdown.rows.map(partJson),
    tensors: traffic.tensors.map(({ tensor, bytes, times }) => ({
      name: tensor.name,
      layer: tensor.layer,
      rows: tensor.rows,
      cols: tensor.cols,
      packing: tensor.packing,
      bytes: tensor.bytes,
      bytes_read: bytes,
      times,
    })),
    other_bytes: traffic.otherBytes,
  };
}

function partJson({ part, ns, cycles, waitCycles, coproNs, share, without, energy }: PartRow): Json {
  return {
    ...{ part, ns, cycles, share },
    wait_cycles: waitCycles,
    copro_ns: coproNs,
    speedup_if_free: without,
    pj: energy?.pj ?? null,
  };
}

function energyJson({ profile, pj, kind, events, unknown }: Energy): Json {
  return {
    ...{ profile, pj, kind },
    events: events.map(({ event, count, value, unit, kind: known, source, pj: own }) => ({
      ...{ event, count, value, unit, source },
      known,
      pj: own,
    })),
    without_figure: [...unknown],
  };
}
