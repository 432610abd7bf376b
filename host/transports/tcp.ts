// tcp://host:port: a raw byte stream, as ser2net, QEMU's serial server and `tritkit sim --port tcp:PORT` offer it.
import { connect } from "node:net";
import { EXIT_FAILED, EXIT_LINK_LOST, TritkitError } from "../errors.ts";
import { type Transport, wallSeconds } from "./transport.ts";

const CONNECT_TIMEOUT_MS = 5000;

/** @throws TritkitError E_PORT_NOT_FOUND when nothing listens there, E_PORT_TIMEOUT after 5 s */
export async function openTcp(name: string, host: string, port: number): Promise<Transport> {
  const socket = connect({ host, port, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => {
      reject(new TritkitError("E_PORT_TIMEOUT", `${name} did not answer within 5 s.`, "Check the address."));
      socket.destroy();
    });
    socket.once("error", (cause: NodeJS.ErrnoException) => {
      const unknown = cause.code === "ENOTFOUND" || cause.code === "EAI_AGAIN";
      const message = unknown ? `The host name in ${name} is not known.` : `Nothing listens at ${name}.`;
      const hint = unknown
        ? "Check the address."
        : "Start the simulator or the serial server first, or check the address.";
      reject(new TritkitError("E_PORT_NOT_FOUND", message, hint, EXIT_FAILED, { cause }));
    });
    socket.once("connect", resolve);
  });
  socket.setTimeout(0);
  socket.removeAllListeners("error");

  let failure: Error | undefined;
  let closed = false;
  let onClose: (error?: Error) => void = () => {};
  socket.on("error", (error) => {
    failure = error;
  });
  socket.on("close", () => {
    if (closed) return onClose();
    closed = true;
    const hint = "Is the other end still running? It may also serve somebody else now.";
    onClose(
      new TritkitError("E_LINK_LOST", `${name} closed the connection.`, hint, EXIT_LINK_LOST, { cause: failure }),
    );
  });

  return {
    name,
    simulated: false,
    seconds: wallSeconds,
    write: (bytes) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new TritkitError("E_LINK_LOST", `${name} is closed.`, "", EXIT_LINK_LOST));
        socket.write(bytes, (cause) => {
          if (cause) reject(new TritkitError("E_LINK_LOST", `${name} is gone.`, "", EXIT_LINK_LOST, { cause }));
          else resolve();
        });
      }),
    onData: (listener) => void socket.on("data", listener),
    onClose: (listener) => {
      onClose = listener;
    },
    setBaud: async () => {},
    close: async () => {
      if (closed) return;
      closed = true;
      await new Promise<void>((resolve) => {
        socket.end(resolve);
        socket.unref();
      });
      socket.destroy();
    },
  };
}
