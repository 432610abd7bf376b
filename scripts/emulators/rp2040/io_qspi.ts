/**
 * IO_QSPI: the pads' function select of the six pins of the flash (RP2040 Datasheet 2.19.6.2). Only the output override of /CS acts,
 * which is how flash code holds /CS low over a whole command.
 *
 *     GPIO_QSPI_x_CTRL   at 8 * pin + 4, pins SCLK SS SD0 SD1 SD2 SD3:  9:8 OUTOVER (0 normal, 2 low, 3 high) | 4:0 FUNCSEL (0 XIP)
 *
 * NOT IMPLEMENTED: any function but XIP, inversion, interrupts, the other overrides.
 */
const SS_CTRL = 0x0c;
const LAST_CTRL = 0x2c;
const FUNCSEL_NULL = 0x1f;
const CTRL_MASK = 0x3003331f;

export interface SelectPin {
  overrideSelect(level: "none" | "low" | "high"): void;
  readonly selected: boolean;
}

export class IoQspi {
  readonly #ctrl = new Uint32Array(6).fill(FUNCSEL_NULL);
  readonly #select: SelectPin;
  readonly #onMisuse: (what: string) => void;

  constructor(select: SelectPin, onMisuse: (what: string) => void) {
    this.#select = select;
    this.#onMisuse = onMisuse;
  }

  /** All six pins belong to the SSI. */
  get connected(): boolean {
    return this.#ctrl.every((value) => (value & 0x1f) === 0);
  }

  readUint32(offset: number): number {
    if (offset > LAST_CTRL) return 0;
    // STATUS: OUTTOPAD is bit 9.
    if ((offset & 4) === 0) return offset === SS_CTRL - 4 && !this.#select.selected ? 1 << 9 : 0;
    return this.#ctrl[offset >> 3];
  }

  writeUint32(offset: number, value: number): void {
    if (offset > LAST_CTRL || (offset & 4) === 0) {
      this.#onMisuse(`a write to 0x${offset.toString(16)} of IO_QSPI, which is not modelled`);
      return;
    }
    this.#ctrl[offset >> 3] = value & CTRL_MASK;
    if (offset !== SS_CTRL) return;
    const override = (value >> 8) & 3;
    if (override === 1) this.#onMisuse("an inverted /CS");
    this.#select.overrideSelect(override === 2 ? "low" : override === 3 ? "high" : "none");
  }

  writeUint32Atomic(offset: number, value: number, atomicType: number): void {
    this.writeUint32(offset, atomic(this.readUint32(offset), value, atomicType));
  }
}

/** What a write to a register's alias makes of it (RP2040 Datasheet 2.1.2): 0 write, 1 exclusive or, 2 set, 3 clear. */
export function atomic(old: number, value: number, atomicType: number): number {
  const result = [value, old ^ value, old | value, old & ~value][atomicType];
  return result >>> 0;
}
