// `tritkit flash --firmware --port PORT` where a board at the port runs tritkit and has two slots for its firmware: over the line it talks on.
import { readFile, stat } from "node:fs/promises";
import { type Board, updateRegion } from "../../boards/board.ts";
import { loadBoard, loadFirmware } from "../assets.ts";
import { Device } from "../device/device.ts";
import { noUpdate, updateFirmware } from "../device/firmware/over_smp.ts";
import { readFirmwareFolder } from "../device/firmware/release.ts";
import { isUpdateFile, readUpdateFile, type UpdateFile } from "../device/firmware/update_file.ts";
import { EXIT_REFUSED, TritkitError } from "../errors.ts";
import { openPort } from "../transports/open.ts";
import { type Context, usage } from "./command.ts";
import { FirmwareView } from "./firmware_view.ts";

/**
 * @returns false where it is the boot ROM's turn: no port is given, --board says that its firmware has no second slot, or nothing at the
 *   port takes an update
 * @throws TritkitError as updateFirmware; E_NO_UPDATE, E_NOT_TRITKIT when there is no --board, whose boot ROM could be used instead
 */
export async function updateOverLine(context: Context): Promise<boolean> {
  const { args, out, signal } = context;
  const port = args.text("port");
  const named = args.text("board");
  if (port === undefined || args.given("drive") || args.given("wiring") || args.given("address")) return false;
  const asked = named === undefined ? null : await loadBoard(named);
  if (asked !== null && asked.flash.update === null) return false;
  // Before anything is opened: what is damaged, and what was built for the boot ROM alone.
  const file = args.text("file");
  const given = file === undefined ? undefined : await updatesIn(file);
  // Without --board no boot ROM can be meant.
  if (asked === null && file !== undefined && given?.length === 0) throw await noUpdateIn(file);
  const shipped = given === undefined && asked !== null ? (await loadFirmware(asked)).updates : undefined;
  if ((given ?? shipped)?.length === 0) return false;

  out.status(`flash  looking for a board at ${port}`);
  const device = await connect(context, port, asked);
  if (device === null) return false;
  try {
    const { board: name, firmwareSlot } = device.hello;
    if (asked !== null && name !== asked.name) {
      const message = `The board at ${device.name} is ${name}, not ${asked.name} as --board says.`;
      throw new TritkitError("E_IMAGE_BOARD", message, "Choose another port or another --board.", EXIT_REFUSED);
    }
    if (asked !== null && firmwareSlot === null) return false;
    const board = asked ?? (await loadBoard(name));
    const region = updateRegion(board);
    const files = given ?? shipped ?? (firmwareSlot === null ? [] : (await loadFirmware(board)).updates);
    if (files.length === 0 || firmwareSlot === null || region === null) throw noUpdate(board);
    const wanted = board.flash.base + region.slots[firmwareSlot];
    const shown = files.find(({ address }) => address === wanted) ?? files[0];
    const segments = [{ address: shown.address, bytes: shown.bytes }];
    const view = new FirmwareView(
      out,
      board,
      { segments, version: shown.version },
      {
        asked: `the firmware of ${name}`,
        verified: "the board verified it, tried it and keeps it",
        unverified: "the board runs it",
        next: "model  those on the board are as they were",
      },
    );
    await updateFirmware(device, board, files, { signal, onProgress: (progress) => view.show(progress) });
    view.end();
    return true;
  } finally {
    await device.close();
  }
}

/** The update files of a path; none: it is firmware of another kind, or nothing. */
async function updatesIn(path: string): Promise<readonly UpdateFile[]> {
  const found = await stat(path).catch(() => null);
  if (found === null) return [];
  if (found.isDirectory()) return (await readFirmwareFolder(path))?.updates ?? [];
  const bytes = new Uint8Array(await readFile(path));
  return isUpdateFile(bytes) ? [readUpdateFile(bytes)] : [];
}

async function noUpdateIn(path: string): Promise<TritkitError> {
  if ((await stat(path).catch(() => null)) === null)
    return new TritkitError("E_FILE_NOT_FOUND", `There is no file ${path}.`, "Check the path.");
  const hint =
    "An update is a release folder or one of its .img files; with --board NAME the boot ROM takes other kinds.";
  return usage(`${path} is no update for a board that runs tritkit.`, hint);
}

/** null: nothing there speaks tritkit, and the boot ROM of `asked` may be what is there. */
async function connect({ signal }: Context, port: string, asked: Board | null): Promise<Device | null> {
  try {
    return await Device.connect(await openPort(port), { signal });
  } catch (error) {
    if (asked !== null && error instanceof TritkitError && error.code === "E_NOT_TRITKIT") return null;
    throw error;
  }
}
