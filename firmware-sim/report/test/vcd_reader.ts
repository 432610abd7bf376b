/** A reader of VCD files for tests, written from IEEE 1364-2005, 18.2: it takes what the grammar allows and throws at anything else. */

export interface ReadVcd {
  readonly widths: ReadonlyMap<string, number>;
  /** At the first time. */
  readonly values: ReadonlyMap<string, string>;
  readonly changes: readonly { readonly at: number; readonly name: string; readonly value: string }[];
}

export function readVcd(text: string): ReadVcd {
  const words = text.split(/\s+/).filter((word) => word !== "");
  const scope: string[] = [];
  const names = new Map<string, string>();
  const widths = new Map<string, number>();
  const values = new Map<string, string>();
  const changes: { at: number; name: string; value: string }[] = [];
  let at = -1;
  let first: number | null = null;
  let next = 0;
  const until = (): string[] => {
    const end = words.indexOf("$end", next);
    if (end < 0) throw new Error("no $end");
    const found = words.slice(next, end);
    next = end + 1;
    return found;
  };
  const set = (code: string, value: string): void => {
    const name = names.get(code);
    if (name === undefined) throw new Error(`no variable ${code}`);
    const width = widths.get(name) ?? 0;
    if (value.length > width) throw new Error(`${name} has ${width} bits, not ${value}`);
    const shown = value.replace(/^0+(?=[01])/, "");
    if (at === first) values.set(name, shown);
    else if (values.get(name) !== shown || changes.some((change) => change.name === name))
      changes.push({ at, name, value: shown });
  };
  while (next < words.length) {
    const word = words[next++];
    if (["$comment", "$version", "$date", "$timescale", "$enddefinitions"].includes(word)) until();
    else if (word === "$scope") scope.push(until()[1]);
    else if (word === "$upscope") {
      until();
      if (scope.pop() === undefined) throw new Error("no scope to leave");
    } else if (word === "$var") {
      const [kind, width, code, name] = until();
      if (kind !== "wire" || !/^[!-~]+$/.test(code)) throw new Error(`$var ${kind} ${code}`);
      names.set(code, [...scope, name].join("."));
      widths.set([...scope, name].join("."), Number(width));
    } else if (word === "$dumpvars" || word === "$end") continue;
    else if (/^#\d+$/.test(word)) {
      const time = Number(word.slice(1));
      if (time < at) throw new Error(`time goes back from ${at} to ${time}`);
      at = time;
      first ??= time;
    } else if (/^b[01xz]+$/i.test(word)) set(words[next++], word.slice(1));
    else if (/^[01xz]./i.test(word)) set(word.slice(1), word[0]);
    else throw new Error(`what is "${word}"?`);
  }
  return { widths, values, changes };
}
