// A serial port through the serialport package, which is loaded only here: without it (or its native part) everything but real
// ports works. `SerialPortStream` with another binding is also how the in-process simulator is reached (sim.ts).
import type { BindingInterface } from "@serialport/bindings-interface";
import type { SerialPortStream } from "@serialport/stream";
import { EXIT_LINK_LOST, TritkitError } from "../errors.ts";
import { portHolder } from "./port_holder.ts";
import { type Parity, type Transport, wallSeconds } from "./transport.ts";

export const DEFAULT_BAUD = 115200;

/** What the operating system answers where there are no modem lines: a pseudo-terminal. */
const NO_MODEM_LINES = /ENOTTY|Inappropriate ioctl/i;

/** Loads serialport, or says how to get it. @throws TritkitError E_NO_SERIALPORT */
export async function loadSerialport(): Promise<typeof import("serialport")> {
  try {
    return await import("serialport");
  } catch (cause) {
    const hint = "Run `npm install serialport`; tcp:// and sim: ports work without it.";
    throw new TritkitError("E_NO_SERIALPORT", "The serialport package could not be loaded.", hint, 1, { cause });
  }
}

/** What went wrong when a port could not be opened, in the words of someone who has to fix it. */
async function openError(path: string, cause: Error): Promise<TritkitError> {
  const text = cause.message;
  const make = (code: string, message: string, hint: string) => new TritkitError(code, message, hint, 1, { cause });
  if (/ENOENT|no such file|File not found|cannot find/i.test(text)) {
    return make("E_PORT_NOT_FOUND", `There is no port ${path}.`, "`tritkit devices` lists the ports.");
  }
  if (/EACCES|EPERM|permission|Access denied/i.test(text)) {
    const hint = "On Linux add yourself to the group dialout and log in again; `tritkit doctor` checks it.";
    return make("E_PORT_PERMISSION", `You may not open ${path}.`, hint);
  }
  if (/EBUSY|EAGAIN|lock|busy|temporarily/i.test(text)) {
    const holder = await portHolder(path);
    return make(
      "E_PORT_BUSY",
      `${path} is in use${holder === null ? "" : ` by ${holder}`}.`,
      "Close the other program.",
    );
  }
  if (/ENOTTY|Inappropriate ioctl|not a tty|Bad file/i.test(text)) {
    return make("E_PORT_NOT_SERIAL", `${path} is no serial port.`, "`tritkit devices` lists the ports.");
  }
  return make("E_PORT_OPEN", `${path} could not be opened: ${text}.`, "`tritkit doctor` looks for the reason.");
}

/** A Transport over any open SerialPortStream. */
export function streamTransport(name: string, port: SerialPortStream<BindingInterface>, simulated: boolean): Transport {
  let closing = false;
  let reopening = false;
  /** As the operating system leaves them when it opens a port. */
  let signals = { dtr: true, rts: true };
  let driven = false;
  let onClose: (error?: Error) => void = () => {};
  let failure: Error | undefined;
  const lost = (cause?: Error) =>
    new TritkitError("E_LINK_LOST", `${name} is gone.`, "Was the cable pulled?", EXIT_LINK_LOST, { cause });
  /** Whoever waits for the port: serialport calls nobody back once it is closed. */
  const waiting = new Set<(error: Error) => void>();
  const fail = (cause?: Error) => {
    for (const reject of waiting) reject(lost(cause));
    waiting.clear();
  };
  const done = (start: (resolve: () => void, reject: (error: Error) => void) => void): Promise<void> => {
    let leave = () => {};
    return new Promise<void>((resolve, reject) => {
      if (!port.isOpen) return reject(lost(failure));
      waiting.add(reject);
      leave = () => waiting.delete(reject);
      start(resolve, reject);
    }).finally(() => leave());
  };
  port.on("error", (error: Error) => {
    failure = error;
    fail(error);
  });
  port.on("close", (error?: Error) => {
    if (reopening) return;
    fail(error ?? failure);
    onClose(closing ? undefined : lost(error ?? failure));
  });
  /** serialport calls with an error, null or nothing. */
  type Called = (error?: Error | null) => void;
  const settle = (call: (done: Called) => void, tolerated: RegExp = /(?!)/): Promise<void> =>
    done((resolve, reject) =>
      call((cause) => (cause && !tolerated.test(cause.message) ? reject(lost(cause)) : resolve())),
    );
  const drive = (): Promise<void> => settle((called) => port.set({ ...signals }, called), NO_MODEM_LINES);
  return {
    name,
    simulated,
    seconds: wallSeconds,
    write: (bytes) =>
      done((resolve, reject) => {
        port.write(Buffer.from(bytes), undefined, (cause) => (cause ? reject(lost(cause)) : resolve()));
      }),
    onData: (listener) => void port.on("data", listener),
    onClose: (listener) => {
      onClose = listener;
    },
    setBaud: (baud) =>
      done((resolve, reject) => {
        // What was written must leave at the old speed. A pseudo-terminal knows no drain and no speed: both may fail there.
        port.drain(() =>
          port.update({ baudRate: baud }, (cause) => (cause && !simulated ? reject(lost(cause)) : resolve())),
        );
      }),
    async setParity(parity: Parity) {
      if ((port.settings.parity ?? "none") === parity) return;
      // serialport changes only the speed of an open port. What was written must leave at the old parity; a pseudo-terminal cannot say.
      await settle((called) => port.drain(called), /./);
      reopening = true;
      try {
        await settle((called) => port.close(called));
        Object.assign(port.settings, { parity });
        await new Promise<void>((resolve, reject) =>
          port.open((cause) => (cause ? openError(name, cause).then(reject) : resolve())),
        );
      } catch (error) {
        onClose(error instanceof Error ? error : undefined);
        throw error;
      } finally {
        reopening = false;
      }
      // Opening has asserted them again.
      if (driven) await drive();
    },
    async setSignals(changes) {
      signals = { ...signals, ...changes };
      driven = true;
      await drive();
    },
    close: () =>
      new Promise((resolve) => {
        closing = true;
        if (!port.isOpen) return resolve();
        port.close(() => resolve());
      }),
  };
}

/** @throws TritkitError E_PORT_NOT_FOUND, E_PORT_BUSY, E_PORT_PERMISSION, E_PORT_NOT_SERIAL, E_PORT_OPEN, E_NO_SERIALPORT */
export async function openSerial(path: string, baud = DEFAULT_BAUD): Promise<Transport> {
  const { SerialPort } = await loadSerialport();
  // hupcl false: closing must not drop DTR, which resets many boards.
  const port = new SerialPort({ path, baudRate: baud, autoOpen: false, hupcl: false });
  await new Promise<void>((resolve, reject) => {
    port.open((error) => (error ? openError(path, error).then(reject) : resolve()));
  });
  return streamTransport(path, port, false);
}
