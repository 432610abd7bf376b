/**
 * Somebody who looks on while a board works, function by function (report/). What a watcher does changes nothing that the board does; its calls come in
 * the middle of the module's work, so it must not run or change the board.
 */
import { SPAN_IMPORT } from "./meter/instrument.ts";
import type { HalImports } from "./wasm_host.ts";

export type SpanArguments = readonly [number, number, number];

export interface Watcher {
  /** Functions of the module that are reported, by their names. */
  readonly spans: readonly RegExp[];
  /** @param args the function's first three, as unsigned numbers; 0 where it has fewer */
  begin(name: string, args: SpanArguments): void;
  end(name: string): void;
  /** The CPU sleeps from now until `until`, ns. */
  slept(until: number): void;
  /** The module is started anew or has lost its power: what had begun does not end. */
  stopped(): void;
}

/** What an instrumented module imports. @param functions names by number */
export function spanImports(watcher: Watcher | null, functions: readonly string[]): HalImports {
  if (watcher === null) return {};
  return {
    [SPAN_IMPORT.begin](fn, first, second, third) {
      watcher.begin(functions[fn], [first >>> 0, second >>> 0, third >>> 0]);
      return 0;
    },
    [SPAN_IMPORT.end](fn) {
      watcher.end(functions[fn]);
      return 0;
    },
  };
}
