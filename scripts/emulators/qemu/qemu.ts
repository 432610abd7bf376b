/**
 * Firmware on QEMU: one machine for each board that QEMU models, its UART as a TCP port, its flash in a file that outlives a SIGKILL,
 * which is a power cut.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { open, stat, truncate, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../../lib/root.mjs";

const run = promisify(execFile);

interface Machine {
  readonly program: "qemu-system-arm" | "qemu-system-riscv32";
  readonly machine: string;
  /** How the flash is kept: the machine's RAM, of this size, in a file; a CFI chip's file; a ROM, loaded at start and never written. */
  readonly flash: { ram: number } | { pflash: number } | { rom: number };
  /** The option that takes the firmware. virt ignores -kernel where its second flash has a file. */
  readonly load: "-kernel" | "-bios";
}

const MIB = 1 << 20;

/** By board. Sizes of RAM are the machines' own (hw/arm/mps2.c, mps2-tz.c): a backend must have exactly that. */
const MACHINES: Record<string, Machine> = {
  "mps2-an385": { program: "qemu-system-arm", machine: "mps2-an385", flash: { ram: 16 * MIB }, load: "-kernel" },
  "mps2-an500": { program: "qemu-system-arm", machine: "mps2-an500", flash: { ram: 16 * MIB }, load: "-kernel" },
  "mps2-an505": { program: "qemu-system-arm", machine: "mps2-an505", flash: { ram: 16 * MIB }, load: "-kernel" },
  "mps3-an547": { program: "qemu-system-arm", machine: "mps3-an547", flash: { ram: 2048 * MIB }, load: "-kernel" },
  "riscv-virt": { program: "qemu-system-riscv32", machine: "virt", flash: { pflash: 32 * MIB }, load: "-bios" },
  stm32f405: { program: "qemu-system-arm", machine: "netduinoplus2", flash: { rom: 0x08008000 }, load: "-kernel" },
};

/** Boards whose firmware can be run here. */
export const QEMU_BOARDS = Object.keys(MACHINES);

export interface QemuOptions {
  readonly board: string;
  readonly elf: string;
  /** The partition's content; made, all 0xFF, when it is not there. A RAM's file holds more behind it. */
  readonly flash: string;
  /** Counts instructions by block into this file. */
  readonly profile?: string;
  /** With `profile`: counts the jumps behind each block, too. Half the speed. */
  readonly taken?: boolean;
}

export interface Qemu {
  /** For --port. */
  readonly port: string;
  /** Cuts the power: SIGKILL. */
  kill(): Promise<void>;
}

/** @throws Error when QEMU is missing or does not start */
export async function startQemu({ board, elf, flash, profile, taken = false }: QemuOptions): Promise<Qemu> {
  const known = MACHINES[board];
  if (known === undefined) throw new Error(`QEMU has no machine for ${board}`);
  const { program, machine, load } = known;
  const tcp = await freePort();
  const args = ["-display", "none", "-monitor", "none", load, elf];
  args.push("-serial", `tcp:127.0.0.1:${tcp},server=on,wait=off,nodelay=on`);
  args.push(...(await flashArguments(machine, known.flash, flash)));
  if (profile !== undefined) args.push("-plugin", `${await profilePlugin()},out=${profile}${taken ? ",taken=on" : ""}`);
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  await listening(child, tcp, () => errors || `${program} ended`);
  return {
    port: `tcp://127.0.0.1:${tcp}`,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

export interface ProgramOptions {
  readonly board: string;
  readonly elf: string;
  /** Where the program's files go, if it writes any by semihosting. */
  readonly folder: string;
  /** Counts instructions by block into this file. */
  readonly profile: string;
  readonly seconds: number;
}

/**
 * Runs a program that needs nothing but the core and its memory, until it ends itself by semihosting.
 * @throws Error when it reports a failure, or has not ended after `seconds`
 */
export async function runProgram({ board, elf, folder, profile, seconds }: ProgramOptions): Promise<void> {
  const known = MACHINES[board];
  if (known === undefined) throw new Error(`QEMU has no machine for ${board}`);
  const args = ["-M", known.machine, "-display", "none", "-monitor", "none", "-serial", "none", known.load, elf];
  args.push("-semihosting-config", "enable=on,target=native", "-plugin", `${await profilePlugin()},out=${profile}`);
  await run(known.program, args, { cwd: folder, timeout: 1000 * seconds, killSignal: "SIGKILL" }).catch((error) => {
    const why = error.killed === true ? `did not end within ${seconds} s` : `failed: ${error.stderr || error.message}`;
    throw new Error(`${elf} on QEMU ${why}`);
  });
}

/** Version of the QEMU that runs a board, for reports. */
export async function qemuVersion(board: string): Promise<string> {
  const { stdout } = await run(MACHINES[board].program, ["--version"]);
  return /version (\S+)/.exec(stdout)?.[1] ?? "unknown";
}

async function flashArguments(machine: string, kind: Machine["flash"], file: string): Promise<string[]> {
  if ("rom" in kind) {
    await stat(file).catch(() => writeFile(file, new Uint8Array()));
    return ["-M", machine, "-device", `loader,file=${file},addr=${kind.rom},force-raw=on`];
  }
  const bytes = "ram" in kind ? kind.ram : kind.pflash;
  await padded(file, bytes, "pflash" in kind);
  if ("pflash" in kind) return ["-M", machine, "-drive", `if=pflash,unit=1,format=raw,file=${file}`];
  const backend = `memory-backend-file,id=ram,size=${bytes},mem-path=${file},share=on`;
  return ["-M", `${machine},memory-backend=ram`, "-object", backend];
}

/** A blank partition of `PARTITION` bytes, behind which the file is a hole; a chip's file is blank to its end. */
const PARTITION = 16 * MIB;

async function padded(file: string, bytes: number, whole: boolean): Promise<void> {
  const there = await stat(file).then(
    ({ size }) => size,
    () => 0,
  );
  const blank = whole ? bytes : Math.min(PARTITION, bytes);
  if (there < blank) {
    const handle = await open(file, "a");
    for (let at = there; at < blank; at += MIB)
      await handle.write(new Uint8Array(Math.min(MIB, blank - at)).fill(0xff));
    await handle.close();
  }
  await truncate(file, bytes);
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

/** Until QEMU's serial port takes connections: it looks at the socket, and hangs up again. */
async function listening(child: ChildProcess, port: number, why: () => string): Promise<void> {
  let failure: Error | null = null;
  child.on("error", (error) => {
    failure = error;
  });
  for (let tries = 0; tries < 200; tries++) {
    if (failure !== null) throw failure;
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(why());
    const socket = connect(port, "127.0.0.1");
    const open = await Promise.race([
      once(socket, "connect").then(() => true),
      once(socket, "error").then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill("SIGKILL");
  throw new Error(`QEMU did not open its serial port: ${why()}`);
}

let plugin: Promise<string> | null = null;

/** Compiles profile.c for this machine, once. */
function profilePlugin(): Promise<string> {
  plugin ??= (async () => {
    const out = join(ROOT, "build/profile.so");
    const source = join(ROOT, "scripts/emulators/qemu/profile.c");
    await run("gcc", [
      "-O2",
      "-Wall",
      "-Wextra",
      "-Werror",
      "-shared",
      "-fPIC",
      "-fvisibility=hidden",
      source,
      "-o",
      out,
    ]);
    return out;
  })();
  return plugin;
}
