/**
 * The device build with an assistant, on a simulated board whose computing takes no time: its flash holds the image, it is asked as often as one likes. State is put back
 * by snapshots, so that no prompt knows of the one before.
 */
import { SimBoard, type SimBoardOptions } from "../../firmware-sim/sim_board.ts";
import type { Snapshot } from "../../firmware-sim/snapshot.ts";
import { loadBoard, loadDeviceWasm } from "../../host/assets.ts";
import { partitionWith } from "../../host/fits/speed.ts";
import { GEN_DONE, TK_GEN, TK_HELLO, TK_NEXT, TK_TOOLS, TOOLS_PIECE, WHY_ERROR } from "../../spec/wire.ts";
import { BoardLine } from "./wire.ts";

/** A call as the board tells it: values in thousandths, margin in 1/65536. */
export interface ToldCall {
  readonly tool: number;
  readonly verb: number;
  readonly rc: number;
  readonly value: number | null;
  readonly margin: number;
  /** Thousandths; 0: for good. */
  readonly seconds: number;
}

export interface Turn {
  readonly ids: number[];
  /** TOK_*: how the answer began; null: it did not. */
  readonly say: number | null;
  readonly calls: ToldCall[];
  /** Of the answer, special tokens have none. */
  readonly text: string;
}

export interface TurnOptions {
  /** Whether the turn before counts. */
  readonly keep?: boolean;
  /** Most tokens of the answer. */
  readonly max?: number;
}

const PROMPT_PIECE = 768;
/** Four calls of four tokens and the end. */
const CALLS_TOKENS = 17;

export class AssistantBoard {
  readonly sim: SimBoard;
  readonly #line: BoardLine;
  #id = 0;

  private constructor(sim: SimBoard) {
    this.sim = sim;
    this.#line = new BoardLine(sim);
  }

  /**
   * @param image of an assistant
   * @param wasm another device build than the one that ships
   */
  static async open(
    image: Uint8Array,
    { board: name = "rp2040-pico", wasm }: { board?: string; wasm?: SimBoardOptions["wasm"] } = {},
  ): Promise<AssistantBoard> {
    const board = await loadBoard(name);
    const sim = SimBoard.create({
      board,
      wasm: wasm ?? (await loadDeviceWasm(board)),
      flash: partitionWith(image, board),
    });
    sim.powerOn();
    const opened = new AssistantBoard(sim);
    if (opened.#line.read(TK_HELLO).tools === undefined) throw new Error("the image is no assistant");
    return opened;
  }

  snapshot(): Snapshot {
    return this.sim.snapshot();
  }

  restore(snapshot: Snapshot): void {
    this.sim.restore(snapshot);
  }

  /** Sends words and waits for the answer. */
  turn(prompt: string | Uint8Array, { keep = false, max = CALLS_TOKENS }: TurnOptions = {}): Turn {
    const bytes = typeof prompt === "string" ? Buffer.from(prompt, "utf8") : prompt;
    const id = ++this.#id;
    let off = 0;
    do {
      const head = off === 0 ? { keep, max, temp: 0 } : {};
      const p = bytes.subarray(off, off + PROMPT_PIECE);
      off = Number(this.#line.write(TK_GEN, { id, off, len: bytes.length, p, ...head }).off);
    } while (off < bytes.length);
    const ids: number[] = [];
    const text: Uint8Array[] = [];
    for (;;) {
      const reply = this.#line.read(TK_NEXT, { id, ack: ids.length });
      ids.push(...(reply.ids as number[]));
      text.push(reply.t as Uint8Array);
      if (reply.st !== GEN_DONE) continue;
      if (reply.why === WHY_ERROR) throw new Error(`the board gave up (rc ${reply.rc})`);
      return {
        ids,
        say: reply.say === undefined ? null : Number(reply.say),
        calls: callsOf(reply.calls),
        text: Buffer.concat(text).toString("utf8"),
      };
    }
  }

  /** Replaces the table of tools. */
  setTools(table: Uint8Array): void {
    for (let off = 0; off < table.length; ) {
      const d = table.subarray(off, off + TOOLS_PIECE);
      off = Number(this.#line.write(TK_TOOLS, { off, len: table.length, d }).off);
    }
  }

  /** Whether calls are only checked and told. */
  setDry(dry: boolean): void {
    this.#line.write(TK_TOOLS, { dry });
  }

  /** Makes a call without the model. */
  call(tool: number, verb: number, value: number | null, seconds = 0): ToldCall {
    const [call] = callsOf(this.#line.write(TK_TOOLS, { do: [tool, verb, value, seconds] }).calls);
    return call;
  }
}

function callsOf(told: unknown): ToldCall[] {
  if (!Array.isArray(told)) return [];
  return told.map(([tool, verb, rc, value, margin, seconds]) => ({ tool, verb, rc, value, margin, seconds }));
}
