/**
 * A boot ROM: the program that a chip's maker left in it. The breadboard runs it instead of the device module when the chip's
 * straps say so at reset.
 *
 *        host ══ UART ──┐
 *                       ├── BOOT ROM ══ FLASH BUS (firmware and partition)
 *     DTR, RTS ── straps┘       └── reset, jump ──> what flash holds
 *
 * Where silicon runs the firmware's machine code, the breadboard runs the device module: it starts it when the chip boots
 * from flash, or the ROM jumps to the firmware's first byte, and flash holds the release firmware of the board byte for byte. A chip
 * with anything else in its flash stays silent.
 */
import type { Board } from "../../boards/board.ts";
import type { FlashBus } from "../bus/flash_bus.ts";
import type { Uart } from "../peripherals/uart.ts";

/** Where the chip starts at reset: its straps. */
export type Strap = "rom" | "flash";

/** Bytes that belong at an absolute address. */
export interface FirmwareImage {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** The modem lines of a serial adapter; true: asserted, which is the low level on its pin. */
export interface ModemLines {
  readonly dtr: boolean;
  readonly rts: boolean;
}

/** What the ROM is wired to. */
export interface RomPins {
  readonly board: Board;
  readonly uart: Uart;
  readonly flash: FlashBus;
  /** The chip resets when poll() has returned and the last byte has left. */
  readonly requestReset: () => void;
  /** So does the jump to code at `address`. */
  readonly requestJump: (address: number) => void;
}

export interface RomOptions {
  /** The chip was delivered with its flash protected against reading. Default false. */
  readonly protected?: boolean;
}

export interface BootRom {
  /** The strap is a button, held at power-on only: later resets boot from flash unless a modem line holds it. Else it is a jumper. */
  readonly strapIsButton: boolean;
  /** The chip was reset with its strap on the ROM. */
  start(): void;
  /** A bounded piece of work. @returns 1 when it did something. @throws PowerCut */
  poll(): number;
  /** What a serial adapter's lines do on this chip's customary boards. */
  wiring(lines: ModemLines): { readonly reset: boolean; readonly strap: Strap };
  /** Plain data, what outlives a reset included. */
  state: unknown;
}
