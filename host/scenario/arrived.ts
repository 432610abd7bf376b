// What has arrived and was not matched yet. Bytes come in pieces of any size, so a match is looked for in all of them; what is matched is
// taken, with everything before it, and the next match begins behind it, as in Don Libes' expect.

/** Kept of what nobody asks for: the end. */
const KEPT = 1 << 20;
const SHOWN = 300;

export class Arrived {
  #text = "";

  /** @param text characters; for raw bytes one character a byte */
  push(text: string): void {
    this.#text += text;
    if (this.#text.length > KEPT) this.#text = this.#text.slice(-KEPT);
  }

  clear(): void {
    this.#text = "";
  }

  /** Takes the first match, and what stands before it. @returns whether there was one */
  take(wanted: string | RegExp): boolean {
    const [at, length] = this.#find(wanted);
    if (at < 0) return false;
    this.#text = this.#text.slice(at + length);
    return true;
  }

  /** What is there, for a message: the end of it, with escapes. */
  get shown(): string {
    if (this.#text === "") return "nothing arrived";
    const tail = this.#text.slice(-SHOWN);
    return `what arrived: ${this.#text.length > SHOWN ? "... " : ""}${JSON.stringify(tail)}`;
  }

  #find(wanted: string | RegExp): [at: number, length: number] {
    if (typeof wanted === "string") return [this.#text.indexOf(wanted), wanted.length];
    const match = wanted.exec(this.#text);
    return match === null ? [-1, 0] : [match.index, match[0].length];
  }
}
