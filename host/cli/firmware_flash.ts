// `tritkit flash --firmware`: the board's boot ROM says how, host/device/firmware does it, this shows it.
import { type Board, isHypothetical } from "../../boards/board.ts";
import { loadBoard, loadFirmware } from "../assets.ts";
import { type BoardFirmware, readBoardFirmware, releasedFirmware } from "../device/firmware/files.ts";
import type { FirmwareProgress } from "../device/firmware/progress.ts";
import type { ModemLine, Stm32Wiring } from "../device/firmware/stm32.ts";
import { EXIT_USAGE, TritkitError } from "../errors.ts";
import { usbIdOf } from "../transports/discover.ts";
import { openPort } from "../transports/open.ts";
import type { Transport } from "../transports/transport.ts";
import { type Context, type OptionSpec, PORT_HINT, usage } from "./command.ts";
import { updateOverLine } from "./firmware_update.ts";
import { FirmwareView } from "./firmware_view.ts";

/** Options of `flash` that only firmware has. */
export const FIRMWARE_OPTIONS: Record<string, OptionSpec> = {
  firmware: {
    type: "boolean",
    help: "the board's firmware instead of a model: over its line where it runs tritkit and has two slots, else by its boot ROM",
  },
  file: {
    type: "string",
    value: "FILE",
    help: "firmware: a .bin, .hex, .uf2 or .img file or a folder (default: what ships)",
  },
  address: { type: "string", value: "N", help: "firmware: where the first byte of a .bin goes, e.g. 0x08000000" },
  wiring: {
    type: "string",
    value: "LINES",
    help: "firmware of an STM32: reset=dtr,boot0=rts when the adapter resets it",
  },
  drive: { type: "string", value: "DIR", help: "firmware: the drive of a Pico in its boot ROM (default: searched)" },
};
/** Options of `flash` that only a model has. */
const MODEL_OPTIONS = ["uf2", "context", "test", "single", "baud"];

/** A board that was asked to restart is a drive within seconds, when the desktop mounts it. */
const AFTER_TOUCH_MS = 15_000;

export async function flashFirmware(context: Context): Promise<number> {
  const { args, out } = context;
  if (args.positionals.length > 0) throw usage("flash --firmware takes no MODEL.", "Flash the model afterwards.");
  for (const name of MODEL_OPTIONS) if (args.given(name)) throw usage(`--${name} is for a model, not for --firmware.`);
  if (await updateOverLine(context)) return 0;
  const board = await loadBoard(args.required("board", "`tritkit boards` lists the boards."));
  if (isHypothetical(board)) {
    const message = `${board.name} is simulated only: no such chip is sold.`;
    throw new TritkitError("E_NO_SUCH_CHIP", message, `\`tritkit sim --board ${board.name}\` starts one.`, EXIT_USAGE);
  }
  if (board.rom === null) throw await loadedOtherwise(board);
  if (args.given("wiring") && board.rom !== "an3155") throw usage(`--wiring is for an STM32, not for ${board.name}.`);
  if (args.given("drive") && board.rom !== "uf2")
    throw usage(`--drive is for a board that is a USB drive; ${board.name} is flashed through --port.`);
  // Before anything is opened.
  wiringFrom(args.text("wiring"));
  const firmware = await chooseFirmware(context, board);
  const view = new FirmwareView(out, board, firmware, {
    asked: `the boot ROM of ${board.name}`,
    verified: VERIFIED[board.rom] ?? null,
    unverified: "the boot ROM took all of it and restarted; it reads nothing back",
    next: "model  `tritkit flash MODEL --port PORT` puts a model beside it",
  });
  await METHODS[board.rom](context, board, firmware, view);
  view.end();
  return 0;
}

async function chooseFirmware({ args }: Context, board: Board): Promise<BoardFirmware> {
  const file = args.text("file");
  if (file !== undefined) return readBoardFirmware(file, board, addressFrom(args.text("address"), board));
  if (args.given("address")) throw usage("--address is for the .bin of --file.");
  return releasedFirmware(await loadFirmware(board), board);
}

/** Addresses of ESP32 firmware are customarily counted from the start of flash: both are understood, as flash lies above them. */
function addressFrom(text: string | undefined, { rom, flash }: Board): number | undefined {
  if (text === undefined) return undefined;
  const address = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!(address < 2 ** 32)) throw usage(`--address takes a number like 0x08000000, not "${text}".`);
  return rom === "esp32" && address < flash.bytes ? flash.base + address : address;
}

