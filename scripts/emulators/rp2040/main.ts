/**
 * npm run rp2040 -- --flash FILE --port tcp:PORT [--firmware FILE] [--cut N]: a Pico on rp2040js behind a TCP port.
 *
 *     --flash FILE      its 2 MiB of flash; made when it is not there, written through
 *     --firmware FILE   .bin (from flash offset 0) or .uf2 (its blocks), written into flash before the start; a model as UF2 leaves the firmware
 *     --port tcp:PORT   UART0, on 127.0.0.1; 0: any free port. One client at a time
 *     --cut N           cuts power in the middle of the N-th erase or program from now on, and leaves with status 0
 *     --seed N          for what a torn operation leaves; default 1
 *
 * Prints one line, `rp2040 tcp://127.0.0.1:PORT`, once the firmware has started and it listens. SIGKILL is a power cut.
 */
import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { readUf2, uf2Chip } from "../../../host/device/firmware/uf2.ts";
import { FLASH_BYTES, startRp2040 } from "./chip.ts";
import { openFlashFile } from "./flash_file.ts";
import { LivePico, startUp } from "./live.ts";

const OPTIONS = {
  flash: { type: "string" },
  firmware: { type: "string" },
  port: { type: "string" },
  cut: { type: "string" },
  seed: { type: "string" },
} as const;

const FLASH_BASE = 0x10000000;

function main(): void {
  const { values } = parseArgs({ options: OPTIONS });
  const port = /^tcp:(\d{1,5})$/.exec(values.port ?? "tcp:0")?.[1];
  if (values.flash === undefined || port === undefined || Number(port) > 65535)
    throw new Error("usage: npm run rp2040 -- --flash FILE --port tcp:PORT [--firmware FILE] [--cut N] [--seed N]");
  const file = openFlashFile(values.flash);
  if (values.firmware !== undefined) {
    for (const { address, bytes } of firmwareSegments(values.firmware)) {
      const offset = address - FLASH_BASE;
      if (offset < 0 || offset + bytes.length > FLASH_BYTES)
        throw new Error(`${values.firmware} reaches outside flash`);
      file.content.set(bytes, offset);
      file.write(offset, bytes);
    }
  }
  let client: Socket | null = null;
  const pico = startRp2040({
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

/** What goes where: a .bin from the start of flash on; of a UF2 its own blocks and nothing beside them, as the boot ROM does it. */
function firmwareSegments(path: string): { address: number; bytes: Uint8Array }[] {
  const bytes = new Uint8Array(readFileSync(path));
  return path.endsWith(".uf2") ? readUf2(bytes, uf2Chip("RP2040").family) : [{ address: FLASH_BASE, bytes }];
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
  const told = error instanceof Error;
  leave(told ? error : new Error(String(error)));
}
