// A serial line to a simulated board for a host that lives in simulated time with it (firmware-sim/control/drive.ts): every deadline of the
// session passes there, every random choice is the drive's. What a scenario talks through.
import { EXIT_LINK_LOST, TritkitError } from "../errors.ts";
import type { Drive } from "./sim.ts";
import type { Transport } from "./transport.ts";

/** @param baud of the host's end at first */
export function openDriven(drive: Drive, baud: number): Transport {
  const { uart, board } = drive.board;
  const name = `sim:${board.name}`;
  let open = true;
  let onData: (bytes: Uint8Array) => void = () => {};
  let onClose: (error?: Error) => void = () => {};
  uart.setHostBaud(baud);
  uart.setHostParity("none");
  const stop = uart.onHostData((bytes) => onData(bytes));
  return {
    name,
    simulated: true,
    world: drive,
    seconds: () => drive.board.now / 1e9,
    async write(bytes) {
      if (!open) throw new TritkitError("E_LINK_LOST", `${name} is closed.`, "", EXIT_LINK_LOST);
      // A board without power hears nothing, and its adapter does not know.
      uart.hostWrite(bytes);
    },
    onData(listener) {
      onData = listener;
    },
    onClose(listener) {
      onClose = listener;
    },
    async setBaud(next) {
      uart.setHostBaud(next);
    },
    async setParity(parity) {
      uart.setHostParity(parity);
    },
    async close() {
      if (!open) return;
      open = false;
      stop();
      onClose();
    },
  };
}
