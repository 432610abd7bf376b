// From what a user types after --port to an open transport.
import { EXIT_USAGE, TritkitError } from "../errors.ts";
import type { Transport } from "./transport.ts";

/**
 * `/dev/ttyACM0`, `COM3`, `tcp://host:port`, `tcp:port` on this machine, `sim:BOARD`, `sim:BOARD:FILE` (flash kept in FILE).
 * @throws TritkitError E_PORT_* as the transport says, E_USAGE for a port that is none
 */
export async function openPort(port: string): Promise<Transport> {
  // As `tritkit sim --port` takes it.
  if (/^tcp:\d+$/.test(port)) return openPort(`tcp://127.0.0.1:${port.slice(4)}`);
  const scheme = /^([a-z0-9]+):\/\//.exec(port)?.[1];
  if (scheme === "tcp") {
    const url = URL.canParse(port) ? new URL(port) : null;
    const number = Number(url?.port);
    if (url === null || url.hostname === "" || !(number > 0)) throw bad(port, "It looks like tcp://127.0.0.1:7000.");
    const { openTcp } = await import("./tcp.ts");
    return openTcp(port, url.hostname.replace(/^\[|\]$/g, ""), number);
  }
  if (scheme === "rfc2217") throw bad(port, "rfc2217:// is not implemented; offer the port as raw TCP.");
  if (scheme !== undefined) throw bad(port, "Known: a path, tcp://host:port, sim:BOARD.");
  if (port === "sim" || port === "sim:")
    throw bad(port, "It looks like sim:rp2040-pico; `tritkit boards` lists the boards.");
  if (/^\d+$/.test(port))
    throw bad(port, `A TCP port looks like tcp:${port}, a serial port like /dev/ttyACM0 or COM3.`);
  const sim = simPort(port);
  if (sim !== null) {
    const { openSim } = await import("./sim.ts");
    return openSim(sim.board, { flashFile: sim.file });
  }
  const { openSerial } = await import("./serial.ts");
  return openSerial(port);
}

/** What `sim:BOARD` and `sim:BOARD:FILE` name; null: the port is another one. */
export function simPort(port: string): { board: string; file: string | undefined } | null {
  if (!port.startsWith("sim:") || port === "sim:") return null;
  const [, board, ...file] = port.split(":");
  return { board, file: file.length > 0 ? file.join(":") : undefined };
}

function bad(port: string, hint: string): TritkitError {
  return new TritkitError("E_USAGE", `"${port}" is no port.`, hint, EXIT_USAGE);
}
