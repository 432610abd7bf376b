/**
 * XIP_CTRL: the control registers of the 16 KiB cache in front of the flash (RP2040 Datasheet 2.6.3.6). No cache is modelled, only
 * its danger: after an erase or a program, lines that were cached before are stale until FLUSH is written.
 *
 *     CTRL  3 POWER_DOWN | 1 ERR_BADWRITE | 0 EN        FLUSH  0        STAT  2 FIFO_FULL | 1 FIFO_EMPTY | 0 FLUSH_READY
 *
 * NOT IMPLEMENTED: hits and misses (CTR_HIT and CTR_ACC stay 0), the cache as SRAM, the streaming FIFO.
 */
import { atomic } from "./io_qspi.ts";

const CTRL = 0x00;
const FLUSH = 0x04;
const STAT = 0x08;
const CTR_ACC = 0x10;
const STREAM_CTR = 0x18;

export class XipCtrl {
  /** The flash has changed since the cache was flushed last. */
  stale = false;
  #ctrl = 3;
  readonly #onMisuse: (what: string) => void;

  constructor(onMisuse: (what: string) => void) {
    this.#onMisuse = onMisuse;
  }

  readUint32(offset: number): number {
    if (offset === CTRL) return this.#ctrl;
    if (offset === STAT) return 0b011;
    return 0;
  }

  writeUint32(offset: number, value: number): void {
    if (offset === FLUSH) {
      if ((value & 1) !== 0) this.stale = false;
    } else if (offset === CTRL) {
      this.#ctrl = value & 0b1011;
      if ((value & 0b1000) !== 0) this.#onMisuse("the XIP cache as SRAM, which is not modelled");
    } else if (offset > STAT && offset <= CTR_ACC) return;
    else if (offset > CTR_ACC && offset <= STREAM_CTR + 4) this.#onMisuse("XIP streaming, which is not modelled");
    else this.#onMisuse(`a write to 0x${offset.toString(16)} of XIP_CTRL, where nothing is`);
  }

  writeUint32Atomic(offset: number, value: number, atomicType: number): void {
    this.writeUint32(offset, atomic(this.readUint32(offset), value, atomicType));
  }
}
