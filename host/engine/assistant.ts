/** An assistant in Node: its tools, and the calls of an answer, which are made as in a dry run because there is no board. */
import { CALL_RANGE, CALL_UNSURE, TOK_CONFIRM, TOOL_EVERY } from "../../spec/tools.ts";
import { TritkitError } from "../errors.ts";
import type { Answer } from "../generation.ts";
import type { Image } from "../image/reader.ts";
import { namedCall, type RawCall, sayName } from "../tools/call.ts";
import { compileTools } from "../tools/compile.ts";
import { NO_TOOLS, type ToolTable } from "../tools/tool.ts";
import { type EngineExports, place } from "./module.ts";

/** Calls that were not made, and tell what they asked for. */
const ASKS: readonly number[] = [CALL_RANGE, CALL_UNSURE];

/**
 * Another table in place of the image's.
 * @throws TritkitError E_NOT_ASSISTANT, E_TOOLS_TOO_LARGE, E_NO_MEMORY
 */
export function useTools(engine: EngineExports, image: Image, tools: ToolTable): void {
  if (image.assistant === null) {
    const hint = "Give tools to an assistant, as `tritkit run assistant --tools FILE`.";
    throw new TritkitError("E_NOT_ASSISTANT", `${image.header.name} is no assistant: it has no use for tools.`, hint);
  }
  const table = compileTools(tools);
  if (engine.assistant_open(place(engine, table), table.length) === 0)
    throw new Error("the core refuses a table that was just made");
}

/** What the answer came to; nothing of a model that is no assistant, or of one without tools. */
export function assistantPart(
  engine: EngineExports,
  tokenIds: readonly number[],
  tools: ToolTable | null,
): Pick<Answer, "say" | "calls"> {
  if (engine.assistant_on() === 0) return {};
  const table = tools ?? NO_TOOLS;
  const raw = Array.from({ length: engine.calls_count() }, (_, i) => rawCall(engine, i, table));
  const first = tokenIds.length === 0 ? -1 : tokenIds[0] - engine.token_base();
  const say = first >= 0 && first <= TOK_CONFIRM ? sayName(first) : null;
  const calls = raw.map((call, i) => ({ ...namedCall(call, table), amount: amountOf(engine, i) }));
  return { say, calls };
}

function amountOf(engine: EngineExports, i: number): number | null {
  return engine.call_has_argument(i) === 0 ? null : engine.call_argument(i) / 1000;
}

/** As a board tells it (spec/WIRE.md, `calls`). */
function rawCall(engine: EngineExports, i: number, { tools }: ToolTable): RawCall {
  const [tool, rc] = [engine.call_tool(i), engine.call_rc(i)];
  const wasMade = engine.call_has_value(i) !== 0;
  const isSensor = tools[tool]?.drive.type === "adc";
  const asked = engine.call_has_argument(i) !== 0 && ASKS.includes(rc) ? engine.call_argument(i) : null;
  const made = wasMade && tool !== TOOL_EVERY && !isSensor ? engine.call_value(i) : null;
  return {
    ...{ tool, rc, value: wasMade ? made : asked },
    verb: engine.call_verb(i),
    margin: engine.call_margin(i) >>> 0,
    seconds: engine.call_lasts(i),
  };
}
