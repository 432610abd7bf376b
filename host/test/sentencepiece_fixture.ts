/** Tokenizers of 260 tokens in the binary formats of SentencePiece and of llama2.c, written field by field. */

/** SentencePiece's order: unknown, bos, eos, 256 bytes, and one word that tells which file was read. */
function pieces(word: string): { text: string; score: number; type: number }[] {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  return [
    { text: "<unk>", score: 0, type: 2 },
    { text: "<s>", score: 0, type: 3 },
    { text: "</s>", score: 0, type: 3 },
    ...bytes.map((text) => ({ text, score: 0, type: 6 })),
    { text: word, score: -1, type: 1 },
  ];
}

/** llama2.c's tokenizer.py: u32 longest token, then score, length and bytes of each. */
export function tokenizerBin(word: string): Buffer {
  const records = pieces(word).map(({ text, score }, id) => {
    const bytes = Buffer.from(id === 1 || id === 2 ? `\n${text}\n` : text);
    const record = Buffer.alloc(8);
    record.writeFloatLE(score, 0);
    record.writeInt32LE(bytes.length, 4);
    return Buffer.concat([record, bytes]);
  });
  const longest = Buffer.alloc(4);
  longest.writeUInt32LE(8);
  return Buffer.concat([longest, ...records]);
}

/** A field of protobuf: a number as varint, bytes with their length. */
function field(number: number, value: number | Buffer): Buffer {
  const varint = (rest: number): number[] => (rest < 128 ? [rest] : [(rest & 127) | 128, ...varint(rest >>> 7)]);
  if (typeof value === "number") return Buffer.from([...varint(number << 3), ...varint(value)]);
  return Buffer.concat([Buffer.from([...varint((number << 3) | 2), ...varint(value.length)]), value]);
}

/** sentencepiece_model.proto, with the options of Llama 2. */
export function tokenizerModel(word: string): Buffer {
  const list = pieces(word).map(({ text, score, type }) => {
    const float = Buffer.alloc(5, (2 << 3) | 5);
    float.writeFloatLE(score, 1);
    return field(1, Buffer.concat([field(1, Buffer.from(text)), float, field(3, type)]));
  });
  return Buffer.concat([
    ...list,
    field(2, Buffer.concat([field(3, 2), field(35, 1)])),
    field(3, Buffer.concat([field(1, Buffer.from("identity")), field(4, 0)])),
  ]);
}
