// Figures that a scenario is compared with: a JSON file in the user's repository, scenario by scenario, written with --update.
//
//     { "first-chat": { "decode": 12345.6 } }
import { readFile } from "node:fs/promises";
import { EXIT_USAGE, TritkitError } from "../errors.ts";

type Figures = Record<string, Record<string, number>>;

export class Baseline {
  readonly update: boolean;
  readonly #figures: Figures;

  private constructor(figures: Figures, update: boolean) {
    this.#figures = figures;
    this.update = update;
  }

  /**
   * @param update figures are replaced by those of this run; the file need not be there
   * @throws TritkitError E_BASELINE
   */
  static async open(path: string, update: boolean): Promise<Baseline> {
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" && update) return "{}";
      if (error.code === "ENOENT") throw bad(`There is no baseline ${path}.`, "--update makes it.");
      throw error;
    });
    let figures: unknown;
    try {
      figures = JSON.parse(text);
    } catch (cause) {
      throw bad(`The baseline ${path} is no JSON: ${(cause as Error).message}.`, "", cause);
    }
    if (!isFigures(figures)) throw bad(`The baseline ${path} is no object of scenarios with figures.`, "");
    return new Baseline(figures, update);
  }

  /** undefined: it has none of this name. */
  get(scenario: string, key: string): number | undefined {
    return Object.hasOwn(this.#figures, scenario) ? this.#figures[scenario][key] : undefined;
  }

  set(scenario: string, key: string, value: number): void {
    if (!Object.hasOwn(this.#figures, scenario)) this.#figures[scenario] = {};
    this.#figures[scenario][key] = value;
  }

  /** The file's text, sorted, so that a diff shows what changed. */
  get text(): string {
    const sorted = <T>(map: Record<string, T>): [string, T][] =>
      Object.entries(map).sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
    const scenarios = sorted(this.#figures).map(([name, figures]) => [name, Object.fromEntries(sorted(figures))]);
    return `${JSON.stringify(Object.fromEntries(scenarios), null, 2)}\n`;
  }
}

function isFigures(value: unknown): value is Figures {
  const isMap = (each: unknown): each is Record<string, unknown> =>
    typeof each === "object" && each !== null && !Array.isArray(each);
  return (
    isMap(value) &&
    Object.values(value).every((figures) => isMap(figures) && Object.values(figures).every(Number.isFinite))
  );
}

function bad(message: string, hint: string, cause?: unknown): TritkitError {
  return new TritkitError("E_BASELINE", message, hint, EXIT_USAGE, { cause });
}
