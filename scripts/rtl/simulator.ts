/** Verilog simulators: builds the test bench once for its sources and parameters, and runs a batch in it. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TgemvConfig } from "../../firmware-sim/peripherals/tgemv/config.ts";
import { TritkitError } from "../../host/errors.ts";
import { ROOT } from "../lib/root.mjs";
import type { Batch, Op } from "./scenario.ts";

export const RTL = join(ROOT, "firmware-sim/rtl");
const BUILD = join(ROOT, "build/rtl");

export type SimulatorName = "verilator" | "iverilog";

export interface Simulator {
  name: SimulatorName;
  /** Command of the built test bench. */
  command: string[];
}

export interface SimulatedBatch {
  /** Printed lines, a list for each scenario. */
  lines: string[][];
  /** What the M memory holds, of what the batch uses. */
  mmem: Uint8Array;
}

/** The first that is installed, or the one that is asked for. */
export function findSimulator(asked?: string): SimulatorName {
  if (asked !== undefined && asked !== "verilator" && asked !== "iverilog")
    throw new TritkitError(
      "E_USAGE",
      `there is no simulator "${asked}" here`,
      "Simulators are verilator and iverilog.",
    );
  const found = (["verilator", "iverilog"] as const).find((name) => (asked ?? name) === name && installed(name));
  if (found === undefined)
    throw new TritkitError(
      "E_TOOL_MISSING",
      `no Verilog simulator (${asked ?? "verilator or iverilog"}) is installed`,
      "On Debian: apt install verilator, or iverilog.",
    );
  return found;
}

export function installed(name: string): boolean {
  return spawnSync(name, [name === "iverilog" ? "-V" : "--version"], { stdio: "ignore" }).error === undefined;
}

/** Modules of the unit; those of the test bench begin with tb_. */
export function designFiles(folder = RTL): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".v") && !name.startsWith("tb_"))
    .sort()
    .map((name) => join(folder, name));
}

/** @param rtl the folder of the Verilog: another one for tests that damage it */
export function buildSimulator(name: SimulatorName, config: TgemvConfig, rtl = RTL): Simulator {
  const sources = [...designFiles(rtl), join(rtl, "tb_tgemv.v"), join(rtl, "tb_clock.v"), join(rtl, "tb_main.cpp")];
  const parameters = {
    SLOTS: config.slots,
    SLOT_BITS: Math.max(1, Math.ceil(Math.log2(config.slots))),
    FIFO: config.fifo,
    FIFO_BITS: Math.log2(config.fifo),
    ENTRIES: config.entries,
    ENTRY_BITS: Math.log2(config.entries),
  };
  const hash = createHash("sha256").update(JSON.stringify([name, parameters]));
  for (const source of sources) hash.update(readFileSync(source));
  const folder = join(BUILD, `${name}-${hash.digest("hex").slice(0, 16)}`);
  const program = join(folder, name === "verilator" ? "Vtb_tgemv" : "tb.vvp");
  const command = name === "verilator" ? [program] : ["vvp", "-n", program];
  if (existsSync(program)) return { name, command };
  mkdirSync(folder, { recursive: true });
  const verilog = sources.filter((source) => source.endsWith(".v"));
  const entries = Object.entries(parameters);
  const result =
    name === "verilator"
      ? tool("verilator", [
          ...["--cc", "--exe", "--build", "-O3", "-Wno-fatal", "--trace", "--top-module", "tb_tgemv", "--Mdir", folder],
          ...entries.map(([key, value]) => `-G${key}=${value}`),
          ...verilog.filter((source) => !source.endsWith("tb_clock.v")),
          join(rtl, "tb_main.cpp"),
        ])
      : tool("iverilog", [
          ...["-g2001", "-s", "tb_clock", "-o", program],
          ...entries.map(([key, value]) => `-Ptb_clock.${key}=${value}`),
          ...verilog,
        ]);
  if (result.status === 0) return { name, command };
  rmSync(folder, { recursive: true, force: true });
  throw new TritkitError(
    "E_RTL_BUILD",
    `${name} refuses the Verilog: ${firstError(result.stderr)}`,
    "Run npm run rtl -- --lint for all of it.",
  );
}

