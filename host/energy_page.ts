/** The energy constants as a page: every profile, every event, its figure, how it is known and where it stands. What docs/energy.md is made of. */
import { ENERGY_EVENTS, ENERGY_PROFILES, type EnergyProfile, energyProfile } from "./transports/sim.ts";

export interface EnergyRow {
  readonly profile: string;
  readonly event: string;
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly kind: string;
  readonly source: string;
}

export const energyProfiles = (): EnergyProfile[] => ENERGY_PROFILES.map(energyProfile);

export function energyRows({ name, constants }: EnergyProfile): EnergyRow[] {
  return Object.entries(constants).map(([event, { value, unit, kind, source }]) => ({
    ...{ profile: name, event, what: ENERGY_EVENTS[event as keyof typeof ENERGY_EVENTS].what },
    ...{ value, unit, kind, source },
  }));
}

const INTRODUCTION = `# Energy

What a token takes is counted, not measured: the simulator counts events (cycles that compute, cycles that wait, bytes of flash, bytes on the UART, steps of the coprocessor, time), and a profile says
what each of them costs. A board names the profile of its chip (\`energy\` in boards/*.json). The chat's line of figures, the \`board\` object of \`--json\` answers, \`tritkit fits\` and reports of simulations use the same sum.

- Every figure has a kind. *measured*: on hardware, by whom its source names (nothing was measured by this project); *datasheet*: the maker's or author's publication says so; *derived*: calculated from such
  figures; *assumed*: plausible, or remembered from the document named and not read again. A total is known as well as the weakest of its parts that make 1 % of it or more.
- Time adds up without counting twice: leakage for every nanosecond with power, and on top of it \`core_cycle\` for a cycle that computes, \`wait_cycle\` for one that waits for flash, \`sleep\` for time in which the CPU waits for an event.
  mW times ns is pJ.
- A chip's figures are those at its 3.3 V supply. On the RP2040 the core's regulator is linear, so the current of the 1.1 V core is paid at 3.3 V: three times what the core itself takes.
- The coprocessor is in none of these chips. Its figures are a 45 nm process's, by gate counts.

Written by \`tritkit report energy --out docs\`; the data are firmware-sim/energy/profiles/*.json.
`;

export function energyMarkdown(): string {
  const sections = energyProfiles().map((profile) => {
    const rows = energyRows(profile).map(
      ({ event, what, value, unit, kind, source }) =>
        `| \`${event}\` | ${what} | ${value} ${unit} | ${kind} | ${source} |`,
    );
    return `## ${profile.name}: ${profile.title}\n\nOf ${profile.covers}.\n\n| event | one of it is | costs | known | source |\n| --- | --- | --- | --- | --- |\n${rows.join("\n")}\n`;
  });
  return [INTRODUCTION, ...sections].join("\n");
}
