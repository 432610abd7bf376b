/**
 * Puts the board where an example begins: its table of tools, each tool at a value that leaves room above and below, the calls of the turn before. Each such place is made
 * once and kept as a snapshot for the examples that begin there.
 *
 *     flashed, gate closed ─> table set, dry run, values in the middle ─> gate open ─> the turn before ─> example
 *
 * A dry run, because tables of an evaluation know nothing of this board's pins.
 */
import type { Snapshot } from "../../firmware-sim/snapshot.ts";
import { compileTools } from "../../host/tools/compile.ts";
import { VERB_NAMES } from "../../host/tools/names.ts";
import type { ToolsFile } from "../../host/tools/parse.ts";
import type { Tool } from "../../host/tools/tool.ts";
import { VERB_SET } from "../../spec/tools.ts";
import { saidCalls } from "./answer.ts";
import { AssistantBoard, type Turn } from "./assistant_board.ts";
import type { Example } from "./examples.ts";
import { baseOf, GATE_CLOSED, openGate, withAssistant } from "./gate.ts";
import { previousKey, sentencesFor, slotOf } from "./previous.ts";

/** Where examples begin. */
interface Place {
  readonly snapshot: Snapshot;
  /** Of the tools, thousandths. */
  readonly values: readonly number[];
  /** What was said to get there; null: there was no turn before. */
  readonly sentence: string | null;
}

export interface Asked {
  readonly turn: Turn;
  /** Of the tools before the turn. */
  readonly values: readonly number[];
  /** The turn before, null without. */
  readonly sentence: string | null;
}

export class Stage {
  readonly base: number;
  readonly #board: AssistantBoard;
  /** As it is on the board: its gate is closed. */
  readonly #image: Uint8Array;
  readonly #flashed: Snapshot;
  #table: { key: string; place: Place } | null = null;
  #before: { key: string; place: Place | null } | null = null;

  private constructor(board: AssistantBoard, image: Uint8Array) {
    this.#board = board;
    this.#image = image;
    this.base = baseOf(image);
    this.#flashed = board.snapshot();
  }

  /** @param image of an assistant, with any gate; what it says in words is cut off */
  static async open(image: Uint8Array): Promise<Stage> {
    const closed = withAssistant(image, { gate: GATE_CLOSED, textMax: 1 });
    return new Stage(await AssistantBoard.open(closed), closed);
  }

  /** Says the example's words where it begins; null: no sentence led to the calls of its turn before. */
  ask(example: Example): Asked | null {
    const place = this.#placeOf(example);
    if (place === null) return null;
    this.#board.restore(place.snapshot);
    const turn = this.#board.turn(example.text, { keep: place.sentence !== null });
    return { turn, values: place.values, sentence: place.sentence };
  }

  #placeOf(example: Example): Place | null {
    const key = previousKey(example);
    if (this.#before?.key !== key) this.#before = { key, place: this.#makeBefore(example) };
    return this.#before.place;
  }

  #makeBefore(example: Example): Place | null {
    const { previous, unsure } = example;
    const asks = unsure && previous.length > 0;
    const { snapshot, values } = this.#placeOfTable(example);
    const sentences = previous.length === 0 ? [null] : sentencesFor(previous, example.tools.tools);
    for (const sentence of sentences) {
      this.#board.restore(snapshot);
      if (!asks) openGate(this.#board.sim, this.#image);
      if (sentence === null) return { snapshot: this.#board.snapshot(), values, sentence };
      const turn = this.#board.turn(sentence);
      if (!this.#isSaid(example, turn)) continue;
      if (asks) openGate(this.#board.sim, this.#image);
      const now = [...values];
      for (const { tool, value } of turn.calls) if (value !== null && tool < now.length) now[tool] = value;
      return { snapshot: this.#board.snapshot(), values: now, sentence };
    }
    return null;
  }

  /** Whether the answer is the calls of the turn before, with their slots. */
  #isSaid({ previous, tools: { tools } }: Example, turn: Turn): boolean {
    const said = saidCalls(turn.ids, this.base);
    return (
      said.length === previous.length &&
      previous.every((call, i) => {
        const index = tools.findIndex(({ name }) => name === call.tool);
        const isTool = index < 0 ? said[i].target === "all" : turn.calls[i].tool === index;
        return isTool && VERB_NAMES[said[i].verb] === call.verb && said[i].slot === slotOf(call, tools);
      })
    );
  }

  /** The table of an example, gate closed. */
  #placeOfTable({ table: key, tools }: Example): Place {
    if (this.#table?.key !== key) this.#table = { key, place: this.#makeTable(tools) };
    return this.#table.place;
  }

  #makeTable(file: ToolsFile): Place {
    const board = this.#board;
    board.restore(this.#flashed);
    board.setTools(compileTools(file));
    board.setDry(true);
    // The beginning that all turns have in common is computed once.
    board.turn("hello", { max: 1 });
    // From the last to the first: of two tools of a kind the first is the one that was called last, as in the beginning.
    const values = file.tools.map(({ min }) => min);
    for (const [i, tool] of [...file.tools.entries()].reverse()) {
      if (!tool.verbs.includes("set")) continue;
      values[i] = board.call(i, VERB_SET, middle(tool)).value ?? tool.min;
    }
    return { snapshot: board.snapshot(), values, sentence: null };
  }
}

/** A whole number of units, thousandths. */
function middle({ min, max }: Tool): number {
  const half = Math.floor((min + max) / 2);
  return half - (half % 1000) >= min ? half - (half % 1000) : half;
}
