/**
 * npm run rp2040 -- --flash FILE --port tcp:PORT [--firmware FILE] [--cut N]: a Pico on rp2040js behind a TCP port.
 *
 *     --flash FILE      its 2 MiB of flash; made when it is not there, written through
 *     --firmware FILE   .bin (from flash offset 0) or .uf2, written into flash before the start
 *     --port tcp:PORT   UART0, on 127.0.0.1; 0: any free port. One client at a time
 *     --cut N           cuts power in the middle of the N-th erase or program from now on, and leaves with status 0
 *     --seed N          for what a torn operation leaves; default 1
 *
 * Prints one line, `rp2040 tcp://127.0.0.1:PORT`, once the firmware has started and it listens. SIGKILL is a power cut.
 */
import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { FLASH_BYTES, flashImageOfUf2, isUf2, Rp2040Error, startRp2040 } from "./chip.ts";
import { openFlashFile } from "./flash_file.ts";
import { LivePico, startUp } from "./live.ts";

const OPTIONS = {
  flash: { type: "string" },
  firmware: { type: "string" },
  port: { type: "string" },
  cut: { type: "string" },
  seed: { type: "string" },
} as const;

function main(): void {
  const { values } = parseArgs({ options: OPTIONS });
  const port = /^tcp:(\d{1,5})$/.exec(values.port ?? "tcp:0")?.[1];
  if (values.flash === undefined || port === undefined || Number(port) > 65535)
    throw new Error("usage: npm run rp2040 -- --flash FILE --port tcp:PORT [--firmware FILE] [--cut N] [--seed N]");
  const file = openFlashFile(values.flash);
  const firmware = values.firmware === undefined ? undefined : firmwareImage(values.firmware);
  if (firmware !== undefined) file.write(0, firmware);
  let client: Socket | null = null;
  const pico = startRp2040({
    firmware,
    flash: file.content,
    seed: whole("seed", values.seed ?? "1"),
    cutAtOperation: whole("cut", values.cut ?? "0"),
    onFlashChange: file.write,
  });
  startUp(pico);
  const live = new LivePico(
    pico,
    (bytes) => client?.write(bytes),
    (error) => leave(error),
  );
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    if (client !== null) {
      socket.destroy();
      return;
    }
    client = socket;
    socket.on("data", (bytes) => live.write(bytes));
    socket.on("close", () => {
      client = null;
    });
  });
  server.on("error", leave);
  server.listen(Number(port), "127.0.0.1", () => {
    const address = server.address();
    if (address !== null && typeof address === "object") console.log(`rp2040 tcp://127.0.0.1:${address.port}`);
  });
}

function firmwareImage(path: string): Uint8Array {
  const bytes = new Uint8Array(readFileSync(path));
  return isUf2(bytes) ? flashImageOfUf2(bytes, FLASH_BYTES) : bytes;
}

function whole(option: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`--${option}: ${text} is not a whole number`);
  return Number(text);
}

/** @param error null: power was cut as asked */
function leave(error: Error | null): never {
  console.error(error === null ? "rp2040: power was cut" : `rp2040: ${error.message}`);
  process.exit(error === null ? 0 : 1);
}

try {
  main();
} catch (error) {
  const told = error instanceof Rp2040Error || error instanceof Error;
  leave(told ? error : new Error(String(error)));
}
