// ST's USART bootloader, the host's side: sync, commands, answers (AN3155, "USART protocol used in the STM32 bootloader").
// The ROM has no timeout and no frames. Whoever loses step finds it again with the sync byte: a ROM that has its speed takes it for
// half a command and NACKs every pair of them. In the middle of a command it needs as many bytes as it waits for (see FILL).
import { EXIT_LINK_LOST, TritkitError } from "../../errors.ts";
import { RomFault, type RomLine } from "./rom_line.ts";

const SYNC = 0x7f;
const ACK = 0x79;
const NACK = 0x1f;

export const GET = 0x00;
export const GET_ID = 0x02;
export const READ_MEMORY = 0x11;
export const GO = 0x21;
export const WRITE_MEMORY = 0x31;
export const EXTENDED_ERASE = 0x44;

/** Most bytes of one Read or Write Memory. */
export const BLOCK_BYTES = 256;

/** An answer that waits for nothing but the line: USB adapters hold bytes back for 16 ms, networks longer. */
const ANSWER_MS = 1000;
/** 256 words of 100 us at most, 8 flash words of an H743; and the line. */
const PROGRAM_MS = 2000;
const PROBE_MS = 300;
const QUIET_MS = 40;
/** A ROM that is erasing for somebody who was cut off hears nothing: 4 s for the largest sector of an H743. */
const SYNC_MS = 6000;
/**
 * More bytes than any command can wait for (258), in pieces: 0xFF changes nothing where it is taken for data, and the zero makes the
 * checksum wrong of a Write Memory that took sync bytes for its length and data. As addresses, sectors and lengths they are refused.
 */
const FILL = [[0x00, ...new Array(63).fill(0xff)], ...new Array(4).fill(new Array(64).fill(0xff))];
/** One round: sync bytes one by one (a ROM that was just reset may need a second), then what fills a command up. */
const PROBES: number[][] = [[SYNC], [SYNC], [SYNC], [SYNC], ...FILL];
/** A command is tried so often before its failure counts. */
const ATTEMPTS = 5;

export class An3155 {
  readonly #line: RomLine;
  /** How often step was lost and found again. */
  resyncs = 0;

  constructor(line: RomLine) {
    this.#line = line;
  }

  /**
   * Comes into step with the ROM, whatever it is waiting for.
   * @throws TritkitError E_ROM_SYNC when it does not answer; E_LINK_LOST, E_INTERRUPTED
   */
  async sync(): Promise<void> {
    const { transport } = this.#line;
    const end = transport.seconds() + SYNC_MS / 1000;
    await this.#line.drain(QUIET_MS);
    for (let i = 0; i < PROBES.length || transport.seconds() < end; i++) {
      const probe = PROBES[i % PROBES.length];
      await this.#line.write(probe);
      const answer = await this.#answerToProbe();
      // Only one byte's answer tells that nothing of ours is left over in the ROM.
      const single = probe.length === 1;
      if (single && answer.length === 1 && (answer[0] === ACK || answer[0] === NACK)) return;
      if (answer.length > 0 && !single && transport.seconds() < end) i = -1;
    }
    const message = `The boot ROM at ${transport.name} does not answer.`;
    const hint =
      "Set BOOT0 high and reset the chip; the ROM speaks 8E1 and takes its speed from the first byte after a reset.";
    throw new TritkitError("E_ROM_SYNC", message, hint, EXIT_LINK_LOST);
  }

