/**
 * The fault panel of a simulated board: what is injected, and what of it still goes on.
 *
 *     panel.inject(parseFault("weight-flip:seed=3"))  ->  "weight-flip: bit 4 of the byte at 59826 of the model partition, 0x59 reads 0x49"
 *
 *     fault           where it is put                               ends
 *     weight-flip     flash cells (peripherals/flash.ts, flip)      when the sector is erased
 *     illegal-code    the same
 *     misread         what the module reads of a cell               by itself, after `ms`
 *     brown-out       supply (supply.ts)                            by itself
 *     uart-noise      both receivers (line_noise.ts)                after `ms`, or when it is cleared
 *     the others      the coprocessor's bus (bus/copro.ts)          when they are cleared; `bus-error` and `stall` by themselves
 */
import { Random } from "../random.ts";
import type { SimBoard } from "../sim_board.ts";
import { SimError } from "../sim_error.ts";
import type { Fault } from "./kinds.ts";
import { lineNoise } from "./line_noise.ts";
import { chooseHit, type Hit, packedWeights } from "./weights.ts";

const US = 1000;
const MS = 1_000_000;

export class FaultPanel {
  readonly #board: SimBoard;
  #misreads: { readonly until: number; readonly end: () => void }[] = [];

  constructor(board: SimBoard) {
    this.#board = board;
  }

  /**
   * @returns what was done, one line without a full stop
   * @throws SimError E_SIM_FAULT when this board, in the state in which it is, cannot have it
   */
  inject(fault: Fault): string {
    return `${fault.kind}: ${this.#do(fault)}`;
  }

  /** What goes on ends, what was ordered does not come. Cells that lost a bit stay so. */
  clear(): void {
    for (const { end } of this.#misreads) end();
    this.#misreads = [];
    this.#board.supply.hold();
    this.#board.uart.noise = null;
    if (this.#board.copro !== null) this.#board.copro.faults = {};
    this.#watch();
  }

  #do(fault: Fault): string {
    const { kind, numbers, words, seed } = fault;
    const { flash, uart, supply, now } = this.#board;
    if (kind === "weight-flip" || kind === "illegal-code") {
      const hit = this.#hit(fault, kind === "weight-flip");
      flash.flip(hit.offset, hit.mask);
      return hitText(hit);
    }
    if (kind === "misread") {
      this.#powered(kind);
      const hit = this.#hit(fault, words.code === "legal");
      this.#misreads.push({ until: now + numbers.ms * MS, end: flash.misread(hit.offset, hit.mask) });
      this.#watch();
      return `${hitText(hit)}, for ${numbers.ms} ms`;
    }
    if (kind === "brown-out") {
      this.#powered(kind);
      const dip = numbers.dip_us * US;
      if (numbers.flash_op !== undefined) {
        supply.failIn(numbers.flash_op, dip);
        return `in flash operation ${numbers.flash_op} from now, for ${numbers.dip_us} us`;
      }
      supply.failAt(now + (numbers.in_us ?? 0) * US, dip);
      return `${numbers.in_us === undefined ? "now" : `in ${numbers.in_us} us`}, for ${numbers.dip_us} us`;
    }
    if (kind === "uart-noise") {
      const until = numbers.ms === undefined ? Number.POSITIVE_INFINITY : now + numbers.ms * MS;
      uart.noise = lineNoise({ per: numbers.per, to: words.to as "board" | "host" | "both", until, seed });
      const where = words.to === "both" ? "in both directions" : `to the ${words.to}`;
      return `one byte in ${numbers.per} ${where}${numbers.ms === undefined ? "" : `, for ${numbers.ms} ms`}`;
    }
    return this.#inCopro(kind, numbers);
  }

  #inCopro(kind: string, { beat, beats, cycles }: Readonly<Record<string, number>>): string {
    const { copro, board } = this.#board;
    if (copro === null)
      throw new SimError("E_SIM_FAULT", `${board.name} has no coprocessor, which the fault ${kind} is for`);
    const first = copro.unit.state.totalPushes + beat;
    const { faults } = copro;
    if (kind === "bus-error") {
      faults.refusesBeat = (n) => n >= first && n < first + beats;
      return `${beats === 1 ? "one word" : `${beats} words`} of weights from word ${beat} on`;
    }
    if (kind === "lost-irq") {
      faults.lostIrq = true;
      return "from now on";
    }
    if (kind === "copro-gone") {
      faults.gone = true;
      return "from now on";
    }
    const late = kind === "stall" ? cycles : Number.POSITIVE_INFINITY;
    faults.stalls = (n) => (n === first ? late : 0);
    return kind === "stall" ? `${cycles} cycles before word ${beat} of weights` : `at word ${beat} of weights`;
  }

  #hit({ kind, numbers, seed }: Fault, legal: boolean): Hit {
    const { flash, board } = this.#board;
    const at = numbers.at ?? null;
    if (at !== null && at >= flash.bytes)
      throw new SimError("E_SIM_FAULT", `the model partition of ${board.name} has no byte ${at}`);
    const all = packedWeights(board, flash);
    const pieces = numbers.slot === undefined ? all : all.filter(({ slot }) => slot === numbers.slot);
    if (pieces.length === 0 && at === null) {
      const where = numbers.slot === undefined ? "the flash" : `slot ${numbers.slot}`;
      throw new SimError("E_SIM_FAULT", `${where} of ${board.name} holds no model whose weights ${kind} could hit`);
    }
    const hit = chooseHit(pieces, flash, new Random(seed), legal, at);
    if (hit !== null) return hit;
    throw new SimError(
      "E_SIM_FAULT",
      `no bit of the byte at ${at} makes ${legal ? "another code" : "an illegal code"}`,
    );
  }

  #powered(kind: string): void {
    if (this.#board.state === "off")
      throw new SimError("E_SIM_FAULT", `${this.#board.board.name} has no power: ${kind} would change nothing`);
  }

  /** Looks at each step whether a misread is over, while there is one. */
  #watch(): void {
    const board = this.#board;
    if (this.#misreads.length === 0) {
      board.onStep = null;
      return;
    }
    board.onStep = () => {
      const over = this.#misreads.filter(({ until }) => until <= board.now);
      if (over.length === 0) return;
      for (const { end } of over) end();
      this.#misreads = this.#misreads.filter(({ until }) => until > board.now);
      this.#watch();
    };
  }
}

function hitText({ offset, mask, was }: Hit): string {
  const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, "0")}`;
  return `bit ${Math.log2(mask)} of the byte at ${offset} of the model partition, ${hex(was)} reads ${hex(was ^ mask)}`;
}
