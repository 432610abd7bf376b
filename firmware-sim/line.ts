/**
 * A serial line to a running board, for a host in the same process. One at a time, as one plug goes into a socket.
 *
 *     host ── write ──> Line ──> UART        bytes take their time at the line's speed
 *     host <── onData ── Line <── UART
 */
import type { Parity } from "./bus/wire.ts";
import type { LiveBoard } from "./live.ts";
import type { ModemLines } from "./rom/rom.ts";
import { SimError } from "./sim_error.ts";

export interface Line {
  /** Puts bytes on the line. Nothing happens when the board is off or the line closed. */
  write(bytes: Uint8Array): void;
  /** @param listener gets what the board sends; the array is the listener's. One listener; a new one replaces it */
  onData(listener: (bytes: Uint8Array) => void): void;
  /** Speed of the host's end from the next byte on. Until it is called the line follows the board's speed. */
  setBaud(baud: number): void;
  /** Parity of the host's end from the next byte on; "none" until it is called. */
  setParity(parity: Parity): void;
  /** The adapter's modem lines, for boards that have them wired to reset and straps. */
  setModemLines(lines: ModemLines): void;
  close(): void;
}

const taken = new WeakSet<LiveBoard>();

/**
 * @param baud speed of the host's end; left out: it follows the board's, as over USB where no speed is on the wire
 * @throws SimError E_SIM_LINE_BUSY while another line to this board is open
 */
export function openLine(live: LiveBoard, baud?: number): Line {
  if (taken.has(live)) throw new SimError("E_SIM_LINE_BUSY", `${live.board.board.name}: the line is in use`);
  taken.add(live);
  const { uart } = live.board;
  uart.setHostBaud(baud ?? null);
  uart.setHostParity("none");
  let listener: (bytes: Uint8Array) => void = () => {};
  const stop = uart.onHostData((bytes) => listener(bytes));
  let open = true;
  return {
    write(bytes) {
      if (!open) return;
      live.wake(); // brings simulated time up to the wall before the bytes start
      uart.hostWrite(bytes);
    },
    onData(next) {
      listener = next;
    },
    setBaud(next) {
      if (open) uart.setHostBaud(next);
    },
    setParity(parity) {
      if (open) uart.setHostParity(parity);
    },
    setModemLines(lines) {
      if (!open) return;
      live.wake();
      if (live.board.state === "on") live.board.setModemLines(lines);
    },
    close() {
      if (!open) return;
      open = false;
      stop();
      taken.delete(live);
    },
  };
}