/** QEMU's machine and the option that takes the firmware (virt forgets -kernel where its flash has a file). The other boards are for a debug probe. */
const QEMU: Readonly<Record<string, { machine: string; load: string }>> = {
  "mps2-an385": { machine: "qemu-system-arm -M mps2-an385", load: "-kernel" },
  "mps2-an500": { machine: "qemu-system-arm -M mps2-an500", load: "-kernel" },
  "mps2-an505": { machine: "qemu-system-arm -M mps2-an505", load: "-kernel" },
  "mps3-an547": { machine: "qemu-system-arm -M mps3-an547", load: "-kernel" },
  "riscv-virt": { machine: "qemu-system-riscv32 -M virt", load: "-bios" },
};

const SERIAL = "tcp:127.0.0.1:7000,server=on,wait=off,nodelay=on";

/** For boards that no boot ROM helps. */
async function loadedOtherwise(board: Board): Promise<TritkitError> {
  const shipped = await loadFirmware(board).catch((error) => {
    if (error instanceof TritkitError && error.code === "E_NO_FIRMWARE") return null;
    throw error;
  });
  const elf = shipped?.elf ?? "firmware.elf";
  const qemu = Object.hasOwn(QEMU, board.name) ? QEMU[board.name] : null;
  const message = `${board.name} has no boot ROM that takes firmware: ${qemu === null ? "a debug probe" : "QEMU"} loads it.`;
  const hint =
    qemu === null
      ? `Load ${elf}; docs/porting.md says more.`
      : `${qemu.machine} -display none -serial ${SERIAL} ${qemu.load} ${elf} and then --port tcp:7000; docs/porting.md says more.`;
  return new TritkitError("E_NO_BOOT_ROM", message, hint, EXIT_USAGE);
}

/** What it means that a board's firmware was verified; the rest read nothing back. */
const VERIFIED: Partial<Record<NonNullable<Board["rom"]>, string>> = {
  an3155: "read back and equal",
  esp32: "MD5 of what flash holds is equal",
};

type Method = (context: Context, board: Board, firmware: BoardFirmware, view: FirmwareView) => Promise<void>;

const METHODS: Record<NonNullable<Board["rom"]>, Method> = {
  an3155: overLine(async (transport, { segments }, board, { args, signal }, onProgress) => {
    const { flashStm32 } = await import("../device/firmware/stm32.ts");
    await flashStm32(transport, segments, { board, wiring: wiringFrom(args.text("wiring")), signal, onProgress });
  }),
  esp32: overLine(async (transport, { segments }, board, { args, signal }, onProgress) => {
    const { flashEsp32 } = await import("../device/firmware/esp32.ts");
    const usb = await usbIdOf(args.required("port"));
    await flashEsp32(transport, segments, { board, usb, signal, onProgress });
  }),
  async uf2({ args, signal }, board, { uf2 }, view) {
    const { copyUf2 } = await import("../device/firmware/uf2_drive.ts");
    const port = args.text("port");
    if (port !== undefined) {
      if (/^(tcp|sim|rfc2217):/.test(port))
        throw usage(`--port of ${board.name} is the serial port to touch, not ${port}.`, "Leave it out.");
      const { touch1200 } = await import("../device/firmware/touch.ts");
      await touch1200(port);
    }
    const onProgress = (progress: FirmwareProgress) => view.show(progress);
    const appearMs = port === undefined ? 0 : AFTER_TOUCH_MS;
    await copyUf2(uf2 as Uint8Array, board, { drive: args.text("drive"), appearMs, signal, onProgress });
  },
};

type OnProgress = (progress: FirmwareProgress) => void;

/** A boot ROM at the end of a serial line. */
function overLine(
  flash: (t: Transport, f: BoardFirmware, b: Board, context: Context, onProgress: OnProgress) => Promise<unknown>,
): Method {
  return async (context, board, firmware, view) => {
    const transport = await openPort(context.args.required("port", PORT_HINT));
    try {
      await flash(transport, firmware, board, context, (progress) => view.show(progress));
    } finally {
      await transport.close();
    }
  };
}

/** "reset=dtr,boot0=not-rts": what hangs on an adapter's modem lines. */
function wiringFrom(text: string | undefined): Stm32Wiring | undefined {
  if (text === undefined) return undefined;
  const wires = new Map(text.split(",").map((each) => each.split("=", 2) as [string, string | undefined]));
  const line = (name: string): ModemLine => {
    const found = /^(not-)?(dtr|rts)$/.exec(wires.get(name) ?? "");
    if (found === null || wires.size !== 2) throw usage(`--wiring looks like reset=dtr,boot0=not-rts, not "${text}".`);
    return `${found[1] === undefined ? "" : "!"}${found[2]}` as ModemLine;
  };
  return { reset: line("reset"), boot0: line("boot0") };
}
