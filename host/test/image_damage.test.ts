/** Damaged images: refused with a typed error, whatever was hit; never another exception. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CFG_DIM,
  CFG_N_EXPERTS,
  CFG_VOCAB_SIZE,
  HDR_DIGESTS,
  HDR_TABLE,
  IMAGE_BLOCK_BYTES,
  KIND_ATTN_O,
  KIND_CONFIG,
  KIND_EMBED,
  KIND_FFN_UP,
  KIND_TOKENIZER,
  SEC_COLS,
  SEC_EXPERT,
  SEC_KIND,
  SEC_OFFSET,
  SEC_PACKING,
  SECTION_ENTRY_BYTES,
  TOK_BYTES,
  TOK_KIND,
} from "../../spec/image.ts";
import { buildImage } from "../convert/build.ts";
import { randomModel } from "../convert/random.ts";
import { TritkitError } from "../errors.ts";
import { type Image, readImage } from "../image/reader.ts";
import { verifyCodes } from "../image/verify_codes.ts";
import { seeded } from "./seeded.ts";

const TINY = { dim: 8, hiddenDim: 12, nLayers: 1, nHeads: 1, nKvHeads: 1, headDim: 4, vocabSize: 260, seqLen: 16 };
const { bytes } = await buildImage(randomModel(TINY), { name: "tiny" });
const image = readImage(bytes);

/** The code of the error, "" when the image is taken. */
function codeOf(read: () => unknown): string {
  try {
    read();
    return "";
  } catch (error) {
    assert.ok(error instanceof TritkitError, `${error}`);
    assert.ok(
      error.code.startsWith("E_IMAGE_") && error.message.endsWith(".") && !error.message.includes("\n"),
      error.message,
    );
    return error.code;
  }
}

/** A copy with `change` made to it. */
function damaged(change: (view: DataView<ArrayBuffer>, copy: Uint8Array) => void): Uint8Array {
  const copy = Uint8Array.from(bytes);
  change(new DataView(copy.buffer), copy);
  return copy;
}

function section(kind: number): Image["sections"][number] & { entry: number } {
  const index = image.sections.findIndex((candidate) => candidate.kind === kind);
  return { ...image.sections[index], entry: HDR_TABLE + index * SECTION_ENTRY_BYTES };
}

test("every flipped bit of the header is refused", () => {
  const copy = Uint8Array.from(bytes);
  for (let bit = 0; bit < IMAGE_BLOCK_BYTES * 8; bit++) {
    copy[bit >> 3] ^= 1 << (bit & 7);
    assert.notEqual(
      codeOf(() => readImage(copy)),
      "",
      `bit ${bit}`,
    );
    copy[bit >> 3] ^= 1 << (bit & 7);
  }
  assert.equal(
    codeOf(() => readImage(copy)),
    "",
  );
});

test("an image cut anywhere is refused as cut", () => {
  for (let length = 0; length < bytes.length; length += 97) {
    const code = codeOf(() => readImage(bytes.subarray(0, length)));
    assert.equal(code, length < 4 ? "E_IMAGE_MAGIC" : "E_IMAGE_TRUNCATED", `${length} bytes`);
  }
});

test("the damaged block is named", () => {
  for (let at = IMAGE_BLOCK_BYTES + 5; at < image.header.digestOffset; at += 1999) {
    const block = Math.floor(at / IMAGE_BLOCK_BYTES);
    assert.throws(
      () =>
        readImage(
          damaged((_, copy) => {
            copy[at] ^= 4;
          }),
        ),
      {
        code: "E_IMAGE_CORRUPT",
        message: new RegExp(`in block ${block} of ${image.header.digestOffset / IMAGE_BLOCK_BYTES} `),
      },
    );
  }
  for (const at of [image.header.digestOffset, bytes.length - 100])
    assert.equal(
      codeOf(() =>
        readImage(
          damaged((_, copy) => {
            copy[at] ^= 1;
          }),
        ),
      ),
      "E_IMAGE_CORRUPT",
    );
});

test("bytes after the image do not matter", () => {
  const flash = new Uint8Array(bytes.length + 5000).fill(0xff);
  flash.set(bytes);
  assert.equal(readImage(flash).bytes.length, bytes.length);
});

