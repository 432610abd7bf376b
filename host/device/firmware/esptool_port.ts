// Espressif's esptool-js on our transports. What it calls a Transport is a Web Serial port with SLIP on it; here the bytes go through
// RomLine, so that each of its waits has a deadline, a lost cable ends all of them at once, and nothing of it reaches the console.
import { TritkitError } from "../../errors.ts";
import type { UsbId } from "../../transports/usb_id.ts";
import { RomFault, type RomLine } from "./rom_line.ts";

export type Esptool = typeof import("esptool-js");
type EspTransport = InstanceType<Esptool["Transport"]>;

/** Loads Espressif's library: a third of a megabyte that only this flasher needs. @throws TritkitError E_NO_ESPTOOL */
export async function loadEsptool(): Promise<Esptool> {
  try {
    return await import("esptool-js/bundle.js");
  } catch (cause) {
    const hint = "Run `npm install esptool-js`.";
    throw new TritkitError("E_NO_ESPTOOL", "The esptool-js package could not be loaded.", hint, 1, { cause });
  }
}

const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
const ESC_ESC = 0xdd;
/** More than this without a whole frame is a chip that talks about something else. */
const NOISE_BYTES = 4096 + 64;
/** After a command that was not understood the ROM may go on answering. */
const QUIET_MS = 100;

/** esptool-js's own framing out, ours in: text between the frames (a boot message) is passed over. */
export function espTransport(esptool: Esptool, line: RomLine, usb: UsbId | null): EspTransport {
  const { transport } = line;
  class EspLine extends esptool.Transport {
    override async connect(baud: number): Promise<void> {
      await transport.setBaud(baud);
      this.baudrate = baud;
    }

    override async disconnect(): Promise<void> {}

    override async readLoop(): Promise<void> {}

    /** @returns whether the port was opened anew */
    override async changeBaudrate(baud: number): Promise<boolean> {
      await this.connect(baud);
      return false;
    }

    override async write(packet: Uint8Array): Promise<void> {
      await line.write(this.slipWriter(packet));
    }

    /** The next frame. @throws ESPError when nothing comes for `ms`, or no frame in many bytes */
    override async read(ms: number): Promise<Uint8Array> {
      let frame: number[] | null = null;
      for (let bytes = 0; bytes < NOISE_BYTES; bytes++) {
        const byte = await this.#byte(ms);
        if (byte === END) {
          if (frame !== null && frame.length > 0) return Uint8Array.from(frame);
          frame = [];
        } else if (byte === ESC) {
          const escaped = await this.#byte(ms);
          // A broken escape: this frame is lost, and another END begins one.
          if (escaped !== ESC_END && escaped !== ESC_ESC) frame = null;
          frame?.push(escaped === ESC_END ? END : ESC);
        } else frame?.push(byte);
      }
      throw new esptool.ESPError("something else than answers came");
    }

    override flushInput(): void {
      line.discard();
    }

    override async drainInput(): Promise<void> {
      await line.drain(QUIET_MS);
    }

    override peek(): Uint8Array {
      return new Uint8Array();
    }

    override async setSignals(dtr: boolean, rts: boolean): Promise<void> {
      line.check();
      await transport.setSignals?.({ dtr, rts });
    }

    override async setDTR(dtr: boolean): Promise<void> {
      line.check();
      await transport.setSignals?.({ dtr });
    }

    override async setRTS(rts: boolean): Promise<void> {
      line.check();
      await transport.setSignals?.({ rts });
    }

    /** esptool-js traces to the console, asked or not. */
    override trace(): void {}

    async #byte(ms: number): Promise<number> {
      try {
        const [byte] = await line.read(1, ms);
        return byte;
      } catch (error) {
        if (!(error instanceof RomFault)) throw error;
        throw new esptool.ESPError(error.message);
      }
    }
  }
  const getInfo = () => (usb === null ? {} : { usbVendorId: usb.vid, usbProductId: usb.pid });
  return new EspLine({ getInfo } as ConstructorParameters<Esptool["Transport"]>[0]);
}

/** What esptool-js would print. */
export const SILENT = { clean() {}, writeLine() {}, write() {} };
