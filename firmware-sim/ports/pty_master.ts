// What a provider of pseudo-terminals gives (pty_native.ts, pty_socat.ts); pty.ts connects it to a board.

/** The master's side of a raw pseudo-terminal. */
export interface Pty {
  /** Of the slave. */
  readonly path: string;
  onData(listener: (bytes: Uint8Array) => void): void;
  /** Drops the bytes when the client has stopped reading. */
  write(bytes: Uint8Array): void;
  close(): Promise<void>;
}
