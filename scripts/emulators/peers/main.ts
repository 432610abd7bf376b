/**
 * npm run peers [BOARD...]: the token of npm run cost beside the same token of a float32 and of an int8 program in plain C, on the same emulator.
 *
 *     --model NAME   one of the two shapes only
 *     --functions    also where the peers spend it
 *     --markdown     the table of docs/firmware-cost.md
 *     --json         {"event":"peer","board":s,"shape":s,"peer":"float32|int8","unit":"instructions|cycles","ours":n,"peer_count":n,"ratio":x,
 *                    "fpu":b,"flags":s,"library":n,"instructions":n}
 *
 * Each peer is compiled with -O2 and with -O3; the better one counts. On cores with an FPU that our firmware does not use the peers are
 * compiled twice: as the firmware is, and for the FPU. Everything is deterministic: same sources and versions, same numbers.
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { loadBoard } from "../../../host/assets.ts";
import { readImage } from "../../../host/image/reader.ts";
import { TOOLCHAINS } from "../../firmware/toolchains.mjs";
import { ROOT } from "../../lib/root.mjs";
import { qemuVersion } from "../qemu/qemu.ts";
import { CYCLE_BOARDS, type Shape, shapes, type TokenCost, tokenCost } from "../token_cost.ts";
import { PEER_BOARDS, PEERS, type Peer } from "./build.ts";
import { type PeerRun, runPeer } from "./run.ts";
import type { PeerShape } from "./weights.ts";

const OPTIONS = {
  model: { type: "string" },
  functions: { type: "boolean" },
  markdown: { type: "boolean" },
  json: { type: "boolean" },
} as const;

const LEVELS = ["-O2", "-O3"];
const FPU = ["-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"];
/** Cores with an FPU: what makes gcc use it. The firmware's own flags do on Cortex-M55. */
const FPU_FLAGS: Readonly<Record<string, readonly string[]>> = {
  "cortex-m7": FPU,
  "cortex-m33": FPU,
  "cortex-m55": [],
};

/** The better of the levels. */
interface Best extends PeerRun {
  readonly flags: string;
  /** In the unit of the board. */
  readonly count: number;
}

interface Row {
  readonly board: string;
  readonly core: string;
  readonly shape: string;
  readonly ours: TokenCost;
  readonly fpu: boolean;
  readonly peers: Readonly<Record<Peer, Best>>;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  const stranger = positionals.find((board) => !PEER_BOARDS.includes(board));
  if (stranger !== undefined) throw new Error(`no peer is built for "${stranger}"; known: ${PEER_BOARDS.join(", ")}`);
  const all = await shapes();
  const chosen = all.filter(({ name }) => values.model === undefined || name === values.model);
  if (chosen.length === 0)
    throw new Error(`no model "${values.model}"; known: ${all.map(({ name }) => name).join(", ")}`);
  const boards = positionals.length > 0 ? positionals : PEER_BOARDS;
  if (values.markdown === true) console.log(`${await versions(boards)}\n\n${HEADER}`);
  for (const shape of chosen) {
    for (const board of boards) {
      const ours = await tokenCost(board, shape);
      for (const row of await rows(board, shape, ours)) {
        if (values.json === true) for (const peer of PEERS) console.log(JSON.stringify(event(row, peer)));
        else if (values.markdown === true) console.log(markdown(row));
        else text(row, values.functions === true);
      }
    }
  }
}

async function rows(board: string, shape: Shape, ours: TokenCost): Promise<Row[]> {
  const { core } = (await loadBoard(board)).cpu;
  const always = TOOLCHAINS[core].flags.includes("-mfloat-abi=hard");
  const builds = [
    ...(always ? [] : [{ fpu: false, flags: [] }]),
    ...(FPU_FLAGS[core] === undefined ? [] : [{ fpu: true, flags: FPU_FLAGS[core] }]),
  ];
  const made: Row[] = [];
  for (const { fpu, flags } of builds) {
    const [float32, int8] = [await best(board, "float32", shape, flags), await best(board, "int8", shape, flags)];
    made.push({ board, core, shape: shape.name, ours, fpu, peers: { float32, int8 } });
  }
  return made;
}

