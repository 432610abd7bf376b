// The outcome of scenarios as JUnit XML, which CI systems show. Times are simulated seconds: the same run gives the same file.
import type { ScenarioResult } from "./run.ts";

export function junitXml(results: readonly ScenarioResult[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${results.map(suite).join("")}</testsuites>\n`;
}

function suite({ name, steps, seconds }: ScenarioResult): string {
  const failures = steps.filter(({ state }) => state === "failed").length;
  const skipped = steps.filter(({ state }) => state === "skipped").length;
  const head = `tests="${steps.length}" failures="${failures}" errors="0" skipped="${skipped}" time="${time(seconds)}"`;
  const cases = steps.map((step) => {
    const attributes = `classname="${escaped(name)}" name="${escaped(`${step.number} ${step.label}`)}" time="${time(step.seconds)}"`;
    if (step.state === "passed") return `    <testcase ${attributes}/>\n`;
    const inner =
      step.error === null
        ? "<skipped/>"
        : `<failure type="${escaped(step.error.code)}" message="${escaped(step.error.message)}">${escaped(step.error.hint)}</failure>`;
    return `    <testcase ${attributes}>\n      ${inner}\n    </testcase>\n`;
  });
  return `  <testsuite name="${escaped(name)}" ${head}>\n${cases.join("")}  </testsuite>\n`;
}

function time(seconds: number): string {
  return seconds.toFixed(6);
}

/** Characters that XML 1.0 has no place for become U+FFFD. */
function escaped(text: string): string {
  const NAMES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, "\ufffd")
    .replace(/[&<>"]/g, (char) => NAMES[char])
    .replace(/[\t\n\r]/g, (char) => `&#${char.charCodeAt(0)};`);
}
