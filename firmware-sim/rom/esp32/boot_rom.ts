/**
 * The ESP32's ROM on the breadboard: its line is the board's UART0, its flash the flash bus, its straps the adapter's modem lines.
 *
 *     DTR   RTS      EN (reset)   GPIO0 or GPIO9 (BOOT)         two transistors on Espressif's boards
 *     0     0        high         high                          (ESP32-S3-DevKitC-1 and ESP32-C3-DevKitM-1 schematics;
 *     0     1        low: reset   high                          esptool documentation, "Automatic Bootloader")
 *     1     0        high         low: ROM
 *     1     1        high         high
 *
 * NOT IMPLEMENTED: the capacitor at EN, which lets a chip see BOOT low when the two lines change one after the other; the straps that
 * are no button (GPIO46, GPIO8); what a ROM prints when it boots from flash; USB.
 */
import type { BootRom, ModemLines, RomOptions, RomPins, Strap } from "../rom.ts";
import { esp32Chip } from "./chips.ts";
import { Esp32Rom, type Esp32RomState } from "./esp32.ts";
import type { RomFlash } from "./flash_writer.ts";

/** Received bytes that are handed on in one poll. */
const GULP = 256;
/** The stub's interrupt handler fills one buffer for a frame while the other's block is written (esp-flasher-stub, transport.c). */
const RECEIVE_BUFFER = 2 * (0x4000 + 24);

/** Plain data. */
interface State {
  rom: Esp32RomState;
  /** What waits for room in the transmitter, and speeds that wait until everything before them has left. */
  queue: (Uint8Array | number)[];
}

export class Esp32BootRom implements BootRom {
  readonly strapIsButton = true;
  readonly #pins: RomPins;
  readonly #rom: Esp32Rom;
  #queue: State["queue"] = [];

  constructor(pins: RomPins, options: RomOptions) {
    this.#pins = pins;
    this.#rom = new Esp32Rom({
      chip: esp32Chip(pins.board.chip),
      flash: spiFlash(pins),
      secureDownload: options.protected,
      line: {
        send: (bytes) => this.#enqueue(bytes),
        setBaud: (baud) => this.#enqueue(baud),
      },
      onLeave: (to) => {
        if (to === "reset") pins.requestReset();
        else pins.requestJump(pins.flash.base);
      },
    });
  }

  start(): void {
    this.#queue = [];
    this.#pins.uart.bufferOf(RECEIVE_BUFFER);
    this.#rom.start();
  }

  poll(): number {
    // Answers first: no command is taken before the one before it was answered.
    if (this.#queue.length > 0) return this.#transmit() ? 1 : 0;
    const bytes = this.#pins.uart.read(GULP);
    if (bytes.length === 0) return 0;
    this.#rom.receive(Uint8Array.from(bytes));
    return 1;
  }

  wiring({ dtr, rts }: ModemLines): { reset: boolean; strap: Strap } {
    return { reset: rts && !dtr, strap: dtr && !rts ? "rom" : "flash" };
  }

  get state(): State {
    return structuredClone({ rom: this.#rom.state, queue: this.#queue });
  }

  set state(state: State) {
    const { rom, queue } = structuredClone(state);
    this.#rom.state = rom;
    this.#queue = queue;
  }

  #enqueue(item: Uint8Array | number): void {
    this.#queue.push(item);
    // What has room leaves now: work on the flash may follow.
    this.#transmit();
  }

  /** @returns whether anything could be done */
  #transmit(): boolean {
    const { uart } = this.#pins;
    let moved = false;
    for (let item = this.#queue[0]; item !== undefined; item = this.#queue[0]) {
      if (typeof item === "number") {
        if (!uart.sent) return moved;
        uart.setBaud(item);
        this.#queue.shift();
      } else {
        const taken = uart.write(item);
        if (taken < item.length) {
          this.#queue[0] = item.subarray(taken);
          return moved || taken > 0;
        }
        this.#queue.shift();
      }
      moved = true;
    }
    return moved;
  }
}

/** The flash bus by offsets from the beginning of flash. */
function spiFlash({ flash }: RomPins): RomFlash {
  return {
    bytes: flash.bytes,
    read: (address, length) => flash.read(flash.base + address, length),
    erase(address) {
      const sector = flash.sectorAt(flash.base + address);
      return sector !== null && flash.erase(sector.index) === 0;
    },
    program: (address, bytes) => flash.program(flash.base + address, bytes) === 0,
  };
}