async function best(board: string, peer: Peer, shape: Shape, flags: readonly string[]): Promise<Best> {
  let found: Best | null = null;
  for (const level of LEVELS) {
    const run = await runPeer(board, peer, peerShape(shape), [level, ...flags]);
    const count = run.cycles ?? run.instructions;
    if (found === null || count < found.count) found = { ...run, count, flags: [level, ...flags].join(" ") };
  }
  if (found === null) throw new Error("no level of optimisation");
  return found;
}

function peerShape({ name, image }: Shape): PeerShape {
  const { dim, hiddenDim, nLayers, nHeads, nKvHeads, headDim, vocabSize } = readImage(image).config;
  return { name, dim, layers: nLayers, heads: nHeads, kvHeads: nKvHeads, headDim, ffn: hiddenDim, vocab: vocabSize };
}

function event({ board, shape, ours, fpu, peers }: Row, peer: Peer): object {
  const { count, flags, library, instructions } = peers[peer];
  const ratio = Number((count / ours.total).toFixed(3));
  const counted = { unit: ours.unit, ours: ours.total, peer_count: count, ratio };
  return { event: "peer", board, shape, peer, ...counted, fpu, flags, library, instructions };
}

function text({ board, core, shape, ours, fpu, peers }: Row, functions: boolean): void {
  console.log(`${shape} on ${board} (${core}${fpu ? " with its FPU" : ""}): ours ${ours.total} ${ours.unit}`);
  for (const peer of PEERS) {
    const { count, flags, library, functions: where, fit } = peers[peer];
    const shared = [fit.sharedWeights ? "weights shared" : "", fit.sharedCache ? "cache shared" : ""].filter(Boolean);
    const notes = [flags, `${Math.round((100 * library) / count)} % in the compiler's library`, ...shared].join(", ");
    console.log(`  ${peer.padEnd(8)} ${String(count).padStart(11)} ${times(count, ours).padStart(6)}  (${notes})`);
    if (!functions) continue;
    for (const [name, spent] of [...where].sort((a, b) => b[1] - a[1]).slice(0, 20))
      console.log(`      ${String(spent).padStart(11)} ${name}`);
  }
}

const HEADER = `| board | core | model | unit | ours | float32 | | int8 | | int8 without float routines | |
|---|---|---|---|---|---|---|---|---|---|---|`;

function markdown({ board, core, shape, ours, fpu, peers: { float32, int8 } }: Row): string {
  const cells = [board, fpu ? `${core}, FPU` : core, shape, ours.unit, millions(ours.total)];
  const alone = int8.count - int8.library;
  for (const count of [float32.count, int8.count, alone]) cells.push(millions(count), times(count, ours));
  return `| ${cells.join(" | ")} |`;
}

function millions(n: number): string {
  return `${(n / 1e6).toFixed(2)} M`;
}

function times(count: number, ours: TokenCost): string {
  const ratio = count / ours.total;
  return `${ratio.toFixed(ratio < 10 ? 2 : 1)}x`;
}

async function versions(boards: readonly string[]): Promise<string> {
  const found = new Set<string>();
  for (const board of boards) {
    const { prefix } = TOOLCHAINS[(await loadBoard(board)).cpu.core];
    const { stdout } = await promisify(execFile)(`${prefix}gcc`, ["-dumpfullversion"]);
    found.add(`${prefix}gcc ${stdout.trim()}`);
    if (!CYCLE_BOARDS.includes(board)) found.add(`QEMU ${await qemuVersion(board)}`);
    else
      found.add(
        `rp2040js ${JSON.parse(await readFile(join(ROOT, "node_modules/rp2040js/package.json"), "utf8")).version}`,
      );
  }
  return [...found].join(", ");
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
