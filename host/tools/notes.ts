/** What a table may say, and its author hardly means: aliases that hide each other or the user's numbers, pins that two tools drive. */
import { KINDS } from "./names.ts";
import type { Drive, Tool } from "./tool.ts";
import { readsAsNumber, startsWithQuantity } from "./words.ts";

/** One sentence each, in the order of the tools. */
export function toolNotes(tools: readonly Tool[]): string[] {
  return [
    ...tools.flatMap((tool, i) => [...aliasNotes(tools, tool, i), ...valueNotes(tools, tool)]),
    ...kindNotes(tools),
    ...pinNotes(tools),
  ];
}

function aliasNotes(tools: readonly Tool[], { name, aliases }: Tool, index: number): string[] {
  return aliases.flatMap((alias) => {
    const first = tools.findIndex((tool) => tool.aliases.includes(alias));
    const notes: string[] = [];
    if (first < index)
      notes.push(`"${alias}" means ${tools[first].name}, not ${name}: the first tool that has an alias is meant.`);
    if (readsAsNumber(alias))
      notes.push(`The alias "${alias}" of ${name} hides a number: "${alias}" is ${name} always.`);
    const plural = tools.find(
      (tool, i) => i !== index && alias.endsWith("s") && tool.aliases.includes(alias.slice(0, -1)),
    );
    if (plural) notes.push(`"${alias}" means ${name}, although it is the plural of an alias of ${plural.name}.`);
    return notes;
  });
}

function valueNotes(tools: readonly Tool[], { name, values }: Tool): string[] {
  return [...values.keys()].flatMap((word) => {
    const owner = tools.find((tool) => tool.aliases.includes(word));
    if (owner) return [`"${word}" is never a value of ${name}: it is an alias of ${owner.name}.`];
    if (startsWithQuantity(word)) return [`"${word}" is never a value of ${name}: it is read as a number first.`];
    const hidden = tools.flatMap(({ aliases }) => aliases).find((alias) => word.startsWith(`${alias} `));
    if (hidden !== undefined) return [`"${word}" is never a value of ${name}: it begins with the alias "${hidden}".`];
    return [];
  });
}

function kindNotes(tools: readonly Tool[]): string[] {
  return KINDS.flatMap((kind) => {
    const same = tools.filter((tool) => tool.kind === kind).map(({ name }) => name);
    if (same.length <= 2) return [];
    return [`${same.length} tools are of the kind ${kind}: one sentence can name two of them.`];
  });
}

function pinNotes(tools: readonly Tool[]): string[] {
  return tools.flatMap((tool, i) => {
    const pin = drivenPin(tool.drive);
    const first = tools.findIndex(({ drive }) => pin !== null && drivenPin(drive) === pin);
    return first >= 0 && first < i ? [`${tools[first].name} and ${tool.name} both drive pin ${pin}.`] : [];
  });
}

/** null: it drives none. */
export function drivenPin(drive: Drive): number | null {
  return "pin" in drive ? drive.pin : null;
}
