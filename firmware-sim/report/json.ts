/** JSON whose bytes depend on nothing but its content: keys in the order of their code units, numbers of at most 9 significant digits. */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** With two spaces a level; short arrays of numbers on one line. */
export function stableJson(value: Json): string {
  return `${write(value, "")}\n`;
}

function write(value: Json, indent: string): string {
  if (typeof value === "number") return numberText(value);
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    if (value.every((item) => typeof item === "number")) return `[${value.map(numberText).join(", ")}]`;
    return `[\n${value.map((item) => inner + write(item, inner)).join(",\n")}\n${indent}]`;
  }
  const entries = Object.entries(value as { [key: string]: Json }).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  if (entries.length === 0) return "{}";
  const lines = entries.map(([key, item]) => `${inner}${JSON.stringify(key)}: ${write(item, inner)}`);
  return `{\n${lines.join(",\n")}\n${indent}}`;
}

/** Counts stay whole; a quotient ends where nobody reads on. */
function numberText(value: number): string {
  if (!Number.isFinite(value)) return "null";
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(9)));
}
