/**
 * A board's firmware on its emulator, a model in its flash: what an answer executes, by function. rp2040js counts instructions and cycles; QEMU
 * instructions, of which machine_cycles.ts derives cycles.
 */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Board } from "../../../boards/board.ts";
import { Device } from "../../../host/device/device.ts";
import { openPort } from "../../../host/transports/open.ts";
import { buildFirmware } from "../../firmware/build.mjs";
import { TOOLCHAINS } from "../../firmware/toolchains.mjs";
import { ROOT } from "../../lib/root.mjs";
import { flashFileWith } from "../flash_file.ts";
import { type Block, functionAt, type Profile, readQemuBlocks, readSymbols, type Symbols } from "../profile.ts";
import { startQemu } from "../qemu/qemu.ts";
import { FLASH_BYTES, startRp2040 } from "../rp2040/chip.ts";
import { picoTransport } from "../rp2040/live.ts";
import { patient } from "./answers.ts";
import { type Code, disassemble } from "./disassembly.ts";
import { machineCycles } from "./machine_cycles.ts";

export type Unit = "instructions" | "cycles";

export interface Calibrated {
  readonly board: string;
  /** What the emulator counts: what the table is judged by. */
  readonly unit: Unit;
  readonly emulator: "rp2040js" | "QEMU";
  /** More for the compiler. */
  readonly flags: string[];
}

/** One board for each core that an emulator runs. */
export const CALIBRATED: readonly Calibrated[] = [
  { board: "rp2040-pico", unit: "cycles", emulator: "rp2040js", flags: [] },
  { board: "mps2-an385", unit: "instructions", emulator: "QEMU", flags: [] },
  { board: "stm32f405", unit: "instructions", emulator: "QEMU", flags: [] },
  { board: "mps2-an500", unit: "instructions", emulator: "QEMU", flags: [] },
  { board: "mps2-an505", unit: "instructions", emulator: "QEMU", flags: [] },
  // The simulated board has no MVE: what runs there is the module.
  { board: "mps3-an547", unit: "instructions", emulator: "QEMU", flags: ["-mcpu=cortex-m55+nomve"] },
  { board: "riscv-virt", unit: "instructions", emulator: "QEMU", flags: [] },
];

/** By function; calls: times that its first instruction was executed. */
export type Counts = Readonly<Record<Unit | "calls", Profile>>;

export interface Emulated {
  readonly device: Device;
  /** Counted since the start, by function. */
  counts(): Promise<Counts>;
  close(): Promise<void>;
}

export interface Firmware {
  readonly elf: string;
  readonly symbols: Symbols;
  readonly code: Code;
  readonly segments: readonly { readonly address: number; readonly bytes: Uint8Array }[];
  /** SHA-256 of the device module that it was made from. */
  readonly wasm: string;
}

/** The firmware of the sources as they are, with the flags that it ships with. */
export async function firmwareOf({ board, flags }: Calibrated): Promise<Firmware> {
  const built = await buildFirmware(board, { flags, variant: "-calibrate" });
  const { prefix } = TOOLCHAINS[built.board.cpu.core];
  const elf = join(ROOT, built.elf);
  const [symbols, code] = await Promise.all([readSymbols(elf, prefix), disassemble(elf, prefix)]);
  return { elf, symbols, code, segments: built.segments, wasm: built.wasm };
}

/** @param folder for files while it runs */
export async function startEmulated(
  calibrated: Calibrated,
  board: Board,
  firmware: Firmware,
  image: Uint8Array,
  context: number,
  folder: string,
): Promise<Emulated> {
  const flash = join(folder, `${board.name}.bin`);
  await flashFileWith(board.name, image, flash, context);
  if (calibrated.emulator === "rp2040js") return onRp2040(board, firmware, flash);
  return onQemu(board, firmware, flash, join(folder, `${board.name}.profile`));
}

async function onQemu(
  board: Board,
  { elf, symbols, code }: Firmware,
  flash: string,
  profile: string,
): Promise<Emulated> {
  const qemu = await startQemu({ board: board.name, elf, flash, profile, taken: true });
  const end = async (): Promise<void> => {
    await qemu.kill();
    await rm(profile, { force: true });
  };
  try {
    const device = patient(await Device.connect(await openPort(qemu.port)));
    return {
      device,
      async counts() {
        const blocks = await readQemuBlocks(profile);
        return {
          instructions: byFunction(blocks, symbols),
          cycles: machineCycles(blocks, code, symbols, board.cpu.core),
          calls: callsByFunction(blocks, code, symbols),
        };
      },
      async close() {
        await device.close().catch(() => {});
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

function byFunction(blocks: readonly Block[], symbols: Symbols): Profile {
  const found = new Map<string, number>();
  for (const { address, instructions } of blocks) {
    const name = functionAt(symbols, address);
    found.set(name, (found.get(name) ?? 0) + instructions);
  }
  return found;
}

function callsByFunction(blocks: readonly Block[], code: Code, symbols: Symbols): Profile {
  const names = new Map(symbols.starts.map((start, i) => [start, symbols.names[i]]));
  const calls = new Map<string, number>();
  for (const { address, end, instructions } of blocks) {
    const name = names.get(address);
    if (name === undefined) continue;
    let count = 0;
    for (let at = address; at < end; at += code.get(at)?.bytes ?? end) count++;
    calls.set(name, (calls.get(name) ?? 0) + instructions / count);
  }
  return calls;
}

async function onRp2040(board: Board, { segments, symbols }: Firmware, partition: string): Promise<Emulated> {
  const flash = new Uint8Array(FLASH_BYTES).fill(0xff);
  for (const { address, bytes } of segments) flash.set(bytes, address - board.flash.base);
  flash.set(await readFile(partition), board.flash.partition.offset);
  const pico = startRp2040({ flash });
  const device = patient(await Device.connect(picoTransport(pico)));
  const profile = pico.startProfile();
  return {
    device,
    counts: async () => ({
      instructions: profile.instructionsByFunction(symbols),
      cycles: profile.cyclesByFunction(symbols),
      calls: profile.callsByFunction(symbols),
    }),
    // A Pico whose transport stays open runs for ever, and this process with it.
    close: () => device.close().catch(() => {}),
  };
}
