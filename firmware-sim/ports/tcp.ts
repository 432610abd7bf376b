/**
 * The board's serial line as a TCP port of this machine, for programs that can open a socket (`socket://127.0.0.1:PORT` of pySerial).
 * One client at a time: a second one is closed at once, and so is any while the line is in use elsewhere. While nobody is connected what the board sends is lost.
 *
 * NOT IMPLEMENTED: RFC 2217 (baud over TCP): the line follows the board's speed.
 */
import type { Socket } from "node:net";
import { type Line, openLine } from "../line.ts";
import type { LiveBoard } from "../live.ts";
import { SimError } from "../sim_error.ts";

export interface TcpPort {
  readonly host: string;
  readonly port: number;
  /** Ends the connection, too. */
  close(): Promise<void>;
}

/**
 * @param port 0: any that is free
 * @throws SimError E_SIM_PORT when the port cannot be opened
 */
export async function serveTcp(live: LiveBoard, port = 0, host = "127.0.0.1"): Promise<TcpPort> {
  const net = await import("node:net");
  let client: Socket | null = null;
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    const line = freeLine(live);
    if (line === null) {
      socket.destroy();
      return;
    }
    client = socket;
    line.onData((bytes) => socket.write(bytes));
    socket.on("data", (bytes) => line.write(bytes));
    socket.on("close", () => {
      line.close();
      client = null;
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new SimError("E_SIM_PORT", `cannot listen on ${host}:${port}: ${cause.message}`, { cause })),
    );
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    host,
    port: typeof address === "object" && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        client?.destroy();
        server.close(() => resolve());
      }),
  };
}

/** null: somebody has it. */
function freeLine(live: LiveBoard): Line | null {
  try {
    return openLine(live);
  } catch (error) {
    if (error instanceof SimError && error.code === "E_SIM_LINE_BUSY") return null;
    throw error;
  }
}