  /** Codes of the commands that this ROM has. */
  async commands(): Promise<number[]> {
    return this.#retried(async () => {
      await this.#command(GET);
      const [n] = await this.#line.read(1, ANSWER_MS);
      const [, ...commands] = await this.#line.read(n + 1, ANSWER_MS);
      await this.#ack(ANSWER_MS);
      return commands;
    });
  }

  /** The product id, from two answers that agree: nothing on this line has a checksum. */
  async productId(): Promise<number> {
    return this.#retried(async () => {
      const [first, second] = [await this.#idOnce(), await this.#idOnce()];
      if (first !== second) throw new RomFault("garbage", "the chip's id came damaged");
      return first;
    });
  }

  /**
   * @param n 1 to 256
   * @throws RomFault nack when the ROM refuses reading, again and again
   */
  async read(address: number, n: number): Promise<Uint8Array> {
    return this.#retried(async () => {
      await this.#command(READ_MEMORY);
      await this.#line.write(addressBytes(address));
      await this.#ack(ANSWER_MS);
      await this.#line.write([n - 1, (n - 1) ^ 0xff]);
      await this.#ack(ANSWER_MS);
      return Uint8Array.from(await this.#line.read(n, ANSWER_MS));
    });
  }

  /**
   * Writes one block, once: whether it can be repeated depends on the flash.
   * @param data 1 to 256 bytes, whole words
   * @throws RomFault
   */
  async writeOnce(address: number, data: Uint8Array): Promise<void> {
    await this.#command(WRITE_MEMORY);
    await this.#line.write(addressBytes(address));
    await this.#ack(ANSWER_MS);
    await this.#line.write(checked([data.length - 1, ...data]));
    await this.#ack(PROGRAM_MS);
  }

  /** @param ms the longest time that this erase takes. @throws RomFault nack when it fails again and again */
  async eraseSector(index: number, ms: number): Promise<void> {
    await this.#retried(async () => {
      await this.#command(EXTENDED_ERASE);
      await this.#line.write(checked([0, 0, index >> 8, index & 255]));
      await this.#ack(ms);
    });
  }

  /** @throws RomFault nack */
  async go(address: number): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      await this.#retried(() => this.#command(GO));
      try {
        await this.#line.write(addressBytes(address));
        await this.#ack(ANSWER_MS);
        return;
      } catch (error) {
        if (!(error instanceof RomFault) || attempt === ATTEMPTS) throw error;
        // The acknowledgement may be what was lost. Then nobody answers any more.
        if (error.kind !== "nack" && !(await this.#isThere())) return;
      }
    }
  }

  /** After a fault: in step again. @throws TritkitError E_ROM_SYNC */
  async recover(fault: RomFault): Promise<void> {
    this.resyncs++;
    // After a NACK the ROM waits for the next command; whatever else came with it is dropped.
    const rest = await this.#line.drain(QUIET_MS);
    if (fault.kind === "nack" && rest.length === 0) return;
    try {
      await this.sync();
    } catch (error) {
      if (!(error instanceof TritkitError) || error.code !== "E_ROM_SYNC") throw error;
      const message = `The boot ROM at ${this.#line.transport.name} stopped answering.`;
      const hint = "Reset the chip with BOOT0 high and run it again: what is in flash already is kept.";
      throw new TritkitError("E_ROM_SYNC", message, hint, EXIT_LINK_LOST, { cause: fault });
    }
  }

  async #idOnce(): Promise<number> {
    await this.#command(GET_ID);
    const [n, high, low] = await this.#line.read(3, ANSWER_MS);
    await this.#ack(ANSWER_MS);
    if (n !== 1) throw new RomFault("garbage", `an id of ${n + 1} bytes`);
    return high * 256 + low;
  }

  async #isThere(): Promise<boolean> {
    try {
      await this.sync();
      return true;
    } catch (error) {
      if (error instanceof TritkitError && error.code === "E_ROM_SYNC") return false;
      throw error;
    }
  }

  async #retried<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof RomFault)) throw error;
        await this.recover(error);
        if (attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** @returns everything that came, nothing after PROBE_MS */
  async #answerToProbe(): Promise<number[]> {
    try {
      const first = await this.#line.read(1, PROBE_MS);
      return [...first, ...(await this.#line.drain(QUIET_MS))];
    } catch (error) {
      if (error instanceof RomFault) return [];
      throw error;
    }
  }

  async #command(code: number): Promise<void> {
    await this.#line.write([code, code ^ 0xff]);
    await this.#ack(ANSWER_MS);
  }

  async #ack(ms: number): Promise<void> {
    const [answer] = await this.#line.read(1, ms);
    if (answer === ACK) return;
    if (answer === NACK) throw new RomFault("nack", "the boot ROM refused");
    throw new RomFault("garbage", `0x${answer.toString(16)} instead of an acknowledgement`);
  }
}

/** With the exclusive or of all bytes behind them. */
function checked(bytes: readonly number[]): number[] {
  return [...bytes, bytes.reduce((sum, byte) => sum ^ byte, 0)];
}

/** Most significant byte first. */
function addressBytes(address: number): number[] {
  return checked([address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255]);
}
