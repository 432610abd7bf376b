/**
 * Renders a chat template (Jinja, @huggingface/jinja) within bounds: it comes from the model's author, and loops within loops or a text that doubles itself would take the
 * machine's time and memory. What a template of one conversation does is thousands of steps and some hundred characters.
 */
import { Environment, Interpreter, Template } from "@huggingface/jinja";

/** Why a template has no turns: shown as a note. */
export class NoTurns extends Error {}

export interface Message {
  readonly role: string;
  readonly content: string;
}

export interface Specials {
  readonly bos: string | null;
  readonly eos: string | null;
}

/** gpt-oss's, among the longest, has 17,000 characters (from memory). The library's lexer takes the square of a long run of spaces: 1.4 s at this length, 52 s at six times as much (measured). */
const TEMPLATE_MAX = 1 << 15;
/** Jinja's range() makes a list; no template for one turn needs a long one. */
const RANGE_MAX = 1000;
/** Characters and values that a value holds, those within it included. A filter may make the square of it, once. */
const SIZE_MAX = 1 << 14;
/** Evaluated nodes, values of lists (a loop goes through them, 4 us each), and characters by this many. */
const STEPS_MAX = 100_000;
const CHARACTERS_OF_STEP = 16;

type Value = ReturnType<Interpreter["evaluate"]>;

class BoundedInterpreter extends Interpreter {
  private steps = 0;
  /** Of lists and objects: one that stands twice in another is two, as it will be when it is written out. */
  private readonly sizes = new WeakMap<object, number>();

  override evaluate(...[node, environment]: Parameters<Interpreter["evaluate"]>): Value {
    const value = super.evaluate(node, environment);
    const size = this.sizeOf(value);
    if (size > SIZE_MAX) throw new NoTurns("it makes a text or a list that is too long.");
    this.steps += 1 + (typeof value.value === "string" ? size / CHARACTERS_OF_STEP : size);
    if (this.steps > STEPS_MAX) throw new NoTurns("it takes too many steps.");
    return value;
  }

  private sizeOf({ value }: { readonly value: unknown }): number {
    if (typeof value === "string") return value.length;
    if (!Array.isArray(value) && !(value instanceof Map)) return 1;
    const known = this.sizes.get(value);
    if (known !== undefined) return known;
    let size = 1;
    for (const inner of value.values()) {
      size += this.sizeOf(inner);
      if (size > SIZE_MAX) break;
    }
    this.sizes.set(value, size);
    return size;
  }
}

/** @throws NoTurns, and what the library throws for a template that is none or fails */
export function renderer(source: string, specials: Specials): (messages: readonly Message[]) => string {
  if (source.length > TEMPLATE_MAX) throw new NoTurns(`it has ${source.length} characters.`);
  const { parsed } = new Template(source);
  return (messages) => {
    const variables: Record<string, unknown> = {
      ...GLOBALS,
      messages,
      add_generation_prompt: true,
      ...(specials.bos === null ? {} : { bos_token: specials.bos }),
      ...(specials.eos === null ? {} : { eos_token: specials.eos }),
    };
    const environment = new Environment();
    for (const [name, value] of Object.entries(variables)) environment.set(name, value);
    return (new BoundedInterpreter(environment).run(parsed) as { value: string }).value;
  };
}

/**
 * Jinja's names as the library has them, but for two: range() is bounded, and strftime_now is missing, because an image has no clock. Templates ask
 * whether the function is there, and have a date of their own when it is not.
 */
const GLOBALS = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  range: boundedRange,
  raise_exception: (message: unknown) => {
    throw new NoTurns(`it refuses such a conversation (${String(message)}).`);
  },
};

function boundedRange(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (!(count <= RANGE_MAX)) throw new NoTurns("it counts too far.");
  return Array.from({ length: count }, (_, i) => from + i * step);
}