/** verilator --lint-only -Wall of the unit: its complaints, empty when there are none. */
export function lint(rtl = RTL): string {
  if (!installed("verilator"))
    throw new TritkitError(
      "E_TOOL_MISSING",
      "verilator, which checks the Verilog, is not installed",
      "On Debian: apt install verilator.",
    );
  return tool("verilator", ["--lint-only", "-Wall", "--top-module", "tgemv", ...designFiles(rtl)]).stderr.trim();
}

/** @param vcd a file for waveforms */
export function simulate(simulator: Simulator, batch: Batch, vcd?: string): SimulatedBatch {
  const folder = join(BUILD, `run-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  try {
    const file = (name: string) => join(folder, name);
    writeFileSync(file("w.hex"), hexOf(batch.wmem.subarray(0, words(batch.wUsed)), 4));
    writeFileSync(file("m.hex"), hexOf(batch.mmem.subarray(0, words(batch.mUsed)), 4));
    writeFileSync(file("gaps.hex"), hexOf(new Uint8Array(batch.gaps.buffer), 2));
    writeFileSync(file("script"), scriptOf(batch));
    const [program, ...first] = simulator.command;
    const plus = [
      `+wmem=${file("w.hex")}`,
      `+mmem=${file("m.hex")}`,
      `+gaps=${file("gaps.hex")}`,
      `+script=${file("script")}`,
    ];
    const result = tool(program, [
      ...first,
      ...plus,
      `+dump=${file("dump.hex")}`,
      ...(vcd === undefined ? [] : [`+vcd=${vcd}`]),
    ]);
    if (result.status !== 0 || !existsSync(file("dump.hex")))
      throw new TritkitError(
        "E_RTL_RUN",
        `the test bench failed: ${firstError(result.stderr + result.stdout)}`,
        "It is built in build/rtl: remove that folder and try again.",
      );
    return {
      lines: linesOf(result.stdout),
      mmem: bytesOfHex(readFileSync(file("dump.hex"), "utf8"), words(batch.mUsed)),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function tool(program: string, args: string[]): { status: number | null; stdout: string; stderr: string } {
  const result = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 30 });
  if (result.error !== undefined)
    throw new TritkitError(
      "E_TOOL_MISSING",
      `${program} cannot be run: ${result.error.message}`,
      "On Debian: apt install verilator iverilog g++ make.",
    );
  return result;
}

function firstError(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.find((line) => /error/i.test(line)) ?? lines[0] ?? "no reason given";
}

function words(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

/** Little-endian words as $readmemh takes them. */
function hexOf(bytes: Uint8Array, size: number): string {
  const lines: string[] = [];
  for (let i = 0; i < bytes.length; i += size)
    lines.push(
      Buffer.from(bytes.subarray(i, i + size))
        .reverse()
        .toString("hex"),
    );
  return `${lines.join("\n")}\n`;
}

function bytesOfHex(text: string, bytes: number): Uint8Array {
  const result = new Uint8Array(bytes);
  let at = 0;
  for (const line of text.split("\n")) {
    if (at >= bytes) break;
    if (!/^[0-9a-fA-FxX]{8}$/.test(line)) continue; // comments and addresses
    result.set(Buffer.from(line, "hex").reverse(), at);
    at += 4;
  }
  return result;
}

function scriptOf(batch: Batch): string {
  const lines: string[] = [];
  for (const { gaps, waits, ops } of batch.scenarios) {
    lines.push(line(5, gaps.base, gaps.mask, waits.base, waits.mask));
    for (const op of ops) lines.push(lineOf(op));
  }
  return `${lines.join("\n")}\n${line(0, Math.max(0, words(batch.mUsed) / 4 - 1))}\n`;
}

function lineOf(op: Op): string {
  if (op.do === "write") return line(1, op.offset, op.value);
  if (op.do === "read") return line(2, op.offset);
  return op.do === "pause" ? line(3, op.cycles) : line(4, op.limit);
}

function line(...numbers: number[]): string {
  return [0, 1, 2, 3, 4].map((i) => ((numbers[i] ?? 0) >>> 0).toString(16)).join(" ");
}

/** Of the first "S" on, each ends what was printed of a scenario. */
function linesOf(stdout: string): string[][] {
  const result: string[][] = [];
  let current: string[] = [];
  for (const printed of stdout.split("\n")) {
    if (!/^[RITSVE] /.test(printed)) continue;
    current.push(printed);
    if (!printed.startsWith("S ")) continue;
    result.push(current);
    current = [];
  }
  return result.slice(1);
}