const FORGERIES: [string, string, (view: DataView) => void][] = [
  ["another magic", "E_IMAGE_MAGIC", (v) => v.setUint8(0, 0)],
  ["major version 2", "E_IMAGE_VERSION", (v) => v.setUint16(4, 2, true)],
  [
    "digests out of place",
    "E_IMAGE_TRUNCATED",
    (v) => v.setUint32(HDR_DIGESTS, image.header.digestOffset - 4096, true),
  ],
  [
    "a section beyond the end",
    "E_IMAGE_TRUNCATED",
    (v) => v.setUint32(section(KIND_EMBED).entry + SEC_OFFSET, bytes.length - 16, true),
  ],
  ["a section in the header", "E_IMAGE_TRUNCATED", (v) => v.setUint32(section(KIND_EMBED).entry + SEC_OFFSET, 0, true)],
  ["dim 6", "E_IMAGE_CONFIG", (v) => v.setUint32(section(KIND_CONFIG).offset + CFG_DIM * 4, 6, true)],
  [
    "a vocabulary of 10",
    "E_IMAGE_CONFIG",
    (v) => v.setUint32(section(KIND_CONFIG).offset + CFG_VOCAB_SIZE * 4, 10, true),
  ],
  [
    "experts of which none is used",
    "E_IMAGE_CONFIG",
    (v) => v.setUint32(section(KIND_CONFIG).offset + CFG_N_EXPERTS * 4, 8, true),
  ],
  [
    "an expert's tensor in a dense model",
    "E_IMAGE_TENSOR",
    (v) => v.setUint16(section(KIND_FFN_UP).entry + SEC_EXPERT, 1, true),
  ],
  ["no embedding", "E_IMAGE_TENSOR", (v) => v.setUint16(section(KIND_EMBED).entry + SEC_KIND, 0x8000, true)],
  ["an embedding twice", "E_IMAGE_TENSOR", (v) => v.setUint16(section(KIND_ATTN_O).entry + SEC_KIND, KIND_EMBED, true)],
  ["a wrong shape", "E_IMAGE_TENSOR", (v) => v.setUint32(section(KIND_ATTN_O).entry + SEC_COLS, 5, true)],
  ["a BitLinear of int8", "E_IMAGE_TENSOR", (v) => v.setUint8(section(KIND_ATTN_O).entry + SEC_PACKING, 16)],
  [
    "a tokenizer of kind 9",
    "E_IMAGE_UNSUPPORTED",
    (v) => v.setUint32(section(KIND_TOKENIZER).offset + TOK_KIND, 9, true),
  ],
  [
    "token bytes elsewhere",
    "E_IMAGE_TOKENIZER",
    (v) => v.setUint32(section(KIND_TOKENIZER).offset + TOK_BYTES, 0xfffffff0, true),
  ],
];

for (const [what, code, forge] of FORGERIES)
  test(`${what} is ${code} even when the digests were made to match`, () => {
    assert.equal(
      codeOf(() => readImage(damaged(forge), { verify: false })),
      code,
    );
  });

test("an illegal packed byte is found and named", () => {
  const at = image.tensor(KIND_ATTN_O).offset + 1;
  const forged = readImage(
    damaged((view) => view.setUint8(at, 27)),
    { verify: false },
  );
  assert.throws(() => verifyCodes(forged), { code: "E_IMAGE_CODE", message: /layer 0 attn_o .* 0x1b at 1 / });
});

test("3000 seeded mutations of unverified images are read or refused, never worse", () => {
  const random = seeded(20);
  const used = HDR_TABLE + image.sections.length * SECTION_ENTRY_BYTES;
  const tokenizer = section(KIND_TOKENIZER);
  const config = section(KIND_CONFIG);
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const [start, length] = [
      [0, used],
      [config.offset, config.bytes],
      [tokenizer.offset, 1400],
    ][round % 3];
    const copy = damaged((view) => {
      for (let n = 0; n < 1 + random() * 3; n++) {
        const at = start + Math.floor(random() * length);
        if (random() < 0.5) view.setUint8(at, view.getUint8(at) ^ (1 << Math.floor(random() * 8)));
        else view.setUint32(at & ~3, [0, 1, 0xffffffff, 0x7fffffff, 0x80000000][Math.floor(random() * 5)], true);
      }
    });
    if (codeOf(() => verifyCodes(readImage(copy, { verify: false }))) !== "") refused++;
  }
  assert.ok(refused > 1500, `${refused} refused`);
});
