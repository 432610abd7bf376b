// A serialport binding over a line in this process: what SerialPortStream does with a real port it does with a simulated one.
import type {
  BindingInterface,
  BindingPortInterface,
  OpenOptions,
  PortInfo,
  PortStatus,
  UpdateOptions,
} from "@serialport/bindings-interface";

/** The host's end of a serial line. */
export interface SerialLine {
  write(bytes: Uint8Array): void;
  onData(listener: (bytes: Uint8Array) => void): void;
  setBaud(baud: number): void;
  close(): void;
}

const DEFAULTS = {
  dataBits: 8,
  lock: true,
  stopBits: 1,
  parity: "none",
  rtscts: false,
  xon: false,
  xoff: false,
  xany: false,
  hupcl: true,
} as const;

class LinePort implements BindingPortInterface {
  readonly openOptions: Required<OpenOptions>;
  isOpen = true;
  readonly #line: SerialLine;
  #received: Uint8Array[] = [];
  #reader: { resolve(): void; reject(error: Error): void } | null = null;
  #baud: number;

  constructor(line: SerialLine, options: OpenOptions) {
    this.#line = line;
    this.openOptions = { ...DEFAULTS, ...options };
    this.#baud = options.baudRate;
    line.setBaud(options.baudRate);
    line.onData((bytes) => {
      this.#received.push(bytes);
      this.#reader?.resolve();
    });
  }

  async read(buffer: Buffer, offset: number, length: number): Promise<{ buffer: Buffer; bytesRead: number }> {
    while (this.#received.length === 0) {
      if (!this.isOpen) throw canceled();
      await new Promise<void>((resolve, reject) => {
        this.#reader = { resolve, reject };
      });
      this.#reader = null;
    }
    const [first] = this.#received;
    const bytesRead = Math.min(length, first.length);
    buffer.set(first.subarray(0, bytesRead), offset);
    if (bytesRead === first.length) this.#received.shift();
    else this.#received[0] = first.subarray(bytesRead);
    return { buffer, bytesRead };
  }

  async write(buffer: Buffer): Promise<void> {
    if (!this.isOpen) throw canceled();
    this.#line.write(Uint8Array.from(buffer));
  }

  async close(): Promise<void> {
    this.isOpen = false;
    this.#line.close();
    this.#reader?.reject(canceled());
  }

  async update({ baudRate }: UpdateOptions): Promise<void> {
    this.#baud = baudRate;
    this.#line.setBaud(baudRate);
  }

  async set(): Promise<void> {}

  async get(): Promise<PortStatus> {
    return { cts: true, dsr: true, dcd: true };
  }

  async getBaudRate(): Promise<{ baudRate: number }> {
    return { baudRate: this.#baud };
  }

  async flush(): Promise<void> {
    this.#received = [];
  }

  async drain(): Promise<void> {}
}

/** How serialport wants to hear that a read or write ended because the port was closed. */
function canceled(): Error {
  return Object.assign(new Error("the port was closed"), { canceled: true });
}

/** A binding whose one port is `line`, under any path. */
export function lineBinding(line: SerialLine): BindingInterface<LinePort> {
  const unknown = {
    manufacturer: undefined,
    serialNumber: undefined,
    pnpId: undefined,
    locationId: undefined,
    productId: undefined,
    vendorId: undefined,
  };
  return {
    list: async (): Promise<PortInfo[]> => [{ path: "sim", ...unknown }],
    open: async (options: OpenOptions) => new LinePort(line, options),
  };
}
