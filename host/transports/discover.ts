// Which ports there are, which boards they may be by USB id, and who answers. A port that no board's USB id matches is not
// written to: it may be a modem, a printer or somebody's running machine.
import { realpath } from "node:fs/promises";
import { listBoards } from "../assets.ts";
import { Device } from "../device/device.ts";
import { TritkitError } from "../errors.ts";
import { loadSerialport, openSerial } from "./serial.ts";
import type { UsbId } from "./usb_id.ts";

export type DeviceAnswer =
  | { kind: "tritkit"; board: string; firmware: string; model: string }
  | { kind: "none"; why: string; code: string };

export interface FoundDevice {
  path: string;
  /** "vid:pid" in hex, null for a port without USB. */
  usb: string | null;
  manufacturer: string | null;
  /** Boards whose USB ids match. */
  likely: string[];
  answer: DeviceAnswer;
}

export interface DiscoverOptions {
  probeUnknown?: boolean;
  signal?: AbortSignal;
}

/** @throws TritkitError E_NO_SERIALPORT, E_PORT_LIST */
export async function listDevices({ probeUnknown = false, signal }: DiscoverOptions = {}): Promise<FoundDevice[]> {
  const { SerialPort } = await loadSerialport();
  const ports = await SerialPort.list().catch((cause: Error) => {
    // On Linux the list comes from udevadm, which slim systems and containers lack.
    const hint = "Install udev, or give the port to the command yourself.";
    throw new TritkitError("E_PORT_LIST", `The ports could not be listed: ${cause.message}.`, hint, 1, { cause });
  });
  const boards = await listBoards();
  const found: FoundDevice[] = [];
  for (const port of ports) {
    const vid = Number.parseInt(port.vendorId ?? "", 16);
    const pid = Number.parseInt(port.productId ?? "", 16);
    const likely = boards
      .filter((board) => board.usb.some((id) => id.vid === vid && id.pid === pid))
      .map(({ name }) => name);
    const usb = Number.isNaN(vid) ? null : `${port.vendorId}:${port.productId}`.toLowerCase();
    const answer: DeviceAnswer =
      likely.length > 0 || probeUnknown
        ? await ask(port.path, signal)
        : { kind: "none", why: "not asked: unknown port", code: "E_NOT_ASKED" };
    found.push({ path: port.path, usb, manufacturer: port.manufacturer ?? null, likely, answer });
  }
  return found;
}

/** The USB id of a serial port, by its path as the system lists it; undefined for other ports and where the system does not say. */
export async function usbIdOf(path: string): Promise<UsbId | undefined> {
  if (/^[a-z0-9]+:/.test(path)) return undefined;
  const { SerialPort } = await loadSerialport();
  const ports = await SerialPort.list().catch(() => []);
  // A name that udev made points at the one that is listed.
  const names = [path, await realpath(path).catch(() => path)];
  const port = ports.find((each) => names.includes(each.path));
  const [vid, pid] = [port?.vendorId, port?.productId].map((id) => Number.parseInt(id ?? "", 16));
  return Number.isNaN(vid) || Number.isNaN(pid) ? undefined : { vid, pid };
}

async function ask(path: string, signal?: AbortSignal): Promise<DeviceAnswer> {
  try {
    const device = await Device.connect(await openSerial(path), { baud: 0, signal });
    const { board, firmware, model } = device.hello;
    await device.close();
    return { kind: "tritkit", board, firmware, model };
  } catch (error) {
    if (!(error instanceof TritkitError) || error.code === "E_INTERRUPTED") throw error;
    return { kind: "none", why: error.message, code: error.code };
  }
}
