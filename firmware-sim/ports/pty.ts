/**
 * The board's serial line as a pseudo-terminal, for programs that want a serial device by its path.
 *
 *     program ── /dev/pts/N (slave) ══ kernel ══ master ── Line ── board
 *
 * The slave is raw and held open here, so that its settings stay and clients may come and go. The port cannot see them come and go:
 * what the board sends while nobody reads waits in the kernel's buffer (a few kB), the rest is dropped.
 *
 * NOT IMPLEMENTED: the client's baud (the line follows the board's speed), RTS, CTS and DTR (a PTY answers ENOTTY), Windows.
 */
import { openLine } from "../line.ts";
import type { LiveBoard } from "../live.ts";
import { SimError } from "../sim_error.ts";
import type { Pty } from "./pty_master.ts";
import { nativePty } from "./pty_native.ts";
import { socatPty } from "./pty_socat.ts";

export interface PtyPort {
  readonly path: string;
  readonly provider: PtyProvider;
  close(): Promise<void>;
}

export type PtyProvider = "node-pty" | "socat";

const PROVIDERS: [PtyProvider, () => Promise<Pty>][] = [
  ["node-pty", nativePty],
  ["socat", socatPty],
];

/**
 * @param providers tried one after the other
 * @throws SimError E_SIM_PORT_MISSING when this machine has neither of them, E_SIM_LINE_BUSY
 */
export async function servePty(live: LiveBoard, providers: PtyProvider[] = ["node-pty", "socat"]): Promise<PtyPort> {
  const reasons: string[] = [];
  for (const [provider, open] of PROVIDERS) {
    if (!providers.includes(provider)) continue;
    let pty: Pty;
    try {
      pty = await open();
    } catch (error) {
      reasons.push(`${provider}: ${error instanceof Error ? error.message.split("\n")[0] : error}`);
      continue;
    }
    return connect(live, provider, pty);
  }
  throw new SimError("E_SIM_PORT_MISSING", `no pseudo-terminal on this machine (${reasons.join("; ")})`);
}

async function connect(live: LiveBoard, provider: PtyProvider, pty: Pty): Promise<PtyPort> {
  try {
    const line = openLine(live);
    line.onData((bytes) => pty.write(bytes));
    pty.onData((bytes) => line.write(bytes));
    return {
      path: pty.path,
      provider,
      async close() {
        line.close();
        await pty.close();
      },
    };
  } catch (error) {
    await pty.close();
    throw error;
  }
}
